"""Random ticks of the twin keep the invariants of the specification."""

import dataclasses

import numpy as np
import pytest

from tests.oracle import towns, twin
from tests.oracle.masks import action_mask
from tests.oracle.policy import scripted
from tests.oracle.run import ops_rows
from tests.oracle.step import step
from tests.oracle.tables import Job, Resident, Spec, Thing
from townlet_jax.config.layout import PerturbationKind as Kind
from townlet_jax.state import TownState
from townlet_jax.state.events import TickEvents

TILES = [
    "............",
    ".##+##......",
    ".#....#.....",
    ".+....+.....",
    ".#....#.....",
    ".######.....",
    "............",
    "............",
    "............",
    "............",
]


def busy_town(level: str, **tweaks):
    """Eight residents who are poor, hungry and close together; days of 200 ticks."""
    things = [
        Thing("beds", "bed", (2, 2), seats=2),
        Thing("fridge", "fridge", (3, 3), 2, "kitchen", {"meals": 4}, {"meals": 6}, {"meals": 9}),
        Thing(
            "stove", "stove", (4, 3), 1, "kitchen", {"raw_ingredients": 6}, {"raw_ingredients": 6}
        ),
        Thing("shower", "shower", (5, 3)),
        Thing("table", "cafe_table", (9, 3), 3, "cafe", {"cafe_meals": 9}, {"cafe_meals": 9}),
        Thing("till", "counter", (10, 3), venue="cafe"),
        Thing("bench", "bench", (9, 7)),
    ]
    jobs = [Job(40, 110, location=(10, 3)), Job(60, 140, location=(2, 8)), Job(20, 60)]
    specs = [
        Spec(Kind.PRICE_SPIKE, 20, 20, (5, 20), (1.2, 1.8), ("meal", "rent")),
        Spec(Kind.BLACKOUT, 10, 30, (5, 9)),
        Spec(Kind.OUTAGE, 10, 30, (5, 9)),
        Spec(Kind.ARRANGED_MEET, 30, 30, (10, 20), location=4),
        Spec(
            Kind.ARRANGED_MEET, 30, 30, (10, 20), location=10, is_top_rivals=False, participants=3
        ),
    ]
    residents = [
        Resident((x, 6), (0.5, 0.5, 0.5), 1.0, x % 3, (0.1 * x, -0.1 * x, 0.3)) for x in range(7)
    ]
    numbers = {
        "time__ticks_per_day": 200,
        "economy__restock_tick": 30,
        "needs__decay": (0.006, 0.004, 0.003),
        "queues__ghost_step_after": 2,
        "queues__min_hold_ticks": 3,
        "queues__cooldown_ticks": 12,
        "queues__has_friend_promotion": True,
        "queues__friend_promotion_margin": 0.05,
        "movement__ghost_step_after": 2,
        "lifecycle__collapse_ticks": 8,
        "lifecycle__exit_cooldown_ticks": 10,
        "lifecycle__max_exits_per_day": 4,
        "slots__cooldown_ticks": 30,
        "employment__exit_review_window": 50,
        "perturbations__max_concurrent_events": 3,
        "perturbations__max_events_per_window": 3,
        "perturbations__window_ticks": 100,
        "perturbations__per_agent_cooldown_ticks": 20,
        "perturbations__global_cooldown_ticks": 3,
        "chat__pair_cooldown_ticks": 9,
        "relationships__effective_capacity": 3,
        "relationships__reserve_rivals": 1,
        "relationships__has_modifiers": True,
        "relationships__churn_window_ticks": 50,
        **tweaks,
    }
    entry = ((0, 6), (0, 7), (11, 6), (11, 7))
    return towns.build(
        residents, things, jobs, specs, TILES, entry, slots=8, level=level, **numbers
    )  # fmt: skip


def random_ops(shape, rng) -> np.ndarray:
    """Draws a few admin rows, most of them legal."""

    def agent():
        return int(rng.integers(-1, shape.num_agents))

    def number(low, high):
        return int(rng.integers(low, high))

    def cell():
        return int(rng.integers(shape.width)), int(rng.integers(shape.height))

    makers = (
        lambda: (1, agent(), *cell(), int(rng.integers(-1, 3))),
        lambda: (2, agent()),
        lambda: (3, agent(), *cell()),
        lambda: (4, agent(), int(rng.integers(3)), int(rng.integers(-10, 10_050))),
        lambda: (5, int(rng.integers(6)), int(rng.integers(-9, 9999))),
        lambda: (6, agent(), agent(), int(rng.integers(10_001))),
        lambda: (7, agent(), agent(), number(-1, shape.num_objects), number(-1, 20)),
        lambda: (8, agent(), agent(), int(rng.integers(-1, 4)), int(rng.integers(-12_000, 12_000))),
        lambda: (9, agent()),
        lambda: (10, agent()),
        lambda: (11, number(0, 6), number(0, 4), number(-1, 9), -1, agent(), agent(), -1),
        lambda: (12, int(rng.integers(30))),
        lambda: (13, agent(), agent(), int(rng.integers(200))),
        lambda: (14, agent(), agent()),
        lambda: (15, int(rng.integers(4) > 0)),
        lambda: (16, int(rng.integers(4) > 0)),
    )  # fmt: skip
    rows = [makers[rng.integers(len(makers))]() for _ in range(rng.integers(shape.num_ops))]
    return ops_rows(shape, rows if rng.random() < 0.1 else ())


def check_queues(town, s, events, before):
    q, use = s.queues, s.use
    for a in range(town.shape.num_agents):
        held = np.flatnonzero(q.holder == a)
        assert len(held) <= 1 and not (len(held) and q.waiting_for[a] >= 0)
        if use.affordance[a] >= 0 and not town.layout.objects.is_virtual[use.obj[a]]:
            assert q.holder[use.obj[a]] == a
        if not s.agents.is_alive[a]:
            assert not len(held) and q.waiting_for[a] < 0 and use.affordance[a] < 0
            assert s.slots.slot[a] < 0
            assert not s.relationships.is_tie[a].any() and not s.relationships.is_tie[:, a].any()
    collapsed = {int(o) for o in before.queues.holder[before.queues.holder >= 0]}
    for o in range(town.shape.num_objects):
        is_free_with_queue = q.holder[o] < 0 and (q.waiting_for == o).any()
        assert not is_free_with_queue or events.lifecycle.collapsed.any() or collapsed is None
    assert (q.totals >= before.queues.totals).all()
    if not before.queues.is_fairness_on and not s.queues.is_fairness_on:
        assert (q.totals == before.queues.totals).all()


def check_ties(town, s):
    t, p = s.relationships, town.params.relationships
    assert (t.is_tie.sum(axis=1) <= p.effective_capacity).all() and not t.is_tie.diagonal().any()
    for values in (t.trust, t.familiarity, t.rivalry):
        assert (values[~t.is_tie] == 0).all() and (np.abs(values) <= 1).all()
    largest = np.max([np.abs(t.trust), np.abs(t.familiarity), np.abs(t.rivalry)], axis=0)
    assert (largest[t.is_tie] > p.eviction_threshold).all() and (t.rivalry >= 0).all()
    assert (t.last_chat_tick == t.last_chat_tick.T).all()


def check_everything(town, s, events, before):
    check_queues(town, s, events, before)
    check_ties(town, s)
    assert (s.needs.level >= 0).all() and (s.needs.level <= 1).all()
    assert (s.agents.wallet >= 0).all() and np.isfinite(s.agents.wallet).all()
    most = np.maximum(town.layout.stock.initial, town.layout.stock.maximum)
    assert (s.economy.stock >= 0).all() and (s.economy.stock <= most).all()
    slots = s.slots.slot[s.slots.slot >= 0]
    assert len(set(slots.tolist())) == len(slots) == s.agents.is_alive.sum()
    x, y = s.agents.position[s.agents.is_alive].T
    assert (town.layout.map.tiles[y, x] != 1).all()
    assert (s.employment.num_present <= s.employment.num_scheduled).all()
    chatting = [a for a in range(town.shape.num_agents) if events.chat.listener[a] >= 0]
    parties = [x for a in chatting for x in (a, int(events.chat.listener[a]))]
    assert len(parties) == len(set(parties))


@pytest.mark.parametrize("level", ["option", "primitive"])
@pytest.mark.parametrize("seed", [0])
def test_random_ticks_keep_the_invariants(level, seed):
    town = busy_town(level)
    rng = np.random.default_rng(seed)
    params, layout = twin.plain(town.params), twin.plain(town.layout)
    shapes = None
    shuffled = dataclasses.replace(town.shape, tick_order="random")
    for _ in range(250):
        before = town.state
        mask = action_mask(town.shape, before, params, layout)
        assert mask.any(axis=1).all()
        action = np.array([rng.choice(np.flatnonzero(row)) for row in mask])
        wild = rng.random(len(action)) < 0.2
        action = np.where(wild, rng.integers(town.shape.num_actions, size=len(action)), action)
        draws = towns.random_draws(shuffled, rng)
        ops = random_ops(town.shape, rng)
        town.state, events = step(town.shape, before, action, ops, draws, params, layout)
        check_everything(town, town.state, events, before)
        arrays = [twin.to_arrays(town.state, TownState), twin.to_arrays(events, TickEvents)]
        now = [
            (getattr(group, name).shape, getattr(group, name).dtype)
            for tree in arrays
            for group in vars(tree).values()
            if hasattr(group, "__dataclass_fields__")
            for name in group.__dataclass_fields__
            if name != "stream_keys" and hasattr(getattr(group, name), "shape")
        ]
        assert shapes in (None, now)
        shapes = now
    assert town.state.metrics.totals.min() >= 0 and town.state.lifecycle.num_arrivals > 7


def test_scripted_choices_are_legal_and_keep_residents_alive():
    town = busy_town("option", needs__decay=(0.0014, 0.001, 0.0008), time__ticks_per_day=1440)
    params, layout = twin.plain(town.params), twin.plain(town.layout)
    rng = np.random.default_rng(0)
    for tick in range(300):
        mask = action_mask(town.shape, town.state, params, layout)
        if tick % 5 == 0:
            action = scripted(town.shape, town.state, params, layout, mask)
            assert mask[np.arange(8), action].all()
        draws = towns.random_draws(town.shape, rng)
        town.state, events = step(town.shape, town.state, action, None, draws, params, layout)
        assert not events.lifecycle.collapsed.any()
    assert town.state.metrics.counters[:, :2].sum() > 0
