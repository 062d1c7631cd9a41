"""Schedules: what rows become, and every way they can be wrong."""

import pytest

from townlet_jax.config.schedules import KINDS
from townlet_jax.masked import NONE

TOWN = """
    scenario:
      objects:
        - {id: shower, type: shower, position: [1, 1]}
        - {id: table, type: cafe_table, position: [5, 5], seats: 2}
        - {id: bench, type: bench, position: [9, 9]}
      agents:
        - {id: ann, position: [1, 2]}
        - {id: bob, position: [5, 6], schedule: [%s]}
    jobs: {}
"""


def rows_of(built):
    length = int(built.layout.schedules.length[1])
    return [
        (KINDS[kind], *rest) for kind, *rest in built.layout.schedules.rows[1, :length].tolist()
    ]


def test_every_kind_becomes_an_intent(town):
    built = town(
        TOWN
        % """{kind: wait, object: nonsense}, {kind: move, position: [1, 1]},
             {kind: move, position: [7, 7], repeat: 2},
             {kind: request, object: table, blocked: true},
             {kind: request, object: table.1}, {kind: start, object: table, affordance: eat_out},
             {kind: use, object: shower, affordance: use_shower}, {kind: blocked, object: shower},
             {kind: release}, {kind: chat}, {kind: chat, target_agent: ann, quality: 0.5}"""
    )
    eat, wash = (built.names.affordances.index(name) for name in ("eat_out", "use_shower"))
    other = built.shape.num_objects  # the first target that is no object
    assert rows_of(built) == [
        ("wait", NONE, NONE),
        ("move", 0, NONE),
        ("move", other, NONE),
        ("move", other, NONE),
        ("request_blocked", 1, NONE),
        ("request", 2, NONE),
        ("start", 1, eat),
        ("use", 0, wash),
        ("blocked", 0, NONE),
        ("release", NONE, NONE),
        ("chat", NONE, NONE),
        ("chat", 0, NONE),
    ]
    assert built.layout.map.distance[7, 7, other] == 0
    assert built.layout.schedules.has_schedule.tolist()[:3] == [False, True, False]
    assert built.layout.schedules.length.tolist()[:3] == [1, 12, 1]
    assert built.shape.schedule_length == 12
    assert any("schedule[10].quality" in str(note) for note in built.notes)


def test_null_fields_are_as_good_as_none(town):
    row = "{kind: start, object: table, affordance: null, position: null, blocked: null, "
    built = town(TOWN % (row + "target_agent: null, quality: null, repeat: null}"))
    assert rows_of(built) == [("start", 1, built.names.affordances.index("eat_out"))]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("kind: jump", "kind: must be one of move, request"),
        ("object: table", "kind: is required but missing"),
        ("kind: wait, loud: true", "loud: unknown key; "),
        ("kind: request", ": a row of kind 'request' needs an object"),
        ("kind: start, affordance: eat_out", ": a row of kind 'start' needs an object"),
        ("kind: move", ": a row of kind 'move' needs a position"),
        ("kind: move, position: [24, 0]", "position: [24, 0] is outside the map of 24 x 24 cells"),
        ("kind: request, object: tabel", "object: unknown object 'tabel'; did you mean 'table'?"),
        ("kind: request, object: table.2", "object: unknown object 'table.2'; "),
        ("kind: request, object: shower.0", "object: unknown object 'shower.0'; "),
        ("kind: chat, target_agent: anne", "target_agent: unknown resident 'anne'; did you mean"),
        ("kind: chat, target_agent: bob", "target_agent: 'bob' cannot talk to itself"),
        ("kind: wait, repeat: 0", "repeat: must be an int in 1...100000, got 0"),
        ("kind: wait, repeat: 10001", ": 10001 rows with repeats, at most 10000 are allowed"),
    ],
)
def test_bad_rows_are_refused(refusals, row, fault):
    (line,) = refusals(TOWN % f"{{{row}}}")
    assert line.startswith("town.yaml:10:")
    assert "scenario.agents[1].schedule" in line and fault in line


@pytest.mark.parametrize(
    ("row", "kind", "fault"),
    [
        (
            "kind: start, object: table, affordance: eat_uot",
            "start",
            "'eat_uot' is unknown, so nothing",
        ),
        ("kind: use, object: table, affordance: use_shower", "use", "does not fit a cafe_table"),
        ("kind: start, object: bench, affordance: eat_out", "start", "does not fit a bench"),
        ("kind: request, object: table, affordance: eat_uot", "request", "unknown affordance"),
    ],
)
def test_affordances_that_do_not_fit_start_nothing(town, refusals, row, kind, fault):
    built = town(TOWN % f"{{{row}}}")
    (found,) = rows_of(built)
    assert (found[0], found[2]) == (kind, NONE)
    key = "scenario.agents[1].schedule[0].affordance"
    assert any(key in str(note) and fault in str(note) for note in built.notes)
    (line,) = refusals(TOWN % f"{{{row}}}", strict=True)
    assert fault in line and line.startswith("town.yaml:10:")


def test_a_walled_target_is_refused(refusals):
    text = "world: {map: map.txt}\nscenario: {agents: [{id: a, schedule: [%s]}]}\n"
    (line,) = refusals(text % "{kind: move, position: [1, 1]}", tiles="....\n.#..\n....\n....\n")
    assert line.endswith("scenario.agents[0].schedule[0].position: [1, 1] is a wall")
