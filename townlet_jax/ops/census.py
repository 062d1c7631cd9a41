"""Who lives in a town at one moment, what they do, feel and own, as plain Python."""

import dataclasses

import numpy as np

from townlet_jax.config.town import Town
from townlet_jax.masked import NONE
from townlet_jax.ops.labels import resident_name
from townlet_jax.state import Counter, ExitReason, Status, TownState

NEEDS = ("hunger", "hygiene", "energy")
"""Names of the needs, by column."""
MIN_RIVALRY = 0.1
"""Rivalry from which somebody is called a rival; below it is the trace of one quarrel."""


@dataclasses.dataclass(frozen=True)
class Tie:
    """What one resident feels about another; slots and names."""

    slot: int
    to: str
    trust: float
    familiarity: float
    rivalry: float

    @property
    def strength(self) -> float:
        """Sum of the absolute values."""
        return abs(self.trust) + abs(self.familiarity) + abs(self.rivalry)


@dataclasses.dataclass(frozen=True)
class Resident:
    """A living resident.

    Attributes:
      slot: agent slot. name: with the generation for newcomers.
      position: cell (x, y). action: name of the last action, None before the first.
      affordance, obj, remaining_ticks: what it runs, and where; None and 0 when idle.
      holds: id of the object it holds without using it, None = none.
      waits_for: id of the object it waits for, None = none. place: 1 = served next, 0 = no wait.
      is_leaving, has_collapsed: whether its exit is decided, whether it can only wait.
      needs: level by name. money: [money]. job: None = none. status: of today's shift.
      attendance: share of scheduled ticks present over the last shifts, None before the first.
      num_shifts, num_late_shifts: closed shifts since arrival; of these, with a late start.
      ties: strongest first. best_friend, rival: names, None = none.
      did: counts since arrival, by `Counter`.
    """

    slot: int
    name: str
    position: tuple[int, int]
    action: str | None
    affordance: str | None
    obj: str | None
    remaining_ticks: int
    holds: str | None
    waits_for: str | None
    place: int
    is_leaving: bool
    has_collapsed: bool
    needs: dict[str, float]
    money: float
    job: str | None
    status: str | None
    attendance: float | None
    num_shifts: int
    num_late_shifts: int
    ties: tuple[Tie, ...]
    best_friend: str | None
    rival: str | None
    did: dict[str, int]

    def doing(self) -> str:
        """Says in a few words what the resident is doing."""
        if self.has_collapsed:
            return "has collapsed"
        if self.is_leaving:
            return "is leaving town"
        if self.affordance is not None:
            return f"{self.affordance.replace('_', ' ')} at {self.obj}"
        if self.waits_for is not None:
            return f"waits for {self.waits_for} ({_ordinal(self.place)})"
        if self.holds is not None:
            return f"holds {self.holds}"
        return "just arrived" if self.action is None else self.action.replace("_", " ")

    def as_record(self) -> dict[str, object]:
        """Returns plain data for JSON; `doing` is added."""
        record = dataclasses.asdict(self)
        for tie in record["ties"]:
            del tie["slot"]
        return {**record, "doing": self.doing()}


def census(town: Town, state: TownState) -> list[Resident]:
    """Lists the living residents in slot order.

    Args:
      town: the loaded configuration.
      state: one fetched town, numpy leaves without a town axis.
    """
    return [_resident(town, state, int(a)) for a in np.flatnonzero(state.agents.is_alive)]


def name_of(town: Town, state: TownState, slot: int) -> str:
    """Returns the name of whoever lives in a slot now."""
    return resident_name(town.names.agents[slot], int(state.agents.generation[slot]))


def queue_of(town: Town, state: TownState, row: int) -> list[int]:
    """Returns the slots that wait for an object row, next one first; equal claims by slot."""
    queues = state.queues
    weight = int(town.params.queues.age_weight)
    waiting = np.flatnonzero(queues.waiting_for == row)
    waited = queues.waited_today_ticks.astype(np.int64)
    claim = 1024 * queues.joined_tick.astype(np.int64) - weight * waited
    return sorted(waiting.tolist(), key=lambda a: (claim[a], a))


def _resident(town: Town, state: TownState, a: int) -> Resident:
    """Reads one slot."""
    agents, use, work = state.agents, state.use, state.employment
    names = town.names
    held = np.flatnonzero(state.queues.holder == a)
    obj, waits = int(use.obj[a]), int(state.queues.waiting_for[a])
    is_idle = use.affordance[a] == NONE
    action, job = int(agents.last_action[a]), int(agents.job[a])
    ties = _ties(town, state, a)
    friend = max(ties, key=lambda tie: tie.trust + tie.familiarity, default=None)
    rival = max(ties, key=lambda tie: tie.rivalry, default=None)
    present, scheduled = work.attendance[a].sum(axis=0)
    return Resident(
        slot=a,
        name=name_of(town, state, a),
        position=(int(agents.position[a, 0]), int(agents.position[a, 1])),
        action=None if action == NONE else names.actions[action],
        affordance=None if is_idle else names.affordances[int(use.affordance[a])],
        obj=None if is_idle or obj == NONE else names.objects[obj],
        remaining_ticks=int(use.remaining_ticks[a]),
        holds=names.objects[held[0]] if is_idle and held.size else None,
        waits_for=None if waits == NONE else names.objects[waits],
        place=0 if waits == NONE else queue_of(town, state, waits).index(a) + 1,
        is_leaving=bool(agents.is_leaving[a]),
        has_collapsed=bool(state.lifecycle.exit_reason[a] == ExitReason.FAINT),
        needs={name: _level(float(state.needs.level[a, n])) for n, name in enumerate(NEEDS)},
        money=_level(float(agents.wallet[a])),
        job=None if job == NONE else names.jobs[job],
        status=None if job == NONE else Status(int(work.status[a])).name.lower(),
        attendance=_level(int(present) / int(scheduled)) if scheduled else None,
        num_shifts=int(state.metrics.num_shifts[a]),
        num_late_shifts=int(state.metrics.num_late_shifts[a]),
        ties=tuple(sorted(ties, key=lambda tie: -tie.strength)),
        best_friend=friend.to if friend and friend.trust + friend.familiarity > 0 else None,
        rival=rival.to if rival and rival.rivalry >= MIN_RIVALRY else None,
        did={counter.name.lower(): int(state.metrics.counters[a, counter]) for counter in Counter},
    )


def _ties(town: Town, state: TownState, a: int) -> list[Tie]:
    """Returns what a resident feels about others: oldest tie first, then by slot."""
    ledger = state.relationships
    others = np.flatnonzero(ledger.is_tie[a]).tolist()
    others.sort(key=lambda b: (ledger.formed_tick[a, b], b))
    return [
        Tie(
            slot=b,
            to=name_of(town, state, b),
            trust=_level(float(ledger.trust[a, b])),
            familiarity=_level(float(ledger.familiarity[a, b])),
            rivalry=_level(float(ledger.rivalry[a, b])),
        )
        for b in others
    ]


def _level(value: float) -> float:
    return round(value, 4)


def _ordinal(number: int) -> str:
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if 10 < number % 100 < 14 else endings.get(number % 10, 'th')}"
