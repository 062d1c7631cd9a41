"""What is known about residents, read from a changed copy of the tiny town."""

import json

import numpy as np
import pytest

from townlet_jax.masked import NONE
from townlet_jax.ops.census import census, name_of, queue_of
from townlet_jax.state import Counter, ExitReason


def test_newborn_town(tiny, newborn) -> None:
    people = census(tiny, newborn)
    assert [person.name for person in people] == ["ada", "ben", "cleo"]
    ada = people[0]
    assert ada.position == (4, 5)
    assert ada.money == 2.0
    assert ada.job == "shopkeeper"
    assert ada.attendance is None
    assert ada.doing() == "just arrived"
    assert (ada.best_friend, ada.rival, ada.ties) == (None, None, ())
    assert set(ada.did.values()) == {0}


def test_vacant_slots_are_left_out(tiny, newborn) -> None:
    newborn.agents.is_alive[1] = False
    newborn.agents.generation[2] = 4
    assert [person.name for person in census(tiny, newborn)] == ["ada", "cleo#4"]
    assert name_of(tiny, newborn, 2) == "cleo#4"


def test_doing(tiny, newborn) -> None:
    rows, kinds = tiny.names.objects, tiny.names.affordances
    fridge, shower = rows.index("fridge"), rows.index("shower")
    newborn.use.obj[0], newborn.use.affordance[0] = fridge, kinds.index("eat_meal")
    newborn.use.remaining_ticks[0] = 7
    newborn.queues.holder[fridge] = 0
    newborn.queues.waiting_for[1] = shower
    newborn.queues.holder[shower] = 2
    ada, ben, cleo = census(tiny, newborn)
    assert (ada.doing(), ada.holds, ada.remaining_ticks) == ("eat meal at fridge", None, 7)
    assert (ben.doing(), ben.place) == ("waits for shower (1st)", 1)
    assert (cleo.doing(), cleo.waits_for) == ("holds shower", None)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"last_action": 5}, "socialise"),
        ({"is_leaving": True}, "is leaving town"),
        ({"exit_reason": ExitReason.FAINT}, "has collapsed"),
        ({"exit_reason": ExitReason.EVICTION, "last_action": 0}, "rest"),
    ],
)
def test_doing_without_an_object(tiny, newborn, changes: dict[str, int], text: str) -> None:
    for name, value in changes.items():
        part = newborn.lifecycle if name == "exit_reason" else newborn.agents
        getattr(part, name)[0] = value
    assert census(tiny, newborn)[0].doing() == text


def test_queue_order_is_that_of_the_rule(tiny, newborn) -> None:
    """EX-QUE-1: who joined first, unless somebody lost more time elsewhere today."""
    newborn.queues.waiting_for[:] = 2
    newborn.queues.joined_tick[:] = [103, 100, 103]
    newborn.queues.waited_today_ticks[:] = [40, 0, 0]
    assert int(tiny.params.queues.age_weight) == 102
    assert queue_of(tiny, newborn, 2) == [0, 1, 2]
    newborn.queues.waited_today_ticks[:] = 0
    assert queue_of(tiny, newborn, 2) == [1, 0, 2]
    assert queue_of(tiny, newborn, 1) == []


def test_ties_friend_and_rival(tiny, newborn) -> None:
    ledger = newborn.relationships
    ledger.is_tie[0, [1, 2]] = True
    ledger.trust[0, 1], ledger.familiarity[0, 1] = 0.2, 0.1
    ledger.rivalry[0, 2] = 0.7
    ledger.is_tie[1, 0], ledger.rivalry[1, 0], ledger.trust[1, 0] = True, 0.04, -0.2
    ada, ben, cleo = census(tiny, newborn)
    assert [tie.to for tie in ada.ties] == ["cleo", "ben"]
    assert [tie.strength for tie in ada.ties] == pytest.approx([0.7, 0.3])
    assert (ada.best_friend, ada.rival) == ("ben", "cleo")
    assert (ben.best_friend, ben.rival) == (None, None)  # too little to call it rivalry
    assert cleo.ties == ()


def test_work_and_deeds(tiny, newborn) -> None:
    newborn.employment.attendance[0, :2] = [[90, 181], [181, 181]]
    newborn.metrics.num_shifts[0], newborn.metrics.num_late_shifts[0] = 2, 1
    newborn.metrics.counters[0, Counter.MEALS] = 9
    ada = census(tiny, newborn)[0]
    assert ada.attendance == round(271 / 362, 4)
    assert (ada.num_shifts, ada.num_late_shifts, ada.did["meals"]) == (2, 1, 9)


def test_record_is_plain_data(tiny, newborn) -> None:
    newborn.relationships.is_tie[0, 1] = True
    newborn.agents.job[1] = NONE
    records = [person.as_record() for person in census(tiny, newborn)]
    assert json.loads(json.dumps(records))[0]["ties"] == [
        {"to": "ben", "trust": 0, "familiarity": 0, "rivalry": 0}
    ]
    assert {"name", "needs", "money", "job", "status", "did", "doing"} <= set(records[0])
    assert (records[1]["job"], records[1]["status"]) == (None, None)
    assert not any(isinstance(value, np.generic) for value in records[0].values())
