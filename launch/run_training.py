"""Trains residents: another name of launch/train.py, with the same flags.

    python launch/run_training.py --config configs/train/ppo_town.yaml --rollout-ticks 200

See python launch/train.py --help for what the flags mean.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from launch.flags import run
from launch.train import main

if __name__ == "__main__":
    run(main)
