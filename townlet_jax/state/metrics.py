"""Counters and streaks behind the KPIs."""

import enum

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.config.shape import TownShape


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
    """

    above_floor_ticks: jax.Array
    employed_ticks: jax.Array
    service_ticks: jax.Array
    num_shifts: jax.Array
    num_late_shifts: jax.Array
    counters: jax.Array
    totals: jax.Array


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
    )
