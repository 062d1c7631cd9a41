import jax
import jax.numpy as jnp
import numpy as np

from townlet_jax.train import values

SCALE, GATHER = jax.jit(values.scale), jax.jit(values.gather)


def gathered(batches, decay=0.9, has_any=True):
    stats = values.no_stats()
    for batch in batches:
        mean, square = (np.float32(x) for x in (np.mean(batch), np.mean(np.square(batch))))
        stats = GATHER(stats, mean, square, jnp.bool_(has_any), np.float32(decay))
    return stats


def test_before_any_target_values_are_as_they_are():
    assert [float(x) for x in SCALE(values.no_stats())] == [0.0, 1.0]


def test_first_targets_count_in_full():
    mean, deviation = SCALE(gathered([[1.0, 3.0]], decay=0.99))
    np.testing.assert_allclose([mean, deviation], [2.0, 1.0], rtol=1e-4)


def test_later_targets_are_averaged_with_what_was():
    batches = np.random.default_rng(0).normal(5, 2, (4, 10))
    mean, deviation = SCALE(gathered(batches, 0.8))
    weights = 0.2 * 0.8 ** np.arange(3, -1, -1.0)
    m = (weights * batches.mean(1)).sum() / weights.sum()
    q = (weights * np.square(batches).mean(1)).sum() / weights.sum()
    np.testing.assert_allclose([mean, deviation], [m, np.sqrt(q - m * m)], rtol=1e-4)


def test_decay_0_keeps_only_the_last():
    mean, deviation = SCALE(gathered([[50.0, 70.0], [-1.0, 1.0]], decay=0.0))
    np.testing.assert_allclose([mean, deviation], [0.0, 1.0], atol=1e-6)


def test_constant_targets_have_the_least_deviation():
    mean, deviation = SCALE(gathered([[7.0, 7.0]] * 5))
    np.testing.assert_allclose([mean, deviation], [7.0, values.MIN_VARIANCE**0.5], rtol=1e-5)


def test_rollout_of_nobody_changes_nothing():
    stats = gathered([[1.0, 2.0]])
    same = GATHER(stats, np.float32(99), np.float32(99), jnp.bool_(False), np.float32(0.9))
    assert stats == same
