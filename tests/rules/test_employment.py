"""Shifts: world spec section 11, worked examples and one case per branch."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.rules.employment_towns import (
    DAY,
    FAR,
    HERE,
    SLOTS,
    at,
    layout,
    params,
    play_jit,
    step,
    tick,
    tick_jit,
    town,
)
from townlet_jax.masked import NEVER, NONE
from townlet_jax.rules import employment as rule
from townlet_jax.state.agents import ExitReason
from townlet_jax.state.employment import Status

F32 = np.float32

work_jit, hire_jit = jax.jit(rule.work), jax.jit(rule.hire)
both = pytest.mark.parametrize("tick", [tick_jit, tick], ids=["jit", "eager"])


def ticks_of(mask, resident):
    return np.flatnonzero(np.asarray(mask)[:, resident]).tolist()


# The worked examples: resident i plays EX-EMP-(i + 1) on day 0 in a job of its own. From day 1 on
# the first stays away as before, the others are always there.
LENGTH = 3 * DAY + 212


def example_presence():
    there = np.ones((LENGTH, SLOTS), bool)
    there[:, 0] = False
    there[:186, 2] = False
    there[:185, 3] = False
    there[280:300, 4] = False
    there[280:301, 5] = False
    return jnp.array(there)


@pytest.fixture(scope="module")
def examples():
    employment, agents = town(*range(SLOTS))
    story = play_jit(
        employment,
        agents,
        example_presence(),
        jnp.int32(0),
        params(),
        layout(),
        jnp.int32(DAY),
    )
    return jax.device_get(story)


def day_one(examples, resident):
    """Returns wallet, withheld wages and attendance at the end of day 0."""
    employment, wallet, _, _ = examples
    ring = employment.attendance[DAY - 1, resident]
    present, scheduled = ring.sum(axis=0)
    withheld = employment.wages_withheld[DAY - 1, resident]
    return wallet[DAY - 1, resident], withheld, int(present), int(scheduled)


def test_never_there(examples):
    """EX-EMP-1."""
    employment, wallet, _, events = examples
    status = employment.status[:, 0]
    assert set(status[180:186]) == {Status.ARRIVING}
    assert set(status[186:211]) == {Status.LATE}
    assert set(status[211:361]) == {Status.ABSENT}
    late = events.late_start[:, 0]
    assert np.flatnonzero(late != NONE).tolist() == [186 + day * DAY for day in range(4)]
    assert late[186] == 6
    assert_allclose(wallet[[185, 186, 210, 211], 0], [1, 0.895, 0.775, 0.575], atol=1e-5)
    assert ticks_of(events.absent, 0) == [211, 1651, 3091, 4531]
    assert not events.departed.any(axis=0)[0]
    final, withheld, present, scheduled = day_one(examples, 0)
    assert_allclose([final, withheld], [0.575, 3.62], atol=1e-5)
    assert (present, scheduled) == (0, 181)
    assert employment.late_ticks_today[DAY - 1, 0] == 25
    assert ticks_of(events.exit_pending, 0) == [3091]
    assert employment.pending_tick[3091, 0] == 3091


def test_exit_is_flagged_after_the_review(examples):
    """EX-LIFE-4, up to the gate."""
    employment, _, reason, _ = examples
    flagged = np.flatnonzero(reason[:, 0] == ExitReason.EMPLOYMENT_EXIT)
    assert flagged[0] == 4531
    assert employment.exits_today[4530:4532].tolist() == [0, 1]
    assert employment.pending_tick[4531, 0] == NEVER
    assert not reason[:, 1:].any()


@pytest.mark.parametrize(
    ("resident", "wallet", "withheld", "present", "late", "absent", "departed"),
    [
        (1, 4.62, 0, 181, [], [], []),  # EX-EMP-2 always there
        (2, 4.40, 0.12, 175, [186], [], []),  # EX-EMP-3 from 186
        (3, 4.52, 0.10, 176, [], [], []),  # EX-EMP-4 from 185
        (4, 4.22, 0.40, 161, [], [], []),  # EX-EMP-5 away 280-299
        (5, 4.00, 0.42, 160, [], [300], [300]),  # EX-EMP-6 away 280-300
    ],
)
def test_partly_there(examples, resident, wallet, withheld, present, late, absent, departed):
    _, _, _, events = examples
    figures = day_one(examples, resident)
    assert_allclose(figures[:2], [wallet, withheld], atol=2e-5)
    assert figures[2:] == (present, 181)
    assert ticks_of(events.late_start != NONE, resident) == late
    assert ticks_of(events.absent, resident) == absent
    assert ticks_of(events.departed, resident) == departed
    first = np.flatnonzero(events.first_presence[:, resident] != NONE)[0]
    assert events.first_presence[first, resident] == first - 180


def test_shift_closes_in_the_tick_after_its_end(examples):
    employment, _, _, events = examples
    closings = [361 + day * DAY for day in range(3)]
    for resident in range(SLOTS):
        assert ticks_of(events.shift_closed, resident) == closings
    assert ticks_of(events.shift_closed_late, 0) == closings
    assert ticks_of(events.shift_closed_late, 2) == closings[:1]
    assert not events.shift_closed_late[:, [1, 3, 4, 5]].any()
    assert employment.closed_day[[360, 361, 1800, 1801], 1].tolist() == [-1, 0, 0, 1]
    assert employment.is_shift_open[[179, 180, 360, 361], 1].tolist() == [False, True, True, False]


def test_status_through_the_day(examples):
    status = examples[0].status
    assert status[[0, 159, 160, 179], 1].tolist() == [0, 0, 1, 1]
    assert set(status[180:361, 1]) == {Status.ON_TIME}
    assert set(status[361:DAY, 1]) == {Status.POST_SHIFT}
    assert status[DAY, 1] == Status.PRE_SHIFT
    assert set(status[186:361, 2]) == {Status.LATE}
    assert set(status[280:300, 4]) == {Status.ON_TIME}
    assert status[[299, 300, 301], 5].tolist() == [Status.ON_TIME, Status.ABSENT, Status.ON_TIME]


def test_day_starts_with_fresh_figures(examples):
    employment = examples[0]
    assert_allclose(employment.wages_today[[DAY - 1, DAY], 1], [3.62, 0], atol=1e-4)
    assert employment.late_ticks_today[[DAY - 1, DAY], 0].tolist() == [25, 0]
    assert employment.absence_bits[[211, DAY, 1651, 2 * DAY, 3091], 0].tolist() == [1, 2, 3, 6, 7]


def test_eager_ticks_repeat_the_examples(examples):
    """The worked examples without jit: the same bits at every tick where something happens."""
    history = jax.tree.map(jnp.asarray, examples)
    _, agents = town(*range(SLOTS))
    for t in (159, 160, 180, 185, 186, 210, 211, 280, 299, 300, 301, 360, 361, DAY, 3091, 4531):
        employment, wallet, reason, _ = jax.tree.map(lambda x, t=t: x[t - 1], history)
        employment, agents, reason, events = tick(
            employment,
            agents.replace(wallet=wallet),
            reason,
            example_presence()[t],
            at(t),
            params(),
            layout(),
        )
        expected = jax.tree.map(lambda x, t=t: x[t], examples)
        chex.assert_trees_all_equal((employment, agents.wallet, reason, events), expected)


@both
def test_coworkers_help_the_late_and_take_over_from_the_absent(tick):
    """Rows 12-14: once per shift each; only those present in the same tick count."""
    employment, agents = town(0, 0, 0)
    story = {}
    for t in (180, 186, 187, 211, 212, 213):
        there = [False, True, t > 211]
        employment, agents, events = step(tick, employment, agents, there, t, params())
        story[t] = (np.argwhere(events.helped).tolist(), np.argwhere(events.took).tolist())
    # Resident 2 comes back late, so it is helped while late, replaced while absent, and from then
    # on present as a co-worker; resident 0 has had its two events by that time.
    assert story == {
        180: ([], []),
        186: ([[0, 1], [2, 1]], []),
        187: ([], []),
        211: ([], [[0, 1], [2, 1]]),
        212: ([], []),
        213: ([], []),
    }


@both
def test_nobody_helps_across_jobs_or_from_afar(tick):
    employment, agents = town(0, 1, NONE)
    for t in (180, 186, 211):
        employment, agents, events = step(tick, employment, agents, [False, True, True], t)
        assert not jnp.any(events.helped | events.took)
    employment, agents = town(0, 0, 0)
    for t in (180, 186, 211):
        employment, agents, events = step(tick, employment, agents, [False] * 3, t)
        assert not jnp.any(events.helped | events.took)


@both
def test_late_arrivals_of_one_tick_help_each_other(tick):
    employment, agents = town(0, 0)
    employment, agents, events = step(tick, employment, agents, [False, False], 185)
    employment, agents, events = step(tick, employment, agents, [True, True], 186)
    assert np.argwhere(events.helped).tolist() == [[0, 1], [1, 0]]
    assert events.late_start[:2].tolist() == [6, 6]


@both
def test_absent_resident_that_comes_is_paid_and_shows_late(tick):
    """Row 13; the second absence of the shift has no event."""
    employment, agents = town(0)
    for t, there in ((180, False), (211, False), (212, True), (233, False)):
        employment, agents, events = step(tick, employment, agents, [there], t)
        if t == 211:
            assert bool(events.absent[0]) and not bool(events.departed[0])
        if t == 212:
            # The gap 181-210 was never played, so the late start falls on the arrival.
            assert int(employment.status[0]) == Status.LATE
            assert int(events.late_start[0]) == 32
            assert float(events.wage_paid[0]) == F32(0.02)
    assert int(employment.status[0]) == Status.ABSENT
    assert not bool(events.absent[0]) and not bool(events.departed[0])
    assert int(employment.absence_bits[0]) == 1


@both
def test_absent_stays_absent_while_away(tick):
    """Row 5 comes before grace and slack."""
    employment, agents = town(0, 0)
    employment = employment.replace(
        status=jnp.full(SLOTS, Status.ABSENT, jnp.int32),
        is_shift_open=jnp.ones(SLOTS, bool),
        has_arrived=jnp.arange(SLOTS) == 1,
        did_absent=jnp.ones(SLOTS, bool),
        last_present_tick=jnp.full(SLOTS, 182, jnp.int32),
    )
    employment, _, _ = step(tick, employment, agents, [False, False], 183)
    assert employment.status[:2].tolist() == [Status.ABSENT, Status.ABSENT]


@both
def test_cutoff_within_the_grace_skips_lateness(tick):
    employment, agents = town(0)
    short = params(absent_cutoff=2)
    for t in (180, 185, 186):
        employment, agents, events = step(tick, employment, agents, [False], t, short)
        assert bool(events.absent[0]) == (t == 186)
        assert int(events.late_start[0]) == NONE


@both
def test_wage_comes_before_penalties_and_wallets_stop_at_zero(tick):
    employment, agents = town(0, wallet=0.0)
    employment, agents, _ = step(tick, employment, agents, [False], 185)
    employment, agents, events = step(tick, employment, agents, [True], 186)
    assert int(events.late_start[0]) == 6
    assert float(agents.wallet[0]) == 0
    employment, agents, _ = step(tick, employment, agents, [True], 187)
    assert float(agents.wallet[0]) == F32(0.02)


@both
@pytest.mark.parametrize(
    ("site", "location", "position", "is_working", "is_present"),
    [
        (3, HERE, HERE, False, False),  # at the site, not working
        (3, HERE, FAR, True, True),
        (NONE, HERE, (6, 4), False, True),
        (NONE, HERE, (7, 5), False, False),
        (NONE, (NONE, NONE), FAR, False, True),
    ],
)
def test_presence(tick, site, location, position, is_working, is_present):
    work = work_jit if tick is tick_jit else rule.work
    employment, agents = town(0)
    agents = agents.replace(position=agents.position.at[0].set(jnp.array(position)))
    is_working = jnp.full(SLOTS, is_working)
    jobs = layout(site, location)
    employment, _, _ = work(employment, agents, is_working, at(200), params(), jobs)
    assert int(employment.num_present[0]) == is_present
    assert int(employment.num_scheduled[0]) == 1


@both
def test_no_job_no_life_no_record(tick):
    employment, agents = town(NONE, 0)
    agents = agents.replace(is_alive=agents.is_alive.at[1].set(False))
    after, agents, events = step(tick, employment, agents, [True, True], 300)
    chex.assert_trees_all_equal(after, employment)
    assert_array_equal(agents.wallet, 1.0)
    assert not jnp.any(events.absent)


@both
def test_newcomers_start_tomorrow_unless_their_shift_is_yet_to_begin(tick):
    hire = hire_jit if tick is tick_jit else rule.hire
    for tod, day in ((180, NONE), (181, 2), (400, 2), (0, NONE)):
        employment, agents = town(0, NONE, 0)
        now = at(2 * DAY + tod)
        is_hired = jnp.array([True, True] + [False] * (SLOTS - 2))
        employment = hire(employment, is_hired, agents.job, now, params())
        assert employment.closed_day.tolist() == [day] + [NONE] * (SLOTS - 1)
        assert int(employment.status[0]) == (0 if day == NONE else Status.POST_SHIFT)
        window = rule.in_window(employment, agents.job, now, params())
        assert window[:3].tolist() == [tod == 180, False, 180 <= tod <= 360]
        employment, _, events = step(tick, employment, agents, [True] * 3, 2 * DAY + tod, params())
        assert bool(events.wage_paid[0] > 0) == (tod == 180)


def test_own_window_is_inclusive_and_ends_with_the_shift():
    employment, agents = town(0)
    for tod, expected in ((179, False), (180, True), (360, True), (361, False)):
        window = rule.in_window(employment, agents.job, at(tod), params())
        assert window[:2].tolist() == [expected, False]
    closed = employment.replace(closed_day=jnp.zeros(SLOTS, jnp.int32))
    assert not jnp.any(rule.in_window(closed, agents.job, at(200), params()))


@both
def test_ring_keeps_the_last_shifts(tick):
    """Three shifts of a day of 24 ticks; the fourth replaces the first."""
    employment, agents = town(0)
    short = params(start=2, end=5, absence_slack=30)
    assert float(rule.attendance_ratio(employment)[0]) == 0
    for day, present in enumerate((0, 1, 2, 3)):
        for tod in range(1, 7):
            there = [2 <= tod < 2 + present]
            employment, agents, _ = step(
                tick, employment, agents, there, day * 24 + tod, short, day=24
            )
        recent = [0, 1, 2, 3][max(0, day - 2) : day + 1]
        ratio = sum(recent) / (4 * len(recent))
        assert float(rule.attendance_ratio(employment)[0]) == pytest.approx(ratio)
        assert float(rule.punctuality(employment)[0]) == pytest.approx(present / 4)
    assert employment.attendance[0].tolist() == [[3, 4], [1, 4], [2, 4]]
    assert int(employment.num_attendance[0]) == 4
