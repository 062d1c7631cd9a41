"""Event masks become records: one test per group, then the order of all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from townlet_jax.ops.events import FAMILIES, Phase, decode
from townlet_jax.state.agents import ExitReason
from townlet_jax.state.events import FailReason, FailSource

FIRST = np.zeros(3, np.int32)
SHOWER, EAT = 0, 1


def test_quiet_chunk_has_no_records(quiet, labels) -> None:
    assert decode(quiet(5), labels, FIRST, 0) == []


def test_affordances(quiet, labels) -> None:
    events = quiet(3)
    use = events.affordances
    use.started[0, 1], use.started_obj[0, 1] = SHOWER, 2
    use.finished[2, 1], use.finished_obj[2, 1] = SHOWER, 2
    use.failed[1, FailSource.START, 0] = FailReason.INSUFFICIENT_FUNDS
    use.failed_affordance[1, FailSource.START, 0] = EAT
    use.failed_obj[1, FailSource.START, 0] = 3
    who = {"agent_id": "ben", "object_id": "shower", "affordance_id": "use_shower"}
    assert decode(events, labels, FIRST, 100) == [
        {"tick": 100, "event": "affordance_start", **who, "duration": 20},
        {
            "tick": 101,
            "event": "affordance_fail",
            "agent_id": "ada",
            "object_id": "fridge",
            "affordance_id": "eat_meal",
            "reason": "insufficient_funds",
        },
        {"tick": 102, "event": "affordance_finish", **who},
    ]


def test_queues(quiet, labels) -> None:
    events = quiet(1)
    for rows in (events.conflicts, events.handovers):
        rows.is_set[0, 1] = True
        rows.actor[0, 1], rows.rival[0, 1] = 0, 2
        rows.length[0, 1], rows.intensity[0, 1] = 2, 1.75
    who = {"tick": 0, "object_id": "beds.1", "actor": "ada", "rival": "cleo"}
    load = {"queue_length": 2, "intensity": 1.75}
    assert decode(events, labels, FIRST, 0) == [
        {"event": "queue_conflict", **who, "reason": "ghost_step", **load},
        {"event": "queue_interaction", **who, "variant": "handover", **load},
    ]


def test_shared_meal_is_told_once(quiet, labels) -> None:
    events = quiet(1)
    events.affordances.shared_meal[0, [0, 2], [2, 0]] = True
    events.affordances.meal_obj[0, [0, 2]] = 3
    meal = {"tick": 0, "event": "shared_meal", "agents": ["ada", "cleo"], "object_id": "fridge"}
    assert decode(events, labels, FIRST, 0) == [meal]


def test_economy_and_admin(quiet, labels) -> None:
    events = quiet(1)
    events.economy.restocked[0, 2, 1] = 6
    events.economy.rent_paid[0, 0] = True
    events.economy.rent_missed[0, 1] = True
    events.economy.price_changed[0, 1] = True
    events.op_ok[0, 3] = False
    delivery = {"object_id": "kitchen", "type": "raw_ingredients", "amount": 6}
    assert decode(events, labels, FIRST, 7) == [
        {"tick": 7, "event": "rent_paid", "agent_id": "ada"},
        {"tick": 7, "event": "rent_missed", "agent_id": "ben"},
        {"tick": 7, "event": "stock_replenish", **delivery},
        {"tick": 7, "event": "economy_price_update", "key": "shower"},
        {"tick": 7, "event": "console_reply", "row": 3, "ok": False},
    ]


def test_moves_and_chats(quiet, labels) -> None:
    events = quiet(1)
    events.ghost_stepped[0, 2] = True
    events.chat.listener[0, [0, 1]] = [1, 2]
    events.chat.is_success[0, 0] = True
    events.chat.quality[0] = [0.7, 0.2, 0.0]
    assert decode(events, labels, FIRST, 0) == [
        {"tick": 0, "event": "movement_ghost_step", "agent_id": "cleo"},
        {"tick": 0, "event": "chat_success", "speaker": "ada", "listener": "ben", "quality": 0.7},
        {"tick": 0, "event": "chat_failure", "speaker": "ben", "listener": "cleo", "quality": 0.2},
    ]


def test_employment(quiet, labels) -> None:
    events = quiet(1)
    work = events.employment
    work.late_start[0, 2] = 6
    work.absent[0, 0] = work.departed[0, 1] = True
    work.helped[0, 2, [0, 1]] = True
    work.took[0, 0, 1] = True
    work.exit_requested[0, 0] = work.exit_deferred[0, 1] = work.exit_pending[0, 2] = True
    work.exit_overflow[0] = 9
    records = [(record.pop("event"), record) for record in decode(events, labels, FIRST, 4)]
    assert records == [
        ("employment_exit_manual_request", {"tick": 4, "agent_id": "ada"}),
        ("employment_exit_deferred", {"tick": 4, "agent_id": "ben"}),
        ("shift_absent", {"tick": 4, "agent_id": "ada"}),
        ("employment_took_my_shift", {"tick": 4, "agent_id": "ada", "coworkers": ["ben"]}),
        ("shift_departed_early", {"tick": 4, "agent_id": "ben"}),
        ("shift_late_start", {"tick": 4, "agent_id": "cleo", "ticks_late": 6}),
        (
            "employment_helped_when_late",
            {"tick": 4, "agent_id": "cleo", "coworkers": ["ada", "ben"]},
        ),
        ("employment_exit_pending", {"tick": 4, "agent_id": "cleo"}),
        ("employment_exit_queue_overflow", {"tick": 4, "pending": 9}),
    ]


def test_exits(quiet, labels) -> None:
    events = quiet(1)
    events.lifecycle.exited[0] = [ExitReason.NONE, ExitReason.FAINT, ExitReason.MANUAL_APPROVE]
    events.employment.exit_processed[0, 2] = True
    assert decode(events, labels, FIRST, 0) == [
        {"tick": 0, "event": "agent_exit", "agent_id": "ben", "reason": "faint"},
        {"tick": 0, "event": "agent_exit", "agent_id": "cleo", "reason": "manual_approve"},
        {"tick": 0, "event": "employment_exit_processed", "agent_id": "cleo"},
    ]


def test_newcomers_carry_their_generation(quiet, labels) -> None:
    """Ben leaves, his successor arrives in tick 2; what happened before belongs to ben."""
    events = quiet(4)
    events.economy.rent_paid[:, 1] = True
    events.chat.listener[:, 0] = 1
    events.lifecycle.spawned[2, 1] = events.lifecycle.slot_forced[2, 1] = True
    events.lifecycle.collapsed[3, 1] = True
    records = decode(events, labels, np.array([0, 3, 0]), 10)
    by_event: dict[str, list[str]] = {}
    for record in records:
        name = record.get("agent_id", record.get("listener"))
        by_event.setdefault(record["event"], []).append(name)
    assert by_event == {
        "rent_paid": ["ben#3", "ben#3", "ben#3", "ben#4"],  # rent is due before arrivals
        "chat_failure": ["ben#3", "ben#3", "ben#4", "ben#4"],
        "agent_spawn": ["ben#4"],
        "embedding_reuse_warning": ["ben#4"],
        "agent_collapsed": ["ben#4"],
    }


@pytest.mark.parametrize(("is_spawned", "is_teleport"), [(True, False), (False, True)])
def test_a_removed_user_is_the_former_one(quiet, labels, is_spawned, is_teleport) -> None:
    events = quiet(1)
    use, source = events.affordances, FailSource.COLLAPSE_OR_REMOVAL
    use.failed[0, source, 0], use.failed_affordance[0, source, 0] = FailReason.REMOVED, EAT
    events.lifecycle.spawned[0, 0] = is_spawned
    events.lifecycle.context_reset[0, 0] = is_spawned or is_teleport
    events.lifecycle.spawned[0, 2] = True
    records = decode(events, labels, FIRST, 0)
    fail = next(record for record in records if record["event"] == "affordance_fail")
    assert (fail["agent_id"], fail["reason"]) == ("ada", "removed")
    spawn = next(record for record in records if record.get("agent_id") == "cleo#1")
    assert (records.index(fail) > records.index(spawn)) == is_teleport


def test_perturbations(quiet, labels) -> None:
    """Row 0: an event ends and its successor starts. Row 1: one is cancelled and ends."""
    events = quiet(1)
    pert = events.perturbations
    pert.ended[0] = True
    pert.ended_spec[0], pert.ended_id[0] = [1, 0], [4, 5]
    pert.started[0, 0], pert.started_spec[0, 0], pert.started_id[0, 0] = True, 0, 6
    pert.cancelled[0, 1], pert.cancelled_spec[0, 1], pert.cancelled_id[0, 1] = True, 0, 5
    heat = {"spec": "heat", "kind": "price_spike"}
    dark = {"spec": "dark", "kind": "blackout"}
    assert decode(events, labels, FIRST, 0) == [
        {"tick": 0, "event": "perturbation_cancelled", "event_id": 5, **heat},
        {"tick": 0, "event": "perturbation_ended", "event_id": 5, **heat},
        {"tick": 0, "event": "perturbation_ended", "event_id": 4, **dark},
        {"tick": 0, "event": "perturbation_started", "event_id": 6, **heat},
        {"tick": 0, "event": "perturbation_price_spike", "event_id": 6, **heat},
    ]


def test_avoidance_comes_last(quiet, labels) -> None:
    events = quiet(2)
    events.conflict.avoided[1, 2], events.conflict.rival[1, 2] = True, 0
    events.lifecycle.exited[1, 1] = 1
    records = decode(events, labels, FIRST, 7)
    assert [record["event"] for record in records] == ["agent_exit", "queue_avoided"]
    assert records[1] == {"tick": 8, "event": "queue_avoided", "agent_id": "cleo", "rival": "ada"}


CALLS = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(["rent", "chat", "late", "step"]),
              st.integers(0, 2)),
    unique=True,
)  # fmt: skip


@given(CALLS)
def test_records_come_in_order_and_none_is_lost(quiet, labels, calls) -> None:
    order = {"rent": "rent_paid", "step": "movement_ghost_step", "chat": "chat_failure",
             "late": "shift_late_start"}  # fmt: skip
    phases = list(order)
    events = quiet(10)
    for t, kind, a in calls:
        if kind == "rent":
            events.economy.rent_paid[t, a] = True
        elif kind == "step":
            events.ghost_stepped[t, a] = True
        elif kind == "chat":
            events.chat.listener[t, a] = (a + 1) % 3
        else:
            events.employment.late_start[t, a] = a
    wanted = sorted(calls, key=lambda call: (call[0], phases.index(call[1]), call[2]))
    records = decode(events, labels, FIRST, 0)
    assert [
        (record["tick"], record["event"], record.get("agent_id", record.get("speaker")))
        for record in records
    ] == [(t, order[kind], labels.names.agents[a]) for t, kind, a in wanted]


def test_phases_follow_the_tick() -> None:
    assert [phase.value for phase in Phase] == list(range(len(Phase)))
    assert len(set(FAMILIES)) == len(FAMILIES)
