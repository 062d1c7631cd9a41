"""One small case, to be run where a change is checked and compared with what is committed.

Machines differ and are shared. So the figures are ratios of the step to loops of the same process
that no change of this project touches: a product of matrices, and threefry over an array.
"""

from typing import Any

from benchmarks.machine import cores
from benchmarks.stepping import Case, runner
from benchmarks.timing import in_turn
from launch.flags import set_cpu_defaults, set_host_devices

TOWNS, TICKS, RUNS = 256, 60, 9
CASES = {
    "step": Case(towns=TOWNS),
    "hybrid": Case(towns=TOWNS, observation="hybrid", has_rewards=True),
}


def measure(is_quick: bool) -> dict[str, Any]:
    """Times a batch of towns and the loops in turn."""
    set_cpu_defaults()
    set_host_devices(cores())
    import jax
    import jax.numpy as jnp

    devices = jax.devices()
    product = jax.jit(lambda x: x @ x)
    squares = [jax.device_put(jnp.ones((768, 768)) / 768, device) for device in devices]
    draw = jax.jit(lambda key: jnp.sum(jax.random.bits(key, (2**21,))))
    keys = [jax.device_put(jax.random.key(0), device) for device in devices]
    runs: dict[str, Any] = {
        "product": lambda: jax.block_until_ready([product(x) for x in squares]),
        "draw": lambda: jax.block_until_ready([draw(key) for key in keys]),
    }
    for name, case in CASES.items():
        live, _ = runner(case)
        runs[name] = lambda live=live: live(TICKS)
    for run in runs.values():
        run()
    timings = in_turn(runs, 3 if is_quick else RUNS)
    loops = (timings["product"].seconds * timings["draw"].seconds) ** 0.5
    rows = [
        {
            "benchmark": "calibration",
            "run": name,
            "seconds": round(timing.seconds, 5),
            "spread": [round(timing.low, 5), round(timing.high, 5)],
            "cpu_seconds": round(timing.cpu_seconds, 5),
            "over_loops": round(timing.seconds / loops, 3),
        }
        for name, timing in timings.items()
    ]
    return {"rows": rows}
