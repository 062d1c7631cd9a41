"""Affordance manifests: what residents can do, and with what. World text §5.1."""

import dataclasses
import hashlib
from collections.abc import Collection, Iterator
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, ValidationError

from townlet_jax.config import clauses
from townlet_jax.config.document import Document
from townlet_jax.config.errors import Note, Path, show, suggest
from townlet_jax.config.report import Report
from townlet_jax.config.schema_base import MAX_TICK, Cell, Flag, Name, Section
from townlet_jax.config.schema_explain import explain
from townlet_jax.config.schema_scenario import ScenarioObject, Stock
from townlet_jax.config.schema_world import DEFAULT_PRICES
from townlet_jax.config.yaml_reader import read

OWN_PRICES = {
    "use_shower": "shower",
    "eat_meal": "meal",
    "cook_meal": "ingredients",
    "eat_out": "cafe_meal",
}
"""Price keys of affordances that name none."""

_VERBS = ("shower", "eat", "cook", "sleep", "work", "eat_out")
HOOKS = (
    *(f"on_attempt_{verb}" for verb in _VERBS),
    *(f"on_finish_{verb}" for verb in _VERBS),
    "on_no_power",
    "on_cook_fail",
)
"""Labels an affordance may carry for host subscribers."""


def _listed(value: Any) -> Any:
    """Reads one name as a list of one."""
    return [value] if isinstance(value, str) else value


EntryId = Annotated[
    Name,
    Field(
        pattern=r"^[^.]+$", json_schema_extra={"says": "a text that is not blank and has no '.'"}
    ),
]
Names = Annotated[tuple[Name, ...], BeforeValidator(_listed), Field(strict=False)]
Effect = Annotated[float, Field(ge=-1000, le=1000)]
FlagName = Literal["meal", "blocks_chat", "work"]
UtilityName = Literal["power", "water"]


class ObjectEntry(Section):
    """An object that every town with this manifest has; fields as in `ScenarioObject`."""

    type: Literal["object"]
    id: EntryId
    object_type: Name
    position: Cell | None = None
    interact_at: Cell | None = None
    seats: int = Field(1, ge=1, le=32)
    venue: Name | None = None
    stock: Stock = {}
    restock: Stock = {}
    stock_max: Stock = {}

    def as_scenario_object(self) -> ScenarioObject:
        """Returns the object as scenarios write it."""
        fields = {
            name: getattr(self, name) for name in self.model_fields_set - {"type", "object_type"}
        }
        return ScenarioObject(type=self.object_type, **fields)


class ObjectTypeEntry(Section):
    """Overrides single traits of an object type; null keeps the built-in one.

    Attributes:
      requires: utilities without which it cannot be used.
      virtual: whether any number of residents may use it at once.
      cooldown_ticks: [tick] wait after a finish. social_place: whether residents go there to meet.
    """

    type: Literal["object_type"]
    id: EntryId
    requires: (
        Annotated[tuple[UtilityName, ...], BeforeValidator(_listed), Field(strict=False)] | None
    ) = None
    virtual: Flag | None = None
    cooldown_ticks: Annotated[int, Field(ge=0, le=100_000)] | None = None
    social_place: Flag | None = None


class Effects(Section):
    """Change over a whole run: levels of needs, and money [money] (negative = a price)."""

    hunger: Effect = 0.0
    hygiene: Effect = 0.0
    energy: Effect = 0.0
    money: Effect = 0.0

    def rules(self) -> Iterator[tuple[Path, str]]:
        if not self.model_fields_set:
            yield (), f"must name at least one of {', '.join(type(self).model_fields)}"


Start = Annotated[int, Field(ge=-1_000_000, le=1_000_000)]
Finish = Annotated[int, Field(ge=0, le=1_000_000)]


class StockChange(Section):
    """Units by kind that a run takes (negative) or adds at its start, and adds at its finish."""

    start: dict[Name, Start] = {}
    finish: dict[Name, Finish] = {}


class Hooks(Section):
    """Labels handed on with start, finish and failure records; no effect on the town."""

    before: Names = ()
    after: Names = ()
    fail: Names = ()

    def rules(self) -> Iterator[tuple[Path, str]]:
        for moment in ("before", "after", "fail"):
            for name in getattr(self, moment):
                if name not in HOOKS:
                    yield (moment,), f"unknown hook {name!r}; {suggest(name, HOOKS)}"


class AffordanceEntry(Section):
    """Something that can be done with objects of some types.

    Attributes:
      duration: [tick]. price: key of the price table, null = by the rules of world text §5.4.
      preconds: clauses of which all must hold at the start.
    """

    type: Literal["affordance"] = "affordance"
    id: EntryId
    object_type: Annotated[Names, Field(min_length=1)]
    duration: int = Field(ge=1, le=MAX_TICK)
    effects: Effects
    price: Name | None = None
    stock: StockChange = StockChange()
    preconds: Names = ()
    flags: Annotated[tuple[FlagName, ...], BeforeValidator(_listed), Field(strict=False)] = ()
    hooks: Hooks = Hooks()

    def rules(self) -> Iterator[tuple[Path, str]]:
        if len(self.preconds) > clauses.MAX_CLAUSES:
            yield ("preconds",), f"at most {clauses.MAX_CLAUSES} clauses, got {len(self.preconds)}"
        for text in self.preconds:
            try:
                clauses.parse(text)
            except ValueError as error:
                yield ("preconds",), str(error)

    def clauses(self) -> list[clauses.Clause]:
        """Returns the parsed preconditions."""
        return [clauses.parse(text) for text in self.preconds]

    def price_key(self, prices: Collection[str]) -> str | None:
        """Returns the key of its price, None if it is free.

        Args:
          prices: keys with a base price in the town's configuration.
        """
        own = self.id if self.effects.money < 0 or self.id in prices else None
        return self.price or OWN_PRICES.get(self.id, own)


Entry = ObjectEntry | ObjectTypeEntry | AffordanceEntry
_KINDS: dict[str, type[Entry]] = {
    get_args(entry.model_fields["type"].annotation)[0]: entry
    for entry in (ObjectEntry, ObjectTypeEntry, AffordanceEntry)
}


@dataclasses.dataclass(frozen=True)
class Manifest:
    """A manifest that was read without errors.

    Attributes:
      path: file as named. sha256: of its bytes, hexadecimal.
      objects, types, affordances: entries by id, in file order.
      document: tells where an entry stands; `index` is the entry's place in the file by id.
      notes: what is doubtful.
    """

    path: str
    sha256: str
    objects: dict[str, ObjectEntry]
    types: dict[str, ObjectTypeEntry]
    affordances: dict[str, AffordanceEntry]
    document: Document
    index: dict[str, int]
    notes: list[Note]


def read_manifest(path: str, strict: bool = False, prices: Collection[str] = ()) -> Manifest:
    """Reads a manifest.

    Args:
      path: file name; relative to the working directory.
      strict: whether doubtful entries are refused.
      prices: price keys that the town's configuration gives a base.

    Raises:
      ConfigError: one line per fault, with the nearest valid name where a name is unknown.
    """
    document = read(path)
    report = Report(document, strict)
    entries = _entries(report)
    report.check()
    index = {entry.id: i for i, entry in entries.items()}
    objects = {e.id: e for e in entries.values() if isinstance(e, ObjectEntry)}
    types = {e.id: e for e in entries.values() if isinstance(e, ObjectTypeEntry)}
    affordances = {e.id: e for e in entries.values() if isinstance(e, AffordanceEntry)}
    _check_prices(report, affordances, index, prices)
    _check_types(report, objects, affordances, index)
    report.check()
    with open(path, "rb") as file:
        sha256 = hashlib.sha256(file.read()).hexdigest()
    return Manifest(path, sha256, objects, types, affordances, document, index, report.notes)


def _entries(report: Report) -> dict[int, Entry]:
    """Validates every entry by itself and finds ids that are taken twice."""
    data = report.document.data
    if not isinstance(data, list):
        report.error((), f"a manifest is a list of entries, got {show(data)}")
        return {}
    entries: dict[int, Entry] = {}
    first: dict[str, int] = {}
    for i, item in enumerate(data):
        kind = item.get("type", "affordance") if isinstance(item, dict) else "affordance"
        if not isinstance(kind, str) or kind not in _KINDS:
            report.error((i, "type"), f"unknown kind {show(kind)}; {suggest(kind, _KINDS)}")
            continue
        try:
            entry = _KINDS[kind].model_validate(item)
        except ValidationError as error:
            report.problems += explain(error, _KINDS[kind], report.document, (i,))
            continue
        if entry.id in first:
            line = report.document.mark((first[entry.id], "id"))[0]
            report.error((i, "id"), f"duplicate id {entry.id!r}, first given in line {line}")
        first.setdefault(entry.id, i)
        entries[i] = entry
    return entries


def _check_prices(
    report: Report,
    affordances: dict[str, AffordanceEntry],
    index: dict[str, int],
    prices: Collection[str],
) -> None:
    """Finds price keys that nothing gives a base."""
    priced = [a.price_key(prices) for a in affordances.values() if a.effects.money < 0]
    known = {*DEFAULT_PRICES, *prices, *filter(None, priced)}
    for affordance in affordances.values():
        if affordance.price is not None and affordance.price not in known:
            nearest = suggest(affordance.price, sorted(known))
            fault = f"unknown price key {affordance.price!r}; {nearest}"
            report.error((index[affordance.id], "price"), fault)


def _check_types(
    report: Report,
    objects: dict[str, ObjectEntry],
    affordances: dict[str, AffordanceEntry],
    index: dict[str, int],
) -> None:
    """Doubts affordances for types that no object has, in a manifest that brings objects."""
    types = {entry.object_type for entry in objects.values()}
    for affordance in affordances.values() if types else ():
        if types.isdisjoint(affordance.object_type):
            name = " or ".join(affordance.object_type)
            fault = f"no object of this manifest is of type {name}; {suggest(name, sorted(types))}"
            report.doubt((index[affordance.id], "object_type"), fault)
