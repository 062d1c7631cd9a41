"""The built-in policy `scripted` (world appendix B, training §3)."""

import numpy as np

from tests.oracle import affordances, chat, masks, options
from tests.oracle.movement import distance
from tests.oracle.options import COOK, GET_CLEAN, GET_FED, GO_TO_WORK, REST, SLEEP, SOCIALISE
from tests.oracle.perturbations import meet_target
from tests.oracle.twin import NONE, f32, look
from townlet_jax.config.layout import Flag, Role

SERVES = (GET_FED, GET_CLEAN, SLEEP)
"""Option that serves each need."""


def _while_running(town, a: int, shift) -> int:
    """Rule 1: what a resident does while it runs something; NONE = go on with the other rules."""
    hunger, hygiene, energy = town.state.needs.level[a]
    if owns(town, a, SLEEP):
        is_due = shift is not None and shift[0] - 90 <= town.tick_of_day <= shift[0]
        is_tired = energy < f32(0.97) and hunger > f32(0.37) and hygiene > f32(0.37)
        return SLEEP if is_tired and not (is_due and energy > f32(0.5)) else NONE
    can_talk = chat.has_partner(town, a)
    if affordances.runs_flag(town, a, Flag.WORK):
        if hunger > f32(0.2) and energy > f32(0.1):
            return SOCIALISE if can_talk else GO_TO_WORK
        return NONE
    if can_talk and not affordances.runs_flag(town, a, Flag.BLOCKS_CHAT):
        return SOCIALISE
    for option in (COOK, GET_FED, GET_CLEAN):
        if owns(town, a, option):
            return option
    return REST


def owns(town, a: int, option: int) -> bool:
    """Tells whether what a resident runs belongs to an option."""
    return options.owns_run(town, a, option)


def _open_shift(town, a: int):
    """Returns start, end and way to the site of today's shift, None without an open one."""
    job = int(town.state.agents.job[a])
    if job == NONE or town.state.employment.closed_day[a] == town.day:
        return None
    target = int(town.layout.jobs.target[job])
    way = distance(town, a, target) if target != NONE else 0
    return int(town.params.employment.start[job]), int(town.params.employment.end[job]), way


def _before_shift(town, level, shift) -> int:
    """Rule 5: gets ready for a shift; NONE = nothing to do."""
    start, _, way = shift
    hunger, hygiene, energy = level
    if not start - way - 150 <= town.tick_of_day < start:
        return NONE
    if energy < f32(0.6) and town.tick_of_day < start - way - 70:
        return SLEEP
    if hygiene < f32(0.65):
        return GET_CLEAN
    return GET_FED if hunger < f32(0.65) else NONE


def _is_pantry_low(town) -> bool:
    """Tells whether a venue with a fridge has fewer than four meals."""
    objects, kind = town.layout.objects, town.layout.stock.meals
    fridges = [o for o in range(town.num_objects) if objects.is_role[Role.FRIDGE, o]]
    stock = town.state.economy.stock
    return kind != NONE and any(stock[kind, int(objects.venue[o])] < 4 for o in fridges)


def _choose(town, a: int) -> int:
    level, shift = town.state.needs.level[a], _open_shift(town, a)
    hunger, _, energy = level
    if affordances.is_running(town, a):
        option = _while_running(town, a, shift)
        if option != NONE:
            return option
    if hunger < f32(0.2):
        return GET_FED
    if energy < f32(0.12):
        return SLEEP
    if shift is not None:
        if shift[0] - shift[2] - 15 <= town.tick_of_day <= shift[1]:
            return GO_TO_WORK
        option = _before_shift(town, level, shift)
        if option != NONE:
            return option
    lowest = min(range(3), key=lambda n: (level[n], n))
    if level[lowest] < f32(0.36):
        return SERVES[lowest]
    if meet_target(town, a) != NONE:
        return SOCIALISE
    shortfall = [f32(town.params.behavior.thresholds[n] - level[n]) for n in range(3)]
    worst = min(range(3), key=lambda n: (-shortfall[n], n))
    if shortfall[worst] > 0:
        return SERVES[worst]
    is_night = town.tick_of_day < 360 or town.tick_of_day > 1320
    if is_night and energy < f32(0.8):
        return SLEEP
    if _is_pantry_low(town) and town.state.agents.wallet[a] > f32(0.5) and a % 4 == 0:
        return COOK
    return REST if town.params.relationships.stage == 0 else SOCIALISE


def scripted(shape, state, params, layout, mask=None) -> np.ndarray:
    """Chooses an option for every resident.

    Args:
      shape: `TownShape` at option level.
      state: twin of a state.
      params, layout: dataclasses of arrays or their `plain` form.
      mask: bool `[A, 7]`, None = the mask of §6.4. An illegal choice becomes rest.

    Returns:
      int32 `[A]`.
    """
    town = look(shape, state, params, layout)
    mask = masks.mask_of(town) if mask is None else mask
    choice = np.zeros(town.num_agents, np.int32)
    for a in range(town.num_agents):
        if masks.is_controlled(town, a):
            option = _choose(town, a)
            choice[a] = option if mask[a, option] else REST
    return choice
