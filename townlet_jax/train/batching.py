"""The axes of towns and agents, merged for the network and split again; nothing else does so."""

import jax

Array = jax.Array


def merge_agents(x: Array, axis: int = 0) -> Array:
    """Merges `[..., M, A, ...]` into `[..., B, ...]` with `B = M * A`, town-major.

    Args:
      x: any array.
      axis: of the towns; that of the agents follows.
    """
    shape = x.shape
    return x.reshape(*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :])


def split_agents(x: Array, num_agents: int, axis: int = 0) -> Array:
    """Splits `[..., B, ...]` into `[..., M, A, ...]`; the inverse of `merge_agents`.

    Args:
      x: any array.
      num_agents: A.
      axis: of the rows.
    """
    shape = x.shape
    num_towns = shape[axis] // num_agents
    return x.reshape(*shape[:axis], num_towns, num_agents, *shape[axis + 1 :])
