"""Option controllers and option masks: EX-OPT-1, EX-OPT-2, EX-MASK-1, side steps, every option."""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.town.conftest import QUICK
from townlet_jax.grid import STAY
from townlet_jax.masked import NONE
from townlet_jax.town import options as rule
from townlet_jax.town.intents import Kind
from townlet_jax.town.options import Option
from townlet_jax.town.view import look

BEDS, FRIDGE, STOVE, SHOWER, TABLE, COUNTER, BENCH = 0, 2, 3, 4, 5, 7, 8
USE_SHOWER, EAT, COOK, SLEEP, EAT_OUT, WORK = range(6)
NORTH, EAST, SOUTH, WEST = range(4)
KITCHEN = 1
MEALS = 0


@jax.jit
def approach(state, target, layout):
    return rule.approach(state, jnp.full(6, target), layout)


pick_row = jax.jit(rule.pick_row)


@pytest.fixture(scope="module")
def town(busy_options):
    """Compiled controller and view of the busy town: (state, options) -> intents."""
    shape, params, layout = busy_options.shape, busy_options.params, busy_options.layout

    @functools.partial(jax.jit, compiler_options=QUICK)
    def control(state, option):
        view = look(shape, state, params, layout)
        return rule.control(view, state, option, params, layout), view

    def intend(state, *option):
        option = jnp.array([*option, *[Option.REST] * (6 - len(option))], jnp.int32)
        intents, _ = control(state, option)
        return np.stack([intents.kind, intents.target, intents.affordance], axis=1).tolist()

    def mask(state):
        return np.asarray(busy_options.mask(state, params, layout))

    start = busy_options.start()
    return SimpleNamespace(
        start=start.replace(use=start.use, clock=start.clock.replace(tick=jnp.int32(150))),
        control=control, intend=intend, mask=mask, params=params, layout=layout,
    )  # fmt: skip


def put(state, *cells, wallet=None, tick=None, blocked=None, meals=None):
    """Moves the first residents, and sets what is given of the first one."""
    agents = state.agents
    position = agents.position.at[: len(cells)].set(jnp.array(cells, jnp.int32))
    agents = agents.replace(position=position)
    if wallet is not None:
        agents = agents.replace(wallet=agents.wallet.at[0].set(wallet))
    if blocked is not None:
        agents = agents.replace(blocked_moves=agents.blocked_moves.at[0].set(blocked))
    if tick is not None:
        state = state.replace(clock=state.clock.replace(tick=jnp.int32(tick)))
    if meals is not None:
        stock = state.economy.stock.at[MEALS, KITCHEN].set(meals)
        state = state.replace(economy=state.economy.replace(stock=stock))
    return state.replace(agents=agents)


def run(state, affordance, row):
    """Makes the first resident run something."""
    use = state.use.replace(
        obj=state.use.obj.at[0].set(row),
        affordance=state.use.affordance.at[0].set(affordance),
        remaining_ticks=state.use.remaining_ticks.at[0].set(5),
    )
    holder = state.queues.holder
    holder = holder if row == COUNTER else holder.at[row].set(0)
    return state.replace(use=use, queues=state.queues.replace(holder=holder))


# Where to go


@pytest.mark.parametrize("waits_for, row", [(NONE, 1), (0, 0)])
def test_a_queue_is_worth_a_detour(town, waits_for, row):
    """EX-OPT-1: 10 + 15 against 24; EX-OPT-2: 24 against 24, the lower row."""
    state = town.start
    waiting = state.queues.waiting_for.at[0].set(waits_for)
    state = state.replace(queues=state.queues.replace(waiting_for=waiting))
    _, view = town.control(state, jnp.zeros(6, jnp.int32))
    distance = view.distance.at[0, :2].set(jnp.array([10, 24]))
    view = view.replace(distance=distance, load=view.load.at[0, :2].set(jnp.array([1, 0])))
    rows = jnp.zeros((6, 9), bool).at[:, :2].set(True)
    assert pick_row(view, rows, state, town.params, town.layout)[0] == row
    held = view.replace(held=view.held.at[0].set(0))
    assert pick_row(held, rows, state, town.params, town.layout)[0] == 0
    cooling = held.replace(is_cooling=view.is_cooling.at[0, 0].set(True))
    assert pick_row(cooling, rows, state, town.params, town.layout)[0] == 1
    dark = held.replace(works=jnp.zeros(9, bool))
    assert pick_row(dark, rows, state, town.params, town.layout)[0] == NONE


def test_the_held_row_wins_outright(town):
    state = put(town.start, (1, 2))
    state = state.replace(queues=state.queues.replace(holder=state.queues.holder.at[1].set(0)))
    assert town.intend(state, Option.SLEEP)[0] == [Kind.USE, 1, SLEEP]


@pytest.mark.parametrize(
    "others, blocked, step",
    [
        ([(0, 3)], 0, NORTH),  # does not mind before it has been stopped
        ([(0, 3)], 1, EAST),
        ([(0, 3), (1, 4)], 1, NORTH),  # no way round: keeps pushing
    ],
)
def test_a_step_aside(town, others, blocked, step):
    """The shortest ways from (0, 4) to the shower at (7, 1) begin north or east."""
    cells = [(0, 4), *others, (8, 8), (8, 7), (8, 6)]
    direction, distance = approach(put(town.start, *cells, blocked=blocked), SHOWER, town.layout)
    assert (int(direction[0]), int(distance[0])) == (step, 10)


def test_no_target_is_no_step(town):
    direction, _ = approach(town.start, NONE, town.layout)
    assert (direction == STAY).all()


# Options


def test_rest_waits_and_unknown_codes_wait_and_fail(town):
    for code in (Option.REST, -1, 7):
        intents, _ = town.control(town.start, jnp.full(6, code, jnp.int32))
        assert (intents.kind == Kind.WAIT).all()
        assert (intents.is_refused == (code != Option.REST)).all()


def test_far_from_an_object_they_walk_and_near_it_they_use_it(town):
    walking, using = put(town.start, (0, 4)), put(town.start, (5, 3), (2, 3), (7, 3))
    asked = (Option.GET_FED, Option.SLEEP, Option.GET_CLEAN)
    assert town.intend(walking, *asked)[0][0] == Kind.MOVE
    assert town.intend(using, *asked)[:3] == [
        [Kind.USE, FRIDGE, EAT], [Kind.USE, BEDS, SLEEP], [Kind.USE, SHOWER, USE_SHOWER],
    ]  # fmt: skip


def test_a_held_row_is_approached_to_start_range(town):
    state = put(town.start, (7, 3))
    holder = state.queues.holder.at[SHOWER].set(0)
    state = state.replace(queues=state.queues.replace(holder=holder))
    assert town.intend(state, Option.GET_CLEAN)[0][:2] == [Kind.MOVE, NORTH]
    state = put(state, (7, 2))
    assert town.intend(state, Option.GET_CLEAN)[0] == [Kind.USE, SHOWER, USE_SHOWER]


def test_no_ready_meal_means_cooking(town):
    state = put(town.start, (5, 2), wallet=0.5, meals=0)
    assert town.intend(state, Option.GET_FED)[0] == [Kind.USE, STOVE, COOK]
    state = put(state, wallet=0.1)
    assert town.intend(state, Option.GET_FED)[0][0] == Kind.WAIT


def test_a_meal_that_only_cools_down_is_waited_for(town):
    """What is in stock and affordable decides; the cooldown is asked afterwards."""
    state = put(town.start, (5, 2), wallet=0.5)
    until = state.queues.cooldown_until.at[FRIDGE, 0].set(1000)
    state = state.replace(queues=state.queues.replace(cooldown_until=until))
    assert town.intend(state, Option.GET_FED)[0][0] == Kind.WAIT
    assert town.mask(state)[0, Option.GET_FED]
    lenient = state.replace(queues=state.queues.replace(is_fairness_on=jnp.bool_(False)))
    assert town.intend(lenient, Option.GET_FED)[0][0] == Kind.USE


def test_what_runs_is_kept_by_its_own_option_and_left_by_others(town):
    apart = [(4, 2), (0, 8), (8, 8), (8, 0), (0, 0)]
    state = run(put(town.start, *apart), EAT, FRIDGE)
    kept = {Option.REST, Option.GET_FED, Option.SOCIALISE}
    for option in Option:
        kind = town.intend(state, option)[0][0]
        assert kind == (Kind.WAIT if option in kept else Kind.RELEASE), option
    cooking = run(put(town.start, *apart), COOK, STOVE)
    assert town.intend(cooking, Option.GET_FED)[0][0] == Kind.WAIT
    assert town.intend(cooking, Option.COOK)[0][0] == Kind.WAIT
    assert town.intend(state, -1)[0][0] == Kind.WAIT, "an unknown code ends nothing"


def test_they_talk_while_eating_but_not_in_the_shower(town):
    eating = run(put(town.start, (4, 2), (4, 3)), EAT, FRIDGE)
    washing = run(put(town.start, (7, 2), (7, 3)), USE_SHOWER, SHOWER)
    assert town.intend(eating, Option.SOCIALISE)[0][0] == Kind.CHAT
    assert town.intend(washing, Option.SOCIALISE)[0][0] == Kind.WAIT


def test_company_is_sought_at_the_nearest_social_place(town):
    apart = [(0, 8), (8, 0), (0, 0), (4, 0), (0, 4)]
    assert town.intend(put(town.start, *apart), Option.SOCIALISE)[0][0] == Kind.MOVE
    there = put(town.start, (7, 7), *apart[1:])
    assert town.intend(there, Option.SOCIALISE)[0][0] == Kind.WAIT
    together = put(town.start, (0, 8), (1, 8))
    assert town.intend(together, Option.SOCIALISE)[0][0] == Kind.CHAT


@pytest.mark.parametrize(
    "tick, cell, kind",
    [
        (10, (0, 8), Kind.MOVE),
        (10, (4, 5), Kind.WAIT),  # there before the shift
        (30, (4, 5), Kind.USE),
        (90, (4, 5), Kind.USE),
        (91, (4, 5), Kind.WAIT),
        (91, (0, 8), Kind.WAIT),
    ],
)
def test_work_at_a_site(town, tick, cell, kind):
    intent = town.intend(put(town.start, cell, tick=tick), Option.GO_TO_WORK)[0]
    assert intent[0] == kind
    assert kind != Kind.USE or intent[1:] == [COUNTER, WORK]


def test_work_without_a_site_is_a_place_to_stand(town):
    """Resident 1 is a clerk at (7, 7); closed shifts keep nobody."""
    far, near = put(town.start, (0, 0), (0, 8), tick=70), put(town.start, (0, 0), (7, 6), tick=70)
    asked = (Option.REST, Option.GO_TO_WORK)
    assert town.intend(far, *asked)[1][0] == Kind.MOVE
    assert town.intend(near, *asked)[1][0] == Kind.WAIT
    closed = far.employment.closed_day.at[1].set(0)
    far = far.replace(employment=far.employment.replace(closed_day=closed))
    assert town.intend(far, *asked)[1][0] == Kind.WAIT and not town.mask(far)[1, Option.GO_TO_WORK]


def test_work_is_left_when_the_shift_is_over(town):
    state = run(put(town.start, (4, 5), (0, 8), tick=91), WORK, COUNTER)
    assert town.intend(state, Option.GO_TO_WORK)[0][0] == Kind.RELEASE
    assert town.intend(state, Option.REST)[0][0] == Kind.RELEASE
    assert town.intend(put(state, tick=90), Option.GO_TO_WORK)[0][0] == Kind.WAIT


# Masks


@pytest.mark.parametrize(
    "wallet, meals, fed, clean, cook",
    [
        (0.4, 4, True, True, True),
        (0.39, 4, True, True, True),  # by way of the stove
        (0.1, 4, False, False, False),
        (0.39, 0, True, True, True),
    ],
)
def test_food_is_legal_with_the_money_for_it(town, wallet, meals, fed, clean, cook):
    """EX-MASK-1, option level."""
    state = put(town.start, (5, 2), wallet=wallet, meals=meals)
    legal = town.mask(state)[0]
    served = [legal[o] for o in (Option.GET_FED, Option.GET_CLEAN, Option.COOK, Option.SLEEP)]
    assert served == [fed, clean, cook, True] and legal[Option.REST]


def test_what_runs_stays_legal(town):
    state = run(put(town.start, (4, 2), wallet=0.0, meals=0), EAT, FRIDGE)
    legal = town.mask(state)[0]
    assert legal[Option.GET_FED] and not legal[Option.COOK]


def test_the_way_to_work_opens_in_time(town):
    """Shift 30-90, buffer 20, distance 8."""
    for tick, is_legal in ((1, False), (2, True), (90, True), (91, False)):
        assert town.mask(put(town.start, (0, 0), tick=tick))[0, Option.GO_TO_WORK] == is_legal


def test_only_residents_that_can_act_have_a_choice(town):
    legal = town.mask(town.start)
    assert legal[5].tolist() == [True] + [False] * 6, "a vacant slot rests"
    leaving = town.start.agents.is_leaving.at[0].set(True)
    leaving = town.start.replace(agents=town.start.agents.replace(is_leaving=leaving))
    assert town.mask(leaving)[0].tolist() == [True] + [False] * 6
    alone = town.start.agents.replace(is_alive=jnp.arange(6) == 0)
    legal = town.mask(town.start.replace(agents=alone))
    assert not legal[0, Option.SOCIALISE]
