"""Features about ties: friends, rivals, and what residents feel about those near them."""

import jax
import jax.numpy as jnp

from townlet_jax.config.layout import TownLayout
from townlet_jax.config.params import TownParams
from townlet_jax.config.shape import TownShape
from townlet_jax.masked import NONE, at, pick
from townlet_jax.state import TownState
from townlet_jax.town.observe_targets import tile_share
from townlet_jax.town.sight import STAGE_B, Sight


def social_block(
    shape: TownShape, sight: Sight, state: TownState, params: TownParams, layout: TownLayout
) -> list[jax.Array]:
    """Writes the social block; below stage B all of it is 0.

    Args:
      shape: static sizes.
      sight: who is where, friends and rivals.
      state: a town.
      params, layout: the town's numbers and tables.

    Returns:
      Pieces float32 `[A, ...]` in order; none without slots.
    """
    partner = jnp.concatenate([sight.friend[:, : shape.top_friends], sight.rival], axis=1)
    if partner.shape[1] == 0:
        return []
    pieces = [_slots(shape, partner, sight, state, layout)]
    if shape.include_aggregates:
        is_shown = params.relationships.stage >= STAGE_B
        pieces += [jnp.where(is_shown, x, 0.0) for x in _aggregates(sight, state)]
    return pieces


def _slots(
    shape: TownShape, partner: jax.Array, sight: Sight, state: TownState, layout: TownLayout
) -> jax.Array:
    """Describes partners `[A, n]`, NONE = padding: float32 `[A, n (embed_dim + 5)]`."""
    ties = state.relationships
    is_given = partner != NONE
    pair = (jnp.arange(shape.num_agents, dtype=jnp.int32)[:, None], jnp.maximum(partner, 0))

    def of_partner(x: jax.Array) -> jax.Array:
        return jnp.where(is_given, at(x, *pair), 0)

    slot = pick(state.slots.slot, partner, NONE)
    vector = pick(layout.observations.embedding, slot, 0.0)  # [A, n, embed_dim]
    share = of_partner(sight.tiles).astype(jnp.float32) * tile_share(shape)
    rest = [
        *(of_partner(x) for x in (ties.trust, ties.familiarity, ties.rivalry)),
        is_given.astype(jnp.float32),
        share,
    ]
    described = jnp.concatenate([vector, jnp.stack(rest, axis=-1)], axis=-1)
    return described.reshape(shape.num_agents, -1)


def _aggregates(sight: Sight, state: TownState) -> list[jax.Array]:
    """Mean and maximum of trust and rivalry over residents in the window; 0 if nobody is there."""
    num_near = jnp.sum(sight.is_near, axis=1, dtype=jnp.int32)
    count = jnp.maximum(num_near, 1).astype(jnp.float32)
    pieces = []
    for feeling in (state.relationships.trust, state.relationships.rivalry):
        total = jnp.sum(jnp.where(sight.is_near, feeling, 0.0), axis=1)
        largest = jnp.max(jnp.where(sight.is_near, feeling, -1.0), axis=1)
        pieces += [total / count, jnp.where(num_near > 0, largest, 0.0)]
    return pieces
