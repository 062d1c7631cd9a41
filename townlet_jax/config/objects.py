"""Objects of a town: which there are, where they stand, their rows. World text §4.1, §5.1, §5.2."""

import dataclasses

import numpy as np

from townlet_jax.config import ways
from townlet_jax.config.errors import Path, suggest
from townlet_jax.config.layout import Utility
from townlet_jax.config.limits import MAX_OBJECTS, MAX_TYPES
from townlet_jax.config.manifest import Manifest, ObjectTypeEntry
from townlet_jax.config.report import Report
from townlet_jax.config.schema import Config
from townlet_jax.config.schema_scenario import ScenarioObject
from townlet_jax.config.ways import Cell
from townlet_jax.grid import UNREACHABLE
from townlet_jax.masked import NONE

LATTICE = range(2, 64, 4)
"""Columns and rows on which objects without a position are placed [tile]."""


@dataclasses.dataclass(frozen=True)
class TypeTraits:
    """What all objects of a type have in common.

    Attributes:
      requires: utilities without which it cannot be used.
      is_virtual: any number of residents may use it at once. is_social_place: residents meet there.
      cooldown_ticks: [tick] wait after a finish, NONE = the town's default.
    """

    requires: tuple[Utility, ...] = ()
    is_virtual: bool = False
    is_social_place: bool = False
    cooldown_ticks: int = NONE

    def overridden(self, entry: ObjectTypeEntry) -> "TypeTraits":
        """Returns these traits with what a manifest entry gives in their place."""
        requires = self.requires
        if entry.requires is not None:
            requires = tuple(Utility[name.upper()] for name in entry.requires)
        return TypeTraits(
            requires,
            self.is_virtual if entry.virtual is None else entry.virtual,
            self.is_social_place if entry.social_place is None else entry.social_place,
            self.cooldown_ticks if entry.cooldown_ticks is None else entry.cooldown_ticks,
        )


BUILT_IN_TYPES = {
    "bed": TypeTraits(cooldown_ticks=0),
    "fridge": TypeTraits(),
    "cafe_table": TypeTraits(),
    "stove": TypeTraits(requires=(Utility.POWER,)),
    "shower": TypeTraits(requires=(Utility.POWER, Utility.WATER)),
    **dict.fromkeys(("counter", "checkout", "till", "desk", "stall"), TypeTraits(is_virtual=True)),
    "bench": TypeTraits(is_virtual=True, is_social_place=True),
}
"""Types that need no declaration; a type of any other name has the traits of a fridge."""


@dataclasses.dataclass(frozen=True)
class Thing:
    """An object as declared, and where: `report` and `path` lead to its place in its file."""

    spec: ScenarioObject
    report: Report
    path: Path

    @property
    def venue(self) -> str:
        """Name of the venue it belongs to."""
        return self.spec.venue or self.spec.id


@dataclasses.dataclass(frozen=True)
class Objects:
    """All objects and their rows; a row is a seat.

    Attributes:
      things: objects in row order. rows: id of each row. thing: index of its object, by row.
      row_of: row by id, of seats and of whole objects (their first seat).
      types: types that have a row, alphabetical. venues: in row order.
      type, venue: index by row. position, interact: cell by row.
      traits: by type name.
    """

    things: list[Thing]
    rows: list[str]
    thing: list[int]
    row_of: dict[str, int]
    types: list[str]
    venues: list[str]
    type: list[int]
    venue: list[int]
    position: list[Cell]
    interact: list[Cell]
    traits: dict[str, TypeTraits]

    def first_row(self, names: list[str], column: list[int], name: str) -> int:
        """Returns the first row of a venue or type, NONE if there is none.

        Args:
          names, column: `venues` and `venue`, or `types` and `type`.
          name: which one.
        """
        return column.index(names.index(name)) if name in names else NONE


def build_objects(
    config: Config,
    manifest: Manifest,
    tiles_walkable: np.ndarray,
    entry: list[Cell],
    report: Report,
) -> Objects:
    """Collects the objects of manifest and scenario and places them.

    Args:
      config: the configuration.
      manifest: its manifest.
      tiles_walkable: bool `[H, W]`.
      entry: cells where newcomers appear.
      report: receives faults, and a note per object that was placed by the loader.

    Raises:
      ConfigError: if there are faults, of this or an earlier step.
    """
    things = _collect(config, manifest, report)
    is_reachable = np.zeros_like(tiles_walkable)
    for cell in entry:
        is_reachable |= ways.to_cell(tiles_walkable, cell)[1] < UNREACHABLE
    given = {t.spec.position for t in things if t.spec.position is not None}
    cells: list[tuple[Cell, Cell]] = []
    for thing in things:
        position = thing.spec.position
        if position is None:
            position = _place(thing, tiles_walkable, is_reachable, given)
        if position is not None:
            cells.append((position, _interact(thing, position, tiles_walkable, is_reachable)))
    _check_limits(config, things, report)
    report.check()
    return _rows(things, cells, _traits(things, manifest))


def _collect(config: Config, manifest: Manifest, report: Report) -> list[Thing]:
    """Lists the manifest's objects, then the scenario's; these replace those of the same id."""
    about_manifest = report.within(manifest.document)
    things = {
        name: Thing(entry.as_scenario_object(), about_manifest, (manifest.index[name],))
        for name, entry in manifest.objects.items()
    }
    for i, spec in enumerate(config.scenario.objects):
        path = ("scenario", "objects", i)
        if spec.id in manifest.affordances or spec.id in manifest.types:
            line = manifest.document.mark((manifest.index[spec.id], "id"))[0]
            report.error(
                (*path, "id"), f"duplicate id {spec.id!r}, first given in {manifest.path}:{line}"
            )
        things[spec.id] = Thing(spec, report, path)
    return list(things.values())


def is_inside(is_walkable: np.ndarray, cell: Cell) -> bool:
    """Tells whether a cell lies on the map."""
    height, width = is_walkable.shape
    return 0 <= cell[0] < width and 0 <= cell[1] < height


def standing_fault(is_walkable: np.ndarray, cell: Cell) -> str | None:
    """Tells why nothing can stand on a cell; None if something can."""
    x, y = cell
    if not is_inside(is_walkable, cell):
        height, width = is_walkable.shape
        return f"[{x}, {y}] is outside the map of {width} x {height} cells"
    return None if is_walkable[y, x] else f"[{x}, {y}] is a wall"


def _num_places(is_walkable: np.ndarray, cell: Cell) -> int:
    """Counts walkable cells from which an object with this interact cell can be used."""
    x, y = cell
    return int(is_walkable[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].sum())


def _interact(
    thing: Thing, position: Cell, is_walkable: np.ndarray, is_reachable: np.ndarray
) -> Cell:
    """Returns the interact cell of an object, and reports why the object cannot be there."""
    interact = thing.spec.interact_at or position
    key = "interact_at" if thing.spec.interact_at is not None else "position"
    for name, cell in (("position", position), (key, interact)):
        x, y = cell
        fault = standing_fault(is_walkable, cell)
        if fault is None and not is_reachable[y, x]:
            fault = f"[{x}, {y}] cannot be reached from any entry cell"
        if fault is not None:
            thing.report.error((*thing.path, name), fault)
            return interact
    places = _num_places(is_walkable, interact)
    if thing.spec.seats > places:
        around = f"{places}, the walkable cells around [{interact[0]}, {interact[1]}]"
        fault = f"must be at most {around}, got {thing.spec.seats}"
        thing.report.error((*thing.path, "seats"), fault)
    return interact


def _place(
    thing: Thing, is_walkable: np.ndarray, is_reachable: np.ndarray, taken: set[Cell]
) -> Cell | None:
    """Puts an object without a position on the first free cell of the lattice, and notes it."""
    height, width = is_walkable.shape
    lattice = ((x, y) for y in LATTICE if y < height for x in LATTICE if x < width)
    for x, y in lattice:
        is_free = is_reachable[y, x] and (x, y) not in taken
        if is_free and _num_places(is_walkable, (x, y)) >= thing.spec.seats:
            taken.add((x, y))
            fault = f"object {thing.spec.id!r} has no position; placed at [{x}, {y}]"
            thing.report.note(thing.path, fault)
            return x, y
    fault = f"no free cell is left for object {thing.spec.id!r}; give it a position"
    thing.report.error(thing.path, fault)
    return None


def _check_limits(config: Config, things: list[Thing], report: Report) -> None:
    num_rows = sum(thing.spec.seats for thing in things)
    limit = config.world.max_objects
    path: Path = ("world", "max_objects")
    if limit is None:
        limit, path = MAX_OBJECTS, ("scenario", "objects")
    if num_rows > limit:
        report.error(path, f"the objects have {num_rows} seats in all, at most {limit} are allowed")
    num_types = len({thing.spec.type for thing in things})
    if num_types > MAX_TYPES:
        report.error(
            ("scenario", "objects"), f"{num_types} object types, at most {MAX_TYPES} are allowed"
        )


def _traits(things: list[Thing], manifest: Manifest) -> dict[str, TypeTraits]:
    """Finds the traits of every type in use, and notes types that nobody knows."""
    declared = {name for entry in manifest.affordances.values() for name in entry.object_type}
    known = sorted({*declared, *manifest.types, *BUILT_IN_TYPES})
    traits = {}
    for thing in things:
        name = thing.spec.type
        built_in = BUILT_IN_TYPES.get(name, TypeTraits())
        traits[name] = (
            built_in.overridden(manifest.types[name]) if name in manifest.types else built_in
        )
        if name not in known:
            fault = f"nothing can be done with an object of type {name!r}; {suggest(name, known)}"
            thing.report.note((*thing.path, "type"), fault)
    return traits


def _rows(
    things: list[Thing], cells: list[tuple[Cell, Cell]], traits: dict[str, TypeTraits]
) -> Objects:
    """Gives every seat a row."""
    types = sorted(traits)
    venues = list(dict.fromkeys(thing.venue for thing in things))
    seats = [(i, seat) for i, thing in enumerate(things) for seat in range(thing.spec.seats)]
    rows, row_of = [], {}
    for row, (i, seat) in enumerate(seats):
        spec = things[i].spec
        name = spec.id if spec.seats == 1 else f"{spec.id}.{seat}"
        rows.append(name)
        row_of[name] = row
        row_of.setdefault(spec.id, row)
    owners = [things[i] for i, _ in seats]
    return Objects(
        things=things,
        rows=rows,
        thing=[i for i, _ in seats],
        row_of=row_of,
        types=types,
        venues=venues,
        type=[types.index(thing.spec.type) for thing in owners],
        venue=[venues.index(thing.venue) for thing in owners],
        position=[cells[i][0] for i, _ in seats],
        interact=[cells[i][1] for i, _ in seats],
        traits=traits,
    )
