"""Fetching and fingerprints."""

import jax
import numpy as np

from townlet_jax.ops.host import fetch, state_hash, town_at, town_hashes


def test_fetch_gives_plain_arrays() -> None:
    key = jax.random.key(3)
    fetched = fetch({"x": jax.numpy.ones(2), "key": key})
    assert isinstance(fetched["x"], np.ndarray)
    np.testing.assert_array_equal(fetched["key"], jax.random.key_data(key))


def test_hashes_tell_towns_apart(newborn) -> None:
    towns = jax.tree.map(lambda leaf: np.stack([leaf] * 3), newborn)
    towns.agents.wallet[1, 2] += np.float32(1e-6)
    towns.clock.stream_keys[2, 1, 0] ^= 1
    first, second, third = town_hashes(towns)
    assert len({first, second, third}) == 3
    alone = jax.tree.map(lambda leaf: leaf[None], town_at(towns, 1))
    assert town_hashes(alone) == [second]


def test_hash_depends_on_types(newborn) -> None:
    towns = jax.tree.map(lambda leaf: leaf[None], newborn)
    other = towns.replace(agents=towns.agents.replace(job=towns.agents.job.view(np.float32)))
    assert town_hashes(towns) != town_hashes(other)


def test_hash_of_a_run() -> None:
    assert state_hash(["ab"]) == "ab"
    assert state_hash(["ab", "cd"]) != state_hash(["cd", "ab"])
