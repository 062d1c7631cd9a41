import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct
from hypothesis import given
from hypothesis import strategies as st

from tests.train.conftest import QUICK, params_with, small_town
from townlet_jax.town.init import init
from townlet_jax.town.options import OWN_ROLES, Option
from townlet_jax.town.policies import NEED_OPTIONS
from townlet_jax.train.option import REST, policy_mask, window
from townlet_jax.train.types import Choice, Outcome

GAMMA = 0.9
NOW = 100
"""[tick] The moment of the towns here."""


class Diary(struct.PyTreeNode):
    """The tick of a script, and what residents were made to do, int32 `[ticks, A]`."""

    tick: jax.Array
    done: jax.Array


@dataclasses.dataclass(frozen=True)
class Script:
    """A world in which everything happens at its tick; one row per tick, one column per resident.

    Attributes:
      reward: what is earned. exits, overs, resets: `(tick, resident)` pairs.
    """

    reward: tuple
    exits: tuple = ()
    overs: tuple = ()
    resets: tuple = ()

    def start(self):
        shape = np.shape(self.reward)
        return Diary(tick=jnp.int32(0), done=jnp.full(shape, -1, jnp.int32))

    def step(self, state, action, numbers):
        def at(pairs):
            table = np.zeros(np.shape(self.reward), bool)
            for pair in pairs:
                table[pair] = True
            return jnp.asarray(table)[state.tick]

        outcome = Outcome(
            reward=jnp.asarray(self.reward, jnp.float32)[state.tick],
            is_exited=at(self.exits),
            is_over=at(self.overs),
            is_reset=at(self.resets),
            stats={"ticks": jnp.int32(1)},
        )
        return Diary(state.tick + 1, state.done.at[state.tick].set(action)), outcome


def live(script, is_valid=(True,), num_ticks=5, gamma=GAMMA, start=None):
    """Lives one window in which everybody is set on action 3."""
    run = jax.jit(functools.partial(window, script, num_ticks), compiler_options=QUICK)
    start = script.start() if start is None else start
    action = jnp.full(len(is_valid), 3, jnp.int32)
    return run(start, action, jnp.array(is_valid), (), jnp.float32(gamma))


def one_per_tick(num_ticks=5, num_agents=1):
    return ((1.0,) * num_agents,) * num_ticks


def test_rewards_are_discounted_to_the_decision():
    state, found, stats = live(Script(one_per_tick()))
    np.testing.assert_allclose(found.reward, [4.0951], rtol=1e-6)
    assert not found.is_terminated.any() and not found.is_done.any() and not found.is_reset.any()
    assert state.tick == stats["ticks"] == 5
    assert state.done.tolist() == [[3]] * 5


def test_rewards_count_up_to_the_exit():
    state, found, _ = live(Script(one_per_tick(), exits=((2, 0),)))
    np.testing.assert_allclose(found.reward, [2.71], rtol=1e-6)
    assert found.is_terminated.tolist() == [True]
    assert state.tick == 5, "the town lives on"


def test_window_of_a_vacant_slot_counts_for_nothing():
    script = Script(one_per_tick(), resets=((3, 0),), overs=((3, 0),), exits=((4, 0),))
    state, found, _ = live(script, is_valid=(False,))
    assert found.reward.tolist() == [0.0]
    assert not found.is_terminated.any()
    assert found.is_reset.all(), "the newcomer has no memory"
    assert state.done[:, 0].tolist() == [3, 3, 3, 3, REST], "and rests until it decides"


def test_shaping_adds_up_to_the_difference_of_potentials():
    potential = [-1.0, -0.3, -2.0, 0.0, -0.9, -0.5]
    shaped = tuple((GAMMA * potential[j + 1] - potential[j],) for j in range(5))
    _, found, _ = live(Script(shaped))
    np.testing.assert_allclose(found.reward, [GAMMA**5 * -0.5 + 1], rtol=1e-5)


def test_completed_choice_gives_way_to_rest():
    state, found, _ = live(Script(one_per_tick(), overs=((1, 0),)))
    assert found.is_done.all()
    assert state.done[:, 0].tolist() == [3, 3, REST, REST, REST]
    np.testing.assert_allclose(found.reward, [4.0951], rtol=1e-6)


def test_residents_do_not_touch_each_other():
    script = Script(one_per_tick(5, 3), exits=((2, 1),), overs=((0, 2),), resets=((4, 0),))
    state, found, _ = live(script, is_valid=(True, True, True))
    np.testing.assert_allclose(found.reward, [4.0951, 2.71, 4.0951], rtol=1e-6)
    assert found.is_terminated.tolist() == [False, True, False]
    assert found.is_done.tolist() == [False, False, True]
    assert found.is_reset.tolist() == [True, False, False]
    assert state.done[1].tolist() == [3, 3, REST]


def test_windows_of_one_tick_are_ticks():
    """Rewards have few digits here: a product is rounded by a bit before it is added."""
    rewards = tuple((round(x * 64) / 64,) for x in np.random.default_rng(0).normal(size=4))
    script = Script(rewards, exits=((2, 0),), overs=((1, 0),))
    state = plain = script.start()
    for _ in range(4):
        state, found, _ = live(script, num_ticks=1, start=state)
        plain, outcome = script.step(plain, jnp.full(1, 3, jnp.int32), ())
        assert found.reward == outcome.reward
        assert found.is_terminated == outcome.is_exited
        assert found.is_done == outcome.is_over
    assert (state.done == plain.done).all()


def test_towns_equal_a_loop():
    script = Script(one_per_tick(5, 2), exits=((2, 1),))
    starts = [script.start().replace(tick=jnp.int32(t)) for t in (0, 2)]
    run = functools.partial(live, script, (True, True), 3)
    together = jax.vmap(lambda s: run(start=s))(jax.tree.map(lambda *x: jnp.stack(x), *starts))
    for i, start in enumerate(starts):
        jax.tree.map(
            lambda a, b, i=i: np.testing.assert_array_equal(a[i], b), together, run(start=start)
        )


class Masks:
    """A town at a moment in which residents 0, 1, 2 run nothing, unless told otherwise."""

    def __init__(self):
        town = small_town()
        self.layout = town.layout
        start = jax.jit(functools.partial(init, town.shape), compiler_options=QUICK)
        state = start(jax.random.key(0), town.params, town.layout)
        self.state = state.replace(clock=state.clock.replace(tick=jnp.int32(NOW)))
        self.narrow = jax.jit(policy_mask, compiler_options=QUICK)

    def row(self, role):
        return int(np.flatnonzero(self.layout.objects.is_role[role])[0])

    def with_use(self, rows, affordances=None):
        affordances = rows if affordances is None else affordances
        use = self.state.use.replace(
            obj=jnp.array(rows, jnp.int32), affordance=jnp.array(affordances, jnp.int32)
        )
        return self.state.replace(use=use)

    def at(
        self,
        state=None,
        levels=0.5,
        mask=None,
        actions=(0, 0, 0),
        since=(NOW - 5,) * 3,
        is_done=(False,) * 3,
        has_chosen=(True,) * 3,
        is_reset=(False,) * 3,
        satisfied=2.0,
        commit=0,
        hard=0.15,
    ):
        """Returns what is legal, bool `[3, 7]`."""
        state = self.state if state is None else state
        levels = jnp.asarray(np.broadcast_to(np.float32(levels), (3, 3)))
        state = state.replace(needs=state.needs.replace(level=levels))
        choice = Choice(
            action=jnp.array(actions, jnp.int32),
            tick=jnp.array(since, jnp.int32),
            is_done=jnp.array(is_done),
            has_chosen=jnp.array(has_chosen),
        )
        mask = jnp.ones((3, 7), bool) if mask is None else jnp.asarray(mask)
        params = params_with(option_commit_ticks=commit, hard_need_level=hard)
        legal = self.narrow(
            mask, state, choice, jnp.array(is_reset), jnp.float32(satisfied), params, self.layout
        )
        return np.asarray(legal)


@pytest.fixture(scope="module")
def masks():
    return Masks()


def asleep(masks, who=0):
    """Returns the town with one resident in bed."""
    rows = [-1, -1, -1]
    rows[who] = masks.row(OWN_ROLES[Option.SLEEP][0])
    return masks.with_use(rows, [-1, -1, -1])


def test_satisfied_needs_hide_their_option(masks):
    levels = [[0.95, 0.5, 0.5], [0.5, 0.9, 0.5], [0.89, 0.89, 1.0]]
    legal = masks.at(levels=levels, satisfied=0.9)
    hidden = [np.flatnonzero(~row).tolist() for row in legal]
    assert hidden == [[Option.GET_FED], [Option.GET_CLEAN], [Option.SLEEP]]


@pytest.mark.parametrize("level", [1.0, 2.0])
def test_satisfied_level_of_1_hides_nothing(masks, level):
    assert masks.at(levels=1.0, satisfied=level).all()


def test_running_option_is_never_hidden(masks):
    legal = masks.at(asleep(masks), levels=1.0, satisfied=0.5)
    assert legal[0, Option.SLEEP]
    assert not legal[1:, Option.SLEEP].any()
    assert not legal[:, Option.GET_FED].any()


def test_illegal_stays_illegal(masks):
    mask = np.zeros((3, 7), bool)
    mask[:, 0] = True
    np.testing.assert_array_equal(masks.at(asleep(masks), mask=mask, satisfied=0.5), mask)
    legal = masks.at(asleep(masks), mask=mask, actions=[Option.SLEEP] * 3, commit=50)
    np.testing.assert_array_equal(legal, mask)


ASLEEP = {"actions": (Option.SLEEP,) * 3, "commit": 20}


def test_running_option_binds_for_a_while(masks):
    legal = masks.at(asleep(masks), **ASLEEP)
    assert np.flatnonzero(legal[0]).tolist() == [Option.SLEEP]
    assert legal[1:].all(), "the others run nothing"


@pytest.mark.parametrize("age, binds", [(0, True), (19, True), (20, False), (21, False)])
def test_commitment_runs_out(masks, age, binds):
    legal = masks.at(asleep(masks), since=(NOW - age,) * 3, **ASLEEP)
    assert legal[0].all() != binds


def test_commitment_is_off_by_default(masks):
    assert masks.at(asleep(masks), since=(NOW,) * 3, actions=(Option.SLEEP,) * 3).all()


@pytest.mark.parametrize(
    "release",
    [
        {"is_done": (True,) * 3},
        {"is_reset": (True,) * 3},
        {"has_chosen": (False,) * 3},
        {"levels": [[0.1, 0.5, 0.5]] * 3},
        {"levels": [[0.5, 0.1, 0.1]] * 3},
        {"actions": (Option.COOK,) * 3},
    ],
    ids=["completed", "reset", "new life", "hungry", "dirty", "chosen something else"],
)
def test_nothing_binds_after(masks, release):
    assert masks.at(asleep(masks), **{**ASLEEP, **release})[0].all()


def test_hard_need_that_is_being_served_binds_on(masks):
    legal = masks.at(asleep(masks), levels=[[0.5, 0.5, 0.1]] * 3, **ASLEEP)
    assert np.flatnonzero(legal[0]).tolist() == [Option.SLEEP]
    legal = masks.at(asleep(masks), levels=[[0.15, 0.15, 0.1]] * 3, **ASLEEP)
    assert np.flatnonzero(legal[0]).tolist() == [Option.SLEEP], "below, not at the level"


def test_work_binds_as_well(masks):
    work = int(masks.layout.jobs.affordance[0])
    if work < 0:
        pytest.skip("nobody works at an object here")
    state = masks.with_use([-1, -1, -1], [work, -1, -1])
    legal = masks.at(state, actions=(Option.GO_TO_WORK,) * 3, commit=20)
    assert np.flatnonzero(legal[0]).tolist() == [Option.GO_TO_WORK]


def narrowed(masks, case):
    """Says the rules a second time, resident by resident."""
    legal = np.array(case["mask"])
    for a in range(3):
        runs = {
            option
            for option, roles in OWN_ROLES.items()
            if any(masks.layout.objects.is_role[role][case["rows"][a]] for role in roles)
            and case["rows"][a] >= 0
        }
        levels = np.float32(case["levels"][a])
        for need, option in enumerate(NEED_OPTIONS):
            is_full = levels[need] >= np.float32(case["satisfied"]) and case["satisfied"] < 1
            if is_full and option not in runs:
                legal[a, option] = False
        own = case["actions"][a]
        others = [levels[need] for need, option in enumerate(NEED_OPTIONS) if option != own]
        binds = own in runs and legal[a, own] and NOW - case["since"][a] < case["commit"]
        binds &= case["has_chosen"][a] and not case["is_done"][a] and not case["is_reset"][a]
        binds &= min(others) >= np.float32(0.15)
        if binds:
            legal[a] = np.arange(7) == own
    return legal


LEVEL = st.sampled_from([0.0, 0.1, 0.15, 0.2, 0.5, 0.7, 0.9, 1.0])
FLAGS = st.lists(st.booleans(), min_size=3, max_size=3)
MASK = st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=3, max_size=3)


def three(of):
    return st.lists(of, min_size=3, max_size=3)


@given(
    st.fixed_dictionaries(
        {
            "levels": three(three(LEVEL)),
            "mask": MASK.map(lambda rows: [[True, *row] for row in rows]),
            "rows": three(st.integers(-1, 9)),
            "actions": three(st.integers(0, 6)),
            "since": three(st.integers(NOW - 30, NOW)),
            "is_done": FLAGS,
            "has_chosen": FLAGS,
            "is_reset": FLAGS,
            "satisfied": st.sampled_from([0.2, 0.5, 0.9, 1.0, 2.0]),
            "commit": st.sampled_from([0, 10, 1000]),
        }
    )
)
def test_masks_equal_those_by_hand_and_leave_a_choice(masks, case):
    num_objects = masks.layout.objects.is_role.shape[1]
    case["rows"] = [min(row, num_objects - 1) for row in case["rows"]]
    arguments = {name: x for name, x in case.items() if name != "rows"}
    legal = masks.at(masks.with_use(case["rows"], [-1, -1, -1]), **arguments)
    np.testing.assert_array_equal(legal, narrowed(masks, case))
    assert legal.any(axis=1).all()
    assert not (legal & ~np.array(case["mask"])).any()
