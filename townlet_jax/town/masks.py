"""Action masks: what is legal, from the state alone."""

import jax
import jax.numpy as jnp

from townlet_jax.config.layout import TownLayout
from townlet_jax.config.params import TownParams
from townlet_jax.config.shape import TownShape
from townlet_jax.masked import NONE, pick
from townlet_jax.state import TownState
from townlet_jax.town import options, primitives
from townlet_jax.town.options import OWN_ROLES, Option
from townlet_jax.town.view import View


def action_mask(
    shape: TownShape, view: View, state: TownState, params: TownParams, layout: TownLayout
) -> jax.Array:
    """Tells which actions of the level in use are legal; waiting or resting always is.

    Vacant, leaving and collapsed slots may only wait.

    Args:
      shape: static sizes.
      view: the state read once.
      state: a town.
      params, layout: the town's numbers and tables.

    Returns:
      bool `[A, num_actions]`.
    """
    if shape.action_level == "option":
        mask = _option_mask(view, state, params, layout)
    else:
        mask = _primitive_mask(view, state, layout)
    is_first = jnp.arange(shape.num_actions) == 0
    return jnp.where(view.can_act[:, None], mask, is_first[None, :])


def _option_mask(view: View, state: TownState, params: TownParams, layout: TownLayout) -> jax.Array:
    """Legal options, bool `[A, 7]`."""
    found = options.candidates(view, state.agents.wallet, layout)
    has_any = options.has_candidates(found)
    legal = {Option.REST: jnp.ones_like(view.can_act)}
    for option in OWN_ROLES:
        legal[option] = has_any[option] | options.owns(state, layout, option)
    legal[Option.GO_TO_WORK] = _can_reach_shift(view, state, params, layout)
    num_present = jnp.sum(state.agents.is_alive, dtype=jnp.int32)
    legal[Option.SOCIALISE] = state.agents.is_alive & (num_present > 1)
    return jnp.stack([legal[option] for option in Option], axis=-1)


def _can_reach_shift(
    view: View, state: TownState, params: TownParams, layout: TownLayout
) -> jax.Array:
    """Has a shift that is open or close enough to set out for, bool `[A]`."""
    job = state.agents.job
    x, y = state.agents.position[:, 0], state.agents.position[:, 1]
    target = pick(layout.jobs.target, job, NONE)
    distance = layout.map.distance[y, x, jnp.maximum(target, 0)].astype(jnp.int32)
    distance = jnp.where(target == NONE, 0, distance)
    start = pick(params.employment.start, job)
    end = pick(params.employment.end, job, -1)
    time = view.now.tick_of_day
    is_time = (start - params.employment.arrival_buffer - distance <= time) & (time <= end)
    return (job != NONE) & is_time & (state.employment.closed_day != view.now.day)


def _primitive_mask(view: View, state: TownState, layout: TownLayout) -> jax.Array:
    """Legal primitives, bool `[A, num_actions]`."""
    can_chat = ~view.is_blocking & jnp.any(view.can_chat, axis=-1)
    can_leave = view.is_running | (view.held != NONE) | (state.queues.waiting_for != NONE)
    return jnp.concatenate(
        [
            jnp.ones_like(can_chat)[:, None],
            primitives.move_mask(view, state, layout),
            can_chat[:, None],
            can_leave[:, None],
            primitives.use_mask(view, state, layout),
        ],
        axis=-1,
    )
