"""A town over time as a compact record, fit for JSON: what a player or a notebook shows of it."""

import dataclasses
import json
from typing import Any

import jax
import numpy as np

from townlet_jax.config.town import Town
from townlet_jax.ops.columns import pack, unpack
from townlet_jax.ops.frames import NO_TIE, columns, tie_levels
from townlet_jax.ops.host import town_at
from townlet_jax.ops.labels import labels
from townlet_jax.ops.stories import CATEGORIES, Story, tell
from townlet_jax.ops.surroundings import about
from townlet_jax.state import TownState
from townlet_jax.state.events import TickEvents

FORMAT, VERSION = "townlet-replay", 1
TIES_A_DAY = 48
"""Looks at the ties per day."""
MAX_FRAMES = 2_000_000
"""Residents times frames from which on frames are left out, so that a record stays small."""


@dataclasses.dataclass(frozen=True, eq=False)
class Replay:
    """One town over time.

    A frame is the town after a tick. Index A is the agent slot, F the frame, N the need, P the
    perturbation, D the pair of a tie and G the moment at which ties were looked at.

    Attributes:
      about: what does not change, JSON values; `surroundings.about` says what is in it.
      first_tick: of the first frame [tick], ticks lived before it.
      stride: from frame to frame [tick].
      tie_stride: from one look at the ties to the next [frame]; the first is at frame 0.
      columns: what changes:
        life: uint8 `[A, F]`, VACANT, ALIVE, LEAVING or COLLAPSED of `frames`.
        generation: int16 `[A, F]`, 0 for a first resident.
        x, y: uint8 `[A, F]` [tile].
        needs: uint8 `[N, A, F]` [1/100 level].
        wallet: int32 `[A, F]` [1/100 money].
        action: int16 `[A, F]`, index of the last action, -1 before the first.
        affordance: int16 `[A, F]`, index of what is run, -1 = nothing.
        using, holds, waits: int16 `[A, F]`, object row of the affordance, row held without using
          it, row waited for; -1 = none.
        turn: uint8 `[A, F]`, place in line, 1 = served next, 0 = waits for nothing.
        job: int16 `[A, F]`, -1 = none. status: uint8 `[A, F]`, `Status` of today's shift.
        befalls: uint8 `[P, F]`, whether the perturbation is in force.
      pairs: int16 `[2, D]`, holder and object of each tie that there ever was.
      ties: trust, familiarity, rivalry: int8 `[D, G]` [1/100 level], -128 = none.
      stories: what happened, oldest first.
    """

    about: dict[str, Any]
    first_tick: int
    stride: int
    tie_stride: int
    columns: dict[str, np.ndarray]
    pairs: np.ndarray
    ties: dict[str, np.ndarray]
    stories: tuple[Story, ...]

    @property
    def num_frames(self) -> int:
        """F."""
        return self.columns["life"].shape[-1]

    @property
    def mood(self) -> np.ndarray:
        """The lowest need, uint8 `[A, F]` [1/100 level]."""
        return self.columns["needs"].min(axis=0)

    def to_json(self) -> str:
        """Writes everything into one JSON object; `docs/replay.md` describes it."""
        told = [(story.category, story.event, story.text, story.slots) for story in self.stories]
        # The same things happen again and again, so each sentence is written once.
        tales = {tale: index for index, tale in enumerate(dict.fromkeys(told))}
        record = {
            "format": FORMAT,
            "version": VERSION,
            "about": self.about,
            "first_tick": self.first_tick,
            "stride": self.stride,
            "tie_stride": self.tie_stride,
            "columns": {name: pack(values) for name, values in self.columns.items()},
            "pairs": pack(self.pairs),
            "ties": {name: pack(values) for name, values in self.ties.items()},
            "tales": [[CATEGORIES.index(category), *rest] for category, *rest in tales],
            "story_tick": pack(np.array([story.tick for story in self.stories], np.int32)),
            "story_tale": pack(np.array([tales[tale] for tale in told], np.int32)),
        }
        return json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Replay":
        """Reads what `to_json` wrote.

        Raises:
          ValueError: it is something else, or of another version.
        """
        record = json.loads(text)
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise ValueError("not the record of a town")
        if record["version"] != VERSION:
            raise ValueError(f"version {record['version']}, this code reads {VERSION}")
        tales = [
            (CATEGORIES[category], event, text, tuple(slots))
            for category, event, text, slots in record["tales"]
        ]
        ticks, told = unpack(record["story_tick"]), unpack(record["story_tale"])
        return cls(
            about=record["about"],
            first_tick=record["first_tick"],
            stride=record["stride"],
            tie_stride=record["tie_stride"],
            columns={name: unpack(values) for name, values in record["columns"].items()},
            pairs=unpack(record["pairs"]),
            ties={name: unpack(values) for name, values in record["ties"].items()},
            stories=tuple(
                Story(tick, *tales[tale])
                for tick, tale in zip(ticks.tolist(), told.tolist(), strict=True)
            ),
        )


class Recorder:
    """Makes a replay of one town from its states and events, chunk by chunk."""

    def __init__(
        self,
        town: Town,
        policy: str = "",
        seed: int | None = None,
        stride: int = 1,
        tie_ticks: int | None = None,
    ):
        """Starts a record.

        Args:
          town: the loaded configuration.
          policy: who acts for the residents, for the heading.
          seed: of the town, for the heading; None = not known.
          stride: from frame to frame [tick].
          tie_ticks: from one look at the ties to the next [tick], rounded to frames; None =
            `TIES_A_DAY`.
        """
        self._town, self._labels, self._stride = town, labels(town), stride
        self._policy, self._seed = policy, seed
        tie_ticks = tie_ticks or self._labels.ticks_per_day // TIES_A_DAY
        self._tie_stride = max(1, tie_ticks // stride)
        self._first: TownState | None = None
        self._num_ticks = 0
        self._num_frames = 0
        self._columns: list[dict[str, np.ndarray]] = []
        self._ties: list[dict[str, np.ndarray]] = []
        self._stories: list[Story] = []

    def add(self, states: TownState, events: TickEvents) -> None:
        """Takes in a chunk that follows on the last one.

        Args:
          states: one town after each of T ticks, numpy leaves `[T, ...]`.
          events: of the same ticks, numpy leaves `[T, ...]`.
        """
        num_ticks = len(states.clock.tick)
        if self._first is None:
            self._first = town_at(states, 0)
        ticks = np.arange(-self._num_ticks % self._stride, num_ticks, self._stride)
        looks = ticks[-self._num_frames % self._tie_stride :: self._tie_stride]
        if len(ticks):
            self._columns.append(columns(self._town, _at(states, ticks)))
        if len(looks):
            self._ties.append(tie_levels(_at(states, looks)))
        self._stories += tell(self._labels, states, events)
        self._num_ticks += num_ticks
        self._num_frames += len(ticks)

    def replay(self) -> Replay:
        """Returns the record so far.

        Raises:
          ValueError: nothing was added yet.
        """
        if self._first is None:
            raise ValueError("nothing was recorded")
        ties = {
            name: np.concatenate([part[name] for part in self._ties]) for name in self._ties[0]
        }  # [G, A, A]
        holder, to = np.nonzero((ties["trust"] != NO_TIE).any(axis=0))
        return Replay(
            about=about(self._town, self._first, self._policy, self._seed),
            first_tick=int(self._first.clock.tick),
            stride=self._stride,
            tie_stride=self._tie_stride,
            columns={
                name: np.concatenate([part[name] for part in self._columns], axis=-1)
                for name in self._columns[0]
            },
            pairs=np.stack([holder, to]).astype(np.int16),
            ties={name: levels[:, holder, to].T for name, levels in ties.items()},
            stories=tuple(self._stories),
        )


def good_stride(town: Town, num_ticks: int) -> int:
    """Returns the stride at which a record of so many ticks stays small [tick]."""
    return max(1, -(-num_ticks * town.shape.num_agents // MAX_FRAMES))


def _at(states: TownState, ticks: np.ndarray) -> TownState:
    """Picks ticks of a chunk."""
    return jax.tree.map(lambda leaf: leaf[ticks], states)
