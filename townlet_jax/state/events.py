"""What happened in a tick: fixed-shape masks, grouped by rule."""

import enum

import jax
from flax import struct


class FailReason(enum.IntEnum):
    """Why an affordance did not start or ended early."""

    TYPE_MISMATCH = 0
    POWER_OFF = 1
    WATER_OFF = 2
    PRECONDITION_FAILED = 3
    INSUFFICIENT_FUNDS = 4
    INSUFFICIENT_STOCK = 5
    ABANDONED = 6
    GHOST_STEP = 7
    COLLAPSED = 8
    REMOVED = 9


class FailSource(enum.IntEnum):
    """Part of the tick in which an affordance failed; rows of `AffordanceEvents.failed_*`."""

    UTILITY = 0
    RELEASE = 1
    START = 2
    GHOST_STEP = 3
    COLLAPSE_OR_REMOVAL = 4


class QueueRecords(struct.PyTreeNode):
    """One record per object row: a conflict or a handover.

    Attributes:
      is_set: bool `[O]`.
      actor, rival: int32 `[O]`, evicted and new holder, or finisher and next; NONE where unset.
      length: int32 `[O]`, waiters before.
      intensity: float32 `[O]` in [.1, 5], 0 where unset.
    """

    is_set: jax.Array
    actor: jax.Array
    rival: jax.Array
    length: jax.Array
    intensity: jax.Array


class AffordanceEvents(struct.PyTreeNode):
    """Starts, ends and shared meals.

    Attributes:
      started, started_obj: int32 `[A]`, affordance and object row, NONE = nothing started.
      finished, finished_obj: int32 `[A]`, likewise.
      failed: int32 `[5, A]` by `FailSource`, `FailReason` or NONE.
      failed_affordance, failed_obj: int32 `[5, A]`.
      shared_meal: bool `[A, A]`, symmetric, diagonal false.
      meal_obj: int32 `[A]`, object row of the meal each resident runs, NONE = none.
    """

    started: jax.Array
    started_obj: jax.Array
    finished: jax.Array
    finished_obj: jax.Array
    failed: jax.Array
    failed_affordance: jax.Array
    failed_obj: jax.Array
    shared_meal: jax.Array
    meal_obj: jax.Array


class EconomyEvents(struct.PyTreeNode):
    """Money and stock.

    Attributes:
      restocked: int32 `[V, S]` [units] added this tick.
      rent_paid, rent_missed: bool `[A]`.
      price_changed: bool `[R]`, base prices set by an admin row.
    """

    restocked: jax.Array
    rent_paid: jax.Array
    rent_missed: jax.Array
    price_changed: jax.Array


class EmploymentEvents(struct.PyTreeNode):
    """Shifts and pending exits.

    Attributes:
      late_start: int32 `[A]` [tick] late, NONE = no such event.
      absent, departed: bool `[A]`.
      shift_closed, shift_closed_late: bool `[A]`, a shift ended this tick; with a late start.
      helped, took: bool `[A, A]`, [late or absent resident, co-worker].
      exit_pending, exit_requested, exit_deferred, exit_processed: bool `[A]`.
      exit_overflow: int32, residents pending when the queue limit was passed, 0 = not passed.
      wage_paid, wage_withheld: float32 `[A]` [money] of this tick.
      first_presence: int32 `[A]` [tick] delay at the first presence of a shift, NONE = not this
        tick.
    """

    late_start: jax.Array
    absent: jax.Array
    departed: jax.Array
    shift_closed: jax.Array
    shift_closed_late: jax.Array
    helped: jax.Array
    took: jax.Array
    exit_pending: jax.Array
    exit_requested: jax.Array
    exit_deferred: jax.Array
    exit_processed: jax.Array
    exit_overflow: jax.Array
    wage_paid: jax.Array
    wage_withheld: jax.Array
    first_presence: jax.Array


class LifecycleEvents(struct.PyTreeNode):
    """Comings and goings.

    Attributes:
      exited: int32 `[A]`, `ExitReason`, 0 = none.
      spawned, collapsed, slot_forced: bool `[A]`.
      context_reset: bool `[A]`, spawned or teleported.
    """

    exited: jax.Array
    spawned: jax.Array
    collapsed: jax.Array
    slot_forced: jax.Array
    context_reset: jax.Array


class PerturbationEvents(struct.PyTreeNode):
    """Perturbations; a row may end and start within one tick, so each mask carries its own payload.

    Attributes:
      started, ended, cancelled: bool `[K]`.
      started_spec, ended_spec, cancelled_spec: int32 `[K]`, NONE where unset.
      started_id, ended_id, cancelled_id: int32 `[K]`, NONE where unset.
    """

    started: jax.Array
    ended: jax.Array
    cancelled: jax.Array
    started_spec: jax.Array
    ended_spec: jax.Array
    cancelled_spec: jax.Array
    started_id: jax.Array
    ended_id: jax.Array
    cancelled_id: jax.Array


class ChatEvents(struct.PyTreeNode):
    """Conversations by speaker; a resident takes part in at most one per tick.

    Attributes:
      listener: int32 `[A]`, NONE = did not open a conversation.
      is_success: bool `[A]`; quality: float32 `[A]` in [0, 1], 0 where there was none.
    """

    listener: jax.Array
    is_success: jax.Array
    quality: jax.Array


class RelationshipEvents(struct.PyTreeNode):
    """Ties.

    Attributes:
      evicted: int32 `[A, 4]`, ties dropped by owner and `TieDrop`.
      settled_trust, settled_familiarity: float32 `[A]`, tie towards this tick's chat partner before
        decay.
    """

    evicted: jax.Array
    settled_trust: jax.Array
    settled_familiarity: jax.Array


class ConflictEvents(struct.PyTreeNode):
    """Residents that kept away from a queue because of somebody in it.

    Attributes:
      avoided: bool `[A]`.
      rival: int32 `[A]`, whom each of them avoided, NONE = nobody.
    """

    avoided: jax.Array
    rival: jax.Array


class TickEvents(struct.PyTreeNode):
    """Everything that happened in one tick.

    Attributes:
      ghost_stepped: bool `[A]`, entered an occupied cell.
      level_before: float32 `[A, N]`, needs after admin rows, before anything else of the tick.
      op_ok: bool `[Q]`, admin rows that were carried out; code 0 reads true.
      num_refused_requests: int32, requests refused by a cooldown.
    """

    ghost_stepped: jax.Array
    level_before: jax.Array
    op_ok: jax.Array
    num_refused_requests: jax.Array
    affordances: AffordanceEvents
    conflicts: QueueRecords
    handovers: QueueRecords
    economy: EconomyEvents
    employment: EmploymentEvents
    lifecycle: LifecycleEvents
    perturbations: PerturbationEvents
    chat: ChatEvents
    relationships: RelationshipEvents
    conflict: ConflictEvents
