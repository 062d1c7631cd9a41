"""Perturbations against a plain-Python table, tick by tick over random specs and draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tests.rules.perturbation_tables import (
    AGENTS,
    BLACKOUT,
    MEET,
    OUTAGE,
    ROWS,
    SHAPE,
    SPECS,
    at,
    params,
    random_setting,
)
from townlet_jax.masked import LONG_AGO, NONE
from townlet_jax.rules import perturbations as rule
from townlet_jax.state import empty_perturbations

rolled = jax.jit(rule.update)


def oracle(table, draws, alive, rivalry, t, p, tables):
    """Runs one tick over a list of rows, in the words of the specification."""
    rows, started, ended = table["rows"], [], []
    kind = tables["kind"]
    for k, row in enumerate(rows):
        if row and not row["pending"] and row["end"] <= t:
            ended.append((k, row["spec"], row["id"]))
            if kind[row["spec"]] in (BLACKOUT, OUTAGE):
                table["city"] = t + p["grace_window_ticks"]
            rows[k] = None

    def begin(k):
        row = rows[k]
        row["pending"] = False
        table["until"][row["spec"]] = row["end"] + p["cooldown_ticks"][row["spec"]]
        table["starts"][row["spec"]] = ([t] + table["starts"][row["spec"]])[:4]
        for a in row["guests"]:
            table["agent"][a] = row["end"] + p["per_agent_cooldown_ticks"]
        started.append((k, row["spec"], row["id"]))

    for k, row in enumerate(rows):
        if row and row["pending"] and row["start"] <= t:
            begin(k)
    free = [a for a in range(AGENTS) if alive[a] and table["agent"][a] <= t]
    accepted = []
    for s in range(SPECS):
        guests = []
        if kind[s] == MEET and tables["top"][s]:
            pairs = [(i, j) for i in free for j in free if i < j]
            heat = [np.float32(rivalry[i, j] + rivalry[j, i]) for i, j in pairs]
            if heat and max(heat) > 0:
                guests = list(pairs[heat.index(max(heat))])
        elif kind[s] == MEET:
            guests = sorted(free, key=lambda a: (draws["meet"][a], a))[: tables["most"][s]]
        recent = sum(x > t - p["window_ticks"] for x in table["starts"][s])
        is_capped = 0 < p["max_events_per_window"] <= recent
        is_cool = table["until"][s] <= t and table["global"] <= t
        is_certain = draws["roll"][s] < min(1, np.float32(p["prob_per_day"][s]) / np.float32(1440))
        is_possible = kind[s] != NONE and (kind[s] != MEET or guests)
        if is_possible and is_cool and not is_capped and is_certain:
            accepted.append((s, guests))
    for s, guests in accepted:
        active = sum(bool(row) and not row["pending"] for row in rows)
        vacant = [k for k, row in enumerate(rows) if row is None]
        if active >= p["max_concurrent_events"] or not vacant:
            break
        low, high = p["duration"][s]
        length = max(1, low + int(draws["ticks"][s]) % (high - low + 1))
        rows[vacant[0]] = dict(
            spec=s, id=table["next"], start=t, end=t + length, pending=False, guests=guests
        )
        table["next"] += 1
        begin(vacant[0])
        table["global"] = t + p["global_cooldown_ticks"]
        if p["global_cooldown_ticks"] > 0:
            break
    return started, ended


def announce(table, model, spec, start, end):
    """Puts a pending blackout, spike or outage into the lowest free row of both tables."""
    k = model["rows"].index(None)
    model["rows"][k] = dict(
        spec=spec, id=model["next"], start=start, end=end, pending=True, guests=[]
    )
    model["next"] += 1
    row = jnp.arange(ROWS) == k
    return rule.write(
        table,
        row,
        spec=spec,
        event_id=table.next_id,
        start_tick=start,
        end_tick=end,
        is_pending=True,
    ).replace(next_id=table.next_id + 1)


def events_of(rows, specs, ids):
    return [(int(k), int(specs[k]), int(ids[k])) for k in np.flatnonzero(rows)]


@pytest.mark.parametrize("seed", range(12))
def test_oracle(seed):
    rng = np.random.default_rng(seed)
    numbers, arrays, tables = random_setting(rng)
    table = empty_perturbations(SHAPE)
    model = dict(
        rows=[None] * ROWS,
        until=[0] * SPECS,
        starts=[[] for _ in range(SPECS)],
        agent=[0] * AGENTS,
        city=0,
        next=0,
    )
    model["global"] = 0
    plain = [s for s in range(SPECS) if tables["kind"][s] not in (MEET, NONE)]
    for t in range(40):
        draws = dict(
            roll=rng.random(SPECS, np.float32),
            ticks=rng.integers(0, 2**32, SPECS, np.uint32),
            meet=rng.integers(0, 6, AGENTS),
        )
        alive = rng.random(AGENTS) < 0.8
        rivalry = rng.choice([0, 0, 0.25, 0.5], (AGENTS, AGENTS)).astype(np.float32)
        if plain and None in model["rows"] and rng.random() < 0.2:
            start = t + int(rng.integers(0, 3))
            table = announce(table, model, int(rng.choice(plain)), start, start + 2)
        table, events = rolled(
            table,
            rule.Chances(
                roll=jnp.array(draws["roll"]),
                ticks=jnp.array(draws["ticks"]),
                magnitude=jnp.full(SPECS, 0.5, jnp.float32),
                meet=jnp.array(draws["meet"], jnp.uint32),
            ),
            jnp.array(alive),
            jnp.array(rivalry),
            at(t),
            jnp.int32(1440),
            params(**numbers),
            arrays,
        )
        started, ended = oracle(model, draws, alive, rivalry, t, numbers, tables)
        assert sorted(started) == events_of(events.started, events.started_spec, events.started_id)
        assert sorted(ended) == events_of(events.ended, events.ended_spec, events.ended_id)
        compare(table, model, t)


def compare(table, model, t):
    assert_array_equal(table.spec_until, model["until"])
    assert_array_equal(table.agent_until, model["agent"])
    assert (table.global_until, table.city_event_until) == (model["global"], model["city"])
    assert table.next_id == model["next"]
    for s in range(SPECS):
        assert [int(x) for x in table.starts[s] if x != LONG_AGO] == model["starts"][s]
    for k, row in enumerate(model["rows"]):
        if row is None:
            assert (table.spec[k], table.event_id[k]) == (NONE, NONE)
            assert not table.is_pending[k] and not table.is_target[k].any()
            continue
        assert (table.spec[k], table.event_id[k]) == (row["spec"], row["id"])
        assert (table.start_tick[k], table.end_tick[k]) == (row["start"], row["end"])
        assert table.is_pending[k] == row["pending"]
        assert_array_equal(np.flatnonzero(table.is_target[k]), sorted(row["guests"]))
