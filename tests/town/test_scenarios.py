"""The five scenarios against their printed results, and ten days of the default town."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from townlet_jax.config import load
from townlet_jax.env import batch
from townlet_jax.env.traces import trace
from townlet_jax.state.metrics import Total
from townlet_jax.town.metrics import kpi

CONFIGS = Path(__file__).parents[2] / "configs"
SLOT_ORDER = ("world.tick_order=slot",)


def live(name, num_ticks, num_towns=1, policy="idle", overrides=(), seed=None):
    """Runs towns from a shipped file; returns the town and its final state as numpy."""
    town = load(CONFIGS / f"{name}.yaml", overrides)
    towns = batch.start(town, town.seed if seed is None else seed, num_towns)
    return town, jax.device_get(batch.advance(town, policy, towns, num_ticks).state)


def totals(state, total):
    return state.metrics.totals[:, total]


def test_queue_conflict_stays_in_its_band_whatever_the_order():
    town, state = live("scenarios/queue_conflict", 40, num_towns=64, seed=0)
    conflicts, intensity = totals(state, Total.CONFLICTS), totals(state, Total.INTENSITY_QUARTERS)
    assert ((conflicts >= 37) & (conflicts <= 39)).all()
    assert ((intensity / 4 >= 64.75) & (intensity / 4 <= 68.25)).all()
    assert (totals(state, Total.SHARED_MEALS) == 2).all()
    assert (totals(state, Total.TOOK) == 0).all()
    quality = totals(state, Total.CHAT_QUALITY_1024THS) / 1024
    mean = quality / totals(state, Total.CHAT_SUCCESS)
    assert (mean >= 0.575).all() and 0.74 <= mean.mean() <= 0.84
    assert np.isclose(state.relationships.rivalry.max(axis=(1, 2)), 0.77, atol=0.06).all()


@pytest.mark.slow
def test_queue_conflict_golden_in_slot_order():
    town, state = live("scenarios/queue_conflict", 40, overrides=SLOT_ORDER)
    anna = town.names.agents.index("anna")
    assert totals(state, Total.CONFLICTS) == 37 and totals(state, Total.INTENSITY_QUARTERS) == 259
    assert np.isclose(state.agents.wallet[0, anna], 1.98, atol=1e-5)
    assert np.isclose(state.needs.level[0, anna, 1], 0.35, atol=1e-5)
    _, state = live("scenarios/queue_conflict", 80, overrides=SLOT_ORDER)
    assert totals(state, Total.CONFLICTS) == 77 and totals(state, Total.INTENSITY_QUARTERS) == 539
    assert totals(state, Total.SHARED_MEALS) == 3


@pytest.mark.slow
def test_employment_punctuality_golden():
    _, state = live("scenarios/employment_punctuality", 80, overrides=SLOT_ORDER)
    np.testing.assert_allclose(state.agents.wallet[0, :2], [1.63, 1.215], atol=1e-5)
    assert totals(state, Total.HELPED) == 1 and totals(state, Total.TOOK) == 0
    present, scheduled = state.employment.attendance[0, :2, 0].T
    assert (present / scheduled == np.array([1, 14 / 21])).all()


@pytest.mark.slow
def test_rivalry_decay_golden():
    for num_ticks, rivalry in ((10, 0.585), (20, 0.485), (50, 0.185)):
        _, state = live("scenarios/rivalry_decay", num_ticks, overrides=SLOT_ORDER)
        assert totals(state, Total.CONFLICTS) == 9
        assert totals(state, Total.INTENSITY_QUARTERS) == 54
        assert np.isclose(state.relationships.rivalry.max(), rivalry, atol=1e-5)


@pytest.mark.slow
def test_kitchen_breakfast_golden():
    _, state = live("scenarios/kitchen_breakfast", 60, overrides=SLOT_ORDER)
    needs = [[0.90, 0.60, 0.49], [0.75, 0.70, 0.62]]
    np.testing.assert_allclose(state.needs.level[0, :2], needs, atol=1e-5)
    np.testing.assert_allclose(state.agents.wallet[0, :2], [0.95, 0.80], atol=1e-5)
    assert totals(state, Total.SHARED_MEALS) == 1


@pytest.mark.slow
def test_observation_baseline_is_quiet():
    _, state = live("scenarios/observation_baseline", 20, overrides=SLOT_ORDER)
    assert not state.metrics.totals.any() and not state.metrics.counters.any()


@pytest.mark.slow
def test_charter_over_ten_days():
    town, policies = load(CONFIGS / "town.yaml"), ["scripted", "idle", "random"]
    figures = trace(
        [town] * 3, policies, [1, 2, 3], 14_400, lambda end: kpi(end, town.params), 14_400
    )  # [policy, seed, 1]
    scripted, *others = (jax.tree.map(lambda x, i=i: x[i], figures) for i in range(3))
    assert (scripted.self_sufficiency >= 0.7).all()
    assert (scripted.tenure_days >= 3).all() and (scripted.lateness_rate < 0.15).all()
    assert (scripted.relationship_coverage >= 0.6).all()
    for other in others:
        assert (other.self_sufficiency <= 0.05).all()
        assert (other.tenure_days < 1).all()
        assert (other.relationship_coverage < 0.6).all()


@pytest.mark.slow
def test_town_zero_of_many_lives_as_it_would_alone():
    town = load(CONFIGS / "tiny.yaml")
    alone = batch.advance(town, "random", batch.start(town, 7, 1), 600).state
    many = batch.advance(town, "random", batch.start(town, 7, 16), 600).state
    pairs = zip(jax.tree.leaves(alone), jax.tree.leaves(many), strict=True)
    for one, other in pairs:
        if not jnp.issubdtype(one.dtype, jax.dtypes.prng_key):
            np.testing.assert_array_equal(one[0], other[0])
