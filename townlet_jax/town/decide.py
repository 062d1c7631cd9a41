"""Decisions: a policy chooses every few ticks; the choice lasts until it is completed."""

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.config.layout import Flag, Role, TownLayout
from townlet_jax.config.params import TownParams
from townlet_jax.config.shape import TownShape
from townlet_jax.masked import NONE, pick
from townlet_jax.state import TownState
from townlet_jax.state.clock import Purpose, Stream
from townlet_jax.state.events import FailReason, TickEvents
from townlet_jax.town.draws import purpose_key
from townlet_jax.town.masks import action_mask
from townlet_jax.town.options import Option
from townlet_jax.town.policies import Policy
from townlet_jax.town.view import look


class Decision(struct.PyTreeNode):
    """What residents are set on.

    Attributes:
      action: int32 `[A]`, code of the action level in use.
      is_done: bool `[A]`, completed since it was chosen; the resident rests until the next
        decision.
    """

    action: jax.Array
    is_done: jax.Array


def undecided(shape: TownShape) -> Decision:
    """Makes everybody rest until the first decision."""
    a = shape.num_agents
    return Decision(action=jnp.zeros(a, jnp.int32), is_done=jnp.zeros(a, bool))


def decide(
    shape: TownShape,
    policy: Policy,
    decision: Decision,
    state: TownState,
    params: TownParams,
    layout: TownLayout,
) -> tuple[Decision, jax.Array]:
    """Asks the policy on decision ticks and reads off the action of this tick.

    At the option level every `decide_every`-th tick is a decision tick, at the primitive level
    every tick is.

    Args:
      shape: static sizes.
      policy: what chooses.
      decision: what residents were set on.
      state: a town before its tick.
      params, layout: the town's numbers and tables.

    Returns:
      decision; action: int32 `[A]`.
    """
    view = look(shape, state, params, layout)
    mask = action_mask(shape, view, state, params, layout)
    key = purpose_key(state.clock, Stream.POLICY, Purpose.ACTION_SAMPLE)
    chosen = policy(key, view, state, mask, params, layout)
    window = params.behavior.decide_every if shape.action_level == "option" else 1
    is_time = state.clock.tick % window == 0
    decision = Decision(
        action=jnp.where(is_time, chosen, decision.action),
        is_done=decision.is_done & ~is_time,
    )
    return decision, jnp.where(decision.is_done, Option.REST, decision.action)


def settle(
    shape: TownShape,
    decision: Decision,
    state: TownState,
    events: TickEvents,
    params: TownParams,
    layout: TownLayout,
) -> Decision:
    """Marks decisions that this tick completed or that came to nothing; newcomers rest.

    Args:
      shape: static sizes.
      decision: what residents were set on in this tick.
      state: the town after the tick.
      events: what happened in it.
      params, layout: the town's numbers and tables.
    """
    if shape.action_level != "option":
        return decision
    option = decision.action
    is_over = events.lifecycle.spawned
    for code, is_completed in _completed(state, events, params, layout).items():
        is_over = is_over | ((option == code) & is_completed)
    return decision.replace(is_done=decision.is_done | is_over)


def _completed(
    state: TownState, events: TickEvents, params: TownParams, layout: TownLayout
) -> dict[Option, jax.Array]:
    """Tells by option who has come to its end in this tick, bool `[A]` each."""
    finished, row = events.affordances.finished, events.affordances.finished_obj
    failed = events.affordances.failed
    has_failed = jnp.any((failed != NONE) & (failed != FailReason.ABANDONED), axis=0)
    has_eaten = pick(layout.affordances.flags[:, Flag.MEAL], finished, False)

    def used(role: Role) -> jax.Array:
        return pick(layout.objects.is_role[role], row, False)

    tick_of_day = (state.clock.tick - 1) % params.time.ticks_per_day
    day = (state.clock.tick - 1) // params.time.ticks_per_day
    end = pick(params.employment.end, state.agents.job, -1)
    return {
        Option.GET_FED: has_eaten | has_failed,
        Option.GET_CLEAN: used(Role.SHOWER) | has_failed,
        Option.SLEEP: used(Role.BED) | has_failed,
        Option.GO_TO_WORK: (tick_of_day > end) | (state.employment.closed_day == day),
        Option.SOCIALISE: events.chat.listener != NONE,
        Option.COOK: used(Role.STOVE) | has_failed,
    }
