"""Schema of who and what a town starts with, and of what befalls it (world §5.1, §13, §18.1)."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from townlet_jax.config.errors import Path, suggest
from townlet_jax.config.schema_base import (
    Amount,
    AmountSpan,
    Cell,
    Flag,
    Name,
    Section,
    Signed,
    Ticks,
    TickSpan,
    Unit,
)

Stock = dict[Name, Annotated[int, Field(ge=0, le=1_000_000)]]
"""Units by kind."""


def _null_is(default: Any) -> BeforeValidator:
    """Reads null as if the key were absent: schedule rows spell out their unused fields."""
    return BeforeValidator(lambda value: default if value is None else value)


class ScenarioObject(Section):
    """An object of the scenario; it extends the manifest, or replaces the object of its id.

    Attributes:
      id: unique, without a dot; `id.n` names a seat.
      type: object type; the key `object_type` is an alias.
      position, interact_at: cells [tile]; null = placed by the loader, null = the position.
      seats: rows of this object. venue: null = the id.
      stock, restock, stock_max: units by kind, added over a venue; no maximum where not given.
    """

    id: Annotated[Name, Field(pattern=r"^[^.]+$")]
    type: Name
    position: Cell | None = None
    interact_at: Cell | None = None
    seats: int = Field(default=1, ge=1, le=32)
    venue: Name | None = None
    stock: Stock = {}
    restock: Stock = {}
    stock_max: Stock = {}


class ScheduleRow(Section):
    """What a scheduled resident does in one tick (`repeat` ticks in a row)."""

    kind: Literal["move", "request", "start", "blocked", "release", "wait", "chat", "use"]
    object: Name | None = None
    affordance: Name | None = None
    position: Cell | None = None
    blocked: Annotated[Flag, _null_is(False)] = False
    target_agent: Name | None = None
    repeat: Annotated[int, Field(ge=1, le=100_000), _null_is(1)] = 1
    quality: Any = None

    def rules(self) -> Iterator[tuple[Path, str]]:
        if self.kind in ("request", "start", "blocked", "use") and self.object is None:
            yield (), f"a row of kind {self.kind!r} needs an object"
        if self.kind == "move" and self.position is None:
            yield (), "a row of kind 'move' needs a position"


class Needs(Section):
    """Levels at the start; missing ones are one half."""

    hunger: Unit = 0.5
    hygiene: Unit = 0.5
    energy: Unit = 0.5


Traits = Annotated[tuple[Signed, Signed, Signed], Field(strict=False)]
"""Extroversion, forgiveness, ambition."""


class ScenarioAgent(Section):
    """A resident; slots are filled in file order.

    Attributes:
      position: start cell. home: null = the start cell.
      needs: `random` draws from `lifecycle.arrival.needs`.
      wallet: [money].
      job: null = round-robin over the jobs.
      personality: profile or (extroversion, forgiveness, ambition); null = sampled.
      schedule: rows played in a loop instead of policy actions; empty = a policy acts.
    """

    id: Name
    position: Cell | None = None
    home: Cell | None = None
    needs: Needs | Literal["random"] = Needs()
    wallet: Amount = 0.0
    job: Name | None = None
    personality: Annotated[
        Name | Traits | None,
        Field(json_schema_extra={"says": "a profile, or three numbers in -1...1, or null"}),
    ] = None
    schedule: Annotated[tuple[ScheduleRow, ...], Field(strict=False)] = ()


class Scenario(Section):
    """A starting situation; `ticks` [tick] is its length for tools, null = open."""

    description: str = ""
    ticks: Ticks | None = None
    objects: Annotated[tuple[ScenarioObject, ...], Field(strict=False)] = ()
    agents: Annotated[tuple[ScenarioAgent, ...], Field(strict=False, max_length=64)] = ()

    def rules(self) -> Iterator[tuple[Path, str]]:
        names = [agent.id for agent in self.agents]
        for kind, ids in (("objects", [row.id for row in self.objects]), ("agents", names)):
            for i, name in enumerate(ids):
                if name in ids[:i]:
                    yield (kind, i, "id"), f"duplicate id {name!r}"
        for i, agent in enumerate(self.agents):
            for j, row in enumerate(agent.schedule):
                if row.target_agent is not None and row.target_agent not in names:
                    fault = f"unknown resident {row.target_agent!r}; "
                    path = ("agents", i, "schedule", j, "target_agent")
                    yield path, fault + suggest(row.target_agent, names)


class PerturbationEvent(Section):
    """One kind of thing that may befall the town; ranges are inclusive.

    Attributes:
      prob_per_day: [1/day]. cooldown_ticks, duration: [tick]. magnitude: factor on prices.
      targets: price keys or groups of a price spike; empty = global.
      target, location, max_participants: who is to meet, and where.
      utility: given by the kind.
    """

    kind: Literal["price_spike", "blackout", "outage", "arranged_meet"]
    prob_per_day: Amount = 0.0
    cooldown_ticks: Ticks = 0
    duration: TickSpan = (1, 1)
    magnitude: AmountSpan = (1.0, 1.0)
    targets: Annotated[tuple[Name, ...], Field(strict=False)] = ()
    target: Name = "top_rivals"
    location: Name = "cafe"
    utility: Literal["power", "water"] | None = None
    max_participants: int = Field(default=2, ge=2, le=64)

    def rules(self) -> Iterator[tuple[Path, str]]:
        by_kind = {"blackout": "power", "outage": "water"}.get(self.kind)
        if self.utility is not None and self.utility != by_kind:
            wanted = f"must be {by_kind}" if by_kind else "must not be given"
            yield ("utility",), f"{wanted} for kind {self.kind}, got {self.utility!r}"


class Perturbations(Section):
    """How often things befall the town [tick], and which."""

    max_concurrent_events: int = Field(default=1, ge=1, le=8)
    global_cooldown_ticks: Ticks = 0
    per_agent_cooldown_ticks: Ticks = 0
    grace_window_ticks: Ticks = 60
    window_ticks: Annotated[Ticks, Field(ge=1)] = 1440
    max_events_per_window: int = Field(default=1, ge=0, le=4)
    events: dict[Name, PerturbationEvent] = {}
