"""Jobs and perturbations: where and what, and every way they can be wrong."""

import numpy as np
import pytest

from townlet_jax.config.layout import PerturbationKind
from townlet_jax.masked import NONE

OBJECTS = """
scenario:
  objects:
    - {id: bench, type: bench, position: [3, 3]}
    - {id: till, type: counter, position: [3, 3]}
    - {id: desk, type: desk, position: [9, 9], venue: office}
"""


def test_jobs_find_their_sites(town):
    built = town(
        OBJECTS
        + """
jobs:
  seller: {start_tick: 5, end_tick: 9, wage_rate: 0.5, lateness_penalty: 2, location: [3, 3]}
  guard: {start_tick: 7, location: [1, 2]}
  rover: {start_tick: 3, end_tick: 4}
"""
    )
    jobs, employment = built.layout.jobs, built.params.employment
    work = built.names.affordances.index("work_shift")
    assert built.names.jobs == ("seller", "guard", "rover")
    assert jobs.num_jobs == 3
    assert jobs.site.tolist()[:3] == [1, NONE, NONE]
    assert jobs.affordance.tolist()[:3] == [work, NONE, NONE]
    assert jobs.location.tolist()[:4] == [[3, 3], [1, 2], [NONE, NONE], [NONE, NONE]]
    assert jobs.target.tolist()[:4] == [1, 3, NONE, NONE]
    assert built.layout.map.distance[2, 1, 3] == 0
    assert employment.start.tolist()[:3] == [5, 7, 3]
    assert employment.end.tolist()[:3] == [9, 7, 4]
    np.testing.assert_allclose(employment.wage[:3], [0.5, 0.024, 0.024])
    np.testing.assert_allclose(employment.lateness_penalty[:3], [2, 0, 0])


@pytest.mark.parametrize(
    ("jobs", "line"),
    [
        (
            "a: {start_tick: 9, end_tick: 8}",
            "jobs.a.end_tick: must be at least start_tick (9), got 8",
        ),
        ("a: {start_tick: 9, end_tick: 1439}", "jobs.a.end_tick: must be at most 1438"),
        ("a: {location: [24, 0]}", "jobs.a.location: [24, 0] is outside the map of 24 x 24 cells"),
        ("a: {location: [0]}", "jobs.a.location: must be"),
        ("a: {wage: 1}", "jobs.a.wage: unknown key; did you mean 'wage_rate'?"),
        (", ".join(f"j{i}: {{}}" for i in range(9)), "jobs: 9 jobs, at most 8 are allowed"),
    ],
)
def test_bad_jobs_are_refused(refusals, jobs, line):
    (found,) = refusals(f"jobs: {{{jobs}}}\n")
    assert line in found and found.startswith("town.yaml:2:")


def test_a_job_on_a_wall_is_refused(refusals):
    text = "world: {map: map.txt}\njobs: {a: {location: [1, 1]}}\n"
    (found,) = refusals(text, tiles="....\n.#..\n....\n....\n")
    assert found.endswith("jobs.a.location: [1, 1] is a wall")


def events(text, more=""):
    return OBJECTS + "perturbations:\n  events:\n" + text + more


def test_perturbations_find_prices_and_places(town):
    built = town(
        events("""
    spike: {kind: price_spike, prob_per_day: 2, targets: [cafe, shower, snacks]}
    all: {kind: price_spike, magnitude: 1.5, duration: {min: 2, max: 5}}
    dark: {kind: blackout, cooldown_ticks: 7, duration: 3}
    dry: {kind: outage}
    meet: {kind: arranged_meet, location: office, target: anybody, max_participants: 3}
    seat: {kind: arranged_meet, location: till}
    kind: {kind: arranged_meet, location: counter}
    gone: {kind: arranged_meet, location: offise}
economy: {price_groups: {snacks: [meal]}}
""")
    )
    table, params = built.layout.perturbations, built.params.perturbations
    kinds = PerturbationKind
    assert table.kind.tolist() == [
        kinds.PRICE_SPIKE, kinds.PRICE_SPIKE, kinds.BLACKOUT, kinds.OUTAGE,
        kinds.ARRANGED_MEET, kinds.ARRANGED_MEET, kinds.ARRANGED_MEET, NONE,
    ]  # fmt: skip
    keys = built.names.price_keys
    targets = [
        [key for key, hit in zip(keys, row, strict=False) if hit] for row in table.price_targets
    ]
    assert targets[0] == ["meal", "shower", "cafe_meal"]
    assert targets[1] == [key for key in keys if key != "rent"]
    assert not table.price_targets[2:].any()
    assert table.location.tolist() == [NONE] * 4 + [2, 1, 1, NONE]
    assert table.is_top_rivals.tolist()[4:7] == [False, True, True]
    assert table.max_participants.tolist()[4:6] == [3, 2]
    assert params.duration.tolist()[:3] == [[1, 1], [2, 5], [3, 3]]
    assert params.magnitude.tolist()[1] == [1.5, 1.5]
    assert params.cooldown_ticks.tolist()[2] == 7
    assert params.prob_per_day.tolist()[:2] == [2.0, 0.0]
    assert any(
        "no object, venue or object type 'offise', so it is disabled" in str(n) for n in built.notes
    )


@pytest.mark.parametrize(
    ("row", "strict", "fault"),
    [
        ("kind: price_spik", False, "kind: must be one of price_spike"),
        (
            "kind: price_spike, targets: [mael]",
            False,
            "targets[0]: unknown price key or group 'mael'; did",
        ),
        ("kind: price_spike, duration: [5, 2]", False, "duration: must be"),
        ("kind: blackout, prob_per_day: -1", False, "prob_per_day: must be"),
        ("kind: blackout, utility: water", False, "utility: must be power"),
        (
            "kind: arranged_meet, location: till, max_participants: 9",
            False,
            "must be in 2...8 (the agent",
        ),
        (
            "kind: arranged_meet, location: offise",
            True,
            "location: no object, venue or object type 'off",
        ),
    ],
)
def test_bad_perturbations_are_refused(refusals, row, strict, fault):
    (line,) = refusals(events(f"    x: {{{row}}}\n"), strict=strict)
    assert "perturbations.events.x" in line and fault in line and line.startswith("town.yaml:10:")


def test_too_many_perturbations_and_unknown_keys_in_groups(refusals):
    text = events("".join(f"    p{i}: {{kind: blackout}}\n" for i in range(9)))
    assert "perturbations.events: 9 perturbations, at most 8" in refusals(text)[0]
    (line,) = refusals("economy: {price_groups: {snacks: [meal, maelstrom]}}\n")
    assert "economy.price_groups.snacks[1]: unknown price key 'maelstrom'" in line
