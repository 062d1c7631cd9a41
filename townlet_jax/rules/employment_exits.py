"""Employment exits: residents that miss too many shifts are reported, reviewed and flagged."""

import jax
import jax.numpy as jnp
from jax import lax

from townlet_jax.config.params import EmploymentParams
from townlet_jax.config.shape import TownShape
from townlet_jax.masked import NEVER, NONE, rank
from townlet_jax.state.agents import Agents, ExitReason
from townlet_jax.state.clock import Now
from townlet_jax.state.employment import Employment, empty_employment


def review(
    employment: Employment,
    agents: Agents,
    exit_reason: jax.Array,
    now: Now,
    params: EmploymentParams,
) -> tuple[Employment, jax.Array, jax.Array, jax.Array]:
    """Puts residents with too many absent shifts on the list, and flags those whose time is up.

    A resident that already leaves for another reason is neither listed nor flagged, and one whose
    exit was approved in this tick no longer needs a review. Absences that fall out of the seven
    days do not take anybody off the list again; only the review or an operator does.

    Args:
      employment: employment after this tick's shifts.
      agents: residents.
      exit_reason: int32 `[A]`, `ExitReason` latched so far.
      now: this tick.
      params: absences allowed, length of the review, caps.

    Returns:
      employment: flagged residents are off the list and counted in `exits_today`.
      is_flagged: bool `[A]`, to be latched with reason employment_exit: listed for
        `exit_review_window` ticks, first come first served (then by slot), at most `daily_exit_cap`
        per day; the rest wait for the next day.
      is_pending: bool `[A]`, put on the list in this tick.
      overflow: int32, length of the list if it grew beyond `exit_queue_limit` in this tick, else 0.
    """
    is_staying = agents.is_alive & ~agents.is_leaving & (exit_reason == ExitReason.NONE)
    is_staying = is_staying & ~employment.is_exit_approved & params.enforce_job_loop
    limit = params.max_absent_shifts
    is_excessive = (limit > 0) & (lax.population_count(employment.absence_bits) >= limit)
    is_unlisted = employment.pending_tick == NEVER
    is_pending = is_staying & is_unlisted & (agents.job != NONE) & is_excessive
    pending_tick = jnp.where(is_pending, now.tick, employment.pending_tick)
    length = jnp.sum(pending_tick != NEVER, dtype=jnp.int32)
    is_over = jnp.any(is_pending) & (params.exit_queue_limit > 0)
    is_over = is_over & (length > params.exit_queue_limit)

    since = jnp.where(is_unlisted, now.tick, employment.pending_tick)
    is_due = is_staying & ~is_unlisted & (now.tick - since >= params.exit_review_window)
    room = params.daily_exit_cap - employment.exits_today
    is_in_cap = (params.daily_exit_cap == 0) | (rank(is_due, since) < room)
    is_flagged = is_due & is_in_cap
    employment = employment.replace(
        pending_tick=jnp.where(is_flagged, NEVER, pending_tick),
        exits_today=employment.exits_today + jnp.sum(is_flagged, dtype=jnp.int32),
    )
    return employment, is_flagged, is_pending, jnp.where(is_over, length, 0)


def approve(employment: Employment, is_approved: jax.Array) -> Employment:
    """Lets residents leave in this tick, whatever the caps say.

    Args:
      employment: employment.
      is_approved: bool `[A]`, residents with a job, listed or not.
    """
    return employment.replace(
        is_exit_approved=employment.is_exit_approved | is_approved,
        pending_tick=jnp.where(is_approved, NEVER, employment.pending_tick),
    )


def defer(employment: Employment, is_deferred: jax.Array) -> Employment:
    """Takes residents off the list and forgives their absences.

    Args:
      employment: employment.
      is_deferred: bool `[A]`, listed residents.
    """
    return employment.replace(
        absence_bits=jnp.where(is_deferred, 0, employment.absence_bits),
        pending_tick=jnp.where(is_deferred, NEVER, employment.pending_tick),
    )


def clear(employment: Employment, is_cleared: jax.Array) -> Employment:
    """Gives slots the record of a vacant slot; the day's count of reviewed exits stays.

    Args:
      employment: employment.
      is_cleared: bool `[A]`, residents that are removed.
    """
    num_agents, window, _ = employment.attendance.shape
    fresh = empty_employment(TownShape(num_agents=num_agents, attendance_window=window))

    def choose(new: jax.Array, old: jax.Array) -> jax.Array:
        mask = is_cleared.reshape(is_cleared.shape + (1,) * (old.ndim - 1))
        return jnp.where(mask, new, old)

    fresh = fresh.replace(exits_today=None)
    kept = jax.tree.map(choose, fresh, employment.replace(exits_today=None))
    return kept.replace(exits_today=employment.exits_today)
