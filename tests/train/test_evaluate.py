"""What an evaluation notes, against the same town lived tick by tick in a plain loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.train.conftest import MORTAL, QUICK, small_town
from townlet_jax.config.town_params import REWARD_STAGES
from townlet_jax.env.stats import fitness_of_day
from townlet_jax.state import ExitReason
from townlet_jax.state.clock import Purpose, Stream
from townlet_jax.state.rewards import empty_rewards
from townlet_jax.town.decide import Decision, settle
from townlet_jax.town.draws import purpose_key
from townlet_jax.town.init import init
from townlet_jax.town.intents import follows_schedule
from townlet_jax.town.masks import action_mask
from townlet_jax.town.metrics import DayKpi, day_kpi, kpi
from townlet_jax.town.options import Option
from townlet_jax.town.policies import POLICIES
from townlet_jax.town.reward import reward
from townlet_jax.town.step import step
from townlet_jax.town.view import look
from townlet_jax.train import evaluate as module
from townlet_jax.train.evaluate import Mind, evaluate

DAY, DAYS, WINDOW, SEEDS = 240, 2, 6, (10_001, 10_000)
SHORT = (
    *MORTAL,
    f"time.ticks_per_day={DAY}",
    f"policy.decide_every={WINDOW}",
    "jobs.shopkeeper.start_tick=80",
    "jobs.shopkeeper.end_tick=140",
    "economy.restock_tick=50",
    "lifecycle.exit_cooldown_ticks=20",
    "lifecycle.max_exits_per_day=3",
)
"""Days of four hours; residents faint within minutes, and exits wait for their turn."""
FIGURES = tuple(DayKpi.__dataclass_fields__)


@pytest.fixture(scope="module")
def short():
    return small_town(*SHORT)


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Compiles in half the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "compiler_options", lambda: QUICK)
        module._runner.cache_clear()
        yield
    module._runner.cache_clear()


@pytest.fixture(scope="module")
def lives(short):
    return evaluate(short, Mind("random"), SEEDS, DAYS)


@pytest.fixture(scope="module")
def bench(short):
    """Returns compiled functions of one town: start, choose, live one tick, read a day."""
    shape, params, layout = short.shape, short.params, short.layout

    def choose(state):
        view = look(shape, state, params, layout)
        mask = action_mask(shape, view, state, params, layout)
        key = purpose_key(state.clock, Stream.POLICY, Purpose.ACTION_SAMPLE)
        action = POLICIES["random"](key, view, state, mask, params, layout)
        is_valid = state.agents.is_alive & ~state.agents.is_leaving
        return action, is_valid & ~follows_schedule(state, layout)

    def live(state, rewards, action):
        state, events = step(shape, state, action, None, params, layout)
        rewards, paid = reward(rewards, state, events, params)
        decision = Decision(action=action, is_done=jnp.zeros_like(state.agents.is_alive))
        is_over = settle(shape, decision, state, events, params, layout).is_done
        is_exited = events.lifecycle.exited != ExitReason.NONE
        return state, rewards, paid, is_over, is_exited

    def read(state, day_reward):
        figures = day_kpi(state.metrics, state.relationships, params)
        return figures, fitness_of_day(day_reward, state, params), kpi(state, params)

    def begin(seed):
        return init(shape, jax.random.key(seed), params, layout)

    return [jax.jit(f, compiler_options=QUICK) for f in (begin, choose, live, read)]


def lived(town, bench, seed):
    """Lives the days of one town under the random policy; returns what a diary should hold."""
    begin, choose, live, read = bench
    num_agents, discount = town.shape.num_agents, float(town.params.rewards.discount)
    state, rewards = begin(jnp.uint32(seed)), empty_rewards(town.shape)
    found = {
        "terms": np.zeros((DAYS, 11)),
        "living": np.zeros((DAYS, 24), int),
        "needs": np.zeros((DAYS, 24, 3)),
        "low_needs": np.zeros((DAYS, 24, 3), int),
        "options": np.zeros((24, 7), int),
        "returns": np.zeros(num_agents),
        "is_first_life": np.array(state.agents.is_alive),
        "fitness": np.zeros(DAYS),
        "days": [],
        "ticks": [],
        "actions": [],
        "levels": [],
        "num_exits": 0,
    }
    day_reward = np.zeros(num_agents)
    for tick in range(DAYS * DAY):
        if tick % WINDOW == 0:
            action, is_valid = jax.device_get(choose(state))
            is_done = np.zeros(num_agents, bool)
            day, hour = tick // DAY, tick % DAY * 24 // DAY
            for code in action[is_valid]:
                found["options"][hour, code] += 1
            found["ticks"].append(tick)
            found["actions"].append(action)
            found["levels"].append(np.array(state.needs.level))
            counts = is_valid.copy()
        taken = np.where(is_done, Option.REST, action).astype(np.int32)
        state, rewards, paid, is_over, is_exited = live(state, rewards, jnp.asarray(taken))
        is_done |= np.array(is_over)
        is_alive, level = np.array(state.agents.is_alive), np.array(state.needs.level)
        total, is_exited = np.array(paid.total, np.float64), np.array(is_exited)
        found["terms"][day] += np.array(paid.breakdown, np.float64).sum(axis=0)
        found["living"][day, hour] += is_alive.sum()
        found["needs"][day, hour] += level[is_alive].sum(axis=0)
        found["low_needs"][day, hour] += (level[is_alive] <= 0.3).sum(axis=0)
        earns = counts & found["is_first_life"]
        found["returns"] += np.where(earns, discount**tick * total, 0)
        day_reward += np.where(counts, total, 0)
        counts &= ~is_exited
        found["is_first_life"] &= ~(is_exited & earns)
        found["num_exits"] += is_exited.sum()
        if (tick + 1) % DAY == 0:
            figures, fitness, _ = read(state, jnp.asarray(day_reward, jnp.float32))
            found["days"].append(jax.device_get(figures))
            found["fitness"][day] = np.mean(fitness)
            day_reward[:] = 0
    charter = read(state, jnp.zeros(num_agents))[2]
    found["tenure_late"] = [charter.tenure_days, charter.lateness_rate]
    found["state"] = jax.device_get(state.replace(clock=None))
    return found


@pytest.mark.acceptance
@pytest.mark.parametrize("i", [0, 1])
def test_a_diary_is_what_a_plain_loop_finds(short, lives, bench, i):
    found = lived(short, bench, SEEDS[i])
    diary = jax.tree.map(lambda x: x[i], lives.diary)
    assert found["num_exits"] > 1, "lives must end, or this shows nothing"
    assert not found["is_first_life"].all()
    for name in ("living", "low_needs", "options", "is_first_life"):
        assert_array_equal(getattr(diary, name), found[name], err_msg=name)
    assert_allclose(diary.needs, found["needs"], rtol=1e-4)
    assert_allclose(diary.terms, found["terms"], rtol=1e-4, atol=1e-4)
    assert_allclose(diary.returns, found["returns"], rtol=1e-4, atol=1e-5)
    assert_allclose(diary.tenure_late, found["tenure_late"], rtol=1e-6)
    # Rewards of a day are discounted within each decision, hardly at all.
    assert_allclose(diary.fitness, found["fitness"], atol=2e-3)
    for name in FIGURES:
        days = [getattr(day, name) for day in found["days"]]
        assert_allclose(getattr(diary.days, name), days, rtol=1e-5, err_msg=name)
    ties = jax.tree.map(lambda x: x[i], lives.relationships)
    jax.tree.map(assert_array_equal, ties, found["state"].relationships)
    if i == 0:
        assert_array_equal(lives.watched["tick"], found["ticks"])
        assert_array_equal(lives.watched["action"], found["actions"])
        assert_array_equal(lives.watched["level"], found["levels"])
        jax.tree.map(assert_array_equal, lives.town.replace(clock=None), found["state"])


@pytest.mark.acceptance
def test_decisions_come_every_few_ticks(lives):
    assert lives.watched["tick"].tolist() == list(range(0, DAYS * DAY, WINDOW))
    num_rows = DAYS * DAY // WINDOW * lives.watched["action"].shape[1]
    assert (lives.diary.options.sum(axis=(1, 2)) <= num_rows).all()
    assert lives.seeds == SEEDS and lives.num_days == DAYS


@pytest.mark.acceptance
def test_a_town_lives_alike_alone_and_among_others(short, lives):
    alone = evaluate(short, Mind("random"), SEEDS[:1], DAYS)

    def same(one, many):
        assert_array_equal(one[0], many[0])

    for name in ("living", "low_needs", "options", "is_first_life"):
        same(getattr(alone.diary, name), getattr(lives.diary, name))
    for name in ("needs", "terms", "returns", "fitness", "tenure_late"):
        assert_allclose(getattr(alone.diary, name)[0], getattr(lives.diary, name)[0], rtol=1e-5)
    jax.tree.map(same, alone.diary.days, lives.diary.days)
    jax.tree.map(same, alone.relationships, lives.relationships)
    jax.tree.map(assert_array_equal, alone.watched, lives.watched)
    jax.tree.map(assert_array_equal, alone.town, lives.town)


@pytest.mark.acceptance
def test_the_stage_of_social_rewards(short, lives):
    """Rewards change, lives do not: built-in policies do not look at them."""
    assert short.config.features.stages.social_rewards == REWARD_STAGES[0]
    social = evaluate(short, Mind("random"), SEEDS, DAYS, stage="C3")
    assert_array_equal(social.watched["action"], lives.watched["action"])
    assert_array_equal(social.diary.living, lives.diary.living)
    has_chatted = lives.diary.days.chats_per_resident.sum() > 0
    assert (lives.diary.terms[..., 5] == 0).all()
    assert (social.diary.terms[..., 5] != 0).any() == has_chatted
