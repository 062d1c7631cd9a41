"""Residents and their ties at the start."""

import numpy as np
import pytest

from townlet_jax.config.residents import halton, kept_ties
from townlet_jax.masked import NONE


def agents(*rows):
    return "scenario:\n  agents:\n" + "".join(f"    - {{{row}}}\n" for row in rows)


JOBS = "jobs: {baker: {}, clerk: {}, guard: {}}\n"
THREE = agents(*(f"id: {name}, position: [{x}, 1]" for x, name in enumerate(("ann", "bob", "cy"))))


def test_slots_are_filled_in_file_order(town):
    built = town(
        JOBS
        + agents(
            "id: ann, position: [1, 2], needs: {hunger: 0.1}, wallet: 2, personality: stoic",
            "id: bob, position: [3, 4], home: [5, 6], needs: random, job: baker",
            "id: cy, position: [7, 8], personality: [0.1, -0.2, 1]",
        )
    )
    residents = built.layout.residents
    assert built.names.agents == ("ann", "bob", "cy", *(f"resident_{a}" for a in range(3, 8)))
    assert residents.is_resident.tolist() == [True] * 3 + [False] * 5
    assert residents.position.tolist()[:3] == [[1, 2], [3, 4], [7, 8]]
    assert residents.home.tolist()[:3] == [[1, 2], [5, 6], [7, 8]]
    np.testing.assert_allclose(residents.needs[0], [0.1, 0.5, 0.5])
    assert residents.is_random_needs.tolist()[:3] == [False, True, False]
    assert residents.wallet.tolist()[:2] == [2.0, 0.0]
    assert residents.job.tolist() == [0, 0, 2] + [NONE] * 5
    assert residents.profile.tolist()[:3] == [3, NONE, NONE]
    np.testing.assert_allclose(residents.traits[0], [-0.3, 0.5, -0.2])
    np.testing.assert_allclose(residents.traits[2], [0.1, -0.2, 1.0])
    assert residents.is_random_traits.tolist()[:3] == [False, True, False]


def test_overrides_and_own_profiles(town):
    built = town(
        """
        personalities:
          overrides: {ann: socialite}
          profiles: {socialite: {traits: [0.9, 0.8, 0.7]}}
        scenario: {agents: [{id: ann, personality: stoic}, {id: bob, personality: socialite}]}
        """
    )
    np.testing.assert_allclose(built.layout.residents.traits[:2], [[0.9, 0.8, 0.7]] * 2)
    assert built.names.profiles[1] == "socialite"
    np.testing.assert_allclose(built.params.lifecycle.profile_traits[1], [0.9, 0.8, 0.7])


def test_more_profiles_than_rows_are_refused(refusals):
    (line,) = refusals("personalities: {profiles: {grumpy: {traits: [0, -1, 0]}}}\n")
    assert "personalities.profiles: 5 profiles, at most 4 are allowed" in line


@pytest.mark.parametrize(
    ("text", "is_halton", "cumulative"),
    [
        ("", True, [1, 1, 1, 1]),
        ("personalities: {distribution: {stoic: 1, socialite: 3}}", False, [0, 0.75, 0.75, 1]),
        ("personalities: {distribution: {balanced: 2}}", False, [1, 1, 1, 1]),
        ("personalities: {sampling: profile}", False, [1, 1, 1, 1]),
        ("personalities: {sampling: halton, distribution: {stoic: 1}}", True, [0, 0, 0, 1]),
    ],
)
def test_how_newcomers_get_their_traits(town, text, is_halton, cumulative):
    lifecycle = town(text + "\n").params.lifecycle
    assert bool(lifecycle.is_halton) == is_halton
    np.testing.assert_allclose(lifecycle.profile_cumulative, cumulative)


def test_residents_without_a_place_start_at_the_entries(town):
    built = town(agents("id: a", "id: b, position: [0, 0]", "id: c"))
    assert built.layout.residents.position.tolist()[:3] == [[1, 0], [0, 0], [2, 0]]
    assert any("resident 'c' has no position; starts at [2, 0]" in str(n) for n in built.notes)


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        (
            ["id: a, position: [1, 1]", "id: b, position: [1, 1]"],
            "5:25: scenario.agents[1].position: [1, 1] is where 'a' starts; one resident per cell",
        ),
        (
            ["id: a, position: [24, 0]"],
            "4:25: scenario.agents[0].position: [24, 0] is outside the map",
        ),
        (["id: a, home: [0, 24]"], "4:21: scenario.agents[0].home: [0, 24] is outside the map"),
        (["id: a", "id: a"], "5:12: scenario.agents[1].id: duplicate id 'a'"),
        (["position: [0, 0]"], "4:7: scenario.agents[0].id: is required but missing"),
        (["id: a, job: bakr"], "scenario.agents[0].job: unknown job 'bakr'; did you mean 'baker'?"),
        (["id: a, personality: stoik"], "unknown profile 'stoik'; did you mean 'stoic'?"),
        (["id: a, personality: [1, 2, 0]"], "scenario.agents[0].personality"),
        (["id: a, needs: {hunger: 2}"], "scenario.agents[0].needs.hunger: must be"),
        (["id: a, needs: {thirst: 1}"], "scenario.agents[0].needs.thirst: unknown key"),
        (["id: a, wallet: -1"], "scenario.agents[0].wallet: must be"),
    ],
)
def test_bad_residents_are_refused(refusals, rows, line):
    assert any(line in found for found in refusals(agents(*rows) + JOBS))


def test_too_many_residents_are_refused(refusals, town):
    rows = [f"id: a{i}" for i in range(9)]
    assert town(agents(*rows)).shape.num_agents == 9
    (line,) = refusals(agents(*rows) + "world: {max_agents: 8}\n")
    assert "world.max_agents: must be at least the 9 residents given, got 8" in line
    (line,) = refusals("embedding_allocator: {max_slots: 7}\n")
    assert "embedding_allocator.max_slots: must be at least the 8 agent slots, got 7" in line


def test_a_file_without_residents_starts_empty(town):
    built = town("seed: 1\n")
    assert not built.layout.residents.is_resident.any()
    assert built.shape.num_agents == 8


TIES = "features: {seed_relationships: true}\nworld: {initial_relationships: [%s]}\n"


def test_ties_are_written_at_the_start(town):
    ties = (
        "{a: ann, b: bob, trust: 0.3, familiarity: 0.4, symmetric: true}, "
        "{a: ann, b: cy, rivalry: -0.5}, {a: cy, b: ann, rivalry: 0.25}, {a: bob, b: cy}"
    )
    residents = town(THREE + TIES % ties).layout.residents
    assert np.argwhere(residents.is_tie).tolist() == [[0, 1], [1, 0], [2, 0]]
    np.testing.assert_allclose(residents.trust[0, 1], 0.3)
    np.testing.assert_allclose(residents.familiarity[1, 0], 0.4)
    np.testing.assert_allclose(residents.rivalry[:3, 0], [0, 0, 0.25])


def test_ties_without_the_feature_are_noted_and_ignored(town):
    built = town(THREE + (TIES % "{a: ann, b: bob, trust: 1}").replace("true", "false"))
    assert not built.layout.residents.is_tie.any()
    assert any("features.seed_relationships is off" in str(note) for note in built.notes)


def test_ties_beyond_capacity_fall_out(town):
    ties = "{a: ann, b: bob, trust: 0.3}, {a: ann, b: cy, trust: 0.4}, {a: bob, b: cy, trust: 0.1}"
    built = town(THREE + TIES % ties + "relationships: {max_edges: 1}\n")
    assert np.argwhere(built.layout.residents.is_tie).tolist() == [[0, 2], [1, 2]]
    assert built.layout.residents.trust[0, 1] == 0
    assert any("1 ties fall out at the start" in str(note) for note in built.notes)


@pytest.mark.parametrize(
    ("tie", "fault"),
    [
        (
            "{a: ann, b: bobby}",
            "initial_relationships[0].b: unknown resident 'bobby'; did you mean 'bob'",
        ),
        ("{a: ann, b: ann}", "initial_relationships[0].b: must be another resident than a"),
        (
            "{a: ann, b: bob}, {a: ann, b: bob}",
            "initial_relationships[1]: the tie ann -> bob is given",
        ),
        (
            "{a: ann, b: bob, symmetric: true}, {a: bob, b: ann}",
            "initial_relationships[1]: the tie bob",
        ),
        ("{a: ann, b: bob, trust: 1.5}", "initial_relationships[0].trust: must be"),
        ("{a: ann}", "initial_relationships[0].b: is required but missing"),
    ],
)
def test_bad_ties_are_refused(refusals, tie, fault):
    assert any(fault in line for line in refusals(THREE + TIES % tie))


def test_capacity_keeps_the_strongest_and_reserved_rivals():
    """EX-TIE-10: strengths .9, .8, .7 without rivalry, .2 all rivalry."""
    values = np.zeros((3, 5, 5), np.float32)
    values[0, 0, 1:4] = 0.9, 0.8, 0.7
    values[2, 0, 4] = 0.2
    is_tie = (values != 0).any(axis=0)
    assert np.flatnonzero(kept_ties(values, is_tie, 3, 0)[0]).tolist() == [1, 2, 3]
    assert np.flatnonzero(kept_ties(values, is_tie, 3, 1)[0]).tolist() == [1, 2, 4]
    assert np.flatnonzero(kept_ties(values, is_tie, 1, 3)[0]).tolist() == [4]
    assert not kept_ties(values, is_tie, 0, 3).any()
    values[0, 0, 1:4] = 0.5
    assert np.flatnonzero(kept_ties(values, is_tie, 2, 0)[0]).tolist() == [1, 2]


def test_halton_rows_are_radical_inverses():
    table = halton()
    assert table.shape == (4096, 3) and table.dtype == np.float32
    np.testing.assert_allclose(table[:4, 0], [1 / 2, 1 / 4, 3 / 4, 1 / 8])
    np.testing.assert_allclose(table[:4, 1], [1 / 3, 2 / 3, 1 / 9, 4 / 9])
    np.testing.assert_allclose(table[:6, 2], [0.2, 0.4, 0.6, 0.8, 0.04, 0.24])
    assert table.min() > 0 and table.max() < 1
