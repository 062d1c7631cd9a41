"""Picks what is worth telling from the records of a town, and tells it in plain sentences."""

import dataclasses
from collections.abc import Callable, Iterable

from townlet_jax.ops.events import Record
from townlet_jax.ops.labels import Labels

_REASONS = {
    "faint": "collapsed from hunger",
    "eviction": "was evicted",
    "employment_exit": "lost the job for missing shifts",
    "killed": "was removed by an operator",
    "manual_approve": "was let go by an operator",
}
_TROUBLES = {
    "power_off": "the power went",
    "water_off": "the water went",
    "insufficient_funds": "the money did not reach",
    "insufficient_stock": "the stock was out",
    "ghost_step": "somebody else took over",
}


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of story.

    Attributes:
      event: records it tells of.
      weight: stories of more weight come first when there are too many.
      tell: turns a record into a sentence; None for a record not worth telling.
      merit: of several records, the one with the most is told; the first without it.
    """

    event: str
    weight: int
    tell: Callable[[Record], str | None]
    merit: Callable[[Record], float] | None = None


@dataclasses.dataclass
class _Story:
    """The record chosen so far among those of a kind, and how many there were."""

    record: Record
    sentence: str
    count: int = 1


def _join(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _conflict(r: Record) -> str:
    line = "" if r["queue_length"] <= 1 else f", with {r['queue_length']} people in line"
    return f"{r['rival']} pushed {r['actor']} away from {r['object_id']}{line}"


def _failure(r: Record) -> str | None:
    trouble = _TROUBLES.get(r["reason"])
    if trouble is None or r["affordance_id"] is None:
        return None
    action = r["affordance_id"].replace("_", " ")
    return f"{r['agent_id']} could not {action} at {r['object_id']}: {trouble}"


KINDS = (
    Kind("agent_exit", 100, lambda r: f"{r['agent_id']} left town: {_REASONS[r['reason']]}"),
    Kind("agent_collapsed", 95, lambda r: f"{r['agent_id']} collapsed from hunger"),
    Kind("agent_spawn", 80, lambda r: f"{r['agent_id']} moved in"),
    Kind(
        "employment_exit_pending",
        75,
        lambda r: f"{r['agent_id']} missed so many shifts that the job is under review",
    ),
    Kind("queue_conflict", 70, _conflict, lambda r: r["intensity"]),
    Kind("perturbation_blackout", 66, lambda r: "the power went out"),
    Kind("perturbation_outage", 65, lambda r: "the water went off"),
    Kind("perturbation_price_spike", 64, lambda r: f"prices rose ({r['spec']})"),
    Kind("perturbation_arranged_meet", 63, lambda r: f"a meeting was called ({r['spec']})"),
    Kind("rent_missed", 62, lambda r: f"{r['agent_id']} could not pay the rent"),
    Kind("shift_absent", 60, lambda r: f"{r['agent_id']} missed a shift"),
    Kind(
        "employment_took_my_shift",
        59,
        lambda r: f"{_join(r['coworkers'])} worked the shift that {r['agent_id']} missed",
    ),
    Kind(
        "employment_helped_when_late",
        58,
        lambda r: f"{_join(r['coworkers'])} covered for {r['agent_id']}, who was late",
    ),
    Kind(
        "shift_late_start",
        55,
        lambda r: f"{r['agent_id']} was {r['ticks_late']} ticks late for work",
    ),
    Kind("shift_departed_early", 54, lambda r: f"{r['agent_id']} left work before the end"),
    Kind("affordance_fail", 50, _failure),
    Kind(
        "shared_meal",
        40,
        lambda r: f"{_join(r['agents'])} ate together at {r['object_id']}",
    ),
    Kind(
        "queue_interaction",
        30,
        lambda r: f"{r['actor']} handed {r['object_id']} on to {r['rival']}",
        lambda r: r["intensity"],
    ),
    Kind(
        "chat_success",
        20,
        lambda r: (
            f"{r['speaker']} and {r['listener']} had a good talk (quality {r['quality']:.2f})"
        ),
        lambda r: r["quality"],
    ),
    Kind("chat_failure", 10, lambda r: f"{r['speaker']} and {r['listener']} ran out of words"),
)
"""Every kind of story, by weight."""


class Highlights:
    """Reads records as they come and remembers the best of each kind."""

    def __init__(self, labels: Labels):
        self._labels = labels
        self._kinds = {kind.event: kind for kind in KINDS}
        self._stories: dict[str, _Story] = {}

    def read(self, records: Iterable[Record]) -> None:
        """Takes in further records."""
        for record in records:
            kind = self._kinds.get(record["event"])
            sentence = kind.tell(record) if kind else None
            if kind is None or sentence is None:
                continue
            story = self._stories.get(kind.event)
            if story is None:
                self._stories[kind.event] = _Story(record, sentence)
                continue
            story.count += 1
            if kind.merit is not None and kind.merit(record) > kind.merit(story.record):
                story.record, story.sentence = record, sentence

    def tell(self, limit: int = 8) -> list[tuple[str, str]]:
        """Returns (moment, sentence) of the weightiest stories in the order of time."""
        kinds = sorted(
            (self._kinds[event] for event in self._stories), key=lambda kind: -kind.weight
        )
        chosen = [(kind, self._stories[kind.event]) for kind in kinds[:limit]]
        chosen.sort(key=lambda item: item[1].record["tick"])
        return [
            (self._labels.moment(story.record["tick"]), story.sentence + _note(kind, story))
            for kind, story in chosen
        ]


def _note(kind: Kind, story: _Story) -> str:
    """Says how many more there were."""
    if story.count == 1:
        return ""
    rank = "first" if kind.merit is None else "most notable"
    return f" ({rank} of {story.count})"
