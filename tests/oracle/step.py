"""The order of the rules in one tick (world §2)."""

from types import SimpleNamespace

from tests.oracle import (
    actions,
    admin,
    affordances,
    chat,
    conflicts,
    economy,
    employment,
    lifecycle,
    metrics,
    movement,
    needs,
    perturbations,
    queues,
    relationships,
    utilities,
)
from tests.oracle.events import empty_events
from tests.oracle.masks import is_controlled
from tests.oracle.twin import clone, look


def step(
    shape, state, action, ops, draws, params, layout
) -> tuple[SimpleNamespace, SimpleNamespace]:
    """Runs one tick.

    Args:
      shape: `TownShape`.
      state: twin of a state (`twin.from_state`); it is left as it is.
      action: int32 `[A]`, codes of the action level in use.
      ops: int32 `[Q, 8]` admin rows, or None.
      draws: namespace of the tick's random numbers, see `tests/oracle/README.md`.
      params, layout: dataclasses of arrays or their `plain` form.

    Returns:
      state: twin of the next state; events: twin of `TickEvents`.
    """
    town = look(shape, clone(state), params, layout, draws)
    town.events = empty_events(shape)
    could_act = [is_controlled(town, a) for a in range(town.num_agents)]
    plays = [actions.has_schedule(town, a) for a in range(town.num_agents)]
    intents, did = actions.compile_intents(town, action)

    employment.roll_day(town)
    conflicts.roll_day(town)
    economy.collect_rent(town)
    economy.restock(town)
    lifecycle.remove(town)
    lifecycle.arrive(town)
    admin.apply(town, ops)
    town.events.level_before = town.state.needs.level.copy()
    perturbations.update(town)
    utilities.stop_users(town)

    affordances.release(town, intents, did)
    movement.move(town, intents, did)
    queues.request(town, intents, did)
    affordances.start(town, intents, did)
    chat.talk(town, intents, did)
    queues.upkeep(town, intents, did)

    work_row = affordances.progress(town)
    affordances.share_meals(town)
    affordances.finish(town)
    needs.decay(town)
    employment.work(town, work_row)
    relationships.step(town)
    lifecycle.collapse(town)
    employment.review(town)
    lifecycle.gate(town)
    conflicts.avoid(town)
    metrics.count(town)
    is_deciding = [could and not p for could, p in zip(could_act, plays, strict=True)]
    metrics.count_day(town, action, is_deciding)
    actions.remember(town, action, could_act, did, plays)
    town.state.clock.tick += 1
    return town.state, town.events
