"""Brings states to the host, and fingerprints them."""

import hashlib
import json
from collections.abc import Sequence
from typing import TypeVar

import jax
import numpy as np

from townlet_jax.state import TownState

Tree = TypeVar("Tree")


def fetch(tree: Tree) -> Tree:
    """Copies a tree of device arrays to numpy arrays; random keys become their uint32 data."""

    def plain(leaf: jax.Array) -> jax.Array:
        is_key = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return jax.random.key_data(leaf) if is_key else leaf

    return jax.device_get(jax.tree.map(plain, tree))


def town_at(towns: TownState, index: int) -> TownState:
    """Takes one town out of a batch.

    Args:
      towns: every leaf `[E, ...]`.
      index: in [0, E).
    """
    return jax.tree.map(lambda leaf: leaf[index], towns)


def town_hashes(towns: TownState) -> list[str]:
    """Fingerprints towns; equal states have equal hashes, on every machine.

    Args:
      towns: `[E]` fetched towns.

    Returns:
      SHA-256 per town, hexadecimal, over names, types and bytes of all leaves in a fixed order.
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(towns)
    num_towns = leaves[0][1].shape[0]
    header = json.dumps(
        [[jax.tree_util.keystr(path), leaf.dtype.str, leaf.shape[1:]] for path, leaf in leaves]
    )
    columns = [
        np.ascontiguousarray(leaf).reshape(num_towns, leaf.size // num_towns).view(np.uint8)
        for _, leaf in leaves
    ]
    start = hashlib.sha256(header.encode())
    hashes = []
    for row in np.concatenate(columns, axis=1):
        town = start.copy()
        town.update(row.tobytes())
        hashes.append(town.hexdigest())
    return hashes


def state_hash(hashes: Sequence[str]) -> str:
    """Returns the hash of a run: that of its only town, or one over the hashes of its towns."""
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
