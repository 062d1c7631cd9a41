"""What residents see of each other: who is near, who is a friend, whom they avoid."""

import jax
import jax.numpy as jnp
from flax import struct
from jax import lax

from townlet_jax.config.params import TownParams
from townlet_jax.config.shape import TownShape
from townlet_jax.masked import NONE
from townlet_jax.rules import relationships
from townlet_jax.state import TownState

STAGE_B = 2
"""Relationship stage from which residents see their ties."""


class Sight(struct.PyTreeNode):
    """Pairs are `[A, A]`: who looks, who is seen.

    Attributes:
      dx, dy: int32 `[A, A]` [tile], from who looks to who is seen.
      is_other: bool `[A, A]`, another living resident.
      is_near: bool `[A, A]`, of these, in the window around who looks.
      tiles: int32 `[A, A]` [tile], `|dx| + |dy|`.
      is_avoided: bool `[A, A]`, ties with a rivalry that makes avoid.
      friend: int32 `[A, max(1, top_friends)]`, friends, the best first, NONE = none.
      rival: int32 `[A, top_rivals]`, rivals that are not among these friends, likewise.
    """

    dx: jax.Array
    dy: jax.Array
    is_other: jax.Array
    is_near: jax.Array
    tiles: jax.Array
    is_avoided: jax.Array
    friend: jax.Array
    rival: jax.Array


def see(shape: TownShape, state: TownState, params: TownParams) -> Sight:
    """Looks around. Below stage B there are neither friends nor rivals.

    Args:
      shape: static sizes.
      state: a town.
      params: the town's numbers.
    """
    agents, ties = state.agents, state.relationships
    slots = jnp.arange(shape.num_agents, dtype=jnp.int32)
    x, y = agents.position[:, 0], agents.position[:, 1]
    dx, dy = x[None, :] - x[:, None], y[None, :] - y[:, None]
    is_other = agents.is_alive[None, :] & (slots[:, None] != slots[None, :])
    span = jnp.maximum(jnp.abs(dx), jnp.abs(dy))
    avoid = relationships.avoid_level(agents.profile, params.relationships)
    is_shown = ties.is_tie & (params.relationships.stage >= STAGE_B)
    liking = ties.trust + ties.familiarity
    is_friend = is_shown & (liking > 0)
    friends = []
    for _ in range(max(1, shape.top_friends)):
        friends.append(_strongest(is_friend, liking, ties.formed_tick))
        is_friend = is_friend & (slots[None, :] != friends[-1][:, None])
    is_rival = is_shown & (ties.rivalry > 0)
    for friend in friends[: shape.top_friends]:
        is_rival = is_rival & (slots[None, :] != friend[:, None])
    rivals = []
    for _ in range(shape.top_rivals):
        rivals.append(_strongest(is_rival, ties.rivalry, ties.formed_tick))
        is_rival = is_rival & (slots[None, :] != rivals[-1][:, None])
    return Sight(
        dx=dx,
        dy=dy,
        is_other=is_other,
        is_near=is_other & (span <= shape.local_window // 2),
        tiles=jnp.abs(dx) + jnp.abs(dy),
        is_avoided=ties.is_tie & (ties.rivalry >= avoid[:, None]),
        friend=jnp.stack(friends, axis=1),
        rival=jnp.stack(rivals, axis=1) if rivals else jnp.zeros((shape.num_agents, 0), jnp.int32),
    )


def _strongest(mask: jax.Array, strength: jax.Array, formed_tick: jax.Array) -> jax.Array:
    """Finds the largest strength of each row; ties to the older, then to the lower slot.

    Args:
      mask: bool `[A, A]`, who takes part.
      strength: float32 `[A, A]`, above 0 where the mask is set.
      formed_tick: int32 `[A, A]` [tick].

    Returns:
      int32 `[A]`, NONE = nobody.
    """
    # Positive floats are ordered as their bits are.
    bits = jnp.where(mask, lax.bitcast_convert_type(strength, jnp.int32), 0)
    slots = jnp.broadcast_to(jnp.arange(mask.shape[1], dtype=jnp.int32)[None, :], mask.shape)

    def better(a: tuple[jax.Array, ...], b: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        is_first = (a[0] == b[0]) & ((a[1] < b[1]) | ((a[1] == b[1]) & (a[2] < b[2])))
        is_first |= a[0] > b[0]
        return tuple(jnp.where(is_first, x, y) for x, y in zip(a, b, strict=True))

    nobody = (jnp.int32(0), jnp.int32(2**31 - 1), jnp.int32(mask.shape[1]))
    best, _, slot = lax.reduce((bits, formed_tick, slots), nobody, better, (1,))
    return jnp.where(best > 0, slot, NONE)
