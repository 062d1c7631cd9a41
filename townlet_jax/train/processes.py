"""Arrays and decisions of several processes that run one program; trivial where there is only one.

Each process holds a share of the devices. All of them call these functions at the same places, in
the same order; a process that does not leaves the others waiting.
"""

import functools
import hashlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

_meetings: list[Callable[[], None]] = []


def meet_by(call: Callable[[], None]) -> None:
    """Says how processes wait for each other before they communicate."""
    _meetings.append(call)


def meet() -> None:
    """Waits until all processes are here.

    Collective operations give up after half a minute where one process compiles or writes longer
    than the others. So everything that communicates meets first.
    """
    for call in _meetings:
        call()


def is_first() -> bool:
    """Tells whether this is the process that writes and prints."""
    return jax.process_index() == 0


def put(x: jax.Array, sharding: NamedSharding) -> jax.Array:
    """Puts an array that every process holds as a whole on devices of all of them.

    Args:
      x: any array or random keys, the same in every process.
      sharding: where to.
    """
    if sharding.is_fully_addressable:
        return jax.device_put(x, sharding)
    is_key = jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
    data = np.asarray(jax.random.key_data(x) if is_key else x)
    placed = jax.make_array_from_callback(data.shape, sharding, lambda index: data[index])
    return jax.random.wrap_key_data(placed) if is_key else placed


def to_host(tree: Any) -> Any:
    """Copies arrays to the host of every process, as a whole.

    Args:
      tree: arrays without random keys; those that are spread over processes share a mesh.
    """
    leaves, structure = jax.tree.flatten(tree)
    spread = [i for i, x in enumerate(leaves) if _is_elsewhere(x)]
    if spread:
        meet()
        whole = _gatherer(leaves[spread[0]].sharding.mesh)([leaves[i] for i in spread])
        for i, x in zip(spread, whole, strict=True):
            leaves[i] = x
    return jax.tree.unflatten(structure, jax.device_get(leaves))


def any_of(flag: bool) -> bool:
    """Tells whether the flag is set in any process; all of them get the same answer."""
    if jax.process_count() == 1:
        return flag
    meet()
    return bool(np.any(multihost_utils.process_allgather(np.array(flag))))


def agree(text: str) -> bool:
    """Tells whether all processes say the same; waits until all of them have said it."""
    own = np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint8)
    return not any_of(not np.array_equal(of_first(own), own))


def of_first(values: np.ndarray) -> np.ndarray:
    """Returns the values that the first process has.

    Args:
      values: of the same shape and dtype in every process.
    """
    if jax.process_count() == 1:
        return values
    words = np.frombuffer(values.tobytes(), np.uint8)  # float64 would be rounded on the way
    meet()
    given = np.asarray(multihost_utils.broadcast_one_to_all(words), np.uint8)
    return np.frombuffer(given.tobytes(), values.dtype).reshape(values.shape)


def _is_elsewhere(x: Any) -> bool:
    is_array = isinstance(x, jax.Array)
    return is_array and not (x.is_fully_addressable or x.is_fully_replicated)


@functools.cache
def _gatherer(mesh: Mesh) -> Callable[[list[jax.Array]], list[jax.Array]]:
    return jax.jit(lambda x: x, out_shardings=NamedSharding(mesh, PartitionSpec()))
