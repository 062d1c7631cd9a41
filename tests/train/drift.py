"""Three updates with a fixed seed, for comparison with figures that were once good (M-055).

python -m tests.train.drift          # writes tests/golden/ppo_social/ anew
"""

import json
from pathlib import Path

import jax

from townlet_jax.config import load
from townlet_jax.train import lanes
from townlet_jax.train.config import train_params, train_shape, training_numbers
from townlet_jax.train.town_world import TownWorld

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "ppo_social"
SMALL = ["network.feature_hidden=32", "network.gru_hidden=32", "training.num_updates=3",
         "training.updates_per_chunk=3", "features.systems.observations=compact"]  # fmt: skip
CASES = {
    "tiny_c1": (
        "configs/train/ppo_tiny.yaml",
        ["training.social_reward_schedule=[{cycle: 1, stage: C1}]",
         "training.social_reward_stage_override='OFF'"],
    ),
    "queue_conflict": ("configs/scenarios/queue_conflict.yaml", ["training.num_towns=1"]),
}  # fmt: skip


def measure(case: str) -> dict[str, list[float]]:
    """Returns the figures of three updates by key."""
    path, settings = CASES[case]
    town = load(ROOT / path, [*SMALL, *settings])
    world, shape, numbers = TownWorld(town.shape), train_shape(town), training_numbers(town)
    params = lanes.stack_params([train_params(town.config)])
    learner = lanes.start(world, shape, [11], numbers, params)
    _, metrics = lanes.train(world, shape, learner, numbers, params)
    return {name: [round(float(v), 6) for v in x[0]] for name, x in jax.device_get(metrics).items()}


if __name__ == "__main__":
    from launch.flags import set_cpu_defaults

    set_cpu_defaults()
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name in CASES:
        text = json.dumps(measure(name), indent=1, sort_keys=True)
        (GOLDEN / f"{name}.json").write_text(text + "\n")
