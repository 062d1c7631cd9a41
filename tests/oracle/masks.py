"""Which actions are legal (world §6.4)."""

import numpy as np

from tests.oracle import affordances, chat, options, queues
from tests.oracle.movement import cell_of, distance, is_walkable
from tests.oracle.twin import NONE, STEPS, look
from townlet_jax.config.layout import Flag
from townlet_jax.state import ExitReason

FIRST_USE = 7


def is_controlled(town, a: int) -> bool:
    """Tells whether a resident acts at all: it lives, does not leave and has not collapsed."""
    agents, reason = town.state.agents, town.state.lifecycle.exit_reason[a]
    return bool(agents.is_alive[a] and not agents.is_leaving[a] and reason != ExitReason.FAINT)


def offers(town, o: int) -> list[int]:
    """Lists the affordances of a row's type, lowest first."""
    return [int(f) for f in town.layout.objects.offers[o] if f != NONE]


def _can_use(town, a: int, type_rows) -> bool:
    """Tells whether some row of a type near a resident could serve it now."""
    for o in range(town.num_objects):
        if not type_rows[o] or not queues.in_request_range(town, a, o):
            continue
        if queues.is_cooling(town, a, o):
            continue
        if any(
            affordances.why_not(town, a, o, f, is_occupied_ignored=True) == NONE
            for f in offers(town, o)
        ):
            return True
    return False


def _primitive(town, a: int) -> list[bool]:
    is_idle = not affordances.is_running(town, a)
    x, y = cell_of(town, a)
    has_place = queues.held_row(town, a) != NONE or town.state.queues.waiting_for[a] != NONE
    can_talk = not affordances.runs_flag(town, a, Flag.BLOCKS_CHAT) and chat.has_partner(town, a)
    moves = [is_idle and is_walkable(town, x + dx, y + dy) for dx, dy in STEPS]
    uses = [is_idle and _can_use(town, a, rows) for rows in town.layout.actions.rows]
    return [True, *moves, can_talk, not is_idle or has_place, *uses]


def _can_go_to_work(town, a: int) -> bool:
    job, p = int(town.state.agents.job[a]), town.params.employment
    if job == NONE or town.state.employment.closed_day[a] == town.day:
        return False
    target = int(town.layout.jobs.target[job])
    way = distance(town, a, target) if target != NONE else 0
    earliest = int(p.start[job]) - p.arrival_buffer - way
    return earliest <= town.tick_of_day <= int(p.end[job])


def _option(town, a: int) -> list[bool]:
    def has_use(option: int) -> bool:
        return bool(options.candidates(town, a, option)) or options.owns_run(town, a, option)

    alive = town.state.agents.is_alive
    has_company = any(alive[b] for b in range(town.num_agents) if b != a)
    return [
        True,
        has_use(options.GET_FED),
        has_use(options.GET_CLEAN),
        has_use(options.SLEEP),
        _can_go_to_work(town, a),
        has_company,
        has_use(options.COOK),
    ]


def mask_of(town) -> np.ndarray:
    """Computes the mask of a town that is being looked at: bool [A, num_actions]."""
    mask = np.zeros((town.num_agents, town.shape.num_actions), bool)
    mask[:, 0] = True
    for a in range(town.num_agents):
        if is_controlled(town, a):
            is_option = town.shape.action_level == "option"
            mask[a] = _option(town, a) if is_option else _primitive(town, a)
    return mask


def action_mask(shape, state, params, layout) -> np.ndarray:
    """Computes which actions are legal.

    Args:
      shape: `TownShape`.
      state: twin of a state.
      params, layout: dataclasses of arrays or their `plain` form.

    Returns:
      bool `[A, num_actions]`.
    """
    return mask_of(look(shape, state, params, layout))
