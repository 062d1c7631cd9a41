"""Agent fitness: its worked example, its bounds, and what it reads of a town."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.oracle import towns, twin
from tests.oracle.tables import Resident
from townlet_jax.env import stats
from townlet_jax.state import OwnDay, TownState

TOWN = towns.build([Resident((i, 0)) for i in range(3)])
PARAMS = jax.tree.map(jnp.asarray, TOWN.params)
SURVIVAL = jnp.float32(0.025 * 1440)
"""[reward] of a day of bare survival."""


def fitness(day_reward, mean_deficit, attendance, num_violations, survival=SURVIVAL):
    values = (jnp.float32(x) for x in (day_reward, mean_deficit, attendance))
    return float(
        stats.agent_fitness(*values, jnp.int32(num_violations), jnp.float32(survival), PARAMS.kpi)
    )


def test_kpd_5_the_worked_example():
    assert fitness(39.6, 0.3, 1, 1) == pytest.approx(0.352 + 0.21 + 0.3 - 0.0667, abs=1e-4)


def test_rewards_and_violations_have_bounds():
    assert fitness(900, 0, 1, 0) == pytest.approx(1.0) == pytest.approx(fitness(45, 0, 1, 0))
    assert fitness(-900, 1, 0, 9) == pytest.approx(-0.6) == pytest.approx(fitness(-45, 1, 0, 3))
    assert fitness(10, 0.5, 0, 0, survival=0) == pytest.approx(0.15), "no reward to compare with"


def test_a_day_of_a_town():
    state = twin.clone(TOWN.state)
    own = state.metrics.own_day
    own[0] = (1440, round(0.3 * 3 * 1440 * 1024), 1)
    own[1] = (10, 0, 0)
    state.employment.attendance[0, 0] = (180, 180)
    state = jax.tree.map(jnp.asarray, twin.to_arrays(state, TownState))
    rewards = PARAMS.rewards.replace(survival_tick=jnp.float32(0.025))
    params = PARAMS.replace(rewards=rewards)
    out = stats.fitness_of_day(jnp.array([39.6, 45, 3], jnp.float32), state, params)
    expected = [0.7953, 0.4 + 0.3, 0]
    np.testing.assert_allclose(out, expected, atol=1e-4)
    assert int(state.metrics.own_day[2, OwnDay.TICKS]) == 0, "nobody lived there"
