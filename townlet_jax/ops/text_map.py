"""A town as text: the map with objects and residents, who does what, queues and ties."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from townlet_jax.ops.scene import Scene
from townlet_jax.ops.terminal import PLAIN_WIDTH

GROUND = {
    0: (".", "grey50"),
    1: ("#", "grey35"),
    2: ("+", "dark_orange3"),
    3: ("=", "grey54"),
    4: (",", "green"),
    5: ("·", "grey30"),
}
"""Character and style of each tile kind, as in map files."""
OBJECT, PERSON = "bold yellow", "bold bright_cyan"
"""Styles."""
CROWD = "*"
"""Stands for several residents on one cell."""
MAX_TIES = 12
"""Ties listed."""


def picture(scene: Scene, columns: int = PLAIN_WIDTH) -> Group:
    """Returns the town with its legend, for a `rich` console of so many columns."""
    title = f"{scene.title}  {scene.moment} (tick {scene.tick})"
    parts: list[RenderableType] = [
        Text(title, style="bold"),
        Text(),
        town_map(scene),
        Text(),
        _legend(scene),
    ]
    if scene.people:
        parts += [Text(), people(scene)]
    for heading, lines in (("queues", queues(scene)), ("strongest ties", ties(scene))):
        if lines:
            parts += [Text(), Text(heading, style="bold"), *(Text("  " + line) for line in lines)]
    return Group(*parts)


def town_map(scene: Scene, columns: int = PLAIN_WIDTH) -> Text:
    """Draws the map: per cell the ground or an object, and the mark of whoever stands there.

    A cell is two characters wide where the map then fits. Residents hide the ground; they stand
    beside objects on such a wide map, and hide them on a narrow one.
    """
    height, width = scene.ground.shape
    is_wide = 2 * width <= columns
    letters = {place.position: place.letter for place in scene.places}
    marks: dict[tuple[int, int], str] = {}
    for person in scene.people:
        taken = person.position in marks
        marks[person.position] = CROWD if taken else scene.marks[person.slot]
    text = Text(no_wrap=True)
    for y in range(height):
        for x in range(width):
            ground, style = GROUND[int(scene.ground[y, x])]
            letter, mark = letters.get((x, y)), marks.get((x, y))
            base = (letter, OBJECT) if letter else (ground, style)
            if not is_wide or letter is None:
                text.append(*((mark, PERSON) if mark else base))
            else:
                text.append(*base)
            if is_wide:
                beside = mark if letter and mark else ground if ground == "#" else " "
                text.append(beside, PERSON if letter and mark else style)
        text.append("\n" if y < height - 1 else "")
    return text


def _legend(scene: Scene) -> Table:
    """Lists the objects by type, with seats taken where somebody uses one."""
    table = Table.grid(padding=(0, 2))
    by_type: dict[tuple[str, str], list[str]] = {}
    for place in scene.places:
        load = f" {place.load()}" if place.seats > 1 or place.users else ""
        by_type.setdefault((place.letter, place.type), []).append(place.name + load)
    for (letter, kind), names in by_type.items():
        table.add_row(Text(letter, OBJECT), kind.replace("_", " "), ", ".join(names))
    kinds = {1: "wall", 2: "door", 3: "road", 4: "grass"}
    for tile, name in kinds.items():
        if (scene.ground == tile).any():
            table.add_row(Text(*GROUND[tile]), name)
    cells = [person.position for person in scene.people]
    if len(set(cells)) < len(cells):
        table.add_row(Text(CROWD, PERSON), "several residents")
    return table


def people(scene: Scene) -> Table:
    """Lists the residents: mark, name, cell, what they are doing."""
    table = Table.grid(padding=(0, 2))
    for person in scene.people:
        x, y = person.position
        mark = Text(scene.marks[person.slot], PERSON)
        table.add_row(mark, person.name, f"({x}, {y})", person.doing())
    return table


def queues(scene: Scene) -> list[str]:
    """Returns one line per object that somebody waits for."""
    names = {person.slot: person.name for person in scene.people}
    lines = []
    for place in scene.places:
        if place.waiting:
            users = ", ".join(names[slot] for slot in place.users) or "nobody"
            line = ", ".join(names[slot] for slot in place.waiting)
            lines.append(f"{place.name}: {users} in front of {line}")
    return lines


def ties(scene: Scene) -> list[str]:
    """Returns one line per tie, strongest first."""
    names = {person.slot: person.name for person in scene.people}
    return [
        f"{names[bond.a]} and {names[bond.b]}: trust {bond.trust:+.2f}, "
        f"familiarity {bond.familiarity:+.2f}, rivalry {bond.rivalry:.2f}"
        for bond in scene.bonds[:MAX_TIES]
    ]
