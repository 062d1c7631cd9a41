"""Reads the columns of a replay out of the states of a town."""

from typing import Any

import numpy as np

from townlet_jax.config.town import Town
from townlet_jax.masked import NONE
from townlet_jax.state import ExitReason, TownState

HUNDREDTHS = 100
"""Units of a need, a tie and a coin."""
NO_TIE = -128
"""Stands where there is no tie."""
VACANT, ALIVE, LEAVING, COLLAPSED = 0, 1, 2, 3
"""Values of the column `life`."""


def columns(town: Town, states: TownState) -> dict[str, np.ndarray]:
    """Returns the columns of some frames; `replay.Replay` says what they hold.

    Args:
      town: the loaded configuration.
      states: numpy leaves `[F, ...]`.
    """
    agents, use, queues = states.agents, states.use, states.queues
    has_collapsed = states.lifecycle.exit_reason == ExitReason.FAINT
    life = np.where(agents.is_leaving, LEAVING, ALIVE)
    life = np.where(has_collapsed, COLLAPSED, life)
    is_idle = use.affordance == NONE
    slots = np.arange(life.shape[1])
    is_held = (queues.holder[:, :, None] == slots) & is_idle[:, None, :]  # [F, O, A]
    held = np.where(is_held.any(axis=1), is_held.argmax(axis=1), NONE)
    found: dict[str, tuple[Any, type[np.integer]]] = {
        "life": (np.where(agents.is_alive, life, VACANT), np.uint8),
        "generation": (agents.generation, np.int16),
        "x": (agents.position[..., 0], np.uint8),
        "y": (agents.position[..., 1], np.uint8),
        "wallet": (_hundredths(agents.wallet), np.int32),
        "action": (agents.last_action, np.int16),
        "affordance": (use.affordance, np.int16),
        "using": (np.where(is_idle, NONE, use.obj), np.int16),
        "holds": (held, np.int16),
        "waits": (queues.waiting_for, np.int16),
        "turn": (_turns(town, states), np.uint8),
        "job": (agents.job, np.int16),
        "status": (states.employment.status, np.uint8),
        "befalls": (_befalls(town, states), np.uint8),
    }
    read = {name: np.asarray(values).T.astype(kind) for name, (values, kind) in found.items()}
    needs = _hundredths(states.needs.level).astype(np.uint8)  # [F, A, N]
    return {**read, "needs": needs.transpose(2, 1, 0)}


def tie_levels(states: TownState) -> dict[str, np.ndarray]:
    """Returns trust, familiarity and rivalry, int8 `[F, A, A]` [1/100 level], NO_TIE = none.

    Args:
      states: numpy leaves `[F, ...]`.
    """
    ledger = states.relationships
    levels = {
        "trust": ledger.trust,
        "familiarity": ledger.familiarity,
        "rivalry": ledger.rivalry,
    }
    found = {}
    for name, level in levels.items():
        values = np.where(ledger.is_tie, np.clip(_hundredths(level), -127, 127), NO_TIE)
        found[name] = values.astype(np.int8)
    return found


def _hundredths(values: Any) -> np.ndarray:
    return np.rint(np.asarray(values, np.float64) * HUNDREDTHS).astype(np.int64)


def _turns(town: Town, states: TownState) -> np.ndarray:
    """Returns everybody's place in line as `census.queue_of` has it, int `[F, A]`, 0 = no wait."""
    queues = states.queues
    waited = np.asarray(queues.waited_today_ticks, np.int64)
    claim = 1024 * np.asarray(queues.joined_tick, np.int64)
    claim -= int(town.params.queues.age_weight) * waited
    slots = np.arange(claim.shape[1])
    is_before = claim[:, None, :] < claim[:, :, None]  # [F, A, A], the column before the row
    is_tied = claim[:, None, :] == claim[:, :, None]
    is_before |= is_tied & (slots[None, :] < slots[:, None])
    is_before &= np.asarray(queues.waiting_for[:, None, :] == queues.waiting_for[:, :, None])
    is_waiting = np.asarray(queues.waiting_for) != NONE
    return np.where(is_waiting, 1 + is_before.sum(axis=2), 0)


def _befalls(town: Town, states: TownState) -> np.ndarray:
    """Tells which perturbations are in force, bool `[F, P]`."""
    table = states.perturbations
    specs = np.arange(len(town.names.perturbations))
    is_spec = np.asarray(table.spec[:, :, None] == specs) & ~np.asarray(table.is_pending)[..., None]
    return is_spec.any(axis=1)
