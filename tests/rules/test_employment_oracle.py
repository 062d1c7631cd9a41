"""Shifts against a plain-Python reading of the table in world spec section 11, and invariants."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from tests.rules.employment_towns import (
    JOBS,
    SHORT_DAY,
    SLOTS,
    TICKS,
    play,
    play_jit,
    random_town,
)
from townlet_jax.masked import NEVER, NONE
from townlet_jax.rules import employment as rule
from townlet_jax.state.agents import ExitReason
from townlet_jax.state.employment import Status

F32 = np.float32
TOWNS = 16


def stacked(trees):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def scrambled(rng, employment):
    """Draws every field for itself, so that states are met that no town walks into."""
    ints = dict(status=(2, 5), closed_day=(-1, 1), num_scheduled=(0, 9), num_present=(0, 9))
    ints |= dict(last_present_tick=(0, 40), num_attendance=(0, 9), absence_bits=(0, 128))
    flags = ("is_shift_open", "has_arrived", "arrived_late", "did_late_start", "did_absent")
    flags = (*flags, "did_helped", "did_took")
    drawn = {name: jnp.array(rng.integers(*span, SLOTS), jnp.int32) for name, span in ints.items()}
    drawn |= {name: jnp.array(rng.random(SLOTS) < 0.5) for name in flags}
    return employment.replace(**drawn)


@pytest.fixture(scope="module")
def towns():
    """Random towns and their story, played as one batch; every other one starts scrambled."""
    rng = np.random.default_rng(0)
    args = [random_town(rng) for _ in range(TOWNS)]
    args[::2] = [(scrambled(rng, employment), *rest) for employment, *rest in args[::2]]
    story = jax.jit(jax.vmap(play))(*stacked(args))
    return args, jax.device_get(story)


def oracle_resident(s, a, is_there, t, tod, day, p, job):
    """Plays rows 1-13 of the table for one resident; `s` is a record of scalars, changed in place.

    Returns a dictionary of what happened.
    """
    out = dict(late_start=NONE, absent=False, departed=False, closed=False, closed_late=False)
    out |= dict(paid=F32(0), withheld=F32(0), first=NONE, present=False, inside=False)
    if not a["alive"] or a["job"] == NONE or s["closed_day"] == day:
        return out
    start, end, wage = job["start"], job["end"], job["wage"]
    if tod < start:
        soon = tod >= start - p["arrival_buffer"]
        s["status"] = Status.AWAIT_START if soon else Status.PRE_SHIFT
        return out
    if tod > end:
        if s["is_shift_open"]:
            place = s["num_attendance"] % len(s["attendance"])
            s["attendance"][place] = [s["num_present"], s["num_scheduled"]]
            s["num_attendance"] += 1
            s["is_shift_open"] = False
            out |= dict(closed=True, closed_late=s["did_late_start"])
        s["closed_day"], s["status"] = day, Status.POST_SHIFT
        return out
    out["inside"], d = True, tod - start
    if not s["is_shift_open"]:
        s["is_shift_open"], s["status"] = True, Status.ARRIVING
        s["num_scheduled"] = s["num_present"] = 0
        for flag in ("has_arrived", "arrived_late", "did_late_start"):
            s[flag] = False
        for flag in ("did_absent", "did_helped", "did_took"):
            s[flag] = False
    s["num_scheduled"] += 1
    late = late_tick = False
    if is_there or (job["site"] == NONE and job["anywhere"]):
        out["present"] = True
        if not s["has_arrived"]:
            s["has_arrived"], s["arrived_late"] = True, d > p["grace_ticks"]
            out["first"] = d
        late = s["arrived_late"]
        s["status"] = Status.LATE if late else Status.ON_TIME
        a["wallet"] += wage
        out["paid"] = wage
        s["wages_today"] += wage
        s["num_present"] += 1
        s["last_present_tick"] = t
    else:
        out["withheld"] = wage
        s["wages_withheld"] += wage
        if s["status"] == Status.ABSENT:
            pass
        elif s["has_arrived"]:
            if t - s["last_present_tick"] > p["absence_slack"]:
                s["status"] = Status.ABSENT
        elif d <= p["grace_ticks"]:
            s["status"] = Status.ARRIVING
        elif d <= p["absent_cutoff"]:
            s["status"], late, late_tick = Status.LATE, True, True
        else:
            s["status"] = Status.ABSENT
    if late_tick:
        s["late_ticks_today"] += 1
        a["wallet"] -= min(a["wallet"], p["late_tick_penalty"])
    if late and not s["did_late_start"]:
        s["did_late_start"], out["late_start"] = True, d
        a["wallet"] -= min(a["wallet"], job["lateness_penalty"])
    if s["status"] == Status.ABSENT and not s["did_absent"]:
        s["did_absent"] = out["absent"] = True
        out["departed"] = s["has_arrived"]
        s["absence_bits"] |= 1
        a["wallet"] -= min(a["wallet"], p["absence_penalty"])
    return out


def oracle_town(states, agents, is_there, t, tod, day, p, jobs):
    """Plays the whole table for one town; returns what happened to each resident, and covers."""
    outs = []
    for s, a, there in zip(states, agents, is_there, strict=True):
        job = jobs[max(a["job"], 0)]
        outs.append(oracle_resident(s, a, there, t, tod, day, p, job))
    for i, (s, a, out) in enumerate(zip(states, agents, outs, strict=True)):
        coworkers = [
            k != i and other["present"] and agents[k]["job"] == a["job"]
            for k, other in enumerate(outs)
        ]
        out["helped"] = out["took"] = [False] * len(outs)
        if out["inside"] and any(coworkers):
            if s["status"] == Status.LATE and not s["did_helped"]:
                s["did_helped"], out["helped"] = True, coworkers
            if s["status"] == Status.ABSENT and not s["did_took"]:
                s["did_took"], out["took"] = True, coworkers
    return outs


def oracle_review(states, agents, reasons, t, p, num_flagged):
    """Plays section 12.1, employment source; changes states and reasons in place.

    Returns who is pending anew, the overflow and the number flagged today.
    """
    enforced, limit = p["enforce_job_loop"], p["max_absent_shifts"]
    listed = [a for a, s in enumerate(states) if s["pending_tick"] != NEVER]
    pending = [False] * len(states)
    for a, s in enumerate(states):
        free = agents[a]["alive"] and reasons[a] == ExitReason.NONE and a not in listed
        if free and enforced and agents[a]["job"] != NONE:
            pending[a] = bool(s["absence_bits"].bit_count() >= limit > 0)
    due = [a for a in listed if t - states[a]["pending_tick"] >= p["exit_review_window"]]
    due = sorted((states[a]["pending_tick"], a) for a in due)
    for a in np.flatnonzero(pending):
        states[a]["pending_tick"] = t
    length = sum(s["pending_tick"] != NEVER for s in states)
    overflow = length if any(pending) and length > p["exit_queue_limit"] > 0 else 0
    for _, a in due:
        if p["daily_exit_cap"] == 0 or num_flagged < p["daily_exit_cap"]:
            states[a]["pending_tick"], reasons[a] = NEVER, ExitReason.EMPLOYMENT_EXIT
            num_flagged += 1
    return pending, overflow, num_flagged


def records(employment):
    """Turns arrays `[A]` into a record of scalars per resident."""
    columns = {
        name: value if value.dtype == F32 else value.tolist()
        for name, value in vars(employment).items()
        if name != "exits_today"
    }
    return [{name: value[a] for name, value in columns.items()} for a in range(SLOTS)]


def scalars(args):
    """Turns parameters and layout into dictionaries of scalars."""
    _, _, _, _, given_params, jobs, _ = args
    tables = ("start", "end", "wage", "lateness_penalty")
    given_params, jobs = jax.device_get((given_params, jobs))
    p = {
        name: getattr(given_params, name)
        for name in given_params.__dataclass_fields__
        if name not in tables
    }
    rows = []
    for j in range(JOBS):
        row = {name: getattr(given_params, name)[j] for name in tables}
        row |= dict(site=int(jobs.site[j]), anywhere=jobs.location[j, 0] == NONE)
        rows.append(row)
    return p, rows


def test_rules_equal_plain_loops(towns):
    """Every tick of every random town, state and events, to the bit."""
    for number, args in enumerate(towns[0]):
        story = jax.tree.map(lambda x, e=number: x[e], towns[1])
        p, jobs = scalars(args)
        employment, agents = jax.device_get(args[:2])
        wallet, reasons, num_flagged = agents.wallet, [0] * SLOTS, 0
        for step in range(TICKS):
            t = int(args[3]) + step
            day, tod = divmod(t, SHORT_DAY)
            people = [
                dict(alive=bool(agents.is_alive[a]), job=int(agents.job[a]), wallet=wallet[a])
                for a in range(SLOTS)
            ]
            states = records(employment)
            if tod == 0 and t > 0:
                num_flagged = 0
                for s in states:
                    s |= dict(late_ticks_today=0, wages_today=F32(0))
                    s["absence_bits"] = (s["absence_bits"] * 2) % 128
            outs = oracle_town(states, people, args[2][step].tolist(), t, tod, day, p, jobs)
            *exits, num_flagged = oracle_review(states, people, reasons, t, p, num_flagged)
            employment, wallet, reason, events = jax.tree.map(
                lambda x, k=step, s=story: x[k], story
            )
            compare_events(outs, events)
            assert records(employment) == states
            assert wallet.tolist() == [person["wallet"] for person in people]
            assert reason.tolist() == reasons
            assert [events.exit_pending.tolist(), events.exit_overflow] == exits
            assert employment.exits_today == num_flagged


def compare_events(outs, events):
    names = dict(late_start="late_start", first_presence="first", absent="absent", took="took")
    names |= dict(departed="departed", shift_closed="closed", shift_closed_late="closed_late")
    names |= dict(wage_paid="paid", wage_withheld="withheld", helped="helped")
    for mask, key in names.items():
        assert getattr(events, mask).tolist() == [out[key] for out in outs], mask


def test_random_towns_reach_every_row(towns):
    """The oracle is worth what the random towns visit."""
    employment, _, reason, events = towns[1]
    assert set(np.unique(employment.status)) == set(Status)
    for happened in (events.late_start != NONE, events.absent, events.departed, events.took):
        assert happened.sum() > 5
    assert events.helped.sum() > 3 and events.exit_pending.sum() > 3
    assert (reason == ExitReason.EMPLOYMENT_EXIT).any() and events.exit_overflow.any()


def test_batch_equals_single_towns(towns):
    for number, args in enumerate(towns[0][:6]):
        whole = jax.tree.map(lambda x, e=number: x[e], towns[1])
        chex.assert_trees_all_equal(whole, jax.device_get(play_jit(*args)))


def test_values_never_recompile(towns):
    chex.clear_trace_counter()
    traced = jax.jit(chex.assert_max_traces(play, n=1))
    for args in towns[0][:3]:
        traced(*args)


@settings(max_examples=20)
@given(st.integers(0, 2**31 - 1))
def test_shift_invariants(seed):
    """INV-EMP."""
    args = random_town(np.random.default_rng(seed))
    agents, given_params = args[1], args[4]
    employment, wallet, _, events = jax.device_get(play_jit(*args))
    ratio = jax.vmap(rule.attendance_ratio)(employment)
    assert jnp.all((ratio >= 0) & (ratio <= 1))
    assert (employment.num_present <= employment.num_scheduled).all() and (wallet >= 0).all()
    days = (int(args[3]) + np.arange(TICKS)) // SHORT_DAY
    for day in np.unique(days):
        assert (events.absent[days == day].sum(axis=0) <= 1).all()
        assert (events.helped[days == day].any(axis=2).sum(axis=0) <= 1).all()
        assert (events.took[days == day].any(axis=2).sum(axis=0) <= 1).all()
    scheduled = (events.wage_paid + events.wage_withheld > 0).sum(axis=0)
    wage = np.where(agents.job >= 0, np.asarray(given_params.wage)[np.maximum(agents.job, 0)], 0)
    total = (events.wage_paid + events.wage_withheld).sum(axis=0)
    assert_allclose(total, wage * scheduled, atol=1e-5 * TICKS)
    assert not (events.wage_paid.astype(bool) & events.wage_withheld.astype(bool)).any()


@settings(max_examples=10)
@given(st.integers(0, 2**31 - 1))
def test_slot_order_plays_no_part(seed):
    """Permuted residents give the permuted story of shifts; exits are first come, then by slot."""
    rng = np.random.default_rng(seed)
    args = random_town(rng)
    order = rng.permutation(SLOTS)
    given_params = args[4].replace(enforce_job_loop=jnp.bool_(False))
    employment, agents, is_there = args[:3]
    agents = jax.tree.map(lambda x: x[order], agents)
    story = play_jit(*args[:4], given_params, *args[5:])
    other = play_jit(employment, agents, is_there[:, order], args[3], given_params, *args[5:])
    (record, wallet, _, events), (record_2, wallet_2, _, events_2) = story, other
    assert_array_equal(wallet[:, order], wallet_2)
    assert_array_equal(record.status[:, order], record_2.status)
    assert_array_equal(events.helped[:, order][:, :, order], events_2.helped)
    assert_array_equal(events.took[:, order][:, :, order], events_2.took)
