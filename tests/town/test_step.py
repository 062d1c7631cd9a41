"""The whole tick: against its plain-Python twin, and what it promises of itself."""

import functools
import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.oracle import compare, masks, policy, twin
from tests.oracle import step as oracle
from tests.oracle.test_invariants import random_ops
from tests.town.conftest import QUICK
from townlet_jax.masked import NONE
from townlet_jax.state.metrics import Day
from townlet_jax.town.step import step

MAX_EQUATIONS = 7_000
"""Equations of one traced step without admin rows; compile time and speed follow them."""


def actions_of(rng, shape):
    """Legal and illegal codes."""
    return rng.integers(-1, shape.num_actions + 1, shape.num_agents).astype(np.int32)


def same(one, other):
    """Compares two trees bit for bit."""
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)

    def data(x):
        is_key = jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(x) if is_key else x)

    return all(np.array_equal(data(x), data(y)) for x, y in pairs)


def run(bench, state, num_ticks, rng, with_ops=False):
    """Plays random actions; returns the state."""
    for _ in range(num_ticks):
        actions = jnp.asarray(actions_of(rng, bench.shape))
        ops = random_ops(bench.shape, rng) if with_ops else np.zeros((bench.shape.num_ops, 8))
        state, _ = bench.step(
            state, actions, jnp.asarray(ops, jnp.int32), bench.params, bench.layout
        )
    return state


def agree(bench, num_ticks, seed):
    """Steps a town beside its twin, under random actions and admin rows."""
    shape, rng = bench.shape, np.random.default_rng(seed)
    params, layout = twin.plain(bench.params), twin.plain(bench.layout)
    state, held = bench.start(seed), None
    for tick in range(num_ticks):
        mask = np.asarray(bench.mask(state, bench.params, bench.layout))
        before = twin.from_state(state)
        np.testing.assert_array_equal(mask, masks.action_mask(shape, before, params, layout))
        if tick % 4 == 0 or shape.action_level == "primitive":
            held = np.array([rng.choice(np.flatnonzero(row)) for row in mask], np.int32)
        actions = held if rng.random() < 0.9 else actions_of(rng, shape)
        ops = random_ops(shape, rng)
        draws = twin.plain(jax.device_get(bench.draw(state.clock)))
        state, events = bench.step(
            state, jnp.asarray(actions), jnp.asarray(ops, jnp.int32), bench.params, bench.layout
        )
        expected = oracle.step(shape, before, actions, ops, draws, params, layout)
        lines = compare.differences(jax.device_get(state), expected[0])
        lines += compare.differences(jax.device_get(events), expected[1])
        assert not lines, f"tick {tick}: " + "; ".join(lines[:5])


def test_agrees_with_its_twin_at_the_option_level(busy_options):
    agree(busy_options, 150, seed=1)


@pytest.mark.slow
def test_agrees_with_its_twin_at_the_primitive_level(busy_primitives):
    agree(busy_primitives, 150, seed=2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, pytest.param(4, marks=pytest.mark.acceptance)])
def test_agrees_with_its_twin_for_long(busy_options, busy_primitives, seed):
    agree(busy_options, 1500, seed)
    agree(busy_primitives, 1500, seed)


@pytest.mark.slow
def test_a_masked_out_primitive_changes_nothing_but_the_record_of_it(busy_primitives):
    bench, rng = busy_primitives, np.random.default_rng(5)
    state = run(bench, bench.start(5), 40, rng)
    none = jnp.zeros((bench.shape.num_ops, 8), jnp.int32)
    for _ in range(10):
        mask = np.asarray(bench.mask(state, bench.params, bench.layout))
        assert mask.any(axis=1).all(), "somebody has no legal action"
        illegal = [np.flatnonzero(~row) for row in mask]
        illegal = np.array([rng.choice(x) if len(x) else 0 for x in illegal], np.int32)
        waited, _ = bench.step(state, jnp.zeros_like(illegal), none, bench.params, bench.layout)
        tried, _ = bench.step(state, jnp.asarray(illegal), none, bench.params, bench.layout)
        record = {
            name: getattr(waited.agents, name)
            for name in ("last_action", "last_action_ticks", "did_last_action")
        }
        counts = {name: getattr(waited.metrics, name) for name in ("last_decision", "today")}
        is_sum = np.isin(np.arange(len(Day)), (Day.DECISIONS, Day.SWITCHES))
        np.testing.assert_array_equal(
            waited.metrics.today[~is_sum], tried.metrics.today[~is_sum], "counts of the day"
        )
        tried = tried.replace(
            agents=tried.agents.replace(**record), metrics=tried.metrics.replace(**counts)
        )
        assert same(waited, tried)
        state = run(bench, waited, 3, rng)


def test_a_saved_town_goes_on_as_if_nothing_had_happened(busy_options):
    bench = busy_options
    straight = run(bench, bench.start(6), 37, np.random.default_rng(6))
    rng = np.random.default_rng(6)
    state = run(bench, bench.start(6), 19, rng)
    leaves, structure = jax.tree.flatten(state)
    file = io.BytesIO()
    is_key = [jnp.issubdtype(x.dtype, jax.dtypes.prng_key) for x in leaves]
    plain = [jax.random.key_data(x) if k else x for x, k in zip(leaves, is_key, strict=True)]
    np.savez(file, *plain)
    file.seek(0)
    stored = np.load(file, allow_pickle=False)
    arrays = [jnp.asarray(stored[name]) for name in stored.files]
    loaded = [jax.random.wrap_key_data(x) if k else x for x, k in zip(arrays, is_key, strict=True)]
    assert same(straight, run(bench, jax.tree.unflatten(structure, loaded), 18, rng))


def test_no_value_of_parameters_or_layout_recompiles(busy_options):
    bench = busy_options
    state = bench.start(7)
    none = jnp.zeros((bench.shape.num_ops, 8), jnp.int32)
    rest = jnp.zeros(bench.shape.num_agents, jnp.int32)
    bench.step(state, rest, none, bench.params, bench.layout)
    num_traces = bench.num_traces
    for numbers in (bench.params, bench.layout):
        leaves, structure = jax.tree.flatten(numbers)
        changed = [~x if x.dtype == bool else x + jnp.ones((), x.dtype) for x in leaves]
        other = jax.tree.unflatten(structure, changed)
        is_params = numbers is bench.params
        bench.step(
            state,
            rest,
            none,
            other if is_params else bench.params,
            bench.layout if is_params else other,
        )
    assert bench.num_traces == num_traces


def test_a_town_in_a_batch_lives_as_it_would_alone(busy_options):
    bench = busy_options
    batched = jax.jit(
        jax.vmap(functools.partial(step, bench.shape), in_axes=(0, 0, None, None, None)),
        compiler_options=QUICK,
    )
    states = [bench.start(seed) for seed in range(3)]
    towns = jax.tree.map(lambda *x: jnp.stack(x), *states)
    rng, no_rows = np.random.default_rng(8), jnp.zeros((bench.shape.num_ops, 8), jnp.int32)
    for _ in range(60):
        actions = jnp.asarray(np.stack([actions_of(rng, bench.shape) for _ in states]))
        towns, events = batched(towns, actions, None, bench.params, bench.layout)
        for i in range(len(states)):
            states[i], alone = bench.step(
                states[i], actions[i], no_rows, bench.params, bench.layout
            )
            assert same(jax.tree.map(lambda x, i=i: x[i], events), alone)
    for i, state in enumerate(states):
        assert same(jax.tree.map(lambda x, i=i: x[i], towns), state)


@pytest.mark.acceptance
def test_a_step_is_the_same_without_compilation(busy_options):
    bench, rng = busy_options, np.random.default_rng(9)
    state = run(bench, bench.start(9), 60, rng)
    ops = jnp.zeros((bench.shape.num_ops, 8), jnp.int32)
    for _ in range(3):
        actions = jnp.asarray(actions_of(rng, bench.shape))
        compiled = bench.step(state, actions, ops, bench.params, bench.layout)
        plain = step(bench.shape, state, actions, ops, bench.params, bench.layout)
        assert same(compiled, plain)
        state = compiled[0]


def test_a_state_is_small_and_a_step_is_short(busy_options):
    bench = busy_options
    state = bench.start(0)
    per_agent = sum(
        x.nbytes for x in jax.tree.leaves(state) if not jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
    )
    assert per_agent <= 8 * 1024
    actions = jnp.full(bench.shape.num_agents, NONE, jnp.int32)
    jaxpr = jax.make_jaxpr(functools.partial(step, bench.shape, ops=None))(
        state, actions, params=bench.params, layout=bench.layout
    )
    assert count(jaxpr.jaxpr) <= MAX_EQUATIONS


def count(jaxpr):
    """Counts equations, those of inner functions included."""
    inner = [
        sub
        for e in jaxpr.eqns
        for sub in jax.tree.leaves(list(e.params.values()), is_leaf=is_jaxpr)
    ]
    return len(jaxpr.eqns) + sum(count(getattr(x, "jaxpr", x)) for x in inner if is_jaxpr(x))


def is_jaxpr(x):
    return hasattr(x, "eqns") or hasattr(x, "jaxpr")


def test_the_scripted_policy_agrees_with_its_twin(busy_options):
    from townlet_jax.town.policies import scripted
    from townlet_jax.town.view import look

    bench = busy_options
    choose = jax.jit(
        lambda state, mask: scripted(
            None,
            look(bench.shape, state, bench.params, bench.layout),
            state,
            mask,
            bench.params,
            bench.layout,
        )
    )
    params, layout = twin.plain(bench.params), twin.plain(bench.layout)
    state, rng = bench.start(10), np.random.default_rng(10)
    none = jnp.zeros((bench.shape.num_ops, 8), jnp.int32)
    for _ in range(150):
        chosen = choose(state, bench.mask(state, bench.params, bench.layout))
        expected = policy.scripted(bench.shape, twin.from_state(state), params, layout)
        np.testing.assert_array_equal(chosen, expected)
        is_swayed = rng.random(bench.shape.num_agents) < 0.2
        actions = jnp.where(is_swayed, actions_of(rng, bench.shape), chosen)
        state, _ = bench.step(state, actions, none, bench.params, bench.layout)
