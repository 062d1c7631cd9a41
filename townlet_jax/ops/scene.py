"""What there is to draw in a town: ground, places, people, queues and ties."""

import dataclasses
import string
from collections import deque

import numpy as np

from townlet_jax.config.map_file import WALL
from townlet_jax.config.town import Town
from townlet_jax.masked import NONE
from townlet_jax.ops.census import Resident, census, queue_of
from townlet_jax.ops.labels import labels
from townlet_jax.state import TownState

FLOOR, DOOR, ROAD, GRASS, OUTDOORS = 0, 2, 3, 4, 5
"""Tile kinds; OUTDOORS is floor from which the edge of the map can be reached without a door."""
_MARKS = string.ascii_lowercase + string.digits + "αβγδεζηθικλμνξοπρστυφχψωбгджзийлпфцчшщэюя"


@dataclasses.dataclass(frozen=True)
class Place:
    """An object with all its seats.

    Attributes:
      name: its id. type: object type. letter: of the type.
      position: cell (x, y).
      seats: 0 where any number of residents may use it at once.
      users: slots of those who hold a seat, or use an object without seats.
      waiting: slots of those who wait for a seat, next one first.
    """

    name: str
    type: str
    letter: str
    position: tuple[int, int]
    seats: int
    users: tuple[int, ...]
    waiting: tuple[int, ...]

    def load(self) -> str:
        """Returns `used/seats`, or the number of users where there are no seats."""
        num_users = len(self.users)
        return f"{num_users}/{self.seats}" if self.seats else str(num_users)


@dataclasses.dataclass(frozen=True)
class Bond:
    """What two residents feel about each other, the mean of both directions."""

    a: int
    b: int
    trust: float
    familiarity: float
    rivalry: float

    @property
    def strength(self) -> float:
        """Sum of the absolute values."""
        return abs(self.trust) + abs(self.familiarity) + abs(self.rivalry)


@dataclasses.dataclass(frozen=True)
class Scene:
    """A town at one moment.

    Attributes:
      title: its config id. moment: day and time. tick: [tick].
      ground: int8 `[H, W]`, tile kinds with OUTDOORS told apart from indoor floor.
      places: objects in row order. people: living residents in slot order.
      marks: one character per slot. bonds: strongest first.
    """

    title: str
    moment: str
    tick: int
    ground: np.ndarray
    places: tuple[Place, ...]
    people: tuple[Resident, ...]
    marks: dict[int, str]
    bonds: tuple[Bond, ...]


def scene(town: Town, state: TownState) -> Scene:
    """Collects what there is to draw.

    Args:
      town: the loaded configuration.
      state: one fetched town, numpy leaves without a town axis.
    """
    people = census(town, state)
    tick = int(state.clock.tick)
    return Scene(
        title=town.config_id,
        moment=labels(town).moment(tick),
        tick=tick,
        ground=ground(np.asarray(town.layout.map.tiles)),
        places=tuple(_places(town, state)),
        people=tuple(people),
        marks=_marks(people),
        bonds=tuple(_bonds(people)),
    )


def ground(tiles: np.ndarray) -> np.ndarray:
    """Tells floor outdoors from floor inside walls and doors.

    Args:
      tiles: int8 `[H, W]`.

    Returns:
      int8 `[H, W]`, with OUTDOORS in the place of FLOOR where the edge can be reached.
    """
    height, width = tiles.shape
    is_open = (tiles != WALL) & (tiles != DOOR)
    is_outside = np.zeros_like(is_open)
    edge = [(y, x) for y in range(height) for x in range(width) if y in (0, height - 1)]
    edge += [(y, x) for y in range(height) for x in (0, width - 1)]
    frontier = deque(cell for cell in edge if is_open[cell])
    while frontier:
        y, x = frontier.popleft()
        if 0 <= y < height and 0 <= x < width and is_open[y, x] and not is_outside[y, x]:
            is_outside[y, x] = True
            frontier.extend([(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)])
    return np.where(is_outside & (tiles == FLOOR), OUTDOORS, tiles)


def letters(types: tuple[str, ...]) -> dict[str, str]:
    """Gives each object type a capital letter of its own, of its name where one is left."""
    chosen: dict[str, str] = {}
    for name in types:
        wanted = [c for c in name.upper() if c in string.ascii_uppercase]
        free = [c for c in [*wanted, *string.ascii_uppercase] if c not in chosen.values()]
        chosen[name] = free[0]
    return chosen


def _places(town: Town, state: TownState) -> list[Place]:
    """Groups object rows into objects: the seats of one are `<id>.0`, `<id>.1` and so on."""
    objects, names = town.layout.objects, town.names
    letter = letters(names.types)
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(names.objects):
        rows.setdefault(name.partition(".")[0], []).append(row)
    places = []
    for name, seats in rows.items():
        first = seats[0]
        kind = names.types[int(objects.type[first])]
        x, y = np.asarray(objects.position[first]).tolist()
        is_virtual = bool(objects.is_virtual[first])
        holders = state.queues.holder[seats]
        users = np.flatnonzero(np.isin(state.use.obj, seats)) if is_virtual else holders
        places.append(
            Place(
                name=name,
                type=kind,
                letter=letter[kind],
                position=(x, y),
                seats=0 if is_virtual else len(seats),
                users=tuple(a for a in users.tolist() if a != NONE),
                waiting=tuple(a for row in seats for a in queue_of(town, state, row)),
            )
        )
    return places


def _marks(people: list[Resident]) -> dict[int, str]:
    """Gives everybody a character: the initial where all initials differ, else one by slot."""
    initials = [person.name[0].lower() for person in people]
    if len(set(initials)) == len(initials):
        return {person.slot: mark for person, mark in zip(people, initials, strict=True)}
    return {person.slot: _MARKS[person.slot] for person in people}


def _bonds(people: list[Resident]) -> list[Bond]:
    """Joins the ties of both directions."""
    pairs: dict[tuple[int, int], np.ndarray] = {}
    for person in people:
        for tie in person.ties:
            pair = (min(person.slot, tie.slot), max(person.slot, tie.slot))
            values = np.array([tie.trust, tie.familiarity, tie.rivalry])
            pairs[pair] = pairs.get(pair, np.zeros(3)) + values / 2
    bonds = [Bond(*pair, *values.round(4).tolist()) for pair, values in pairs.items()]
    return sorted(bonds, key=lambda bond: -bond.strength)
