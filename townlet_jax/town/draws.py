"""Random draws of a tick: every draw has its full shape on every tick, whether used or not."""

from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from townlet_jax import threefry
from townlet_jax.config.shape import NUM_NEEDS, TownShape
from townlet_jax.masked import NEVER, rank
from townlet_jax.state.clock import Clock, Purpose, Stream

AT_CONSTRUCTION = NEVER
"""Tick that stands for the construction of a town; it never runs."""

EVENT_PURPOSES = frozenset(
    {
        Purpose.PERTURBATION_ROLL,
        Purpose.PERTURBATION_TICKS,
        Purpose.PERTURBATION_MAGNITUDE,
        Purpose.MEET_PARTICIPANTS,
    }
)
"""Purposes of the events stream; all others draw from the world stream."""


class Draws(struct.PyTreeNode):
    """Draws by purpose. Uniforms are multiples of 2^-24 in [0, 1).

    Attributes:
      priority: int32 `[A]`, a permutation of 0..A-1, smaller goes first; used by every tie-break of
        the tick.
      u_chat_success, u_chat_quality: float32 `[A]`, by speaker.
      bits_arrival_delay: uint32 `[A]`.
      u_arrival_needs: float32 `[A, N]`.
      personality_shift: float32 `[3]`, the same on every tick of a town.
      u_perturbation_roll: float32 `[P]`; bits_perturbation_ticks: uint32 `[P]`.
      u_perturbation_magnitude: float32 `[P]`.
      bits_meet: uint32 `[A]`.
    """

    priority: jax.Array
    u_chat_success: jax.Array
    u_chat_quality: jax.Array
    bits_arrival_delay: jax.Array
    u_arrival_needs: jax.Array
    personality_shift: jax.Array
    u_perturbation_roll: jax.Array
    bits_perturbation_ticks: jax.Array
    u_perturbation_magnitude: jax.Array
    bits_meet: jax.Array


def uniform(bits: jax.Array) -> jax.Array:
    """Turns random bits into uniforms.

    Args:
      bits: uint32 `[...]`.

    Returns:
      float32 `[...]` in [0, 1), multiples of 2^-24.
    """
    return (bits >> 8).astype(jnp.float32) * jnp.float32(2.0**-24)


def purpose_key(clock: Clock, stream: Stream, purpose: Purpose) -> jax.Array:
    """Derives the key of one purpose in this tick.

    Args:
      clock: the clock.
      stream: random stream.
      purpose: what the draw is for.

    Returns:
      key `[]`.
    """
    return jax.random.fold_in(jax.random.fold_in(clock.stream_keys[stream], clock.tick), purpose)


def draw(shape: TownShape, clock: Clock) -> Draws:
    """Draws everything that a tick may need.

    Args:
      shape: static sizes.
      clock: the clock; its keys are not consumed, the tick makes the draws distinct.
    """
    a, p = shape.num_agents, shape.num_specs
    lengths = {
        Purpose.PRIORITY: a,
        Purpose.CHAT_SUCCESS: a,
        Purpose.CHAT_QUALITY: a,
        Purpose.ARRIVAL_DELAY: a,
        Purpose.PERTURBATION_ROLL: p,
        Purpose.PERTURBATION_TICKS: p,
        Purpose.PERTURBATION_MAGNITUDE: p,
        Purpose.MEET_PARTICIPANTS: a,
        Purpose.PERSONALITY_SHIFT: 3,
        Purpose.ARRIVAL_NEEDS: a * NUM_NEEDS,
    }
    bits = _bits(clock, lengths)
    return Draws(
        priority=_order(shape, bits[Purpose.PRIORITY]),
        u_chat_success=uniform(bits[Purpose.CHAT_SUCCESS]),
        u_chat_quality=uniform(bits[Purpose.CHAT_QUALITY]),
        bits_arrival_delay=bits[Purpose.ARRIVAL_DELAY],
        u_arrival_needs=uniform(bits[Purpose.ARRIVAL_NEEDS]).reshape(a, NUM_NEEDS),
        personality_shift=uniform(bits[Purpose.PERSONALITY_SHIFT]),
        u_perturbation_roll=uniform(bits[Purpose.PERTURBATION_ROLL]),
        bits_perturbation_ticks=bits[Purpose.PERTURBATION_TICKS],
        u_perturbation_magnitude=uniform(bits[Purpose.PERTURBATION_MAGNITUDE]),
        bits_meet=bits[Purpose.MEET_PARTICIPANTS],
    )


def _bits(clock: Clock, lengths: dict[Purpose, int]) -> dict[Purpose, jax.Array]:
    """Draws bits for all purposes at once, uint32 of the given length each.

    All draws are cut into rows of one width, so that they share one call.
    """
    width = lengths[Purpose.PRIORITY]
    rows = {purpose: -(-length // width) for purpose, length in lengths.items()}
    row_of = np.repeat(np.arange(len(lengths)), list(rows.values()))
    offset = np.concatenate([np.arange(n) for n in rows.values()]) * width
    index = (offset[:, None] + np.arange(width)).astype(np.uint32)
    keys = [jnp.broadcast_to(word[row_of][:, None], index.shape) for word in _keys(clock, lengths)]
    drawn = threefry.bits((keys[0], keys[1]), jnp.asarray(index))
    ends = np.cumsum(list(rows.values()))
    return {
        purpose: drawn[end - rows[purpose] : end].reshape(-1)[:length]
        for (purpose, length), end in zip(lengths.items(), ends, strict=True)
    }


def _keys(clock: Clock, purposes: Iterable[Purpose]) -> threefry.Words:
    """Derives the keys of purposes, two words uint32 `[len(purposes)]`."""
    streams = jnp.array([Stream.WORLD, Stream.EVENTS, Stream.WORLD])
    ticks = jnp.stack([clock.tick, clock.tick, jnp.int32(AT_CONSTRUCTION)]).astype(jnp.uint32)
    base = jnp.array([_base(purpose) for purpose in purposes])
    keys = threefry.fold_in(threefry.words(clock.stream_keys[streams]), ticks)
    return threefry.fold_in((keys[0][base], keys[1][base]), jnp.array(list(purposes), jnp.uint32))


def _base(purpose: Purpose) -> int:
    """Position of the stream and tick that a purpose draws from, in `_keys`."""
    if purpose == Purpose.PERSONALITY_SHIFT:
        return 2
    return int(purpose in EVENT_PURPOSES)


def _order(shape: TownShape, bits: jax.Array) -> jax.Array:
    if shape.tick_order == "slot":
        return jnp.arange(shape.num_agents, dtype=jnp.int32)
    return rank(jnp.ones(shape.num_agents, bool), bits)
