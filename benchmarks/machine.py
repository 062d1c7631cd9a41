"""What this machine can do, measured beside whatever is compared with it."""

import statistics
import time

import numpy as np

BYTES = 2**28
RUNS = 5


def copy_bandwidth(num_threads: int) -> float:
    """Returns bytes read plus bytes written per second [B/s] by so many copies side by side.

    The arrays are far larger than the caches. numpy lets go of the interpreter while it copies.
    """
    from concurrent.futures import ThreadPoolExecutor

    size = BYTES // num_threads
    pairs = [(np.ones(size, np.uint8), np.zeros(size, np.uint8)) for _ in range(num_threads)]
    seconds = []
    with ThreadPoolExecutor(num_threads) as pool:
        for _ in range(RUNS):
            start = time.perf_counter()
            list(pool.map(lambda pair: np.copyto(pair[1], pair[0]), pairs))
            seconds.append(time.perf_counter() - start)
    return 2 * size * num_threads / statistics.median(seconds)
