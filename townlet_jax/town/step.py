"""One tick of a town: the order of the rules, and nothing else."""

import jax

from townlet_jax.config.layout import TownLayout
from townlet_jax.config.params import TownParams
from townlet_jax.config.shape import TownShape
from townlet_jax.masked import computed_once
from townlet_jax.state import TownState
from townlet_jax.state.clock import now
from townlet_jax.state.events import TickEvents
from townlet_jax.town import admin, conflicts, metrics, phases, population, using
from townlet_jax.town.actions import intend, remember
from townlet_jax.town.draws import draw
from townlet_jax.town.happened import gather
from townlet_jax.town.tick import Tick


def step(
    shape: TownShape,
    state: TownState,
    actions: jax.Array,
    ops: jax.Array | None,
    params: TownParams,
    layout: TownLayout,
) -> tuple[TownState, TickEvents]:
    """Lives one tick.

    Actions are read from the state before the tick; admin rows and perturbations come before
    anybody acts. Who exits in this tick is still part of the returned state and is removed in the
    next.

    Args:
      shape: static sizes.
      state: the town before its tick.
      actions: int32 `[A]`, codes of the action level.
      ops: int32 `[Q, 8]`, admin rows; None for none, which is cheaper (static).
      params, layout: the town's numbers and tables.

    Returns:
      The town after the tick, and what happened in it.
    """
    before, moment = state, now(state.clock, params.time.ticks_per_day)
    draws = computed_once(draw(shape, state.clock))
    tick = Tick(shape, moment, draws, params, layout)  # P0
    intents = computed_once(intend(shape, state, actions, params, layout))
    state, money = computed_once(phases.turn_day(state, tick))  # P1
    state, renewal = computed_once(population.renew(state, tick))  # P2
    state, orders = computed_once(admin.apply(state, ops, tick))  # P3
    level_before = state.needs.level
    state, perturbed = computed_once(phases.perturb(state, tick))  # P4
    state, acted = computed_once(using.act(state, intents, perturbed, orders, tick))  # P5
    state, queued = computed_once(using.keep_queues(state, acted, tick))  # P6
    state, used = computed_once(using.work_objects(state, acted.has_started, tick))  # P7
    state = computed_once(phases.wear(state, tick))  # P8
    state, employed = computed_once(phases.employ(state, used.is_working, tick))  # P9
    state, tied = computed_once(
        phases.bond(state, acted, queued, used, employed, renewal, tick)
    )  # P10
    state, left = computed_once(phases.leave(state, employed, orders, tick))  # P11
    agents = remember(before, state.agents, actions, acted, queued, intents, layout)
    state = state.replace(agents=agents)
    state, conflict = conflicts.avoid(state, renewal, orders, perturbed, queued, tick)  # P12
    events = gather(
        level_before, money, renewal, orders, perturbed, acted, queued, used, tied, left, conflict
    )
    state = metrics.count(before, state, events, tick)
    return state.replace(clock=state.clock.replace(tick=moment.tick + 1)), events
