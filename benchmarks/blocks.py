"""What sums in fixed blocks cost: training on one device, with one group of towns or several."""

import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.ppo import CONFIG
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
    seconds: dict[int, list[float]] = {number: [] for number in groups}
    for _ in range(3 if is_quick else RUNS):
        for number, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[number].append(time.perf_counter() - start)
    median = {number: statistics.median(values) for number, values in seconds.items()}
    return {
        "backend": jax.default_backend(),
        "devices": jax.device_count(),
        "towns": TOWNS,
        "update_seconds": {number: round(x, 4) for number, x in median.items()},
        "spread": {n: [round(min(x), 4), round(max(x), 4)] for n, x in seconds.items()},
        "over_one_group": {number: round(x / median[1], 3) for number, x in median.items()},
    }
