"""Looks into snapshots; the same as `townlet-inspect`, for a checkout that is not installed.

python launch/inspect_snapshot.py show snapshots/0000001440 --stats
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from townlet_jax.snapshots.cli import main

if __name__ == "__main__":
    sys.exit(main())
