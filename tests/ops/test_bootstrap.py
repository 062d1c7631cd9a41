"""Intervals by drawing anew: worked means, a plain twin, coverage, pairing, clusters."""

import numpy as np
import pytest

from townlet_jax.ops import bootstrap
from townlet_jax.ops.bootstrap import intervals

NAN = np.nan


def test_worked_means():
    values = np.array([[[1.0, 2.0, 6.0]], [[1.0, NAN, 3.0]], [[NAN, NAN, NAN]]])
    found = intervals(values)
    assert found.mean[:2].tolist() == [3, 2] and np.isnan(found.mean[2])
    assert found.low[0] == 1 and found.high[0] == 6, "a town in ten draws is always the same"
    assert found.low[1] == 1 and found.high[1] == 3, "who has no cases counts for nothing"
    assert np.isnan(found.low[2]) and np.isnan(found.high[2])


def test_one_town_has_no_width():
    found = intervals(np.array([[[0.25]]]))
    assert (found.mean[0], found.low[0], found.high[0]) == (0.25, 0.25, 0.25)


def test_worked_differences():
    ours = np.array([[[5.0, 7.0, NAN, 1.0]]])
    theirs = np.array([[[1.0, 2.0, 3.0, NAN], [3.0, NAN, 3.0, NAN]]])
    found = intervals(ours, theirs)
    assert found.mean[0] == ((5 - 2) + (7 - 2)) / 2
    assert intervals(ours, ours).low[0] == intervals(ours, ours).high[0] == 0


def test_the_same_arguments_give_the_same_intervals():
    values = np.random.default_rng(1).random((3, 2, 9))
    before = np.random.get_state()[1].copy()
    first, again = intervals(values), intervals(values)
    for name in ("mean", "low", "high"):
        assert getattr(first, name).tolist() == getattr(again, name).tolist()
    assert (np.random.get_state()[1] == before).all(), "nobody else's luck is touched"


@pytest.mark.parametrize(("seeds", "others"), [(1, 1), (3, 1), (1, 4), (3, 2)])
def test_it_is_what_plain_loops_do(seeds, others):
    towns, num_resamples = 5, 200
    rng = np.random.default_rng(2)
    ours, theirs = rng.random((1, seeds, towns)), rng.random((1, others, towns))
    ours[0, 0, 1] = theirs[0, 0, 2] = NAN
    found = intervals(ours, theirs, num_resamples)

    rng = np.random.default_rng(bootstrap.GENERATOR_SEED)
    drawn_seeds = rng.integers(seeds, size=(num_resamples, seeds, 1))
    drawn_towns = rng.integers(towns, size=(num_resamples, seeds, towns))
    drawn_others = rng.integers(others, size=(num_resamples, others))
    means = []
    for i in range(num_resamples):
        gaps = []
        for j in range(seeds):
            for town in drawn_towns[i, j]:
                against = [theirs[0, k, town] for k in drawn_others[i]]
                against = [value for value in against if not np.isnan(value)]
                own = ours[0, drawn_seeds[i, j, 0], town]
                if against and not np.isnan(own):
                    gaps.append(own - sum(against) / len(against))
        means.append(sum(gaps) / len(gaps) if gaps else NAN)
    low, high = np.nanpercentile(means, bootstrap.BOUNDS)
    assert (found.low[0], found.high[0]) == pytest.approx((low, high), abs=1e-12)


@pytest.mark.parametrize("kind", ["normal", "share"])
def test_intervals_cover_the_truth(kind):
    rng = np.random.default_rng(3)
    if kind == "normal":
        values, truth = rng.normal(2.0, 1.0, (400, 1, 32)), 2.0
    else:
        values, truth = rng.binomial(8, 0.8, (400, 1, 32)) / 8, 0.8
    found = intervals(values)
    covers = (found.low <= truth) & (truth <= found.high)
    assert 0.90 <= covers.mean() <= 0.97
    width = (found.high - found.low).mean()
    assert width == pytest.approx(2 * 1.96 * values.std() / np.sqrt(32), rel=0.05)


def test_pairing_takes_out_what_towns_have_in_common():
    rng = np.random.default_rng(4)
    luck = rng.normal(0, 1, (100, 1, 32))
    ours = luck + rng.normal(0.2, 0.1, luck.shape)
    theirs = luck + rng.normal(0.0, 0.1, luck.shape)
    found, alone = intervals(ours, theirs), intervals(ours)
    assert (found.high - found.low).mean() < 0.2 * (alone.high - alone.low).mean()
    assert 0.90 <= ((found.low <= 0.2) & (found.high >= 0.2)).mean() <= 0.98
    assert (found.low > 0).mean() > 0.99


def test_learned_seeds_are_drawn_before_towns():
    """What differs between trainings does not average out over towns."""
    rng = np.random.default_rng(5)
    training = rng.normal(0, 1, (200, 8, 1))
    values = training + rng.normal(0, 0.1, (200, 8, 16))
    found = intervals(values)
    as_towns = intervals(values.reshape(200, 1, -1))
    covers = ((found.low <= 0) & (found.high >= 0)).mean()
    too_narrow = ((as_towns.low <= 0) & (as_towns.high >= 0)).mean()
    assert covers > 0.8, "of so few seeds an interval is somewhat too narrow"
    assert too_narrow < 0.45
    swapped = intervals(np.zeros((200, 1, 16)), values)
    assert (swapped.high - swapped.low).mean() == pytest.approx(
        (found.high - found.low).mean(), rel=0.05
    ), "the seeds of the other side are drawn as well"


def test_blocks_change_nothing_that_matters(monkeypatch):
    values = np.random.default_rng(6).random((2, 3, 7))
    whole = intervals(values)
    monkeypatch.setattr(bootstrap, "_MAX_CELLS", 2_000)
    blocks = intervals(values)
    assert blocks.mean.tolist() == whole.mean.tolist()
    np.testing.assert_allclose(blocks.low, whole.low, atol=0.02)
    np.testing.assert_allclose(blocks.high, whole.high, atol=0.02)


def test_other_towns_cannot_be_subtracted():
    with pytest.raises(ValueError, match="not of the same figures and towns"):
        intervals(np.zeros((2, 1, 4)), np.zeros((2, 1, 5)))
