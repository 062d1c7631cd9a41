"""The clock and the random streams."""

import enum

import jax
import jax.numpy as jnp
from flax import struct
from jax import lax


class Stream(enum.IntEnum):
    """Random streams of a town. Append only."""

    WORLD = 0
    EVENTS = 1
    POLICY = 2


class Purpose(enum.IntEnum):
    """What a draw is for; folded into the tick key. Append only."""

    PRIORITY = 0
    CHAT_SUCCESS = 1
    CHAT_QUALITY = 2
    ARRIVAL_DELAY = 3
    ARRIVAL_NEEDS = 4
    PERSONALITY_SHIFT = 5
    PERTURBATION_ROLL = 6
    PERTURBATION_TICKS = 7
    PERTURBATION_MAGNITUDE = 8
    MEET_PARTICIPANTS = 9
    ACTION_SAMPLE = 10
    INITIAL_NEEDS = 11


class Clock(struct.PyTreeNode):
    """When it is, and where randomness comes from.

    Attributes:
      tick: int32 [tick] in [0, 2^30), the tick about to run.
      stream_keys: key `[3]`, by `Stream`; never changes.
    """

    tick: jax.Array
    stream_keys: jax.Array


def start_clock(key: jax.Array) -> Clock:
    """Makes the clock of a fresh town.

    Args:
      key: key `[]` of the seed; it is consumed.
    """
    streams = jnp.arange(len(Stream), dtype=jnp.uint32)
    return Clock(
        tick=jnp.int32(0), stream_keys=jax.vmap(jax.random.fold_in, (None, 0))(key, streams)
    )


class Now(struct.PyTreeNode):
    """The moment of a tick, derived from the clock.

    Attributes:
      tick: int32 [tick], absolute.
      tick_of_day: int32 [tick]; day: int32 [day].
    """

    tick: jax.Array
    tick_of_day: jax.Array
    day: jax.Array


def now(clock: Clock, ticks_per_day: jax.Array) -> Now:
    """Reads the clock.

    Args:
      clock: the clock.
      ticks_per_day: int32 [tick].
    """
    return Now(
        tick=clock.tick,
        tick_of_day=lax.rem(clock.tick, ticks_per_day),
        day=lax.div(clock.tick, ticks_per_day),
    )
