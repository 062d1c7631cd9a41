"""Walking (world §4.2, §4.3)."""

from tests.oracle.intents import MOVE
from tests.oracle.twin import STEPS

WALL = 1


def is_walkable(town, x: int, y: int) -> bool:
    """Tells whether a cell is inside the map and no wall."""
    inside = 0 <= x < town.shape.width and 0 <= y < town.shape.height
    return inside and int(town.layout.map.tiles[y, x]) != WALL


def cell_of(town, a: int) -> tuple[int, int]:
    """Returns where a resident stands."""
    x, y = town.state.agents.position[a]
    return int(x), int(y)


def is_occupied(town, x: int, y: int) -> bool:
    """Tells whether a living resident stands on a cell."""
    alive = town.state.agents.is_alive
    return any(alive[b] and cell_of(town, b) == (x, y) for b in range(town.num_agents))


def cheb(town, a: int, cell) -> int:
    """Returns the Chebyshev distance of a resident to a cell."""
    x, y = cell_of(town, a)
    return max(abs(x - int(cell[0])), abs(y - int(cell[1])))


def distance(town, a: int, target: int) -> int:
    """Returns the steps of a resident to a target of the direction tables."""
    x, y = cell_of(town, a)
    return int(town.layout.map.distance[y, x, target])


def direction(town, a: int, target: int) -> int:
    """Returns the next step of a resident to a target, 4 = stay."""
    x, y = cell_of(town, a)
    return int(town.layout.map.direction[y, x, target])


def move(town, intents, did) -> None:
    """Moves everybody who wants to move, at once."""
    agents, limit = town.state.agents, town.params.movement.ghost_step_after
    occupied = {cell_of(town, b) for b in range(town.num_agents) if agents.is_alive[b]}
    target, is_candidate, is_stopped = {}, set(), set()
    for a in range(town.num_agents):
        kind, code, _ = intents[a]
        if kind != MOVE:
            continue
        x, y = cell_of(town, a)
        cell = (x + STEPS[code][0], y + STEPS[code][1])
        if not is_walkable(town, *cell):
            continue
        target[a] = cell
        if cell not in occupied or (limit > 0 and agents.blocked_moves[a] >= limit):
            is_candidate.add(a)
        else:
            is_stopped.add(a)
    for a in sorted(is_candidate):
        rivals = [b for b in is_candidate if target[b] == target[a]]
        if a == min(rivals, key=lambda b: int(town.draws.priority[b])):
            agents.position[a] = target[a]
            did[a] = True
            town.events.ghost_stepped[a] = target[a] in occupied
        else:
            is_stopped.add(a)
    for a in range(town.num_agents):
        agents.blocked_moves[a] = agents.blocked_moves[a] + 1 if a in is_stopped else 0
