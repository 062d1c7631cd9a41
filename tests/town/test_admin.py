"""Admin rows: every code carried out and refused, the worked examples, and the oracle's opinion."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.town.operated_towns import (
    BENCH,
    BLACKOUT_SPEC,
    DISABLED_SPEC,
    FLOOR,
    FRIDGE,
    OUTAGE_SPEC,
    RANDOM_SPEC,
    RESIDENTS,
    RIVALS_SPEC,
    SHAPE,
    SHOWER,
    SLOTS,
    SPIKE_SPEC,
    TOWN,
    WALL,
    apply,
    apply_to,
    draws,
    live,
    plain_apply,
    rows,
    tick_of,
    values,
)
from townlet_jax.masked import NEVER, NONE
from townlet_jax.state import ExitReason
from townlet_jax.state.events import FailReason
from townlet_jax.town import admin
from townlet_jax.town.orders import Op

START = TOWN.state
MEAL, RENT = 0, 4
RUNS = pytest.mark.parametrize("run", [plain_apply, apply], ids=["plain", "jit"])


def running(state, slot, row=FRIDGE, affordance=1):
    """Has a resident hold a row and run an affordance."""
    at = jnp.arange(SLOTS) == slot
    return state.replace(
        use=state.use.replace(
            obj=jnp.where(at, row, state.use.obj),
            affordance=jnp.where(at, affordance, state.use.affordance),
            remaining_ticks=jnp.where(at, 9, state.use.remaining_ticks),
            paid=jnp.where(at, 0.4, state.use.paid),
        ),
        queues=state.queues.replace(
            holder=jnp.where(jnp.arange(SHAPE.num_objects) == row, slot, state.queues.holder)
        ),
    )


@RUNS
def test_ex_ops_1(run):
    state, orders, is_ok = apply_to(
        START,
        (Op.SET_NEED, 2, 0, 2500),
        (Op.SET_PRICE, MEAL, 8000),
        (Op.TELEPORT, 1, *WALL),
        run=run,
    )
    assert is_ok == [True, True, False] and bool(orders.op_ok[3:].all())
    # Exactly the floats that a file would give.
    assert state.needs.level[2, 0] == np.float32(0.25)
    assert state.economy.price_base[MEAL] == np.float32(0.8)
    assert_array_equal(np.flatnonzero(orders.price_changed), [MEAL])
    expected = START.replace(needs=state.needs, economy=state.economy)
    jax.tree.map(assert_array_equal, values(state), values(expected))


@RUNS
def test_ex_ops_2(run):
    full = START.replace(agents=START.agents.replace(is_alive=jnp.ones(SLOTS, bool)))
    state, orders, is_ok = apply_to(full, (Op.KILL, 3), (Op.SPAWN, NONE, *FLOOR, NONE), run=run)
    assert is_ok == [True, False]
    assert state.agents.is_alive[3] and state.lifecycle.exit_reason[3] == ExitReason.KILLED
    assert_array_equal(np.flatnonzero(orders.is_killed), [3])
    assert not orders.spawned.any()


@pytest.mark.parametrize(
    "row",
    [
        (Op.SPAWN, 0, *FLOOR, NONE),
        (Op.SPAWN, SLOTS, *FLOOR, NONE),
        (Op.SPAWN, NONE, *WALL, NONE),
        (Op.SPAWN, NONE, 1, 1, NONE),
        (Op.SPAWN, NONE, 8, 0, NONE),
        (Op.SPAWN, NONE, *FLOOR, 2),
        (Op.KILL, 4),
        (Op.KILL, -1),
        (Op.TELEPORT, 4, *FLOOR),
        (Op.TELEPORT, 0, 2, 1),
        (Op.TELEPORT, 0, 1, 1),
        (Op.TELEPORT, 0, 0, -1),
        (Op.SET_NEED, 4, 0, 5000),
        (Op.SET_NEED, 0, 3, 5000),
        (Op.SET_NEED, 0, 0, 10001),
        (Op.SET_NEED, 0, 0, -1),
        (Op.SET_PRICE, 5, 5000),
        (Op.SET_PRICE, -1, 5000),
        (Op.SET_PRICE, MEAL, -1),
        (Op.FORCE_CHAT, 1, 1, 5000),
        (Op.FORCE_CHAT, 1, 5, 5000),
        (Op.FORCE_CHAT, 5, 1, 5000),
        (Op.ARRANGE_MEET, 0, 5, BENCH, 10),
        (Op.ARRANGE_MEET, 0, 1, SHAPE.num_objects, 10),
        (Op.SET_REL, 1, 1, 0, 5000),
        (Op.SET_REL, 1, 4, 0, 5000),
        (Op.SET_REL, 1, 2, 3, 5000),
        (Op.EXIT_APPROVE, 4),
        (Op.EXIT_DEFER, 0),
        (Op.TRIGGER, DISABLED_SPEC, 0, -1, -1, -1, -1, -1),
        (Op.TRIGGER, SHAPE.num_specs, 0, -1, -1, -1, -1, -1),
        (Op.TRIGGER, RANDOM_SPEC, 0, -1, -1, 5, -1, -1),
        (Op.CANCEL, 0),
        (Op.CANCEL, NONE),
        (Op.RIVALRY_DECAY, 4, NONE, 3),
        (Op.RIVALRY_RESET, 0, 4),
        (17, 0),
        (-1, 0),
    ],
    ids=lambda row: f"{Op(row[0]).name}{row[1:]}" if row[0] in list(Op) else str(row),
)
def test_a_refused_row_changes_nothing(row):
    state, orders, is_ok = apply_to(START, row)
    assert is_ok == [False]
    jax.tree.map(assert_array_equal, values(state), values(START))
    nothing = admin.no_orders(START, tick_of(START, draws(), TOWN.params, TOWN.layout))
    refused = orders.op_ok.at[0].set(True)
    jax.tree.map(assert_array_equal, orders.replace(op_ok=refused), nothing)


def test_no_rows():
    tick = tick_of(START, draws(), TOWN.params, TOWN.layout)
    state, orders = admin.apply(START, None, tick)
    assert state is START and bool(orders.op_ok.all())
    zeros, same = apply(START, rows(), draws(), TOWN.params, TOWN.layout)
    jax.tree.map(assert_array_equal, values(zeros), values(START))
    jax.tree.map(assert_array_equal, same, orders)


def test_spawn():
    state, orders, is_ok = apply_to(
        START, (Op.SPAWN, 5, *FLOOR, NONE), (Op.SPAWN, NONE, 7, 5, 1), (Op.SPAWN, NONE, 0, 5, NONE)
    )
    assert is_ok == [True, True, False]
    assert_array_equal(np.flatnonzero(orders.spawned), [4, 5])
    agents = state.agents
    assert_array_equal(agents.position[4:], [[7, 5], FLOOR])
    # The first row placed resident number 4, whose turn is job 0.
    assert_array_equal(agents.job[4:], [1, 0])
    assert_allclose(agents.wallet[4:], [1.5, 1.5])
    assert_allclose(state.needs.level[4:], np.full((2, 3), 0.75), atol=1e-6)
    assert_array_equal(state.slots.slot, [0, 1, 2, 3, 5, 4])
    assert state.lifecycle.num_arrivals == RESIDENTS + 2


def test_a_spawned_resident_takes_the_place_of_the_one_that_is_due():
    due = START.replace(
        lifecycle=START.lifecycle.replace(arrival_tick=START.lifecycle.arrival_tick.at[4].set(30))
    )
    state, _, is_ok = apply_to(due, (Op.SPAWN, NONE, *FLOOR, NONE))
    assert is_ok == [True] and state.lifecycle.arrival_tick[4] == NEVER


def test_teleport_stops_what_is_going_on():
    before = running(START, 1)
    state, orders, is_ok = apply_to(before, (Op.TELEPORT, 1, *FLOOR))
    assert is_ok == [True]
    assert_array_equal(state.agents.position[1], FLOOR)
    assert state.use.affordance[1] == NONE and state.queues.holder[FRIDGE] == NONE
    assert state.agents.wallet[1] == before.agents.wallet[1]
    assert [int(x[1]) for x in orders.failure] == [FailReason.REMOVED, 1, FRIDGE]
    assert_array_equal(np.flatnonzero(orders.teleported), [1])
    again, orders, is_ok = apply_to(before, (Op.TELEPORT, 1, *FLOOR), (Op.TELEPORT, 1, 0, 5))
    assert is_ok == [True, True] and int(orders.failure[0][1]) == FailReason.REMOVED
    assert_array_equal(again.agents.position[1], [0, 5])


def test_forced_chats_are_a_matching():
    asleep = running(START, 3, SHOWER, 0)
    _, orders, is_ok = apply_to(
        asleep,
        (Op.FORCE_CHAT, 0, 1, 7500),
        (Op.FORCE_CHAT, 2, 1, 5000),
        (Op.FORCE_CHAT, 0, 2, 5000),
        (Op.FORCE_CHAT, 2, 3, 5000),
        (Op.FORCE_CHAT, 3, 2, 20000),
    )
    # A resident under the shower may be made to talk, not to listen.
    assert is_ok == [True, False, False, False, True]
    assert_array_equal(orders.forced_listener[:4], [1, NONE, NONE, 2])
    assert_array_equal(orders.forced_quality[:4], [0.75, 0, 0, 1])


def test_set_rel():
    state, _, is_ok = apply_to(
        START, (Op.SET_REL, 3, 2, 0, -4000), (Op.SET_REL, 0, 1, 2, 30000), (Op.SET_REL, 0, 2, 1, 0)
    )
    assert is_ok == [True, True, True]
    ties = state.relationships
    assert ties.is_tie[3, 2] and ties.formed_tick[3, 2] == 0
    assert_allclose(ties.trust[3, 2], -0.4)
    assert ties.rivalry[0, 1] == 1 and ties.rivalry[1, 0] == np.float32(0.2)
    assert not ties.is_tie[0, 2]


def test_rivalry_fades_or_is_reset_both_ways():
    state, _, is_ok = apply_to(START, (Op.RIVALRY_DECAY, 1, 0, 1000), (Op.RIVALRY_RESET, 3, NONE))
    assert is_ok == [True, True]
    rivalry = state.relationships.rivalry
    assert_allclose([rivalry[0, 1], rivalry[1, 0], rivalry[2, 3]], [0.3, 0.1, 0], atol=1e-6)
    state, _, _ = apply_to(START, (Op.RIVALRY_RESET, 0, NONE))
    assert_allclose(state.relationships.rivalry[2, 3], 0.5)
    assert not state.relationships.rivalry[:2].any()


def test_exits_by_hand():
    pending = START.replace(
        employment=START.employment.replace(
            pending_tick=START.employment.pending_tick.at[1].set(3).at[2].set(3),
            absence_bits=START.employment.absence_bits.at[1].set(7).at[2].set(7),
        )
    )
    state, orders, is_ok = apply_to(
        pending, (Op.EXIT_DEFER, 1), (Op.EXIT_APPROVE, 2), (Op.EXIT_DEFER, 1)
    )
    assert is_ok == [True, True, False]
    assert state.employment.pending_tick[1] == NEVER and state.employment.absence_bits[1] == 0
    assert_array_equal(np.flatnonzero(orders.is_deferred), [1])
    assert_array_equal(np.flatnonzero(orders.is_approved), [2])
    assert state.employment.is_exit_approved[2]
    assert state.lifecycle.exit_reason[2] == ExitReason.MANUAL_APPROVE
    jobless = START.replace(agents=START.agents.replace(job=jnp.full(SLOTS, NONE, jnp.int32)))
    assert apply_to(jobless, (Op.EXIT_APPROVE, 2))[2] == [False]


def test_the_last_order_counts():
    state, _, is_ok = apply_to(START, (Op.EXIT_APPROVE, 0), (Op.KILL, 0))
    assert is_ok == [True, True] and state.lifecycle.exit_reason[0] == ExitReason.KILLED


def test_switches():
    dying = START.replace(
        lifecycle=START.lifecycle.replace(exit_reason=jnp.array([1, 2, 3, 0, 0, 0], jnp.int32))
    )
    state, _, is_ok = apply_to(dying, (Op.SET_FAIRNESS, 0), (Op.SET_MORTALITY, 0))
    assert is_ok == [True, True]
    assert not state.queues.is_fairness_on and not state.lifecycle.is_mortality_on
    assert_array_equal(state.lifecycle.exit_reason, [0, 0, 3, 0, 0, 0])
    state, _, _ = apply_to(state, (Op.SET_FAIRNESS, 1), (Op.SET_MORTALITY, 1))
    assert state.queues.is_fairness_on and state.lifecycle.is_mortality_on


def test_trigger_with_values_of_the_spec_and_with_own_values():
    source = draws().replace(
        bits_perturbation_ticks=jnp.full(SHAPE.num_specs, 4, jnp.uint32),
        u_perturbation_magnitude=jnp.full(SHAPE.num_specs, 0.5, jnp.float32),
    )
    state, _, is_ok = apply_to(
        START,
        (Op.TRIGGER, SPIKE_SPEC, 3, -1, -1, -1, -1, -1),
        (Op.TRIGGER, SPIKE_SPEC, 0, 7, 25000, -1, -1, -1),
        draws=source,
    )
    table = state.perturbations
    assert is_ok == [True, True]
    assert_array_equal(table.start_tick[:2], [3, 0])
    assert_array_equal(table.end_tick[:2], [8, 7])
    assert_allclose(table.magnitude[:2], [1.5, 2.5])
    assert_array_equal(table.is_pending, [True, True, False, False])
    assert_array_equal(np.flatnonzero(table.is_price_target[1]), [MEAL, RENT])
    state, (_, _, events, _, _) = live(state, rows(), draws(), TOWN.params, TOWN.layout)
    assert_array_equal(events.started_id, [NONE, 1, NONE, NONE])


def test_meets_by_hand():
    state, _, is_ok = apply_to(
        START,
        (Op.ARRANGE_MEET, 0, 3, FRIDGE, 10),
        (Op.ARRANGE_MEET, NONE, NONE, NONE, 10),
        (Op.TRIGGER, RANDOM_SPEC, 0, 10, -1, 2, -1, -1),
        (Op.TRIGGER, RANDOM_SPEC, 0, 10, -1, -1, -1, BENCH),
    )
    table = state.perturbations
    assert is_ok == [True] * 4
    assert_array_equal(table.spec, [RIVALS_SPEC, RIVALS_SPEC, RANDOM_SPEC, RANDOM_SPEC])
    assert_array_equal(table.location, [FRIDGE, BENCH, FRIDGE, BENCH])
    guests = [np.flatnonzero(row).tolist() for row in table.is_target]
    assert guests == [[0, 3], [0, 1], [2], [0, 1, 2]]


def test_a_meet_needs_guests():
    peaceful = START.replace(
        relationships=START.relationships.replace(rivalry=jnp.zeros((SLOTS, SLOTS)))
    )
    state, _, is_ok = apply_to(peaceful, (Op.ARRANGE_MEET, NONE, NONE, NONE, 10))
    assert is_ok == [False] and state.perturbations.num_dropped == 0


def test_a_full_table_drops_triggers():
    blackout = (Op.TRIGGER, BLACKOUT_SPEC, 2, 5, -1, -1, -1, -1)
    state, _, is_ok = apply_to(START, *[blackout] * 6)
    assert is_ok == [True] * 4 + [False] * 2
    assert state.perturbations.num_dropped == 2 and state.perturbations.next_id == 4
    jax.tree.map(
        assert_array_equal,
        state.perturbations.replace(num_dropped=jnp.int32(0)),
        apply_to(START, *[blackout] * 4)[0].perturbations,
    )


def test_cancel():
    outage = (Op.TRIGGER, OUTAGE_SPEC, 0, 9, -1, -1, -1, -1)
    later = (Op.TRIGGER, BLACKOUT_SPEC, 5, 9, -1, -1, -1, -1)
    state, _, _ = apply_to(START, outage, later)
    state, _ = live(state, rows(), draws(), TOWN.params, TOWN.layout)
    until = state.perturbations.spec_until
    state, orders, is_ok = apply_to(state, (Op.CANCEL, 0), (Op.CANCEL, 1), (Op.CANCEL, 1))
    events, table = orders.perturbed, state.perturbations
    assert is_ok == [True, True, False]
    assert_array_equal(events.cancelled_spec, [OUTAGE_SPEC, BLACKOUT_SPEC, NONE, NONE])
    assert_array_equal(events.cancelled_id, [0, 1, NONE, NONE])
    # Only the outage had begun; it leaves a grace window, and its cooldown stays.
    assert_array_equal(events.ended_id, [0, NONE, NONE, NONE])
    assert table.city_event_until == 1 + 2
    assert_array_equal(table.spec, [NONE] * 4)
    assert_array_equal(table.spec_until, until)


def test_a_freed_row_serves_the_next_trigger():
    outage = (Op.TRIGGER, OUTAGE_SPEC, 0, 9, -1, -1, -1, -1)
    state, _, is_ok = apply_to(START, *[outage] * 4, (Op.CANCEL, 2), outage)
    assert is_ok == [True] * 6
    assert_array_equal(state.perturbations.event_id, [0, 1, 4, 3])


def test_vmap_is_a_loop():
    ops = jnp.stack(
        [
            rows((Op.SPAWN, NONE, *FLOOR, NONE), (Op.SET_NEED, 0, 0, 1234)),
            rows((Op.TELEPORT, 0, *FLOOR), (Op.TRIGGER, RIVALS_SPEC, 0, -1, -1, -1, -1, -1)),
            rows((Op.FORCE_CHAT, 0, 1, 333), (Op.SET_REL, 0, 3, 1, 777)),
        ]
    )
    batched = jax.jit(jax.vmap(plain_apply, (None, 0, None, None, None)))
    states, orders = batched(START, ops, draws(), TOWN.params, TOWN.layout)
    for i in range(3):
        state, order = apply(START, ops[i], draws(), TOWN.params, TOWN.layout)
        found = jax.tree.map(lambda leaf, i=i: leaf[i], (values(states), orders))
        jax.tree.map(assert_array_equal, found, (values(state), order))
