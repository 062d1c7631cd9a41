"""Counters and streaks behind the KPIs."""

import enum

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.config.shape import TownShape
from townlet_jax.masked import NONE


class Counter(enum.IntEnum):
    """Columns of `Metrics.counters`: what each resident did since arrival."""

    MEALS = 0
    COOKED = 1
    SHOWERS = 2
    SLEEPS = 3
    WAGE_TICKS = 4
    GOOD_CHATS = 5
    CONFLICTS = 6
    FAILURES = 7


class Total(enum.IntEnum):
    """Entries of `Metrics.totals`: what happened in the town since the start."""

    EXIT_FAINT = 0
    EXIT_EVICTION = 1
    EXIT_EMPLOYMENT = 2
    EXIT_KILLED = 3
    EXIT_APPROVED = 4
    ARRIVALS = 5
    CONFLICTS = 6
    INTENSITY_QUARTERS = 7
    SHARED_MEALS = 8
    HELPED = 9
    TOOK = 10
    GHOST_MOVES = 11
    CHAT_SUCCESS = 12
    CHAT_FAILURE = 13
    CHAT_QUALITY_1024THS = 14


class Day(enum.IntEnum):
    """Entries of `Metrics.today` and `Metrics.last_day`: what happened in the town in one day.

    The first are those of `Total`; from SUFFICIENT_SLOTS on an entry is not a sum over the day but
    says how things stand at the end of the tick.
    """

    EXIT_FAINT = 0
    EXIT_EVICTION = 1
    EXIT_EMPLOYMENT = 2
    EXIT_KILLED = 3
    EXIT_APPROVED = 4
    ARRIVALS = 5
    CONFLICTS = 6
    INTENSITY_QUARTERS = 7
    SHARED_MEALS = 8
    HELPED = 9
    TOOK = 10
    GHOST_MOVES = 11
    CHAT_SUCCESS = 12
    CHAT_FAILURE = 13
    CHAT_QUALITY_1024THS = 14
    SHIFTS = 15
    LATE_SHIFTS = 16
    COLLAPSES = 17
    AVOIDANCES = 18
    DECISIONS = 19
    SWITCHES = 20
    SUFFICIENT_SLOTS = 21
    SERVICE_TICKS = 22
    COVERED_SLOTS = 23
    ATTENDED_SLOTS = 24
    ATTENDANCE_65536THS = 25
    CONFLICT_PAIRS = 26
    REPEAT_PAIRS = 27
    TIE_TICKS = 28


class OwnDay(enum.IntEnum):
    """Columns of `Metrics.own_day`: what each resident went through in one day."""

    TICKS = 0
    DEFICIT_1024THS = 1
    VIOLATIONS = 2


class Metrics(struct.PyTreeNode):
    """What the reports are made of.

    Attributes:
      above_floor_ticks: int32 `[A]` [tick] in a row with every need above the floor.
      employed_ticks: int32 `[A]` [tick] since hiring.
      service_ticks: int32 `[A]` [tick] since hiring or the last absent shift.
      num_shifts, num_late_shifts: int32 `[A]`, closed shifts since arrival; of these, with a late
        start.
      counters: int32 `[A, 8]`, by `Counter`; reset at arrival.
      totals: int32 `[15]`, by `Total`. Sums of fractions are kept as integers (intensity in
        quarters, chat quality in 1/1024), so that they never depend on the order of a sum.
      last_decision: int32 `[A]`, action chosen at the last decision of this life, NONE = none yet.
      today: int32 `[29]`, by `Day`, complete from the last tick of a day to the first of the next.
      last_day: int32 `[29]`, by `Day`, the last full day; 0 before.
      last_day_index: int32 [day], which day that was, NONE = none yet.
      own_day: int32 `[A, 3]`, by `OwnDay`, as long as `today`: ticks lived, deficits of all needs,
        late starts and absences and conflicts as the evicted.
    """

    above_floor_ticks: jax.Array
    employed_ticks: jax.Array
    service_ticks: jax.Array
    num_shifts: jax.Array
    num_late_shifts: jax.Array
    counters: jax.Array
    totals: jax.Array
    last_decision: jax.Array
    today: jax.Array
    last_day: jax.Array
    last_day_index: jax.Array
    own_day: jax.Array


def empty_metrics(shape: TownShape) -> Metrics:
    """Makes counters at zero."""
    a = shape.num_agents
    return Metrics(
        above_floor_ticks=jnp.zeros(a, jnp.int32),
        employed_ticks=jnp.zeros(a, jnp.int32),
        service_ticks=jnp.zeros(a, jnp.int32),
        num_shifts=jnp.zeros(a, jnp.int32),
        num_late_shifts=jnp.zeros(a, jnp.int32),
        counters=jnp.zeros((a, len(Counter)), jnp.int32),
        totals=jnp.zeros(len(Total), jnp.int32),
        last_decision=jnp.full(a, NONE, jnp.int32),
        today=jnp.zeros(len(Day), jnp.int32),
        last_day=jnp.zeros(len(Day), jnp.int32),
        last_day_index=jnp.int32(NONE),
        own_day=jnp.zeros((a, len(OwnDay)), jnp.int32),
    )
