"""Built-in policies: what they choose is legal; the list of the scripted one, rule by rule."""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.town.conftest import QUICK
from townlet_jax.town import policies
from townlet_jax.town.options import Option
from townlet_jax.town.view import look

KITCHEN, MEALS = 1, 0
FRIDGE, TABLE, SHOWER, BEDS, COUNTER, STOVE = 2, 5, 4, 0, 7, 3
USE_SHOWER, EAT, COOK, SLEEP, EAT_OUT, WORK = range(6)
AT_WORK = (WORK, COUNTER)
FINE = (0.9, 0.9, 0.9)


@pytest.fixture(scope="session")
def town(busy_options):
    shape, params, layout = busy_options.shape, busy_options.params, busy_options.layout

    @functools.partial(jax.jit, compiler_options=QUICK)
    def choose(state, mask):
        view = look(shape, state, params, layout)
        return policies.scripted(jax.random.key(0), view, state, mask, params, layout)

    def mask(state):
        return busy_options.mask(state, params, layout)

    return SimpleNamespace(start=busy_options.start(), choose=choose, mask=mask)


def lead(state, tick, level=FINE, cell=(0, 0), wallet=2.0, runs=None, meals=4):
    """Sets resident 0, who is a cook with a shift from 30 to 90 at (4, 4); the others are away."""
    agents, use, queues = state.agents, state.use, state.queues
    away = jnp.array([cell, (8, 0), (8, 2), (8, 4), (8, 6), (0, 0)], jnp.int32)
    state = state.replace(
        clock=state.clock.replace(tick=jnp.int32(tick)),
        agents=agents.replace(position=away, wallet=agents.wallet.at[0].set(wallet)),
        needs=state.needs.replace(level=state.needs.level.at[0].set(jnp.array(level))),
        economy=state.economy.replace(stock=state.economy.stock.at[MEALS, KITCHEN].set(meals)),
    )
    if runs is None:
        return state
    affordance, row = runs
    holder = queues.holder if row == COUNTER else queues.holder.at[row].set(0)
    return state.replace(
        use=use.replace(
            affordance=use.affordance.at[0].set(affordance), obj=use.obj.at[0].set(row)
        ),
        queues=queues.replace(holder=holder),
    )


@pytest.mark.parametrize(
    "given, option",
    [
        # running
        (dict(tick=110, level=(0.9, 0.9, 0.96), runs=(SLEEP, BEDS)), Option.SLEEP),
        (dict(tick=110, level=(0.9, 0.9, 0.98), runs=(SLEEP, BEDS)), Option.SOCIALISE),
        (dict(tick=110, level=(0.36, 0.9, 0.9), runs=(SLEEP, BEDS)), Option.GET_FED),
        (dict(tick=7, level=(0.9, 0.9, 0.5), runs=(SLEEP, BEDS)), Option.SLEEP),
        (dict(tick=7, level=(0.9, 0.9, 0.6), runs=(SLEEP, BEDS)), Option.GO_TO_WORK),
        (dict(tick=40, level=(0.21, 0.5, 0.5), cell=(4, 5), runs=AT_WORK), Option.GO_TO_WORK),
        (dict(tick=40, level=(0.19, 0.5, 0.5), cell=(4, 5), runs=AT_WORK), Option.GET_FED),
        (dict(tick=40, level=(0.5, 0.5, 0.1), cell=(4, 5), runs=AT_WORK), Option.SLEEP),
        (dict(tick=40, runs=(EAT, FRIDGE)), Option.GET_FED),
        (dict(tick=40, runs=(COOK, STOVE)), Option.COOK),
        (dict(tick=40, cell=(8, 1), runs=(EAT_OUT, TABLE)), Option.SOCIALISE),
        (dict(tick=40, cell=(8, 1), runs=(USE_SHOWER, SHOWER)), Option.GET_CLEAN),
        # emergencies, then work: 8 tiles to go
        (dict(tick=10, level=(0.19, 0.9, 0.11)), Option.GET_FED),
        (dict(tick=10, level=(0.21, 0.9, 0.11)), Option.SLEEP),
        (dict(tick=10, level=(0.21, 0.1, 0.13)), Option.GO_TO_WORK),
        (dict(tick=90), Option.GO_TO_WORK),
        # before work
        (dict(tick=5, level=(0.6, 0.6, 0.9)), Option.GET_CLEAN),
        (dict(tick=5, level=(0.6, 0.7, 0.9)), Option.GET_FED),
        # after work
        (dict(tick=110, level=(0.35, 0.3, 0.9)), Option.GET_CLEAN),
        (dict(tick=110, level=(0.35, 0.35, 0.35)), Option.GET_FED),
        (dict(tick=110, level=(0.55, 0.45, 0.9)), Option.GET_CLEAN),
        (dict(tick=110, level=(0.9, 0.9, 0.79)), Option.SLEEP),
        (dict(tick=110, meals=3), Option.COOK),
        (dict(tick=110, meals=3, wallet=0.5), Option.SOCIALISE),
        (dict(tick=110), Option.SOCIALISE),
        # nothing it could do about it
        (dict(tick=110, level=(0.1, 0.9, 0.9), wallet=0.1), Option.REST),
    ],
)  # fmt: skip
def test_the_first_rule_that_applies_decides(town, given, option):
    state = lead(town.start, **given)
    mask = town.mask(state)
    assert Option(int(town.choose(state, mask)[0])) == option


@settings(max_examples=20)
@given(seed=st.integers(0, 2**31 - 1))
def test_the_scripted_choice_is_legal_in_any_town(town, seed):
    rng = np.random.default_rng(seed)
    level = rng.random(3).astype(np.float32)
    runs = [None, (SLEEP, BEDS), (EAT, FRIDGE), AT_WORK][rng.integers(4)]
    state = lead(
        town.start, rng.integers(400), level, tuple(rng.integers(0, 9, 2)), rng.random(), runs
    )
    mask = np.asarray(town.mask(state))
    option = np.asarray(town.choose(state, jnp.asarray(mask)))
    assert mask[np.arange(6), option].all()
    assert mask.any(axis=1).all(), "something is always legal"


def test_whatever_the_mask_it_rests_rather_than_break_it(town):
    only_rest = jnp.zeros((6, 7), bool).at[:, 0].set(True)
    assert not town.choose(lead(town.start, tick=110), only_rest).any()


draw = jax.jit(lambda key, mask: policies.random(key, None, None, mask, None, None))


def test_the_random_policy_draws_every_legal_action_about_equally():
    mask = jnp.array([[1, 0, 1, 1, 0, 0, 1], [1, 0, 0, 0, 0, 0, 0]], bool)
    keys = jax.random.split(jax.random.key(1), 4000)
    chosen = np.asarray(jax.vmap(lambda key: draw(key, mask))(keys))
    share = np.bincount(chosen[:, 0], minlength=7) / 4000
    np.testing.assert_allclose(share, np.array([1, 0, 1, 1, 0, 0, 1]) / 4, atol=0.03)
    assert not chosen[:, 1].any()


def test_without_a_legal_action_the_random_policy_takes_the_first():
    assert not draw(jax.random.key(0), jnp.zeros((2, 7), bool)).any()


def test_the_idle_policy_waits():
    action = policies.idle(jax.random.key(0), None, None, jnp.ones((3, 9), bool), None, None)
    assert action.tolist() == [0, 0, 0] and action.dtype == jnp.int32


def test_policies_by_name():
    assert set(policies.POLICIES) == {"scripted", "random", "idle"}
