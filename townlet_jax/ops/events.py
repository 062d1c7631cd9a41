"""Decodes the event masks of a chunk of ticks into named records.

A watched town returns `TickEvents` with a leading axis `[T]`. One `jax.device_get` brings a chunk
to the host; here every set position becomes one record `{"tick": ..., "event": ..., ...}`. Records
are ordered by tick, then by phase of the tick, then by row or slot.
"""

import enum
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from townlet_jax.masked import NONE
from townlet_jax.ops.labels import Labels, resident_name
from townlet_jax.state.agents import ExitReason
from townlet_jax.state.events import FailReason, FailSource, QueueRecords, TickEvents

Record = dict[str, Any]
"""One thing that happened; values are plain Python."""


class Phase(enum.IntEnum):
    """Parts of a tick in the order in which they run."""

    RENT = 0
    RESTOCK = 1
    REMOVAL = 2
    ARRIVAL = 3
    ADMIN = 4
    PERTURBATIONS = 5
    UTILITIES = 6
    RELEASE = 7
    MOVE = 8
    START = 9
    CHAT = 10
    UPKEEP = 11
    MEALS = 12
    FINISH = 13
    HANDOVER = 14
    EMPLOYMENT = 15
    COLLAPSE = 16
    REVIEW = 17
    GATE = 18
    AVOIDANCE = 19


_Found = tuple[int, Phase, int, str, Record]
"""(tick within the chunk, phase, row or slot, record name, fields)."""

_FAIL_PHASES = {
    FailSource.UTILITY: Phase.UTILITIES,
    FailSource.RELEASE: Phase.RELEASE,
    FailSource.START: Phase.START,
    FailSource.GHOST_STEP: Phase.UPKEEP,
    FailSource.COLLAPSE_OR_REMOVAL: Phase.COLLAPSE,
}


class Chunk:
    """The events of a chunk, and who lived in which slot at each of its ticks.

    Attributes:
      events: every leaf a numpy array with a leading axis `[T]`.
      labels: names.
      before, after: int32 `[T, A]`, generation of each slot before and after the tick's arrivals.
    """

    def __init__(self, events: TickEvents, labels: Labels, generation: np.ndarray):
        """Follows the generations through the chunk.

        Args:
          events: events of the chunk.
          labels: names.
          generation: int32 `[A]`, `Agents.generation` before the first tick of the chunk.
        """
        spawned = np.asarray(events.lifecycle.spawned).astype(np.int32)
        self.events = events
        self.labels = labels
        self.after = np.asarray(generation)[None, :] + np.cumsum(spawned, axis=0, dtype=np.int32)
        self.before = self.after - spawned

    def agent(self, t: int, slot: int) -> str:
        """Returns the name of whoever lives in a slot during tick t."""
        return resident_name(self.labels.names.agents[slot], int(self.after[t, slot]))

    def former(self, t: int, slot: int) -> str:
        """Returns the name of whoever lived in a slot when tick t began."""
        return resident_name(self.labels.names.agents[slot], int(self.before[t, slot]))

    def object(self, row: int) -> str | None:
        """Returns the id of an object row, None for no object."""
        return None if row == NONE else self.labels.names.objects[row]

    def affordance(self, index: int) -> str | None:
        """Returns the id of an affordance, None for none."""
        return None if index == NONE else self.labels.names.affordances[index]


def decode(
    events: TickEvents, labels: Labels, generation: np.ndarray, first_tick: int
) -> list[Record]:
    """Decodes a chunk.

    Args:
      events: events of T ticks of one town, every leaf a numpy array `[T, ...]`.
      labels: names.
      generation: int32 `[A]`, `Agents.generation` before the first of these ticks.
      first_tick: its number [tick].

    Returns:
      Records in order. Residents are named by their slot, newcomers as `<slot name>#<generation>`.
    """
    chunk = Chunk(events, labels, generation)
    found = [item for family in FAMILIES for item in family(chunk)]
    found.sort(key=lambda item: item[:3])
    return [{"tick": first_tick + t, "event": event, **fields} for t, _, _, event, fields in found]


def _positions(mask: Any) -> list[list[int]]:
    """Returns the set positions of a mask, in order; each is a list with one index per axis."""
    return np.argwhere(np.asarray(mask)).tolist()


def _number(value: Any) -> float:
    """Returns a float32 as a float with the digits that it really has."""
    return round(float(value), 6)


def _affordances(chunk: Chunk) -> Iterator[_Found]:
    """Yields starts and finishes."""
    events = chunk.events.affordances
    for t, a in _positions(events.started != NONE):
        index = int(events.started[t, a])
        record = {
            "agent_id": chunk.agent(t, a),
            "object_id": chunk.object(int(events.started_obj[t, a])),
            "affordance_id": chunk.affordance(index),
            "duration": chunk.labels.durations[index],
        }
        yield t, Phase.START, a, "affordance_start", record
    for t, a in _positions(events.finished != NONE):
        record = {
            "agent_id": chunk.agent(t, a),
            "object_id": chunk.object(int(events.finished_obj[t, a])),
            "affordance_id": chunk.affordance(int(events.finished[t, a])),
        }
        yield t, Phase.FINISH, a, "affordance_finish", record


def _failures(chunk: Chunk) -> Iterator[_Found]:
    """Yields starts refused and runs ended early.

    A run that ends because its resident is removed belongs to who lived there before the arrivals.
    """
    events, lifecycle = chunk.events.affordances, chunk.events.lifecycle
    for t, source, a in _positions(events.failed != NONE):
        reason = FailReason(int(events.failed[t, source, a]))
        phase, name = _FAIL_PHASES[FailSource(source)], chunk.agent(t, a)
        if reason == FailReason.REMOVED:
            is_teleport = lifecycle.context_reset[t, a] and not lifecycle.spawned[t, a]
            phase = Phase.ADMIN if is_teleport else Phase.REMOVAL
            name = chunk.former(t, a)
        record = {
            "agent_id": name,
            "object_id": chunk.object(int(events.failed_obj[t, source, a])),
            "affordance_id": chunk.affordance(int(events.failed_affordance[t, source, a])),
            "reason": reason.name.lower(),
        }
        yield t, phase, a, "affordance_fail", record


def _shared_meals(chunk: Chunk) -> Iterator[_Found]:
    events = chunk.events.affordances
    for t, a, b in _positions(np.triu(events.shared_meal, 1)):
        record = {
            "agents": [chunk.agent(t, a), chunk.agent(t, b)],
            "object_id": chunk.object(int(events.meal_obj[t, a])),
        }
        yield t, Phase.MEALS, a, "shared_meal", record


def _queues(chunk: Chunk) -> Iterator[_Found]:
    def records(rows: QueueRecords) -> Iterator[tuple[int, int, Record, Record]]:
        for t, row in _positions(rows.is_set):
            who = {
                "object_id": chunk.object(row),
                "actor": chunk.agent(t, int(rows.actor[t, row])),
                "rival": chunk.agent(t, int(rows.rival[t, row])),
            }
            load = {
                "queue_length": int(rows.length[t, row]),
                "intensity": _number(rows.intensity[t, row]),
            }
            yield t, row, who, load

    for t, row, who, load in records(chunk.events.conflicts):
        yield t, Phase.UPKEEP, row, "queue_conflict", {**who, "reason": "ghost_step", **load}
    for t, row, who, load in records(chunk.events.handovers):
        yield t, Phase.HANDOVER, row, "queue_interaction", {**who, "variant": "handover", **load}


def _economy(chunk: Chunk) -> Iterator[_Found]:
    """Yields rent and deliveries; the object of a delivery is a venue, named as its object is."""
    events, names = chunk.events.economy, chunk.labels.names
    for mask, event in ((events.rent_paid, "rent_paid"), (events.rent_missed, "rent_missed")):
        for t, a in _positions(mask):
            yield t, Phase.RENT, a, event, {"agent_id": chunk.former(t, a)}
    for t, venue, kind in _positions(events.restocked):
        record = {
            "object_id": names.venues[venue],
            "type": names.stock_kinds[kind],
            "amount": int(events.restocked[t, venue, kind]),
        }
        yield t, Phase.RESTOCK, venue, "stock_replenish", record


def _admin(chunk: Chunk) -> Iterator[_Found]:
    """Yields prices set, and admin rows refused (a row carried out looks like an empty one)."""
    for t, key in _positions(chunk.events.economy.price_changed):
        price = {"key": chunk.labels.names.price_keys[key]}
        yield t, Phase.ADMIN, key, "economy_price_update", price
    for t, row in _positions(~chunk.events.op_ok):
        yield t, Phase.ADMIN, row, "console_reply", {"row": row, "ok": False}


def _perturbations(chunk: Chunk) -> Iterator[_Found]:
    """Yields what befell the town; an event ended by a cancel ends in the admin phase."""
    events, labels = chunk.events.perturbations, chunk.labels

    def fields(t: int, row: int, specs: Any, ids: Any) -> Record:
        spec = int(specs[t, row])
        name = labels.names.perturbations[spec]
        return {"event_id": int(ids[t, row]), "spec": name, "kind": labels.kinds[spec]}

    for t, row in _positions(events.cancelled):
        record = fields(t, row, events.cancelled_spec, events.cancelled_id)
        yield t, Phase.ADMIN, row, "perturbation_cancelled", record
    for t, row in _positions(events.ended):
        was_cancelled = events.cancelled[t, row]
        was_cancelled &= events.cancelled_id[t, row] == events.ended_id[t, row]
        phase = Phase.ADMIN if was_cancelled else Phase.PERTURBATIONS
        record = fields(t, row, events.ended_spec, events.ended_id)
        yield t, phase, row, "perturbation_ended", record
    for t, row in _positions(events.started):
        record = fields(t, row, events.started_spec, events.started_id)
        yield t, Phase.PERTURBATIONS, row, "perturbation_started", record
        yield t, Phase.PERTURBATIONS, row, f"perturbation_{record['kind']}", record


def _moves_and_chats(chunk: Chunk) -> Iterator[_Found]:
    for t, a in _positions(chunk.events.ghost_stepped):
        yield t, Phase.MOVE, a, "movement_ghost_step", {"agent_id": chunk.agent(t, a)}
    chat = chunk.events.chat
    for t, a in _positions(chat.listener != NONE):
        event = "chat_success" if chat.is_success[t, a] else "chat_failure"
        record = {
            "speaker": chunk.agent(t, a),
            "listener": chunk.agent(t, int(chat.listener[t, a])),
            "quality": _number(chat.quality[t, a]),
        }
        yield t, Phase.CHAT, a, event, record


def _employment(chunk: Chunk) -> Iterator[_Found]:
    events = chunk.events.employment
    for t, a in _positions(events.late_start != NONE):
        record = {
            "agent_id": chunk.agent(t, a),
            "ticks_late": int(events.late_start[t, a]),
        }
        yield t, Phase.EMPLOYMENT, a, "shift_late_start", record
    for mask, event in (
        (events.absent, "shift_absent"),
        (events.departed, "shift_departed_early"),
    ):
        for t, a in _positions(mask):
            yield t, Phase.EMPLOYMENT, a, event, {"agent_id": chunk.agent(t, a)}
    for mask, event in (
        (events.helped, "employment_helped_when_late"),
        (events.took, "employment_took_my_shift"),
    ):
        for t, a in _positions(np.any(mask, axis=-1)):
            coworkers = [chunk.agent(t, int(b)) for b in np.flatnonzero(mask[t, a])]
            record = {"agent_id": chunk.agent(t, a), "coworkers": coworkers}
            yield t, Phase.EMPLOYMENT, a, event, record


def _exit_reviews(chunk: Chunk) -> Iterator[_Found]:
    events = chunk.events.employment
    for mask, phase, stage in (
        (events.exit_requested, Phase.ADMIN, "manual_request"),
        (events.exit_deferred, Phase.ADMIN, "deferred"),
        (events.exit_pending, Phase.REVIEW, "pending"),
        (events.exit_processed, Phase.GATE, "processed"),
    ):
        for t, a in _positions(mask):
            yield t, phase, a, f"employment_exit_{stage}", {"agent_id": chunk.agent(t, a)}
    for (t,) in _positions(np.asarray(events.exit_overflow) > 0):
        record = {"pending": int(events.exit_overflow[t])}
        yield t, Phase.REVIEW, chunk.after.shape[1], "employment_exit_queue_overflow", record


def _lifecycle(chunk: Chunk) -> Iterator[_Found]:
    events = chunk.events.lifecycle
    for mask, phase, event in (
        (events.spawned, Phase.ARRIVAL, "agent_spawn"),
        (events.slot_forced, Phase.ARRIVAL, "embedding_reuse_warning"),
        (events.collapsed, Phase.COLLAPSE, "agent_collapsed"),
    ):
        for t, a in _positions(mask):
            yield t, phase, a, event, {"agent_id": chunk.agent(t, a)}
    for t, a in _positions(events.exited != ExitReason.NONE):
        reason = ExitReason(int(events.exited[t, a]))
        record = {"agent_id": chunk.agent(t, a), "reason": reason.name.lower()}
        yield t, Phase.GATE, a, "agent_exit", record


def _avoidance(chunk: Chunk) -> Iterator[_Found]:
    events = chunk.events.conflict
    for t, a in _positions(events.avoided):
        rival = chunk.agent(t, int(events.rival[t, a]))
        record = {"agent_id": chunk.agent(t, a), "rival": rival}
        yield t, Phase.AVOIDANCE, a, "queue_avoided", record


FAMILIES: tuple[Callable[[Chunk], Iterator[_Found]], ...] = (
    _economy,
    _lifecycle,
    _admin,
    _perturbations,
    _failures,
    _affordances,
    _moves_and_chats,
    _shared_meals,
    _queues,
    _employment,
    _exit_reviews,
    _avoidance,
)
"""What is decoded; within a phase and row the order of this list decides."""
