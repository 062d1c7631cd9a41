"""Direction tables: following them reaches the target in as many steps as they say."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from townlet_jax import grid


@given(st.integers(0, 2**31 - 1))
def test_following_directions_takes_distance_steps(seed):
    rng = np.random.default_rng(seed)
    walkable = rng.random((7, 9)) > 0.3
    ys, xs = np.nonzero(walkable)
    if not len(xs):
        return
    target = int(xs[0]), int(ys[0])
    direction, distance = grid.tables(walkable, target)
    assert (distance[~walkable] == grid.UNREACHABLE).all()
    for x, y in zip(xs, ys, strict=True):
        if distance[y, x] == grid.UNREACHABLE:
            assert direction[y, x] == grid.STAY
            continue
        for _ in range(distance[y, x]):
            assert walkable[y, x]
            dx, dy = grid.STEPS[direction[y, x]]
            x, y = x + dx, y + dy
        assert (x, y) == target and direction[y, x] == grid.STAY


def test_the_first_of_north_east_south_west_is_taken():
    direction, distance = grid.tables(np.ones((3, 3), bool), (0, 0))
    np.testing.assert_array_equal(distance, [[0, 1, 2], [1, 2, 3], [2, 3, 4]])
    np.testing.assert_array_equal(direction, [[4, 3, 3], [0, 0, 0], [0, 0, 0]])


def test_a_walled_in_target_is_unreachable():
    direction, distance = grid.tables(np.zeros((2, 2), bool), (0, 0))
    assert (distance == grid.UNREACHABLE).all() and (direction == grid.STAY).all()
