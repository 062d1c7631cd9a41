"""Walking: the worked examples, a plain-Python oracle, and what never happens."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from townlet_jax.config.params import MovementParams
from townlet_jax.config.shape import TownShape
from townlet_jax.grid import STEPS
from townlet_jax.rules import movement
from townlet_jax.state.agents import empty_agents

NORTH, EAST, SOUTH, WEST, STILL = 0, 1, 2, 3, -1
SHAPE = TownShape(num_agents=3)
MOVE = jax.jit(movement.move)


def walk(cells, directions, priority, blocked=(0, 0, 0), tiles=None, limit=3, move=MOVE):
    """Moves three residents once; returns positions, blocked moves, moved, ghost stepped."""
    agents = empty_agents(SHAPE).replace(
        is_alive=jnp.array([cell is not None for cell in cells]),
        position=jnp.array([cell or (0, 0) for cell in cells], jnp.int32),
        blocked_moves=jnp.array(blocked, jnp.int32),
    )
    directions = np.array(directions)
    agents, moved, ghost = move(
        agents,
        jnp.asarray(directions, jnp.int32),
        jnp.asarray(directions != STILL),
        jnp.array(priority, jnp.int32),
        jnp.zeros((5, 5), jnp.int8) if tiles is None else tiles,
        MovementParams(ghost_step_after=jnp.int32(limit)),
    )
    return agents.position.tolist(), agents.blocked_moves.tolist(), moved.tolist(), ghost.tolist()


CORRIDOR = jnp.ones((5, 5), jnp.int8).at[0, :].set(0)


@pytest.mark.parametrize("move", [MOVE, movement.move], ids=["jit", "no jit"])
def test_two_that_meet_in_a_corridor_pass_after_three_attempts(move):
    cells, blocked = [(1, 0), (2, 0), None], (0, 0, 0)
    for tick in range(3):
        cells, blocked, moved, _ = walk(
            cells[:2] + [None], [EAST, WEST, STILL], [0, 1, 2], blocked, CORRIDOR, move=move
        )
        assert blocked == [tick + 1, tick + 1, 0] and moved == [False] * 3
    cells, blocked, moved, ghost = walk(
        cells[:2] + [None], [EAST, WEST, STILL], [0, 1, 2], blocked, CORRIDOR, move=move
    )
    assert cells[:2] == [[2, 0], [1, 0]] and blocked == [0, 0, 0]
    assert moved == ghost == [True, True, False]


@pytest.mark.parametrize("move", [MOVE, movement.move], ids=["jit", "no jit"])
def test_of_two_that_want_one_cell_the_smaller_priority_moves(move):
    cells, blocked, moved, _ = walk(
        [(0, 1), (2, 1), None], [EAST, WEST, STILL], [1, 0, 2], move=move
    )
    assert cells[:2] == [[0, 1], [1, 1]] and blocked == [1, 0, 0] and moved == [False, True, False]


def test_nobody_enters_a_cell_that_was_occupied_at_the_start():
    cells, blocked, _, _ = walk([(0, 0), (1, 0), None], [EAST, EAST, STILL], [0, 1, 2])
    assert cells[:2] == [[0, 0], [2, 0]] and blocked == [1, 0, 0]


def test_a_wall_gives_no_right_to_a_ghost_step():
    tiles = jnp.zeros((5, 5), jnp.int8).at[0, 1].set(1)
    blocked = (0, 0, 0)
    for _ in range(10):
        cells, blocked, _, _ = walk(
            [(0, 0), (0, 1), None], [EAST, STILL, STILL], [0, 1, 2], blocked, tiles
        )
    assert blocked == [0, 0, 0]
    cells, blocked, moved, _ = walk(
        [(0, 0), (0, 1), None], [SOUTH, STILL, STILL], [0, 1, 2], blocked, tiles
    )
    assert cells[0] == [0, 0] and blocked == [1, 0, 0] and not moved[0]


def test_the_edge_of_the_map_stops_and_resets():
    cells, blocked, moved, _ = walk(
        [(0, 0), None, None], [NORTH, STILL, STILL], [0, 1, 2], (2, 0, 0)
    )
    assert cells[0] == [0, 0] and blocked == [0, 0, 0] and not moved[0]


def oracle(cells, alive, directions, trying, priority, blocked, tiles, limit):
    """The rule, said again with loops."""
    start = {tuple(c) for c, lives in zip(cells, alive, strict=True) if lives}
    wanted = {}
    for a, direction in enumerate(directions):
        x, y = cells[a] + STEPS[direction]
        inside = 0 <= x < tiles.shape[1] and 0 <= y < tiles.shape[0]
        if trying[a] and inside and tiles[y, x] != movement.WALL:
            wanted[a] = (x, y)
    new, counts = cells.copy(), np.zeros_like(blocked)
    candidates = {
        a: cell
        for a, cell in wanted.items()
        if cell not in start or (limit > 0 and blocked[a] >= limit)
    }
    for a, cell in wanted.items():
        rivals = [b for b in candidates if candidates[b] == cell]
        if a in candidates and min(rivals, key=lambda b: priority[b]) == a:
            new[a] = cell
        else:
            counts[a] = blocked[a] + 1
    return new, counts


@given(st.integers(0, 2**31 - 1))
def test_agrees_with_the_plain_loop(seed):
    rng = np.random.default_rng(seed)
    tiles = (rng.random((5, 5)) < 0.2).astype(np.int8)
    cells = rng.integers(0, 5, (3, 2)).astype(np.int32)
    alive, trying = rng.random(3) < 0.9, rng.random(3) < 0.8
    trying &= alive
    directions = rng.integers(0, 4, 3)
    priority, blocked = rng.permutation(3), rng.integers(0, 5, 3)
    limit = int(rng.integers(0, 4))
    expected = oracle(cells, alive, directions, trying, priority, blocked, tiles, limit)
    agents = empty_agents(SHAPE).replace(
        is_alive=jnp.asarray(alive),
        position=jnp.asarray(cells),
        blocked_moves=jnp.asarray(blocked, jnp.int32),
    )
    after, moved, _ = MOVE(
        agents,
        jnp.asarray(directions, jnp.int32),
        jnp.asarray(trying),
        jnp.asarray(priority, jnp.int32),
        jnp.asarray(tiles),
        MovementParams(ghost_step_after=jnp.int32(limit)),
    )
    np.testing.assert_array_equal(after.position, expected[0])
    np.testing.assert_array_equal(after.blocked_moves, expected[1])
    entered = [tuple(c) for c, m in zip(np.asarray(after.position), moved, strict=True) if m]
    assert len(entered) == len(set(entered)), "two residents entered one cell"
    assert all(tiles[y, x] != movement.WALL for x, y in entered)
