"""Who leaves, who comes: latched exits and their gate, collapse, and what newcomers bring."""

import jax
import jax.numpy as jnp

from townlet_jax.config.params import LifecycleParams
from townlet_jax.masked import NEVER, NONE, rank, rounded
from townlet_jax.state.agents import Agents, ExitReason
from townlet_jax.state.clock import Now
from townlet_jax.state.lifecycle import Lifecycle
from townlet_jax.state.needs import Needs

HUNGER = 0
"""Column of the need that makes residents collapse."""


def roll_day(lifecycle: Lifecycle, now: Now) -> Lifecycle:
    """Starts the day's count of exits anew at midnight, tick 0 excepted."""
    is_midnight = (now.tick_of_day == 0) & (now.tick > 0)
    return lifecycle.replace(exits_today=jnp.where(is_midnight, 0, lifecycle.exits_today))


def flag(lifecycle: Lifecycle, mask: jax.Array, reason: ExitReason, now: Now) -> Lifecycle:
    """Latches an exit reason where none is set yet.

    While mortality is off nobody is flagged for faint or eviction.

    Args:
      lifecycle: exits.
      mask: bool `[A]`, residents to flag.
      reason: reason (static).
      now: this tick.
    """
    mask = mask & (lifecycle.exit_reason == ExitReason.NONE)
    if reason in (ExitReason.FAINT, ExitReason.EVICTION):
        mask = mask & lifecycle.is_mortality_on
    return lifecycle.replace(
        exit_reason=jnp.where(mask, reason, lifecycle.exit_reason),
        flagged_tick=jnp.where(mask, now.tick, lifecycle.flagged_tick),
    )


def set_mortality(lifecycle: Lifecycle, is_set: jax.Array, is_on: jax.Array) -> Lifecycle:
    """Switches mortality; switching it off takes back every faint and eviction not yet executed.

    Args:
      lifecycle: exits.
      is_set: bool, whether anything happens.
      is_on: bool, the new value.
    """
    reason = lifecycle.exit_reason
    is_mortal = (reason == ExitReason.FAINT) | (reason == ExitReason.EVICTION)
    is_spared = is_mortal & is_set & ~is_on
    return lifecycle.replace(
        is_mortality_on=jnp.where(is_set, is_on, lifecycle.is_mortality_on),
        exit_reason=jnp.where(is_spared, ExitReason.NONE, reason),
        flagged_tick=jnp.where(is_spared, NEVER, lifecycle.flagged_tick),
    )


def collapse(
    lifecycle: Lifecycle, needs: Needs, is_alive: jax.Array, now: Now, params: LifecycleParams
) -> tuple[Lifecycle, Needs, jax.Array]:
    """Flags residents that have starved for too long.

    Args:
      lifecycle: exits.
      needs: needs at the end of the decay.
      is_alive: bool `[A]`.
      now: this tick.
      params: hunger level and number of ticks.

    Returns:
      lifecycle: with the newly collapsed flagged for faint.
      needs: with `low_hunger_ticks` counted on, or back to 0 above the level.
      collapsed: bool `[A]`, flagged in this tick; they are to stop what they do and leave queues.
        A resident already flagged for another reason keeps that reason and does not collapse.
    """
    is_low = is_alive & (needs.level[:, HUNGER] <= params.collapse_hunger)
    ticks = jnp.where(is_low, needs.low_hunger_ticks + 1, 0)
    is_flagged_before = lifecycle.exit_reason != ExitReason.NONE
    lifecycle = flag(lifecycle, ticks >= params.collapse_ticks, ExitReason.FAINT, now)
    collapsed = ~is_flagged_before & (lifecycle.exit_reason == ExitReason.FAINT)
    return lifecycle, needs.replace(low_hunger_ticks=ticks), collapsed


def order_exit(lifecycle: Lifecycle, mask: jax.Array, reason: ExitReason, now: Now) -> Lifecycle:
    """Has residents leave in this tick; takes the place of a reason latched before.

    Args:
      lifecycle: exits.
      mask: bool `[A]`, living residents.
      reason: `KILLED` or `MANUAL_APPROVE` (static).
      now: this tick.
    """
    return lifecycle.replace(
        exit_reason=jnp.where(mask, reason, lifecycle.exit_reason),
        flagged_tick=jnp.where(mask, now.tick, lifecycle.flagged_tick),
    )


def gate(
    lifecycle: Lifecycle,
    agents: Agents,
    is_city_event: jax.Array,
    bits: jax.Array,
    now: Now,
    params: LifecycleParams,
) -> tuple[Lifecycle, Agents, jax.Array]:
    """Executes exits: those of operators at once, the others as far as the gate allows.

    Operators' exits come first and count for caps and cooldown, but are bound by none of them. The
    others follow in the order of (flagged_tick, slot): none during a city event, at most
    `max_exits_per_day`, and with a cooldown one per tick and only after it has run out.

    Args:
      lifecycle: exits.
      agents: residents.
      is_city_event: bool, whether power or water is off, or was until a short while ago.
      bits: uint32 `[A]`, random bits of the delay until the newcomer arrives.
      now: this tick.
      params: caps, cooldown, delay.

    Returns:
      lifecycle: with the arrival of each successor.
      agents: with `is_leaving` set for those who go.
      exited: int32 `[A]`, `ExitReason`, 0 = none.
    """
    reason = lifecycle.exit_reason
    is_flagged = agents.is_alive & ~agents.is_leaving & (reason != ExitReason.NONE)
    is_ordered = (reason == ExitReason.KILLED) | (reason == ExitReason.MANUAL_APPROVE)
    is_ordered &= is_flagged
    num_exits = lifecycle.exits_today + jnp.sum(is_ordered, dtype=jnp.int32)
    last_exit_tick = jnp.where(jnp.any(is_ordered), now.tick, lifecycle.last_exit_tick)

    is_waiting = is_flagged & ~is_ordered
    cap = params.max_exits_per_day
    room = jnp.where(cap > 0, cap - num_exits, is_waiting.shape[0])
    room = jnp.where(params.exit_cooldown_ticks > 0, jnp.minimum(room, 1), room)
    is_open = now.tick - last_exit_tick >= params.exit_cooldown_ticks
    is_open &= ~(is_city_event & params.suppress_during_city_events)
    is_passing = is_waiting & is_open & (rank(is_waiting, lifecycle.flagged_tick) < room)

    is_exiting = is_ordered | is_passing
    delay = _between(bits, params.spawn_delay[0], params.spawn_delay[1])
    lifecycle = lifecycle.replace(
        arrival_tick=jnp.where(is_exiting, now.tick + delay, lifecycle.arrival_tick),
        exits_today=num_exits + jnp.sum(is_passing, dtype=jnp.int32),
        last_exit_tick=jnp.where(jnp.any(is_exiting), now.tick, lifecycle.last_exit_tick),
    )
    agents = agents.replace(is_leaving=agents.is_leaving | is_exiting)
    return lifecycle, agents, jnp.where(is_exiting, reason, ExitReason.NONE)


def is_due(lifecycle: Lifecycle, is_alive: jax.Array, now: Now) -> jax.Array:
    """Tells in which slots a newcomer arrives now.

    Args:
      lifecycle: arrivals.
      is_alive: bool `[A]`, after this tick's removals.
      now: this tick.

    Returns:
      bool `[A]`.
    """
    return ~is_alive & (lifecycle.arrival_tick <= now.tick)


def order_of_arrival(lifecycle: Lifecycle, is_arriving: jax.Array) -> tuple[Lifecycle, jax.Array]:
    """Numbers newcomers and books their arrival.

    Args:
      lifecycle: arrivals.
      is_arriving: bool `[A]`, newcomers of this tick.

    Returns:
      lifecycle: nobody is due in these slots any more; `num_arrivals` is counted on.
      number: int32 `[A]`, residents placed before each newcomer; meaningless elsewhere.
    """
    number = lifecycle.num_arrivals + rank(is_arriving)
    lifecycle = lifecycle.replace(
        arrival_tick=jnp.where(is_arriving, NEVER, lifecycle.arrival_tick),
        num_arrivals=lifecycle.num_arrivals + jnp.sum(is_arriving, dtype=jnp.int32),
    )
    return lifecycle, number


def personality(
    number: jax.Array, halton: jax.Array, shift: jax.Array, params: LifecycleParams
) -> tuple[jax.Array, jax.Array]:
    """Assigns traits by a shifted low-discrepancy sequence, so that few residents already differ.

    `u = frac(radical inverse of number + 1, plus shift)` per base 2, 3, 5. Traits are
    `spread * (2 u - 1)`, or those of the profile in whose share of the weights u of base 2 falls.

    Args:
      number: int32 `[A]` >= 0, residents placed before.
      halton: float32 `[n, 3]` in [0, 1), radical inverses of 1..n.
      shift: float32 `[3]` in [0, 1), constant over a town's life.
      params: kind of assignment, spread, profiles.

    Returns:
      traits: float32 `[A, 3]` in [-1, 1].
      profile: int32 `[A]`, NONE for traits of the sequence.
    """
    shifted = halton[number % halton.shape[0]] + shift[None, :]
    u = jnp.where(shifted >= 1, shifted - 1, shifted)
    is_beyond = u[:, :1] >= params.profile_cumulative[None, :]  # [A, 4]
    last = params.profile_cumulative.shape[0] - 1
    profile = jnp.minimum(jnp.sum(is_beyond, axis=1, dtype=jnp.int32), last)
    free = params.trait_spread * (2 * u - 1)
    traits = jnp.where(params.is_halton, free, params.profile_traits[profile])
    return traits, jnp.where(params.is_halton, NONE, profile)


def needs_at_arrival(uniform: jax.Array, params: LifecycleParams) -> jax.Array:
    """Draws the needs of newcomers.

    Args:
      uniform: float32 `[A, N]` in [0, 1).
      params: range of the needs.

    Returns:
      float32 `[A, N]` [level].
    """
    low, high = params.arrival_needs[0], params.arrival_needs[1]
    return low + rounded(uniform * (high - low))


def entry_cell(is_arriving: jax.Array, agents: Agents, entry: jax.Array) -> jax.Array:
    """Chooses where newcomers appear: the k-th on the k-th entry cell without a resident.

    Args:
      is_arriving: bool `[A]`, newcomers; not alive yet.
      agents: residents.
      entry: int32 `[4, 2]` [tile], (NONE, NONE) padding.

    Returns:
      int32 `[A, 2]` [tile]; the first entry cell for those who find none free.
    """
    is_same = jnp.all(entry[:, None, :] == agents.position[None, :, :], axis=-1)  # [4, A]
    is_free = (entry[:, 0] != NONE) & ~jnp.any(is_same & agents.is_alive[None, :], axis=1)
    is_own = is_free[None, :] & (rank(is_free)[None, :] == rank(is_arriving)[:, None])  # [A, 4]
    cell = jnp.max(jnp.where(is_own[:, :, None], entry[None, :, :], NONE), axis=1)
    return jnp.where(cell == NONE, entry[:1], cell)


def job_of(number: jax.Array, num_jobs: jax.Array) -> jax.Array:
    """Assigns jobs round-robin.

    Args:
      number: int32 `[A]` >= 0, residents placed before.
      num_jobs: int32.

    Returns:
      int32 `[A]`, NONE if the town has no jobs.
    """
    return jnp.where(num_jobs > 0, number % jnp.maximum(num_jobs, 1), NONE)


def _between(bits: jax.Array, low: jax.Array, high: jax.Array) -> jax.Array:
    """Draws int32 `[...]` in low..high, both inclusive, from uint32 bits `[...]`."""
    return low + (bits % (high - low + 1).astype(jnp.uint32)).astype(jnp.int32)
