"""What holds of every reward: random ticks against the oracle, tapes of ticks, and lived lives."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.town.conftest import QUICK
from tests.town.reward_oracle import expected
from tests.town.rewarded_towns import (
    C3,
    DEFAULTS,
    FRESH,
    OFF,
    SLOTS,
    before,
    column,
    happened,
    jitted,
    params,
    plain,
    town,
)
from townlet_jax.masked import NONE
from townlet_jax.state import ExitReason
from townlet_jax.state.rewards import empty_rewards
from townlet_jax.town.orders import Op
from townlet_jax.town.reward import Term, reward

NUM_CASES = 120
NEAR = {"rtol": 0, "atol": 1e-6}
RAW = slice(Term.SURVIVAL, Term.SOCIAL_C3 + 1)
DAY = 24


def random_numbers(rng, **changes):
    """Draws numbers under which clips, budget and guard all matter."""
    drawn = {
        "survival_tick": rng.uniform(0, 0.1),
        "homeostasis_scale": rng.uniform(0, 0.05),
        "wage_weight": rng.uniform(0, 10),
        "social_stage": rng.integers(4),
        "c3_quality_gain": rng.uniform(0, 1),
        "override_deficit": rng.uniform(0.5, 1),
        "use_potential": rng.random() < 0.8,
        "discount": rng.uniform(0.9, 1),
        "clip_per_tick": rng.choice([0.05, 0.2, 1.0]),
        "clip_per_episode": rng.choice([1.0, 1.0, 1.0, 100.0]),
        "no_positive_within_death_ticks": rng.integers(0, 60),
        "has_bias": rng.random() < 0.5,
    }
    made = params(**{**drawn, **changes})
    return made.replace(time=made.time.replace(ticks_per_day=np.int32(DAY)))


def random_tick(rng, tick):
    """Draws the memory, the town and the events of a tick; what contradicts itself is left out."""
    fate = rng.choice(6, SLOTS, p=[0.6, 0.1, 0.08, 0.06, 0.06, 0.1])  # reasons; 5 may be approved
    collapsed = (fate == ExitReason.FAINT) & (rng.random(SLOTS) < 0.7)
    exited = np.where((fate != 0) & (rng.random(SLOTS) < 0.4), fate, 0)
    state = town(
        tick,
        level=rng.random((SLOTS, 3)),
        reason=fate,
        low_hunger=rng.integers(0, 40, SLOTS) * (rng.random(SLOTS) < 0.4),
        alive=rng.random(SLOTS) < 0.9,
        profile=rng.integers(NONE, 4, SLOTS),
    )
    pair = rng.permutation(SLOTS)[:2]
    quality = None if rng.random() < 0.3 else rng.random()
    events = happened(
        rng.random((SLOTS, 3)),
        chats=[(*pair, quality)],
        settled=rng.uniform(-1, 1, (SLOTS, 2)),
        wage_paid=rng.choice([0, 0.03], SLOTS),
        wage_withheld=rng.choice([0, 0.03], SLOTS),
        first_presence=rng.integers(NONE, 9, SLOTS),
        collapsed=collapsed,
        exited=exited,
        spawned=rng.random(SLOTS) < 0.05,
        avoided=rng.random(SLOTS) < 0.3,
    )
    memory = before(rng.uniform(-1, 1, SLOTS), rng.random(SLOTS) < 0.1)
    return memory, state, events


@functools.cache
def cases():
    rng = np.random.default_rng(11)
    return [
        (*random_tick(rng, int(rng.integers(0, 3 * DAY))), random_numbers(rng))
        for _ in range(NUM_CASES)
    ]


def stacked(trees):
    """Stacks trees of arrays."""
    return jax.tree.map(lambda *x: np.stack(x), *trees)


@functools.cache
def batched():
    return jax.jit(jax.vmap(reward), compiler_options=QUICK)(*stacked(cases()))


def test_agrees_with_the_oracle():
    after, made = batched()
    num_causes = np.zeros(3, int)
    for i, case in enumerate(cases()):
        counted = np.zeros(3, int)
        residents = expected(*case)
        for a, resident in enumerate(residents):
            assert_allclose(made.breakdown[i, a], resident.terms, rtol=0, atol=2e-6)
            assert_allclose(after.day_total[i, a], resident.day_total, rtol=0, atol=2e-6)
            assert after.has_fainted[i, a] == resident.has_fainted
            counted += resident.causes
        if min(resident.margin for resident in residents) > 1e-5:
            assert_array_equal(after.clip_events[i], counted)
            num_causes += counted
    assert (num_causes >= 10).all()


def test_a_batch_rewards_as_each_town_alone():
    after, made = batched()
    for i, case in enumerate(cases()[:30]):
        one = jitted(*case)
        chex.assert_trees_all_equal(one, jax.tree.map(lambda x, i=i: x[i], (after, made)))


def test_plain_equals_compiled():
    for case in cases()[:4]:
        chex.assert_trees_all_equal(plain(*case), jitted(*case))


def test_every_total_is_the_sum_of_its_terms_within_its_bounds():
    _, made = batched()
    broken, terminal = np.asarray(made.breakdown), column(made, Term.TERMINAL)
    assert_allclose(broken[..., : Term.TOTAL].sum(axis=-1), made.total, **NEAR)
    assert_array_equal(broken[..., Term.TOTAL], made.total)
    for i, (_, state, _, numbers) in enumerate(cases()):
        under_limit = np.asarray(made.total[i]) - terminal[i]
        assert (np.abs(under_limit) <= numbers.rewards.clip_per_tick + 1e-6).all()
        is_flagged = np.asarray(state.lifecycle.exit_reason) != ExitReason.NONE
        assert (under_limit[is_flagged] <= 1e-6).all()
        stage = int(numbers.rewards.social_stage)
        assert not broken[i, :, Term.SOCIAL_C1 + stage : Term.SOCIAL_C3 + 1].any()
        assert not broken[i, ~np.asarray(state.agents.is_alive)].any()


def test_other_residents_matter_only_through_chats():
    rng = np.random.default_rng(5)
    for _ in range(10):
        (memory, state, events), (_, other_state, other) = (random_tick(rng, 7) for _ in range(2))

        def mixed(mine, theirs):
            def mix(x, y):
                is_by_resident = x.ndim > 0 and x.shape[0] == SLOTS
                return np.concatenate([x[:1], y[1:]]) if is_by_resident else x

            return jax.tree.map(mix, mine, theirs)

        numbers = random_numbers(rng)
        changed = mixed(events, other).replace(chat=events.chat)
        town_after = mixed(state, other_state)
        _, one = jitted(memory, state, events, numbers)
        _, two = jitted(memory, town_after, changed, numbers)
        assert_array_equal(one.breakdown[0], two.breakdown[0])


@pytest.mark.parametrize("seed", range(3))
def test_the_budget_of_a_day_holds(seed):
    rng = np.random.default_rng(seed)
    numbers = random_numbers(rng, clip_per_episode=1, clip_per_tick=1)
    memory, day = FRESH, np.zeros(SLOTS)
    for tick in range(3 * DAY):
        _, state, events = random_tick(rng, tick)
        fate = np.zeros(SLOTS, np.int32)
        lives = events.lifecycle.replace(
            exited=fate, collapsed=fate.astype(bool), spawned=fate.astype(bool)
        )
        state = state.replace(lifecycle=state.lifecycle.replace(exit_reason=fate))
        memory, made = jitted(memory, state, events.replace(lifecycle=lives), numbers)
        day = np.asarray(made.total, np.float64) + (0 if tick % DAY == 0 else day)
        assert (np.abs(day) <= 1 + 1e-5).all()
        assert (np.abs(np.asarray(memory.day_total)) <= 1).all()
    assert memory.clip_events[1] > 0


@pytest.mark.parametrize("is_ending", [False, True])
def test_shaping_telescopes(is_ending):
    rng = np.random.default_rng(3)
    levels = rng.random((31, SLOTS, 3)).astype(np.float32)
    fate = ExitReason.EVICTION if is_ending else 0
    weights, gamma = np.array([1, 0.6, 0.8]), float(DEFAULTS.rewards.discount)
    phi = -0.5 * ((1 - levels) @ weights)
    total = np.zeros(SLOTS)
    for k in range(30):
        last = fate if k == 29 else 0
        state, events = town(k, level=levels[k + 1]), happened(levels[k], exited=last)
        total += gamma**k * column(jitted(FRESH, state, events, DEFAULTS)[1], Term.SHAPING)
    assert_allclose(total, (0 if is_ending else gamma**30 * phi[30]) - phi[0], rtol=0, atol=1e-5)


def test_one_compile_serves_all_numbers():
    traced = jax.jit(chex.assert_max_traces(reward, n=1), compiler_options=QUICK)
    for stage in range(OFF, C3 + 1):
        for gate in (False, True):
            traced(FRESH, town(), happened(), params(social_stage=stage, has_bias=gate))


@pytest.fixture(scope="module")
def lived(busy_primitives):
    """Lives and rewards a tick of a real town in which nothing but the residents disturbs."""
    bench = busy_primitives
    quiet = jnp.zeros_like(bench.params.perturbations.prob_per_day)
    numbers = bench.params.replace(
        perturbations=bench.params.perturbations.replace(prob_per_day=quiet)
    )
    pay = jax.jit(reward, compiler_options=QUICK)

    def tick(memory, state, *rows, seed=0):
        ops = np.zeros((bench.shape.num_ops, 8), np.int32)
        for q, row in enumerate(rows):
            ops[q, : len(row)] = row
        actions = np.random.default_rng(seed).integers(0, 6, bench.shape.num_agents)
        actions = jnp.asarray(actions, jnp.int32)
        state, events = bench.step(state, actions, jnp.asarray(ops), numbers, bench.layout)
        memory, made = pay(memory, state, events, numbers)
        return memory, state, events, made

    return bench, empty_rewards(bench.shape), tick


def at_midnight(state, day, last_exit_tick):
    """Sets the clock, and the last exit, by which the next one is held back."""
    return state.replace(
        clock=state.clock.replace(tick=jnp.int32(day)),
        lifecycle=state.lifecycle.replace(last_exit_tick=jnp.int32(last_exit_tick)),
    )


def with_level(state, level, who=slice(None)):
    return state.replace(needs=state.needs.replace(level=state.needs.level.at[who].set(level)))


def test_nothing_is_earned_between_notice_and_eviction(lived):
    """EX-REW-18: flagged at midnight, leaves 40 ticks later, well fed to the last."""
    bench, memory, tick = lived
    a, day, cooldown = 1, 200, int(bench.params.lifecycle.exit_cooldown_ticks)
    state = at_midnight(bench.start(), day, day + 40 - cooldown)
    unpaid = state.economy.unpaid_days.at[a].set(bench.params.economy.days_unpaid)
    state = state.replace(
        economy=state.economy.replace(unpaid_days=unpaid),
        agents=state.agents.replace(wallet=state.agents.wallet.at[:].set(5.0).at[a].set(0.0)),
    )
    best = 0.0
    for k in range(41):
        memory, state, events, made = tick(memory, with_level(state, 0.95), seed=k)
        best = max(best, float(made.total[2]))
        terms = np.asarray(made.breakdown[a])
        assert state.lifecycle.exit_reason[a] == ExitReason.EVICTION
        assert terms[RAW].sum() > 0 and made.total[a] == (-2 if k == 40 else 0)
        assert (events.lifecycle.exited[a] == ExitReason.EVICTION) == (k == 40)
    assert best > 0 and memory.clip_events[2] >= 41
    memory, state, _, made = tick(memory, state)
    assert not state.agents.is_alive[a] and not np.asarray(made.breakdown[a]).any()


def test_a_level_set_by_hand_does_not_shape(lived):
    """EX-REW-17."""
    bench, memory, tick = lived
    state = with_level(bench.start(), 0.2)
    _, state, events, made = tick(memory, state, (Op.SET_NEED, 0, 0, 9000))
    assert_allclose(events.level_before[0, 0], 0.9, **NEAR)
    assert state.needs.level[0, 0] > 0.85 and abs(made.breakdown[0, Term.SHAPING]) < 0.02


def test_the_killed_pay_nothing_and_earn_nothing(lived):
    bench, memory, tick = lived
    _, state, events, made = tick(memory, with_level(bench.start(), 0.9), (Op.KILL, 2))
    assert events.lifecycle.exited[2] == ExitReason.KILLED and state.agents.is_leaving[2]
    assert made.breakdown[2, Term.TERMINAL] == 0 and made.total[2] == 0
    assert made.breakdown[2, Term.SHAPING] > 0.1


def test_a_collapse_is_paid_once_even_if_the_exit_is_ordered(lived):
    bench, memory, tick = lived
    a, patience = 0, int(bench.params.lifecycle.collapse_ticks)
    state = at_midnight(with_level(bench.start(), 0.9), 7, 1000)
    for k in range(patience):
        state = with_level(state, 0.0, (a, 0))
        memory, state, events, made = tick(memory, state, seed=k)
        assert (made.total[a] == -1) == (k == patience - 1) == bool(events.lifecycle.collapsed[a])
    memory, state, events, made = tick(memory, state)
    assert not np.asarray(made.breakdown[a]).any()
    memory, state, events, made = tick(memory, state, (Op.EXIT_APPROVE, a))
    assert events.lifecycle.exited[a] == ExitReason.MANUAL_APPROVE
    assert not np.asarray(made.breakdown[a]).any()
