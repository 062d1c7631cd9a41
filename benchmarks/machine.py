"""What this machine can do, measured beside whatever is compared with it."""

import os
import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import numpy as np

BYTES = 2**28
SIDE = 1024
RUNS = 5


def cores() -> int:
    """Returns how many cores this process may use."""
    has_affinity = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1


def facts() -> dict[str, Any]:
    """Describes the machine and measures its copies and products, on all cores."""
    import jax

    number = cores()
    return {
        "backend": jax.default_backend(),
        "devices": jax.device_count(),
        "device_kind": jax.devices()[0].device_kind,
        "cores": number,
        "python": platform.python_version(),
        **{name: version(name) for name in ("jax", "jaxlib", "flax", "numpy")},
        "copy_bytes_per_second": round(copy_bandwidth(number)),
        "matmul_flops_per_second": round(matmul_throughput()),
    }


def copy_bandwidth(num_threads: int) -> float:
    """Returns bytes read plus bytes written per second [B/s] by so many copies side by side.

    The arrays are far larger than the caches. numpy lets go of the interpreter while it copies. The
    memory of an accelerator is measured on all of its devices, whatever the threads.
    """
    import jax

    if jax.default_backend() != "cpu":
        return device_bandwidth()
    size = BYTES // num_threads
    pairs = [(np.ones(size, np.uint8), np.zeros(size, np.uint8)) for _ in range(num_threads)]
    with ThreadPoolExecutor(num_threads) as pool:
        seconds = _median_seconds(
            lambda: list(pool.map(lambda pair: np.copyto(pair[1], pair[0]), pairs))
        )
    return 2 * size * num_threads / seconds


def device_bandwidth() -> float:
    """Returns bytes read plus bytes written per second [B/s] by a kernel on every device."""
    import jax
    import jax.numpy as jnp

    flip = jax.jit(lambda x: ~x)
    given = [jax.device_put(jnp.zeros(BYTES // 4, jnp.int32), device) for device in jax.devices()]

    def all_devices() -> None:
        jax.block_until_ready([flip(x) for x in given])

    all_devices()
    return 2 * BYTES * len(given) / _median_seconds(all_devices)


def matmul_throughput() -> float:
    """Returns operations per second [1/s] of products of float32 matrices, one on each device.

    A product and a sum count as two.
    """
    import jax
    import jax.numpy as jnp

    devices = jax.devices()
    side = SIDE if devices[0].platform == "cpu" else 8 * SIDE
    product = jax.jit(lambda x: x @ x)
    given = [jax.device_put(jnp.ones((side, side)) / side, device) for device in devices]

    def all_devices() -> None:
        jax.block_until_ready([product(x) for x in given])

    all_devices()
    return 2 * side**3 * len(devices) / _median_seconds(all_devices)


def _median_seconds(run: Callable[[], Any]) -> float:
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)
