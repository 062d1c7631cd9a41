"""What residents do with objects: start, progress, shared meals, finish, early end.

A run is paid at its start, works every tick and ends after its duration, or early: with a refund
when the town takes it away, without one when the resident leaves it.
"""

import jax
import jax.numpy as jnp

from townlet_jax.config.layout import (
    AffordanceLayout,
    Flag,
    ObjectLayout,
    StockLayout,
)
from townlet_jax.masked import NONE, computed_once, down, one_hot, pick, pick_bool
from townlet_jax.state.events import FailReason
from townlet_jax.state.queues import Use


def is_running(use: Use) -> jax.Array:
    """Tells who runs an affordance.

    Returns:
      bool `[A]`.
    """
    return use.affordance != NONE


def has_flag(use: Use, flag: Flag, affordances: AffordanceLayout) -> jax.Array:
    """Tells who runs an affordance with a flag.

    Returns:
      bool `[A]`.
    """
    return pick_bool(affordances.flags[:, flag], use.affordance)


def venue_of(use: Use, objects: ObjectLayout) -> jax.Array:
    """Finds the venue of what residents run.

    Returns:
      int32 `[A]`, NONE when idle.
    """
    return pick(objects.venue, use.obj, NONE)


def failures(
    use: Use, mask: jax.Array, reason: jax.Array | int
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Writes one source of failure events for runs that are about to be stopped.

    Args:
      use: what residents run, before it is stopped.
      mask: bool `[A]`; only residents that run something count.
      reason: `FailReason`, scalar or int32 `[A]`.

    Returns:
      reason, affordance, object row: int32 `[A]`, NONE where nothing failed.
    """
    is_failed = mask & is_running(use)
    return (
        jnp.where(is_failed, reason, NONE),
        jnp.where(is_failed, use.affordance, NONE),
        jnp.where(is_failed, use.obj, NONE),
    )


def stop(use: Use, mask: jax.Array) -> Use:
    """Ends runs early; says nothing about queues, money or stock.

    Args:
      use: what residents run.
      mask: bool `[A]`, runs to stop; idle residents are not affected.
    """
    return Use(
        obj=jnp.where(mask, NONE, use.obj),
        affordance=jnp.where(mask, NONE, use.affordance),
        remaining_ticks=jnp.where(mask, 0, use.remaining_ticks),
        paid=jnp.where(mask, 0.0, use.paid),
    )


def refund(
    use: Use,
    wallet: jax.Array,
    stock: jax.Array,
    mask: jax.Array,
    affordances: AffordanceLayout,
    objects: ObjectLayout,
    stock_layout: StockLayout,
) -> tuple[jax.Array, jax.Array]:
    """Gives back what runs that are about to be stopped have not used.

    That is the unused share of the price, `paid * remaining / duration`, and of each consumed stock
    count n the whole units `floor(n * remaining / duration + 1/2)`, as far as the venue has room
    for them.

    Args:
      use: what residents run, before it is stopped.
      wallet: float32 `[A]` [money].
      stock: int32 `[S, V]` [units].
      mask: bool `[A]`; only residents that run something count.
      affordances, objects, stock_layout: tables.

    Returns:
      wallet, stock.
    """
    mask = mask & is_running(use)
    duration = pick(affordances.duration, use.affordance, 1).astype(jnp.float32)
    left = use.remaining_ticks.astype(jnp.float32)
    taken = jnp.maximum(-pick(affordances.stock_start, use.affordance), 0)  # [A, S]
    share = taken.astype(jnp.float32) * left[:, None] / duration[:, None]
    units = jnp.floor(share + 0.5).astype(jnp.int32)
    returned = _by_venue(venue_of(use, objects), mask, units, stock.shape[1])
    wallet = jnp.where(mask, wallet + use.paid * left / duration, wallet)
    return wallet, restrain(stock, returned, stock_layout)


def start(
    use: Use,
    wallet: jax.Array,
    stock: jax.Array,
    affordance: jax.Array,
    row: jax.Array,
    reason: jax.Array,
    cost: jax.Array,
    priority: jax.Array,
    affordances: AffordanceLayout,
    objects: ObjectLayout,
    stock_layout: StockLayout,
) -> tuple[Use, jax.Array, jax.Array, jax.Array, jax.Array]:
    """Starts runs whose tests pass, as far as the stock of each venue goes.

    Stock is shared out by priority: a resident passes if all who passed the other tests up to its
    rank could be served together. Conservative, and independent of any order of evaluation.

    Args:
      use: what residents run.
      wallet: float32 `[A]` [money]; stock: int32 `[S, V]` [units].
      affordance, row: int32 `[A]`, what is to be started where, NONE = nothing.
      reason: int32 `[A]`, first failed test with nobody else in mind, NONE = all passed.
      cost: float32 `[A]` [money], full price.
      priority: int32 `[A]`, distinct, smaller first.
      affordances, objects, stock_layout: tables.

    Returns:
      use, wallet, stock; has_started: bool `[A]`; reason: int32 `[A]`, NONE where nothing was tried
      or it went well.
    """
    # Who asks for more than there is still counts against the ranks behind.
    is_passed = (affordance != NONE) & (
        (reason == NONE) | (reason == FailReason.INSUFFICIENT_STOCK)
    )
    change = pick(affordances.stock_start, affordance)  # [A, S]
    venue = pick(objects.venue, row, NONE)
    taken = jnp.where(is_passed[:, None], jnp.maximum(-change, 0), 0).T  # [S, A]
    venue, taken = computed_once((venue, taken))
    is_before = (venue[:, None] == venue[None, :]) & (priority[:, None] <= priority[None, :])
    counts = computed_once(jnp.where(is_before, -1, 0))  # all bits or none, [other, one]
    total = computed_once(down(jnp.sum, counts[None, :, :] & taken[:, :, None]))  # [S, A]
    there = stock.at[:, venue].get(mode="clip", wrap_negative_indices=False)
    is_enough = jnp.all(total <= jnp.where((venue != NONE)[None, :], there, 0), axis=0)
    has_started = is_passed & is_enough
    reason = jnp.where(is_passed & ~is_enough, FailReason.INSUFFICIENT_STOCK, reason)
    stock = restrain(
        stock,
        _by_venue(venue, has_started, change, stock.shape[1]),
        stock_layout,
    )
    use = Use(
        obj=jnp.where(has_started, row, use.obj),
        affordance=jnp.where(has_started, affordance, use.affordance),
        remaining_ticks=jnp.where(
            has_started, pick(affordances.duration, affordance), use.remaining_ticks
        ),
        paid=jnp.where(has_started, cost, use.paid),
    )
    wallet = jnp.where(has_started, wallet - cost, wallet)
    return use, wallet, stock, has_started, jnp.where(affordance == NONE, NONE, reason)


def progress(
    use: Use,
    level: jax.Array,
    wallet: jax.Array,
    is_last_work_tick: jax.Array,
    affordances: AffordanceLayout,
) -> tuple[Use, jax.Array, jax.Array]:
    """Works one tick of every run.

    Args:
      use: what residents run.
      level: float32 `[A, N]`; wallet: float32 `[A]` [money].
      is_last_work_tick: bool `[A]`, last tick of the own shift, at which work ends.
      affordances: tables.

    Returns:
      use, level, wallet.
    """
    rate = pick(affordances.rate, use.affordance, 0.0)  # [A, N + 1]
    ends = is_last_work_tick & has_flag(use, Flag.WORK, affordances)
    left = jnp.where(ends, 0, use.remaining_ticks - 1)
    running = is_running(use)
    level = jnp.where(running[:, None], jnp.clip(level + rate[:, :-1], 0.0, 1.0), level)
    return use.replace(remaining_ticks=jnp.where(running, left, 0)), level, wallet + rate[:, -1]


def share_meals(
    use: Use, has_started: jax.Array, affordances: AffordanceLayout, objects: ObjectLayout
) -> tuple[jax.Array, jax.Array]:
    """Finds residents that eat together: both run a meal at one venue and one of them has just
    begun.

    Args:
      use: what residents run, before anything finishes.
      has_started: bool `[A]`, started this tick.
      affordances, objects: tables.

    Returns:
      shared: bool `[A, A]`, symmetric, diagonal false; meal_obj: int32 `[A]`, row of the meal, NONE
        = none.
    """
    is_eating = has_flag(use, Flag.MEAL, affordances)
    venue = jnp.where(is_eating, venue_of(use, objects), NONE)
    is_eating, venue = computed_once((is_eating, venue))
    is_together = (venue[:, None] == venue[None, :]) & is_eating[:, None]
    has_begun = has_started[:, None] | has_started[None, :]
    others = ~jnp.eye(venue.shape[0], dtype=bool)
    return is_together & has_begun & others, jnp.where(is_eating, use.obj, NONE)


def finish(
    use: Use,
    stock: jax.Array,
    affordances: AffordanceLayout,
    objects: ObjectLayout,
    stock_layout: StockLayout,
) -> tuple[Use, jax.Array, jax.Array, jax.Array]:
    """Ends runs that have no ticks left and books what they produce.

    Args:
      use: what residents run; stock: int32 `[S, V]` [units].
      affordances, objects, stock_layout: tables.

    Returns:
      use, stock; affordance, row: int32 `[A]` that finished, NONE = none.
    """
    is_done = is_running(use) & (use.remaining_ticks <= 0)
    affordance = jnp.where(is_done, use.affordance, NONE)
    row = jnp.where(is_done, use.obj, NONE)
    made = _by_venue(
        venue_of(use, objects), is_done, pick(affordances.stock_finish, affordance), stock.shape[1]
    )
    use = Use(
        obj=jnp.where(is_done, NONE, use.obj),
        affordance=jnp.where(is_done, NONE, use.affordance),
        remaining_ticks=use.remaining_ticks,
        paid=jnp.where(is_done, 0.0, use.paid),
    )
    return use, restrain(stock, made, stock_layout), affordance, row


def restrain(stock: jax.Array, change: jax.Array, stock_layout: StockLayout) -> jax.Array:
    """Adds to stock without exceeding its maximum; never lowers what is already above it, never
    below zero.

    Args:
      stock, change: int32 `[S, V]` [units].
      stock_layout: tables.
    """
    ceiling = jnp.maximum(stock, stock_layout.maximum)
    return jnp.clip(stock + change, 0, ceiling)


def _by_venue(venue: jax.Array, mask: jax.Array, units: jax.Array, num_venues: int) -> jax.Array:
    """Sums units `[A, S]` of marked residents by venue into `[S, V]`."""
    units = jnp.where(mask[:, None], units, 0).T  # [S, A]
    venue, units = computed_once((venue, units))
    is_there = one_hot(venue, num_venues)  # [A, V]
    return down(jnp.sum, jnp.where(is_there[None, :, :], units[:, :, None], 0))
