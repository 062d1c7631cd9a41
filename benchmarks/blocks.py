"""What sums in fixed blocks cost: training on one device, with one group of towns or several."""

from collections.abc import Callable
from typing import Any

from benchmarks.ppo import CONFIG
from benchmarks.timing import in_turn
from launch.flags import set_cpu_defaults, set_host_devices

TOWNS = 32
GROUPS = (1, 2, 4, 8)
RUNS = 7


def measure(is_quick: bool) -> dict[str, object]:
    """Times updates of one lane in turn; ratios are medians over that of a single group."""
    set_cpu_defaults()
    set_host_devices(1)
    import jax

    from townlet_jax.config import load
    from townlet_jax.train import lanes
    from townlet_jax.train.config import train_params, train_shape, training_numbers
    from townlet_jax.train.town_world import TownWorld

    def trainer(groups: int) -> Callable[[], Any]:
        sizes = [f"training.num_towns={TOWNS}", f"ppo.minibatch_groups={groups}"]
        town = load(CONFIG, ["training.updates_per_chunk=1", *sizes])
        shape, world, numbers = train_shape(town), TownWorld(town.shape), training_numbers(town)
        params = lanes.stack_params([train_params(town.config)])
        learner = lanes.start(world, shape, [0], numbers, params)

        def run() -> None:
            nonlocal learner
            learner, _ = lanes.train(world, shape, learner, numbers, params)
            jax.block_until_ready(learner)

        run()
        return run

    groups = GROUPS[::3] if is_quick else GROUPS
    runs = {number: trainer(number) for number in groups}
    timings = in_turn(runs, 3 if is_quick else RUNS)
    rows = [
        {
            "benchmark": "blocks",
            "towns": TOWNS,
            "groups": number,
            "update_seconds": round(timing.seconds, 4),
            "spread": [round(timing.low, 4), round(timing.high, 4)],
            "cpu_seconds": round(timing.cpu_seconds, 4),
            "over_one_group": round(timing.seconds / timings[1].seconds, 3),
        }
        for number, timing in timings.items()
    ]
    return {"rows": rows}
