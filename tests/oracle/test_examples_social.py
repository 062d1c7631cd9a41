"""The twin against the worked numbers of the social text: conversations and ties."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.oracle import chat, events, relationships, towns, twin
from tests.oracle.defaults import default_params
from tests.oracle.run import run
from tests.oracle.tables import Job, Resident, Thing
from townlet_jax.state import TieDrop

QUIET = {
    "relationships__trust_decay": 0,
    "relationships__familiarity_decay": 0,
    "relationships__rivalry_decay": 0,
}


def near(*values):
    return pytest.approx(values if len(values) > 1 else values[0], abs=2e-6)


def talkers(*targets, traits=(0, 0, 0), cells=None, **tweaks):
    """Residents side by side, each with a chat target or None for one that waits."""
    plans = [[("wait",)] if x is None else [("chat", x)] for x in targets]
    cells = cells or [(5 + i % 2, 5 + i // 2) for i in range(len(targets))]
    residents = [Resident(c, schedule=p, traits=traits) for c, p in zip(cells, plans, strict=True)]
    return towns.build(residents, **{"chat__range_tiles": 8, **tweaks})


def with_priority(town, *priority):
    draws = towns.quiet_draws(town.shape)
    draws.priority = np.array(priority, np.int32)
    draws.u_chat_success[:] = 0
    return draws


def result_of(town, u, quality=0.5):
    draws = towns.quiet_draws(town.shape)
    draws.u_chat_success[:], draws.u_chat_quality[:] = u, quality
    return run(town, 1, draws=draws).events[0].chat


def both(trust, familiarity):
    return [(0, 1, trust, familiarity, 0), (1, 0, trust, familiarity, 0)]


@pytest.mark.parametrize(
    ("ties", "prob"),
    [
        ([], 0.7),
        ([(1, 0, 0.5, 0.5, 0)], 0.8855),
        ([(1, 0, -1, 0, 0)], 0.49),
        (both(0.3, 0.4), 0.824),
    ],
)
def test_talk_1_2_3_success_follows_the_view_of_the_listener(ties, prob):
    assert result_of(talkers(1, None, ties=ties), prob - 0.001).is_success[0]
    failed = result_of(talkers(1, None, ties=ties), prob + 0.001)
    assert failed.listener[0] == 1 and not failed.is_success[0]


def test_talk_1_and_3_quality():
    assert result_of(talkers(1, None), 0).quality[0] == near(0.6)
    assert result_of(talkers(1, None), 0, quality=0).quality[0] == near(0.4)
    friends = talkers(1, None, ties=both(0.3, 0.4), traits=(0.6, 0, 0))
    assert result_of(friends, 0).quality[0] == near(0.73)


def test_talk_4_only_the_best_placed_proposal():
    town = talkers(1, 2, 3, None)
    e = run(town, 1, draws=with_priority(town, 2, 1, 0, 3)).events[0].chat
    assert list(e.listener) == [-1, -1, 3, -1]
    assert list(town.state.agents.did_last_action) == [False, False, True, True]


def test_talk_5_mutual_proposals_make_one_chat():
    town = talkers(1, 0)
    e = run(town, 1, draws=with_priority(town, 1, 0)).events[0].chat
    assert list(e.listener) == [-1, 0]


def test_talk_6_losers_may_try_again_at_once():
    town = talkers(1, None, 1, 4, None)
    e = run(town, 1, draws=with_priority(town, 0, 3, 1, 2, 4)).events[0].chat
    assert list(e.listener) == [1, -1, -1, 4, -1]
    e = run(town, 1, draws=with_priority(town, 1, 3, 0, 2, 4)).events[1].chat
    assert e.listener[2] == 1


def test_talk_7_cooldown():
    town = talkers(1, None)
    town.state.clock.tick = 10
    chats = [t for t, e in run(town, 70).events.items() if e.chat.listener[0] == 1]
    assert chats == [10, 70]


def test_talk_8_range():
    for distance, listener in ((2, 1), (3, -1)):
        town = talkers(1, None, cells=[(5, 5), (5 + distance, 5)], chat__range_tiles=2)
        assert run(town, 1).events[0].chat.listener[0] == listener


def test_talk_9_at_work_only_with_guests():
    things = [
        Thing("cafe_counter", "counter", (5, 5), venue="cafe"),
        Thing("table", "cafe_table", (6, 5), venue="cafe", stock={"cafe_meals": 9}),
    ]
    barista = [("use", "cafe_counter", "work_shift"), ("chat", None, None, 9)]
    guest = [("use", "table", "eat_out"), ("wait", None, None, 9)]
    for plan, listener in ((guest, 1), ([("wait",)], -1)):
        residents = [Resident((5, 4), job=0, schedule=barista), Resident((6, 4), schedule=plan)]
        town = towns.build(residents, things, [Job(0, 200, location=(5, 5))])
        assert run(town, 2).events[1].chat.listener[0] == listener


def test_forced_chat_displaces_proposals():
    town = talkers(1, None, 1)
    e = run(town, 1, ops={0: [(6, 1, 2, 8000), (6, 2, 0, 1)]}).events[0]
    assert list(e.op_ok[:2]) == [True, False]
    assert list(e.chat.listener) == [-1, 2, -1] and e.chat.quality[1] == near(0.8)
    assert list(town.state.agents.did_last_action) == [False, True, False]


# Ties


def ties_of(num_agents, ties=(), traits=None, tick=0, **tweaks):
    residents = [
        Resident((i, 0), traits=(traits or {}).get(i, (0, 0, 0))) for i in range(num_agents)
    ]
    town = towns.build(residents, ties=ties, **tweaks)
    town.state.clock.tick = tick
    return town


def after(
    town, chats=(), conflicts=(), handovers=(), meals=(), helped=(), took=()
) -> SimpleNamespace:
    """Runs the tie step alone; chats are (speaker, listener, quality or None)."""
    view = twin.look(town.shape, town.state, town.params, town.layout)
    e = view.events = events.empty_events(town.shape)
    for s, b, quality in chats:
        e.chat.listener[s], e.chat.is_success[s] = b, quality is not None
        e.chat.quality[s] = quality or 0
    # One row of objects is enough: every conflict or handover is one row's record.
    for records, rows in ((e.conflicts, conflicts), (e.handovers, handovers)):
        for o, (x, y, intensity) in enumerate(rows):
            records.is_set[o], records.actor[o], records.rival[o] = True, x, y
            records.intensity[o] = intensity
    for x, y in meals:
        e.affordances.shared_meal[x, y] = e.affordances.shared_meal[y, x] = True
    for x, y in helped:
        e.employment.helped[x, y] = True
    for x, y in took:
        e.employment.took[x, y] = True
    relationships.step(view)
    town.state.clock.tick += 1
    return view.events.relationships


def tie(town, a, b):
    t = town.state.relationships
    return [float(t.trust[a, b]), float(t.familiarity[a, b]), float(t.rivalry[a, b])]


def test_tie_1_good_chat():
    town = ties_of(2, **QUIET, tick=7)
    e = after(town, chats=[(0, 1, 0.8)])
    assert tie(town, 0, 1) == tie(town, 1, 0) == near(0.04, 0.08, 0)
    assert town.state.relationships.formed_tick[0, 1] == 7
    assert list(e.settled_trust) == near(0.04, 0.04)
    town = ties_of(2)
    after(town, chats=[(0, 1, 0.8)])
    assert tie(town, 0, 1) == near(0.0399904, 0.0799904, 0)


def test_tie_2_to_5_one_sum_one_clamp():
    town = ties_of(2, **QUIET)
    after(town, conflicts=[(0, 1, 1.5)], handovers=[(1, 0, 0.4)])
    assert tie(town, 0, 1) == near(0.05, 0.05, 0.175)
    town = ties_of(2, [(0, 1, 0, 0, 0.95)], **QUIET)
    after(town, conflicts=[(0, 1, 1.75)], handovers=[(1, 0, 0.4)])
    assert tie(town, 0, 1)[2] == 1.0
    town = ties_of(2, **QUIET)
    after(town, handovers=[(1, 0, 0.4)])
    assert tie(town, 0, 1) == near(0.05, 0.05, 0)
    town = ties_of(2, **QUIET)
    after(town, chats=[(0, 1, 0.0)])
    assert not town.state.relationships.is_tie.any()


def test_tie_6_and_7_capacity():
    town = ties_of(
        5, [(0, 1, 0.5, 0, 0), (0, 2, 0.3, 0, 0)], relationships__effective_capacity=2, **QUIET
    )
    town.state.relationships.formed_tick[0, 1:3] = (10, 5)
    town.state.clock.tick = 20
    e = after(town, meals=[(0, 3)])
    assert list(town.state.relationships.is_tie[0]) == [False, True, False, True, False]
    assert e.evicted[0, TieDrop.CAPACITY] == 1
    e = after(town, chats=[(0, 4, 0.8)])
    assert e.evicted[0, TieDrop.REFUSED] == 1 and e.evicted[0, TieDrop.CAPACITY] == 0
    assert tie(town, 4, 0) == near(0.04, 0.08, 0)
    assert list(e.settled_trust[[0, 4]]) == near(0, 0.04)


def test_tie_8_and_9_equal_strength():
    ties = [(0, 1, 0.5, 0, 0), (0, 2, 0.10, 0.25, 0)]
    town = ties_of(4, ties, relationships__effective_capacity=2, tick=9, **QUIET)
    town.state.relationships.formed_tick[0, 2] = 5
    e = after(town, meals=[(0, 3)])
    assert town.state.relationships.is_tie[0, 2] and e.evicted[0, TieDrop.REFUSED] == 1
    town = ties_of(7, relationships__effective_capacity=1, **QUIET)
    e = after(town, meals=[(0, 3), (0, 6)])
    assert np.flatnonzero(town.state.relationships.is_tie[0]).tolist() == [3]
    assert e.evicted[0, TieDrop.REFUSED] == 1


@pytest.mark.parametrize(("reserve", "kept"), [(0, [1, 2, 3]), (1, [1, 2, 4])])
def test_tie_10_reserved_rivals(reserve, kept):
    ties = [(0, 1, 0.9, 0, 0), (0, 2, 0.8, 0, 0), (0, 3, 0.7, 0, 0), (0, 4, 0, 0, 0.2)]
    town = ties_of(
        5,
        ties,
        relationships__effective_capacity=3,
        relationships__reserve_rivals=reserve,
        tick=3,
        **QUIET,
    )
    after(town)
    assert np.flatnonzero(town.state.relationships.is_tie[0]).tolist() == kept


def test_tie_11_to_14_fading():
    town = ties_of(
        3, [(0, 1, 0.5, 0.5, 0), (1, 0, -0.5, 0, 0), (1, 2, 0, 0, 0.22505), (2, 0, 0, 0.0101, 0)]
    )
    town.state.clock.tick = 1
    drops = {}
    for n in range(1, 2152):
        e = after(town)
        for a in np.flatnonzero(e.evicted[:, TieDrop.DECAY]):
            drops[int(a)] = n
        if n == 1:
            assert tie(town, 1, 0)[0] == near(-0.49988)
        if n == 1440:
            assert tie(town, 0, 1)[:2] == pytest.approx([0.3539, 0.4206], abs=1e-4)
    assert drops == {1: 2151, 2: 83}


def test_tie_15_stage_off():
    for events_, expected in (
        ({"chats": [(0, 1, 0.8)]}, [0, 0, 0]),
        ({"chats": [(0, 1, None)]}, [0, 0, 0.05]),
        ({"conflicts": [(0, 1, 1.5)]}, [0, 0, 0.225]),
    ):
        town = ties_of(2, relationships__stage=0, **QUIET)
        after(town, **events_)
        assert tie(town, 0, 1) == near(*expected)
        assert town.state.relationships.is_tie[0, 1] == any(expected)


def test_tie_16_and_17_help_and_takeover():
    erin, dawn = 0, 1
    town = ties_of(2, **QUIET)
    after(town, helped=[(erin, dawn)])
    assert tie(town, erin, dawn) == near(0.2, 0.1, 0) and tie(town, dawn, erin) == near(0, 0.05, 0)
    town = ties_of(2, **QUIET)
    after(town, took=[(erin, dawn)])
    assert tie(town, dawn, erin) == near(-0.1, 0, 0.3)
    assert not town.state.relationships.is_tie[erin, dawn]


def test_tie_18_rivalry_decay():
    deltas = default_params().relationships.deltas
    deltas[3, 2] = 0.05
    town = ties_of(2, relationships__rivalry_decay=0.01, relationships__deltas=deltas, tick=1)
    values = {}
    for tick in range(1, 50):
        after(town, conflicts=[(0, 1, 1.5)] if tick <= 9 else ())
        values[tick] = tie(town, 0, 1)[2]
    assert [values[t] for t in (9, 19, 49)] == near(0.585, 0.485, 0.185)


def test_tie_19_removal_counts_for_the_owners():
    town = ties_of(6, [(a, 2, 0.5, 0, 0) for a in (0, 1, 5)] + [(2, 0, 0.5, 0, 0)])
    e = run(town, 2, ops={0: [(2, 2)]}).events[1].relationships
    assert list(e.evicted[:, TieDrop.REMOVED]) == [1, 1, 0, 0, 0, 1]
    assert not town.state.relationships.is_tie.any()


def personality(row, traits, chats=(), **kwargs):
    town = ties_of(2, traits={0: traits}, relationships__has_modifiers=True, **QUIET)
    if row is not None:
        town.params.relationships.deltas[3] = row
        kwargs = {"conflicts": [(0, 1, 1)]}
    after(town, chats=chats, **kwargs)
    return tie(town, 0, 1)


def test_personality_examples():
    town = ties_of(2, traits={0: (0, 1, 0), 1: (0, -1, 0)}, relationships__has_modifiers=True)
    view = twin.look(town.shape, town.state, town.params, town.layout)
    view.params.relationships.deltas[4] = (-0.4, -0.2, 0.3)
    assert list(relationships._row_table(view, 0)[4]) == near(-0.2, -0.1, 0.15)
    assert list(relationships._row_table(view, 1)[4]) == near(-0.6, -0.3, 0.45)
    assert list(relationships._row_table(view, 0)[2]) == near(0.05, 0.05, -0.05)
    assert personality(None, (1, 0, 0), [(0, 1, 0.5)]) == near(0.025, 0.07, 0)
    assert personality(None, (-1, 0, 0), [(1, 0, 0.5)]) == near(0.025, 0.03, 0)
    assert personality(None, (0, 0, 1), conflicts=[(0, 1, 1)])[2] == near(0.195)
    assert personality(None, (0, 1, 1), conflicts=[(0, 1, 1)])[2] == near(0.0975)
    assert personality(None, (0, 0, 0.5), took=[(1, 0)]) == near(-0.1, 0, 0.345)
    town = ties_of(2, [(0, 1, 0, 0, 0.2)], traits={0: (0, 1, 0)}, relationships__has_modifiers=True)
    after(town)
    assert tie(town, 0, 1)[2] == near(0.19985)


def test_churn_2_quiet_windows_read_zero():
    town = ties_of(3, tick=1)
    for tick in range(1, 1301):
        if tick in (10, 590):
            town.state.relationships.is_tie[0, 1] = True
            town.state.relationships.formed_tick[0, 1] = 1
        after(town)
        if tick == 600:
            assert town.state.relationships.evictions_previous[0, TieDrop.DECAY] == 2
    assert not town.state.relationships.evictions_previous.any()
    assert not town.state.relationships.evictions_window.any()


def test_avoided_residents_are_not_eligible():
    for rivalry, expected in ((0.69, True), (0.71, False)):
        town = ties_of(2, [(1, 0, 0, 0, rivalry)])
        view = twin.look(town.shape, town.state, town.params, town.layout)
        assert chat.is_eligible(view, 0, 1) == chat.is_eligible(view, 1, 0) == expected
