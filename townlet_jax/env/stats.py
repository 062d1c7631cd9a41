"""Agent fitness: one figure per resident and day, for analysis only; no reward reads it."""

import jax
import jax.numpy as jnp

from townlet_jax.config.params import KpiParams, TownParams
from townlet_jax.rules.employment import attendance_ratio
from townlet_jax.state import OwnDay, TownState

FULL_REWARD = 1.25
"""Days of bare survival that count as the best reward of a day."""
MOST_VIOLATIONS = 3
"""Violations from which more make no difference."""


def agent_fitness(
    day_reward: jax.Array,
    mean_deficit: jax.Array,
    attendance: jax.Array,
    num_violations: jax.Array,
    survival_reward: jax.Array,
    params: KpiParams,
) -> jax.Array:
    """Rates a resident's day.

    `afi_return * clip(day_reward / (1.25 * survival_reward), -1, 1) + afi_needs *
    (1 - mean_deficit) + afi_job * attendance - afi_violations * min(1, num_violations / 3)`.

    Args:
      day_reward: float32 `[...]` [reward] of the day.
      mean_deficit: float32 `[...]` in [0, 1], mean over needs and ticks of the day.
      attendance: float32 `[...]` in [0, 1].
      num_violations: int32 `[...]`, late starts, absences and conflicts as the evicted.
      survival_reward: float32 [reward], a day's worth of `survival_tick`; 0 counts no reward.
      params: weights.

    Returns:
      float32 `[...]`.
    """
    best = FULL_REWARD * survival_reward
    gain = jnp.where(best > 0, day_reward / jnp.where(best > 0, best, 1.0), 0.0)
    share = jnp.minimum(num_violations, MOST_VIOLATIONS).astype(jnp.float32) * (1 / MOST_VIOLATIONS)
    return (
        params.afi_return * jnp.clip(gain, -1.0, 1.0)
        + params.afi_needs * (1 - mean_deficit)
        + params.afi_job * attendance
        - params.afi_violations * share
    )


def fitness_of_day(day_reward: jax.Array, state: TownState, params: TownParams) -> jax.Array:
    """Rates the running day of every resident; call it between the last tick of a day and the next.

    Args:
      day_reward: float32 `[A]` [reward], rewards of the day so far.
      state: a town after a tick.
      params: the town's numbers.

    Returns:
      float32 `[A]`, 0 for slots in which nobody lived today.
    """
    num_ticks = state.metrics.own_day[:, OwnDay.TICKS]
    num_levels = jnp.maximum(num_ticks * state.needs.level.shape[1], 1).astype(jnp.float32)
    deficits = state.metrics.own_day[:, OwnDay.DEFICIT_1024THS].astype(jnp.float32)
    fitness = agent_fitness(
        day_reward,
        deficits / num_levels * (1 / 1024),
        attendance_ratio(state.employment),
        state.metrics.own_day[:, OwnDay.VIOLATIONS],
        params.rewards.survival_tick * params.time.ticks_per_day.astype(jnp.float32),
        params.kpi,
    )
    return jnp.where(num_ticks > 0, fitness, 0.0)
