"""What each phase hands on to later ones, and how all of it becomes the events of the tick."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from townlet_jax.masked import NONE
from townlet_jax.state.events import (
    AffordanceEvents,
    ChatEvents,
    ConflictEvents,
    EconomyEvents,
    EmploymentEvents,
    FailSource,
    LifecycleEvents,
    PerturbationEvents,
    QueueRecords,
    RelationshipEvents,
    TickEvents,
)
from townlet_jax.town import manual_events
from townlet_jax.town.admin import Orders
from townlet_jax.town.population import Renewal

Failure = tuple[jax.Array, jax.Array, jax.Array]
"""Reason, affordance, object row: int32 `[A]` each, NONE where nothing failed."""


class Money(NamedTuple):
    """P1. rent_paid, rent_missed: bool `[A]`; restocked: int32 `[V, S]` [units]."""

    rent_paid: jax.Array
    rent_missed: jax.Array
    restocked: jax.Array


class Perturbed(NamedTuple):
    """P4. Events; prices in force, float32 `[R]` [money]; power and water, bool `[2]`; failures."""

    events: PerturbationEvents
    prices: jax.Array
    is_on: jax.Array
    failure: Failure


class Acted(NamedTuple):
    """P5.

    has_done: bool `[A]`, whether each action had its effect. has_started: bool `[A]`. is_hit: bool
    `[A]`, complains about the row it waits for. seated: bool `[O]`, rows granted. ghost_stepped:
    bool `[A]`. num_refused: int32, requests refused by a cooldown. started, started_obj: int32
    `[A]`. released, start_failed: failures. chat: conversations.
    """

    has_done: jax.Array
    has_started: jax.Array
    is_hit: jax.Array
    seated: jax.Array
    ghost_stepped: jax.Array
    num_refused: jax.Array
    started: jax.Array
    started_obj: jax.Array
    released: Failure
    start_failed: Failure
    chat: ChatEvents


class Queued(NamedTuple):
    """P6. Conflicts; complaints that counted, bool `[A]`; failures by ghost step."""

    conflicts: QueueRecords
    is_counted: jax.Array
    failure: Failure


class Used(NamedTuple):
    """P7.

    is_working: bool `[A]`, progressed work at the own site. finished, finished_obj: int32 `[A]`.
    shared_meal: bool `[A, A]`. meal_obj: int32 `[A]`. handovers: records.
    """

    is_working: jax.Array
    finished: jax.Array
    finished_obj: jax.Array
    shared_meal: jax.Array
    meal_obj: jax.Array
    handovers: QueueRecords


class Left(NamedTuple):
    """P11. Employment events; collapsed: bool `[A]`; exited: int32 `[A]`, by reason; failures."""

    employment: EmploymentEvents
    collapsed: jax.Array
    exited: jax.Array
    failure: Failure


def gather(
    level_before: jax.Array,
    money: Money,
    renewal: Renewal,
    orders: Orders,
    perturbed: Perturbed,
    acted: Acted,
    queued: Queued,
    used: Used,
    tied: RelationshipEvents,
    left: Left,
    conflict: ConflictEvents,
) -> TickEvents:
    """Collects the events of a tick.

    Args:
      level_before: float32 `[A, N]`, needs after admin rows.
      money, renewal, orders, perturbed, acted, queued, used, tied, left, conflict: outcomes of the
        phases.
    """
    spawned = renewal.spawned | orders.spawned
    return TickEvents(
        ghost_stepped=acted.ghost_stepped,
        level_before=level_before,
        op_ok=orders.op_ok,
        num_refused_requests=acted.num_refused,
        affordances=_affordances(renewal, orders, perturbed, acted, queued, used, left),
        conflicts=queued.conflicts,
        handovers=used.handovers,
        economy=EconomyEvents(
            restocked=money.restocked,
            rent_paid=money.rent_paid,
            rent_missed=money.rent_missed,
            price_changed=orders.price_changed,
        ),
        employment=left.employment.replace(
            exit_requested=orders.is_approved, exit_deferred=orders.is_deferred
        ),
        lifecycle=LifecycleEvents(
            exited=left.exited,
            spawned=spawned,
            collapsed=left.collapsed,
            slot_forced=renewal.slot_forced | orders.slot_forced,
            context_reset=spawned | orders.teleported,
        ),
        perturbations=manual_events.merge(orders.perturbed, perturbed.events),
        chat=acted.chat,
        relationships=tied,
        conflict=conflict,
    )


def _affordances(
    renewal: Renewal,
    orders: Orders,
    perturbed: Perturbed,
    acted: Acted,
    queued: Queued,
    used: Used,
    left: Left,
) -> AffordanceEvents:
    """Starts, finishes, shared meals, and failures by source."""
    # Who is removed or teleported in P2 or P3 can still start and collapse, but not the reverse.
    gone = _first(left.failure, _first(orders.failure, renewal.failure))
    sources = {
        FailSource.UTILITY: perturbed.failure,
        FailSource.RELEASE: acted.released,
        FailSource.START: acted.start_failed,
        FailSource.GHOST_STEP: queued.failure,
        FailSource.COLLAPSE_OR_REMOVAL: gone,
    }
    failed, affordance, row = (
        jnp.stack([sources[source][part] for source in FailSource]) for part in range(3)
    )
    return AffordanceEvents(
        started=acted.started,
        started_obj=acted.started_obj,
        finished=used.finished,
        finished_obj=used.finished_obj,
        failed=failed,
        failed_affordance=affordance,
        failed_obj=row,
        shared_meal=used.shared_meal,
        meal_obj=used.meal_obj,
    )


def _first(one: Failure, other: Failure) -> Failure:
    """Takes the first failure of each resident where there is one, else the other."""
    is_set = one[0] != NONE
    a, b, c = (jnp.where(is_set, x, y) for x, y in zip(one, other, strict=True))
    return a, b, c
