"""Primitive actions: EX-MASK-1, which row and affordance a use means, illegal codes."""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.town.conftest import QUICK
from townlet_jax.config.layout import PerturbationKind
from townlet_jax.masked import NONE
from townlet_jax.town import primitives as rule
from townlet_jax.town.intents import Kind
from townlet_jax.town.primitives import Primitive
from townlet_jax.town.view import look

BED, CAFE_TABLE, COUNTER, FRIDGE, SHOWER, STOVE = range(Primitive.USE, Primitive.USE + 6)
"""Action codes of the busy town, types in alphabetical order."""
BED_ROWS, FRIDGE_ROW, STOVE_ROW, SHOWER_ROW, COUNTER_ROW = (0, 1), 2, 3, 4, 7
EAT, SLEEP = 1, 3
KITCHEN, MEALS = 1, 0


@pytest.fixture(scope="module")
def town(busy_primitives):
    """The busy town with everybody idle in the far corner, and its compiled controller."""
    shape, params, layout = (
        busy_primitives.shape, busy_primitives.params, busy_primitives.layout,
    )  # fmt: skip

    @functools.partial(jax.jit, compiler_options=QUICK)
    def control(state, action, mask):
        view = look(shape, state, params, layout)
        return rule.control(view, state, action, mask, layout)

    def mask(state):
        return busy_primitives.mask(state, params, layout)

    def intend(state, *actions):
        actions = jnp.array([*actions, *[Primitive.WAIT] * (6 - len(actions))], jnp.int32)
        intents = control(state, actions, mask(state))
        rows = np.stack([intents.kind, intents.target, intents.affordance], axis=1).tolist()
        return rows, intents.is_refused.tolist()

    start = busy_primitives.start()
    start = start.replace(clock=start.clock.replace(tick=jnp.int32(150)))
    return SimpleNamespace(start=start, mask=mask, intend=intend, layout=layout)


def put(state, *cells, wallet=None):
    agents = state.agents
    agents = agents.replace(
        position=agents.position.at[: len(cells)].set(jnp.array(cells, jnp.int32))
    )
    if wallet is not None:
        agents = agents.replace(wallet=agents.wallet.at[0].set(wallet))
    return state.replace(agents=agents)


def queue(state, **fields):
    fields = {name: jnp.array(value, jnp.int32) for name, value in fields.items()}
    return state.replace(queues=state.queues.replace(**fields))


def disturb(state, layout, kind):
    """Starts the first declared perturbation of a kind."""
    spec = int(np.argmax(np.asarray(layout.perturbations.kind) == kind))
    events = state.perturbations
    return state.replace(
        perturbations=events.replace(
            spec=events.spec.at[0].set(spec),
            start_tick=events.start_tick.at[0].set(0),
            end_tick=events.end_tick.at[0].set(1000),
        )
    )


@pytest.mark.parametrize("wallet, fridge", [(0.39, False), (0.4, True)])
def test_money_for_a_meal(town, wallet, fridge):
    """EX-MASK-1."""
    legal = town.mask(put(town.start, (5, 2), wallet=wallet))[0]
    assert legal[FRIDGE] == fridge and legal[STOVE] and legal[SHOWER]
    assert not legal[COUNTER], "not at work"


@pytest.mark.parametrize("kind, stove", [("BLACKOUT", False), ("OUTAGE", True)])
def test_a_dead_utility(town, kind, stove):
    """EX-MASK-1: power for the stove, power and water for the shower."""
    state = disturb(put(town.start, (5, 2)), town.layout, PerturbationKind[kind])
    legal = town.mask(state)[0]
    assert legal[STOVE] == stove and not legal[SHOWER] and legal[FRIDGE]


def test_cooldown_range_and_stock(town):
    near = put(town.start, (5, 2))
    assert not town.mask(put(town.start, (5, 4)))[0, FRIDGE]
    until = near.queues.cooldown_until.at[FRIDGE_ROW, 0].set(1000)
    cooling = near.replace(queues=near.queues.replace(cooldown_until=until))
    assert not town.mask(cooling)[0, FRIDGE] and town.mask(cooling)[0, STOVE]
    stock = near.economy.stock.at[MEALS, KITCHEN].set(0)
    assert not town.mask(near.replace(economy=near.economy.replace(stock=stock)))[0, FRIDGE]
    held = queue(near, holder=[NONE, NONE, 3, *[NONE] * 6])
    assert town.mask(held)[0, FRIDGE], "one may ask for a row that is held"


def test_work_is_used_at_the_own_site_during_the_own_shift(town):
    """Resident 0 is a cook, resident 1 a clerk; both stand at the counter."""
    state = put(town.start, (4, 5), (5, 4))
    state = state.replace(clock=state.clock.replace(tick=jnp.int32(61)))
    legal = town.mask(state)
    assert legal[0, COUNTER] and not legal[1, COUNTER]
    assert town.intend(state, COUNTER)[0][0][:2] == [Kind.USE, COUNTER_ROW]


def test_moves_stay_on_the_map_and_need_free_hands(town):
    corner = put(town.start, (0, 8))
    assert town.mask(corner)[0, Primitive.NORTH : Primitive.CHAT].tolist() == [1, 1, 0, 0]
    assert town.intend(corner, Primitive.EAST)[0][0][:2] == [Kind.MOVE, 1]
    use = corner.use.replace(
        obj=corner.use.obj.at[0].set(FRIDGE_ROW), affordance=corner.use.affordance.at[0].set(EAT)
    )
    busy = town.mask(corner.replace(use=use))[0]
    assert not busy[Primitive.NORTH : Primitive.CHAT].any() and not busy[Primitive.USE :].any()
    assert busy[Primitive.WAIT] and busy[Primitive.LEAVE]


def test_chat_and_leave(town):
    together = put(town.start, (0, 8), (1, 8))
    assert town.mask(together)[0, Primitive.CHAT]
    assert town.intend(together, Primitive.CHAT)[0][0] == [Kind.CHAT, NONE, NONE]
    alone = put(town.start, (0, 8), (8, 8), (8, 0), (4, 4), (4, 0))
    legal = town.mask(alone)[0]
    assert not legal[Primitive.CHAT] and not legal[Primitive.LEAVE]
    waiting = queue(alone, waiting_for=[0, *[NONE] * 5])
    assert town.mask(waiting)[0, Primitive.LEAVE]
    assert town.intend(waiting, Primitive.LEAVE)[0][0][0] == Kind.RELEASE


def test_illegal_codes_wait_and_fail(town):
    codes = (Primitive.LEAVE, FRIDGE, 13, -1, Primitive.WAIT, Primitive.EAST)
    rows, is_refused = town.intend(put(town.start, (0, 8), (0, 7)), *codes)
    assert all(row == [Kind.WAIT, NONE, NONE] for row in rows)
    assert is_refused == [True, True, True, True, False, True], "vacant slots may only wait"


@pytest.mark.parametrize(
    "holder, waiting, row",
    [
        ([NONE, NONE], NONE, 0),
        ([3, NONE], NONE, 1),
        ([3, NONE], 0, 1),  # moves over to a free seat
        ([3, 4], 1, 1),  # else keeps its place
        ([3, 0], NONE, 1),  # stays where it sits
    ],
)
def test_which_row_a_use_means(town, holder, waiting, row):
    state = queue(
        put(town.start, (1, 2)), holder=[*holder, *[NONE] * 7], waiting_for=[waiting, *[NONE] * 5]
    )
    assert town.intend(state, BED)[0][0] == [Kind.USE, row, SLEEP]


def test_of_equal_rows_one_that_others_wait_for_comes_last(town):
    state = queue(
        put(town.start, (1, 2)), holder=[3, 4, *[NONE] * 7], waiting_for=[NONE, 0, *[NONE] * 4]
    )
    assert town.intend(state, BED)[0][0][1] == 1
