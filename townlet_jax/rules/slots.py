"""Embedding slots: numbers by which observations tell residents apart; reused late."""

import jax
import jax.numpy as jnp
from jax import lax

from townlet_jax.config.params import SlotParams
from townlet_jax.masked import LONG_AGO, NEVER, NONE
from townlet_jax.state.clock import Now
from townlet_jax.state.lifecycle import Slots


def release(slots: Slots, is_released: jax.Array, now: Now) -> Slots:
    """Takes the embedding slots of leavers back; they start to cool down.

    Args:
      slots: embedding slots.
      is_released: bool `[A]`, residents that are removed.
      now: this tick.
    """
    is_given_back = jnp.any(is_released[:, None] & _is_held_by(slots), axis=0)  # [E]
    return slots.replace(
        slot=jnp.where(is_released, NONE, slots.slot),
        released_tick=jnp.where(is_given_back, now.tick, slots.released_tick),
    )


def allocate(
    slots: Slots, is_arriving: jax.Array, now: Now, params: SlotParams
) -> tuple[Slots, jax.Array]:
    """Gives newcomers embedding slots: never used ones first, then the one released longest ago.

    The order is (released_tick, index) over the free slots; newcomers are served in the order of
    their agent slots. Slots that have cooled down come before those that have not, because what is
    released later cools down later; who gets one of the latter was forced to.

    Args:
      slots: embedding slots; at least as many as residents, so that one is always free.
      is_arriving: bool `[A]`, newcomers of this tick.
      now: this tick.
      params: cooldown.

    Returns:
      slots: with `num_allocated` and `num_forced` counted on.
      is_forced: bool `[A]`, newcomers whose slot had not cooled down.
    """
    order = _order(slots, now)
    mask = (1 << _index_bits(slots)) - 1

    turn = jnp.cumsum(is_arriving, dtype=jnp.int32) - 1  # [A]

    # As many rounds as the busiest town of a batch needs, mostly none.
    def serve(index: jax.Array, served: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        keys, last = served
        following = jnp.min(jnp.where(order > last, order, NEVER))
        return jnp.where(turn == index, following, keys), following

    num_arriving = jnp.sum(is_arriving, dtype=jnp.int32)
    keys, _ = lax.fori_loop(0, num_arriving, serve, (jnp.zeros_like(slots.slot), jnp.int32(NONE)))
    slot = keys & mask
    released_tick = slots.released_tick[jnp.where(is_arriving, slot, 0)]
    is_warm = now.tick - released_tick < params.cooldown_ticks
    is_forced = is_arriving & (released_tick != LONG_AGO) & is_warm
    slots = slots.replace(
        slot=jnp.where(is_arriving, slot, slots.slot),
        num_allocated=slots.num_allocated + num_arriving,
        num_forced=slots.num_forced + jnp.sum(is_forced, dtype=jnp.int32),
    )
    return slots, is_forced


def is_scarce(slots: Slots, params: SlotParams) -> jax.Array:
    """Tells whether forced allocations are more frequent than the warning threshold allows.

    Args:
      slots: embedding slots after this tick's allocations.
      params: threshold of num_forced / num_allocated; 0 never warns.

    Returns:
      bool.
    """
    num_allocated = jnp.maximum(slots.num_allocated, 1).astype(jnp.float32)
    share = slots.num_forced.astype(jnp.float32) / num_allocated
    threshold = params.reuse_warning_threshold
    return (threshold > 0) & (share > threshold)


def _is_held_by(slots: Slots) -> jax.Array:
    """Marks the embedding slot of each resident, bool `[A, E]`."""
    index = lax.iota(jnp.int32, slots.released_tick.shape[0])
    return slots.slot[:, None] == index[None, :]


def _index_bits(slots: Slots) -> int:
    return (slots.released_tick.shape[0] - 1).bit_length()


def _order(slots: Slots, now: Now) -> jax.Array:
    """Packs (released_tick, index) into one distinct key per free slot.

    Returns:
      int32 `[E]` >= 0, smaller is served first, NEVER for a slot in use. Idle times beyond the
      bits left by the index, 16 million ticks for 64 slots, count as equally long.
    """
    bits = _index_bits(slots)
    longest = (1 << (30 - bits)) - 1
    idle = jnp.minimum(now.tick - slots.released_tick, longest - 1)
    idle = jnp.where(slots.released_tick == LONG_AGO, longest, idle)
    key = ((longest - idle) << bits) | lax.iota(jnp.int32, slots.released_tick.shape[0])
    return jnp.where(jnp.any(_is_held_by(slots), axis=0), NEVER, key)
