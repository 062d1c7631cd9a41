"""From actions to intents, and the record of what was done."""

import jax
import jax.numpy as jnp

from townlet_jax.config.layout import TownLayout
from townlet_jax.config.params import TownParams
from townlet_jax.config.shape import TownShape
from townlet_jax.state import TownState
from townlet_jax.state.agents import Agents
from townlet_jax.town import options, primitives
from townlet_jax.town.happened import Acted, Queued
from townlet_jax.town.intents import (
    Intents,
    Kind,
    choose,
    follows_schedule,
    restrained,
    scheduled,
    waiting,
)
from townlet_jax.town.masks import action_mask
from townlet_jax.town.view import can_act, look


def intend(
    shape: TownShape,
    state: TownState,
    actions: jax.Array,
    params: TownParams,
    layout: TownLayout,
) -> Intents:
    """Reads what everybody wants to do in this tick from the state before it.

    Args:
      shape: static sizes.
      state: a town before its tick.
      actions: int32 `[A]`, codes of the action level; ignored for residents with a schedule, and
        for vacant, leaving and collapsed slots, which wait.
      params, layout: the town's numbers and tables.
    """
    view = look(shape, state, params, layout)
    if shape.action_level == "option":
        chosen = options.control(view, state, actions, params, layout)
    else:
        mask = action_mask(shape, view, state, params, layout)
        chosen = primitives.control(view, state, actions, mask, layout)
    intents = choose(follows_schedule(state, layout), scheduled(state, layout), chosen)
    intents = restrained(intents, view.is_running, view.is_blocking)
    return choose(view.can_act, intents, waiting(shape.num_agents))


def remember(
    before: TownState,
    agents: Agents,
    actions: jax.Array,
    acted: Acted,
    queued: Queued,
    intents: Intents,
    layout: TownLayout,
) -> Agents:
    """Notes each resident's action and whether it had its effect.

    Residents with a schedule keep the record of their last policy action; newcomers and vacant
    slots have none.

    Args:
      before: the town before its tick.
      agents: residents after it.
      actions: int32 `[A]`.
      acted, queued: what came of it.
      intents: what everybody wanted.
      layout: tables.
    """
    was_here = before.agents.is_alive & ~before.agents.is_leaving
    code = jnp.where(can_act(before), actions, 0)
    is_kept = follows_schedule(before, layout) | ~was_here
    last = jnp.where(is_kept, agents.last_action, code)
    ticks = jnp.where(last == agents.last_action, agents.last_action_ticks + 1, 0)
    has_done = jnp.where(intents.kind == Kind.BLOCKED, queued.is_counted, acted.has_done)
    return agents.replace(
        last_action=last,
        last_action_ticks=jnp.where(is_kept, agents.last_action_ticks, ticks),
        did_last_action=has_done & was_here,
    )
