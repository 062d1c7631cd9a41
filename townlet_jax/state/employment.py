"""Shifts, attendance and pending employment exits."""

import enum

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.config.shape import TownShape
from townlet_jax.masked import LONG_AGO, NEVER, NONE


class Status(enum.IntEnum):
    """Where a resident stands with today's shift."""

    PRE_SHIFT = 0
    AWAIT_START = 1
    ON_TIME = 2
    LATE = 3
    ABSENT = 4
    POST_SHIFT = 5
    ARRIVING = 6


class Employment(struct.PyTreeNode):
    """Shifts by resident; the six booleans hold once per shift.

    Attributes:
      status: int32 `[A]`, `Status`.
      closed_day: int32 `[A]` [day], last day whose shift is closed, NONE = none yet.
      num_scheduled, num_present: int32 `[A]` [tick] of the open or last shift.
      last_present_tick: int32 `[A]` [tick], LONG_AGO = never.
      num_attendance: int32 `[A]` [shifts] closed since arrival.
      absence_bits: int32 `[A]`, one bit per day of the last seven, bit 0 = today.
      late_ticks_today: int32 `[A]` [tick].
      pending_tick: int32 `[A]` [tick] since when an exit waits for review, NEVER = none.
      is_shift_open, is_exit_approved: bool `[A]`.
      has_arrived, arrived_late, did_late_start, did_absent, did_helped, did_took: bool `[A]`.
      attendance: int32 `[A, W, 2]` [tick], ring of (present, scheduled) per closed shift.
      wages_withheld, wages_today: float32 `[A]` [money]; withheld since arrival.
      exits_today: int32, reviewed exits flagged today.
    """

    status: jax.Array
    closed_day: jax.Array
    num_scheduled: jax.Array
    num_present: jax.Array
    last_present_tick: jax.Array
    num_attendance: jax.Array
    absence_bits: jax.Array
    late_ticks_today: jax.Array
    pending_tick: jax.Array
    is_shift_open: jax.Array
    is_exit_approved: jax.Array
    has_arrived: jax.Array
    arrived_late: jax.Array
    did_late_start: jax.Array
    did_absent: jax.Array
    did_helped: jax.Array
    did_took: jax.Array
    attendance: jax.Array
    wages_withheld: jax.Array
    wages_today: jax.Array
    exits_today: jax.Array


def empty_employment(shape: TownShape) -> Employment:
    """Makes the employment record of vacant slots."""
    a = shape.num_agents
    return Employment(
        status=jnp.zeros(a, jnp.int32),
        closed_day=jnp.full(a, NONE, jnp.int32),
        num_scheduled=jnp.zeros(a, jnp.int32),
        num_present=jnp.zeros(a, jnp.int32),
        last_present_tick=jnp.full(a, LONG_AGO, jnp.int32),
        num_attendance=jnp.zeros(a, jnp.int32),
        absence_bits=jnp.zeros(a, jnp.int32),
        late_ticks_today=jnp.zeros(a, jnp.int32),
        pending_tick=jnp.full(a, NEVER, jnp.int32),
        is_shift_open=jnp.zeros(a, bool),
        is_exit_approved=jnp.zeros(a, bool),
        has_arrived=jnp.zeros(a, bool),
        arrived_late=jnp.zeros(a, bool),
        did_late_start=jnp.zeros(a, bool),
        did_absent=jnp.zeros(a, bool),
        did_helped=jnp.zeros(a, bool),
        did_took=jnp.zeros(a, bool),
        attendance=jnp.zeros((a, shape.attendance_window, 2), jnp.int32),
        wages_withheld=jnp.zeros(a, jnp.float32),
        wages_today=jnp.zeros(a, jnp.float32),
        exits_today=jnp.int32(0),
    )
