import jax
import jax.numpy as jnp
import numpy as np
import pytest

from townlet_jax.env.core import TownEnv


def refused(call, kind, *words):
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


def with_level(state, level):
    needs = state.town.needs.replace(level=level)
    return state.replace(town=state.town.replace(needs=needs))


@pytest.mark.parametrize(
    ("actions", "kind", "got"),
    [
        (jnp.zeros(3, jnp.float32), TypeError, "float32 [3]"),
        (jnp.zeros(3, bool), TypeError, "bool [3]"),
        (jnp.zeros(2, jnp.int32), ValueError, "int32 [2]"),
        (jnp.zeros((1, 3), jnp.int32), ValueError, "int32 [1, 3]"),
        (jnp.int32(0), ValueError, "int32 []"),
        ({"agent_0": 0}, TypeError, "dict"),
        (None, TypeError, "nothing"),
    ],
)
def test_actions_of_a_wrong_form(play, actions, kind, got):
    _, state = play.reset()
    key = jax.random.key(0)
    refused(lambda: play.env.step(key, state, actions), kind, "actions must be int32 [3]", got)
    traced = jax.jit(play.env.step)
    if actions is not None and not isinstance(actions, dict):
        refused(lambda: traced(key, state, actions), kind, got)


def test_numbers_of_a_wrong_kind(play):
    params, layout = play.env.default_params
    bare = TownEnv(play.env.shape, 5)
    for pair in (params, (layout, params), (params,)):
        call = lambda pair=pair: play.env.reset(jax.random.key(0), pair)  # noqa: E731
        refused(call, TypeError, "pair (TownParams, TownLayout)")
    refused(lambda: bare.reset(jax.random.key(0)), TypeError, "got nothing")


def test_good_states_pass(play):
    _, state = play.reset()
    play.env.check_state(state)
    play.env.check_state(state.town)
    play.env.check_state(play.run(5)[-1][1])
    play.env.check_state(jax.tree.map(lambda x: jnp.stack([x, x]), state))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_number_that_is_not_finite(play, value):
    _, state = play.reset()
    level = state.town.needs.level.at[2, 1].set(value)
    check = play.env.check_state
    refused(lambda: check(with_level(state, level)), ValueError, "town.needs.level[2, 1]", "finite")
    town = with_level(state, level).town
    refused(lambda: check(town), ValueError, "needs.level[2, 1] is", "finite")
    # As a checkpoint reader leaves it.
    restored = with_level(state, np.asarray(level))
    refused(lambda: check(restored), ValueError, "town.needs.level[2, 1]")
    scalar = state.town.economy.replace(stock=state.town.economy.stock.astype(jnp.float32))
    wrong = state.town.replace(economy=scalar)
    refused(lambda: check(wrong), ValueError, "economy.stock: expected int32", "float32")


def test_leaf_of_a_wrong_form(play):
    _, state = play.reset()
    check = play.env.check_state
    level = state.town.needs.level
    for bad, got in (
        (level[:2], "float32 [2, 3]"),
        (level.astype(jnp.float16), "float16 [3, 3]"),
        (0.5, "float"),
    ):
        state_now = with_level(state, bad)
        call = lambda state_now=state_now: check(state_now)  # noqa: E731
        refused(call, ValueError, "town.needs.level: expected float32 [3, 3]", got)
    refused(lambda: check(with_level(state, None)), ValueError, "EnvState")
