"""What residents see: a map, features and an action mask, all from one and the same state."""

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.config.layout import TownLayout
from townlet_jax.config.observation_layout import observation_layout
from townlet_jax.config.params import TownParams
from townlet_jax.config.shape import TownShape
from townlet_jax.masked import computed_once
from townlet_jax.rules import perturbations
from townlet_jax.state import TownState
from townlet_jax.town.masks import action_mask
from townlet_jax.town.observe_base import base_block
from townlet_jax.town.observe_distilled import distilled_block
from townlet_jax.town.observe_map import local_map
from townlet_jax.town.observe_social import social_block
from townlet_jax.town.observe_targets import CAFE_TABLE, SOCIAL_PLACE, company, find_ways, triples
from townlet_jax.town.sight import see
from townlet_jax.town.view import look, prices


class Observation(struct.PyTreeNode):
    """Observations of all slots; a vacant slot sees zeros and may only wait.

    Attributes:
      map: uint8 `[A, w, w, C]`, `[A, 0, 0, 0]` for compact; rows from north, columns from west.
      features: float32 `[A, F]` in [-1, 1], named by `observation_layout`.
      action_mask: bool `[A, n]`, legal actions.
      is_alive: bool `[A]`; can_act: bool `[A]`, alive, not leaving, not collapsed.
      ctx_reset: bool `[A]`, a policy with a memory starts anew.
    """

    map: jax.Array
    features: jax.Array
    action_mask: jax.Array
    is_alive: jax.Array
    can_act: jax.Array
    ctx_reset: jax.Array


def observe(
    shape: TownShape,
    state: TownState,
    context_reset: jax.Array,
    params: TownParams,
    layout: TownLayout,
) -> Observation:
    """Shows a town to its residents.

    Args:
      shape: static sizes; decides the variant.
      state: a town before its tick.
      context_reset: bool `[A]`; everybody alive in a fresh town, afterwards
        `events.lifecycle.context_reset` of the last tick.
      params, layout: the town's numbers and tables.
    """
    view = computed_once(look(shape, state, params, layout))
    sight = computed_once(see(shape, state, params))
    ways = computed_once(find_ways(shape, view, state, params, layout))
    active = perturbations.active_kinds(state.perturbations, layout.perturbations)
    price = computed_once(prices(state, active))
    is_alive = state.agents.is_alive
    context_reset = context_reset & is_alive
    pieces = base_block(shape, view, sight, ways, state, price, context_reset, params, layout)
    if shape.observation != "full":
        pieces += [triples(ways, CAFE_TABLE, SOCIAL_PLACE + 1), company(shape, sight)]
    if shape.observation == "compact":
        pieces += distilled_block(shape, view, sight, ways, state, price, layout)
    pieces += social_block(shape, sight, state, params, layout)
    if shape.observation == "compact":
        surroundings = jnp.zeros((shape.num_agents, 0, 0, 0), jnp.uint8)
    else:
        surroundings = local_map(shape, view, sight, state, layout)
    return Observation(
        map=surroundings,
        features=_join(shape, pieces, is_alive),
        action_mask=action_mask(shape, view, state, params, layout),
        is_alive=is_alive,
        can_act=view.can_act,
        ctx_reset=context_reset,
    )


def _join(shape: TownShape, pieces: list[jax.Array], is_alive: jax.Array) -> jax.Array:
    """Puts pieces side by side: float32 `[A, F]`, rows of vacant slots 0."""
    columns = [
        jnp.broadcast_to(x.reshape((-1, 1)), (shape.num_agents, 1)) if x.ndim < 2 else x
        for x in pieces
    ]
    columns = computed_once(columns)
    features = jnp.concatenate(columns, axis=1)
    assert features.shape[1] == observation_layout(shape).num_features
    return jnp.where(is_alive[:, None], features, 0.0)
