"""Intervals of means by drawing anew: learned seeds, then towns within each (training text §11).

The cluster bootstrap after Efron and Tibshirani 1993: residents and ticks of a town hang together,
so whole towns are drawn, and of a method that was trained several times whole trainings.
"""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

NUM_RESAMPLES = 2_000
BOUNDS = 2.5, 97.5
"""Percentiles of the resampled means that are the ends of an interval."""
GENERATOR_SEED = 0
_MAX_CELLS = 4_000_000
"""Numbers of the largest array of a block of resamples."""


@dataclasses.dataclass(frozen=True)
class Intervals:
    """Means with 95 % intervals; float64 `[K]`, NaN where there are no cases."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def intervals(
    values: np.ndarray, others: np.ndarray | None = None, num_resamples: int = NUM_RESAMPLES
) -> Intervals:
    """Averages K figures over seeds and towns, or their differences from those of somebody else.

    The same towns are drawn for all figures and, in a difference, for both sides. A town without
    cases of a figure, NaN, is drawn like any other and counts for nothing. The same arguments give
    the same intervals.

    Args:
      values: float64 `[K, R, E]`, by learned seed and town.
      others: float64 `[K, S, E]` of the same towns, what is to be subtracted; the seeds of either
        side are drawn on their own.
      num_resamples: how often all is drawn anew.
    """
    if others is None:
        others = np.zeros((values.shape[0], 1, values.shape[2]))
    if values.shape[0] != others.shape[0] or values.shape[2] != others.shape[2]:
        raise ValueError(f"{values.shape} and {others.shape} are not of the same figures and towns")
    num_seeds, num_others, num_towns = values.shape[1], others.shape[1], values.shape[2]
    all_once = np.ones((1, num_seeds, num_towns)), np.ones((1, num_others))
    mean = _differences(values, others, *all_once)[0]
    largest = max(values.shape[0], num_seeds) * num_towns
    drawn = _draws(num_resamples, num_seeds, num_others, num_towns, largest)
    sample = np.concatenate([_differences(values, others, *weights) for weights in drawn])
    low, high = np.full((2, mean.shape[0]), np.nan)
    is_known = ~np.isnan(mean)
    if is_known.any():
        low[is_known], high[is_known] = np.nanpercentile(sample[:, is_known], BOUNDS, axis=0)
    return Intervals(mean, low, high)


def seed_intervals(values: np.ndarray, num_resamples: int = NUM_RESAMPLES) -> Intervals:
    """Averages figures over seeds; the same seeds are drawn for all settings.

    Args:
      values: float64 `[S, R]`, by setting and seed; NaN counts for nothing.
      num_resamples: how often the seeds are drawn anew.
    """
    return _over_seeds(values, _mean, num_resamples)


def iqm_intervals(values: np.ndarray, num_resamples: int = NUM_RESAMPLES) -> Intervals:
    """Takes interquartile means over seeds (Agarwal et al. 2021): a quarter is cut at either end.

    Of R figures R // 4 are cut at either end, so that of fewer than four none is.

    Args:
      values: float64 `[S, R]`, by setting and seed; NaN counts for nothing.
      num_resamples: how often the seeds are drawn anew.
    """
    return _over_seeds(values, _interquartile_mean, num_resamples)


def _over_seeds(
    values: np.ndarray, estimate: Callable[[np.ndarray], np.ndarray], num_resamples: int
) -> Intervals:
    """Estimates `[S]`, with percentile intervals over seeds that are drawn anew."""
    num_seeds = values.shape[1]
    point = estimate(values)
    rng = np.random.default_rng(GENERATOR_SEED)
    drawn = rng.integers(num_seeds, size=(num_resamples, num_seeds))
    low, high = np.full((2, len(point)), np.nan)
    size = max(1, _MAX_CELLS // drawn.size)
    for start in range(0, len(point), size):
        rows = slice(start, start + size)
        sample = estimate(values[rows][:, drawn])  # [S', N]
        for i, row in enumerate(sample, start):
            known = row[~np.isnan(row)]
            if known.size:
                low[i], high[i] = np.percentile(known, BOUNDS)
    return Intervals(point, low, high)


def _mean(values: np.ndarray) -> np.ndarray:
    """Averages over the last axis what is not NaN; NaN where nothing is left."""
    is_known = ~np.isnan(values)
    count = is_known.sum(axis=-1)
    total = np.where(is_known, values, 0.0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _interquartile_mean(values: np.ndarray) -> np.ndarray:
    """Averages the middle half of the last axis; NaN sorts last and is not part of it."""
    ordered = np.sort(values, axis=-1)
    count = (~np.isnan(values)).sum(axis=-1, keepdims=True)
    place = np.arange(values.shape[-1])
    is_kept = (place >= count // 4) & (place < count - count // 4)
    return _mean(np.where(is_kept, ordered, np.nan))


def _differences(
    values: np.ndarray, others: np.ndarray, weights: np.ndarray, other_weights: np.ndarray
) -> np.ndarray:
    """Takes weighted means of differences, float64 `[D, K]`, NaN where nothing weighs.

    Args:
      values: float64 `[K, R, E]`. others: float64 `[K, S, E]`.
      weights: float64 `[D, R, E]`. other_weights: float64 `[D, S]`, of the seeds of the others.
    """
    is_known, is_other_known = ~np.isnan(values), ~np.isnan(others)
    sums = _summed(weights, np.where(is_known, values, 0.0))  # [D, K, E]
    counts = _summed(weights, is_known.astype(np.float64))
    other_sums = np.einsum("ds,kse->dke", other_weights, np.where(is_other_known, others, 0.0))
    other_counts = np.einsum("ds,kse->dke", other_weights, is_other_known.astype(np.float64))
    other_means = other_sums / np.maximum(other_counts, 1.0)
    has_both = other_counts > 0
    total = np.sum((sums - counts * other_means) * has_both, axis=2)
    count = np.sum(counts * has_both, axis=2)
    return np.where(count > 0, total / np.maximum(count, 1.0), np.nan)


def _summed(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Adds `[K, R, E]` over seeds with weights `[D, R, E]`; returns `[D, K, E]`."""
    by_town = np.matmul(weights.transpose(2, 0, 1), values.transpose(2, 1, 0))  # [E, D, K]
    return by_town.transpose(1, 2, 0)


def _draws(
    num_resamples: int, num_seeds: int, num_others: int, num_towns: int, largest: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields how often each town of each seed is drawn, and each seed of the others, in blocks."""
    rng = np.random.default_rng(GENERATOR_SEED)
    size = max(1, _MAX_CELLS // largest)
    for start in range(0, num_resamples, size):
        number = min(size, num_resamples - start)
        seeds = rng.integers(num_seeds, size=(number, num_seeds, 1))
        towns = rng.integers(num_towns, size=(number, num_seeds, num_towns))
        weights = _counted(seeds * num_towns + towns, num_seeds * num_towns)
        others = _counted(rng.integers(num_others, size=(number, num_others)), num_others)
        yield weights.reshape(number, num_seeds, num_towns), others


def _counted(drawn: np.ndarray, num_codes: int) -> np.ndarray:
    """Counts the codes in each row of `[D, ...]`; returns float64 `[D, num_codes]`."""
    number = drawn.shape[0]
    codes = drawn.reshape(number, -1) + num_codes * np.arange(number)[:, None]
    counts = np.bincount(codes.ravel(), minlength=number * num_codes)
    return counts.reshape(number, num_codes).astype(np.float64)
