"""Rewards of single ticks by hand, and of many random ones by the oracle."""

from pathlib import Path

import chex
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.town.rewarded_towns import (
    C1,
    C2,
    C3,
    DEFAULTS,
    FRESH,
    OFF,
    SLOTS,
    before,
    column,
    happened,
    jitted,
    params,
    plain,
    town,
)
from townlet_jax.config import load
from townlet_jax.masked import NONE
from townlet_jax.state import ExitReason
from townlet_jax.town.reward import Term

ROOT = Path(__file__).parents[2]
RUNS = pytest.mark.parametrize("run", [plain, jitted], ids=["plain", "jit"])
EATEN = (0.5286, 0.5990, 0.7005333)
IDLED = (0.4986, 0.5990, 0.6992)
NEAR = {"rtol": 0, "atol": 1e-6}


def raw_town(target, **changes):
    """Makes numbers and a town of satisfied residents that earn `target` before the guard."""
    rewards = {"survival_tick": target, "use_potential": False, **changes}
    return params(**rewards), {"level": (1.0, 1.0, 1.0)}


def negative(target):
    """Makes numbers and needs with which every resident loses `target`."""
    return params(survival_tick=0, homeostasis_scale=target / 2.4, use_potential=False), {
        "level": (0.0, 0.0, 0.0)
    }


@RUNS
def test_a_meal_pays_at_once(run):
    """EX-REW-1, EX-REW-2."""
    _, made = run(FRESH, town(level=[EATEN, IDLED] * 2), happened(), DEFAULTS)
    assert_allclose(column(made, Term.HOMEOSTASIS)[:2], [-0.0031235, -0.0033621], **NEAR)
    assert_allclose(column(made, Term.SHAPING)[:2], [0.0151649, -0.0003374], **NEAR)
    assert_allclose(made.total[:2], [0.0370414, 0.0213005], **NEAR)
    assert_allclose(column(made, Term.SURVIVAL), 0.025, **NEAR)


@RUNS
def test_what_is_missing_costs(run):
    """EX-REW-3."""
    levels = [(1.0,) * 3, (0.5,) * 3, (0.0,) * 3, (1.0,) * 3]
    _, made = run(FRESH, town(level=levels), happened(), DEFAULTS)
    assert_allclose(column(made, Term.HOMEOSTASIS), [0, -0.0048, -0.0192, 0], **NEAR)


@RUNS
@pytest.mark.parametrize(
    ("stage", "quality", "settled", "c1", "c3"),
    [
        (C1, 1.0, (0.05, 0.10), 0.045, 0.0),  # EX-REW-4
        (C1, 0.8, (0.04, 0.08), 0.0304, 0.0),  # EX-REW-5
        (C1, 1.0, (1.0, 1.0), 0.51, 0.0),  # EX-REW-6
        (C3, 1.0, (0.4, 0.6), 0.25, 0.03125),  # EX-REW-8
        (OFF, 1.0, (0.05, 0.10), 0.0, 0.0),  # EX-REW-9
        (C2, 1.0, (-0.5, 0.0), -0.14, 0.0),
    ],
)
def test_a_good_chat_pays_both(run, stage, quality, settled, c1, c3):
    events = happened(chats=[(0, 2, quality)], settled=settled)
    _, made = run(FRESH, town(), events, params(social_stage=stage))
    assert_allclose(column(made, Term.SOCIAL_C1), [c1, 0, c1, 0], **NEAR)
    assert_allclose(column(made, Term.SOCIAL_C3), [c3, 0, c3, 0], **NEAR)


@RUNS
def test_a_chat_pays_each_by_the_own_tie_and_not_the_needy(run):
    """EX-REW-7: the listener's hygiene is .14."""
    levels = [(0.5, 0.6, 0.7), (0.5, 0.14, 0.7), (0.5, 0.6, 0.7), (0.5, 0.6, 0.7)]
    settled = [(0.05, 0.10), (0.05, 0.10), (1.0, 1.0), (0.0, 0.5)]
    events = happened(chats=[(0, 1, 1.0), (2, 3, 0.5)], settled=settled)
    _, made = run(FRESH, town(level=levels), events, DEFAULTS)
    assert_allclose(column(made, Term.SOCIAL_C1), [0.045, 0, 0.255, 0.055], **NEAR)


@RUNS
def test_a_chat_that_fails_pays_nothing(run):
    events = happened(chats=[(0, 1, None)], settled=(0.5, 0.5))
    _, made = run(FRESH, town(), events, DEFAULTS)
    assert_array_equal(column(made, Term.SOCIAL_C1), 0)


@RUNS
@pytest.mark.parametrize(("stage", "paid"), [(OFF, 0), (C1, 0), (C2, 0.005), (C3, 0.005)])
def test_keeping_out_of_the_way_pays_from_stage_c2(run, stage, paid):
    events = happened(avoided=[True, False, False, False])
    _, made = run(FRESH, town(), events, params(social_stage=stage))
    assert_allclose(column(made, Term.SOCIAL_C2), [paid, 0, 0, 0], **NEAR)


@RUNS
def test_wages_pay_now(run):
    """EX-REW-10."""
    events = happened(wage_paid=[0.024, 0, 0, 0], wage_withheld=[0, 0.024, 0, 0])
    _, made = run(FRESH, town(), events, DEFAULTS)
    assert_allclose(column(made, Term.WAGE), [0.0096, -0.0096, 0, 0], **NEAR)


@RUNS
def test_punctuality_pays_once_and_within_the_grace(run):
    """EX-REW-11."""
    events = happened(first_presence=[0, 5, 6, NONE])
    _, made = run(FRESH, town(), events, DEFAULTS)
    assert_allclose(column(made, Term.PUNCTUALITY), [0.25, 0.2430939, 0, 0], **NEAR)


@RUNS
def test_nothing_is_earned_close_to_death(run):
    """EX-REW-12, EX-REW-13."""
    numbers, needs = raw_town(0.02)
    low = [0, 1, 29, 40]
    after, made = run(FRESH, town(low_hunger=low, **needs), happened(), numbers)
    assert_allclose(made.total, [0.02, 0, 0, 0], **NEAR)
    assert_array_equal(after.clip_events, [0, 0, 3])
    lossy, needs = negative(0.02)
    after, made = run(FRESH, town(low_hunger=1, **needs), happened(), lossy)
    assert_allclose(made.total, -0.02, **NEAR)
    assert_array_equal(after.clip_events, 0)
    numbers, needs = raw_town(0.02, no_positive_within_death_ticks=10)
    _, made = run(FRESH, town(low_hunger=[20, 21, 22, 1], **needs), happened(), numbers)
    assert_allclose(made.total, [0.02, 0, 0, 0.02], **NEAR)
    numbers, needs = raw_town(0.02, no_positive_within_death_ticks=0)
    _, made = run(FRESH, town(low_hunger=29, **needs), happened(), numbers)
    assert_allclose(made.total, 0.02, **NEAR)


@RUNS
def test_a_tick_is_clipped(run):
    """EX-REW-14."""
    numbers, needs = raw_town(0.75, clip_per_tick=0.6)
    after, made = run(before(1.0), town(**needs), happened(), numbers)
    assert_allclose(made.total, 0.6, **NEAR)
    assert_allclose(column(made, Term.CLIP_ADJUSTMENT), -0.15, **NEAR)
    assert_array_equal(after.clip_events, [SLOTS, 0, 0])
    assert_allclose(after.day_total, 1.6, **NEAR)


@RUNS
def test_a_day_has_a_budget_and_an_exit_is_beyond_it(run):
    """EX-REW-15."""
    numbers = params(
        survival_tick=0, homeostasis_scale=0.375, use_potential=False, clip_per_tick=0.6,
        clip_per_episode=1,
    )  # fmt: skip
    state = town(level=(0.0, 0.0, 0.0), reason=[ExitReason.EVICTION, 0, 0, 0], flagged=480)
    events = happened(exited=[ExitReason.EVICTION, 0, 0, 0])
    after, made = run(before([-0.8, -0.8, 0.0, 1.0]), state, events, numbers)
    assert_allclose(made.total, [-2.2, -0.2, -0.6, -0.6], **NEAR)
    assert_allclose(column(made, Term.TERMINAL), [-2, 0, 0, 0], **NEAR)
    assert_allclose(column(made, Term.CLIP_ADJUSTMENT), [0.7, 0.7, 0.3, 0.3], **NEAR)
    assert_allclose(after.day_total, [0, -1, -0.6, 0.4], **NEAR)
    assert_array_equal(after.clip_events, [4, 2, 0])


@RUNS
@pytest.mark.parametrize("order", [0, ExitReason.KILLED, ExitReason.MANUAL_APPROVE])
def test_a_collapse_is_paid_once(run, order):
    """EX-REW-16, with an exit by the gate and with one that an operator orders."""
    numbers, needs = raw_town(0.0148)
    faint = ExitReason.FAINT
    state = town(tick=500, reason=faint, flagged=500, low_hunger=30, **needs)
    events = happened(collapsed=True)
    rewards, made = run(before(3.0), state, events, numbers)
    assert_allclose(made.total, -1.0, **NEAR)
    assert_allclose(column(made, Term.CLIP_ADJUSTMENT), -0.0148, **NEAR)
    assert_array_equal(rewards.clip_events, [0, 0, SLOTS])
    assert_array_equal(rewards.day_total, 0)
    state = town(tick=501, reason=faint, flagged=500, low_hunger=31, **needs)
    rewards, made = run(rewards, state, happened(), numbers)
    assert_array_equal(made.breakdown, 0)
    state = town(tick=502, reason=order or faint, flagged=502 if order else 500, **needs)
    rewards, made = run(rewards, state, happened(exited=order or faint), numbers)
    assert_array_equal(made.breakdown, 0)
    _, made = run(rewards, town(tick=503, **needs), happened(spawned=True), numbers)
    assert_allclose(made.total, 0.0148, **NEAR)


@RUNS
def test_penalties_by_reason(run):
    reasons = [ExitReason.EMPLOYMENT_EXIT, ExitReason.MANUAL_APPROVE, ExitReason.KILLED, 0]
    state = town(level=(1.0, 1.0, 1.0), reason=reasons, flagged=500)
    events = happened(level_before=(1.0, 1.0, 1.0), exited=reasons)
    after, made = run(before(5.0), state, events, DEFAULTS)
    assert_allclose(column(made, Term.TERMINAL), [-2, -2, 0, 0], **NEAR)
    assert_allclose(made.total, [-2, -2, 0, 0.025], **NEAR)
    assert_allclose(after.day_total, [0, 0, 0, 5.025], **NEAR)


@RUNS
def test_shaping_ends_with_life(run):
    events = happened(exited=[ExitReason.KILLED, ExitReason.EVICTION, 0, 0])
    state = town(reason=[ExitReason.KILLED, ExitReason.EVICTION, 0, 0])
    _, made = run(FRESH, state, events, params(discount=1))
    assert_allclose(column(made, Term.SHAPING), [0.49, 0.49, 0, 0], **NEAR)


@RUNS
def test_days_and_lives_start_at_zero(run):
    numbers, needs = raw_town(0.02)
    events = happened(spawned=[True, False, False, False])
    after, _ = run(before(7.0), town(tick=1439, **needs), events, numbers)
    assert_allclose(after.day_total, [0.02, 7.02, 7.02, 7.02], **NEAR)
    after, _ = run(after, town(tick=1440, **needs), happened(), numbers)
    assert_allclose(after.day_total, 0.02, **NEAR)


@RUNS
def test_vacant_slots_get_exactly_nothing(run):
    alive = [True, False, True, False]
    events = happened(chats=[(0, 1, 1.0)], wage_paid=0.5, first_presence=0, avoided=True)
    after, made = run(FRESH, town(alive=alive), events, params(social_stage=C3))
    assert (
        not np.asarray(made.breakdown)[1::2].any() and not np.asarray(after.day_total)[1::2].any()
    )
    assert (np.asarray(made.total)[::2] > 0).all()


@RUNS
def test_profiles_colour_gains_and_losses(run):
    profile = [NONE, 1, 2, 3]
    events = happened(
        chats=[(0, 1, 1.0)], settled=[(0, 0), (-0.5, 0), (0, 0), (0, 0)], wage_paid=[0, 0, 0.1, 0.1]
    )
    numbers = params(has_bias=True)
    _, made = run(FRESH, town(profile=profile), events, numbers)
    assert_allclose(column(made, Term.SOCIAL_C1), [0.01, -0.14 / 1.2, 0, 0], **NEAR)
    assert_allclose(column(made, Term.WAGE), [0, 0, 0.05, 0.04], **NEAR)
    assert_allclose(column(made, Term.SURVIVAL), [0.025, 0.025, 0.025, 0.0275], **NEAR)
    _, off = run(FRESH, town(profile=profile), events, DEFAULTS)
    _, free = run(FRESH, town(), events, numbers)
    assert_array_equal(off.breakdown, free.breakdown)


def test_a_wage_rate_of_zero_switches_wages_off():
    numbers = load(ROOT / "configs" / "tiny.yaml", ["rewards.wage_rate=0"]).params.rewards
    assert numbers.wage_weight == 0
    numbers = load(ROOT / "configs" / "tiny.yaml", ["features.stages.social_rewards=C3"])
    assert_allclose(numbers.params.rewards.wage_weight, 0.4)
    assert numbers.params.rewards.social_stage == C3
    assert numbers.params.rewards.discount == np.float32(0.999)


def test_the_defaults_are_those_of_the_examples():
    loaded = load(ROOT / "configs" / "tiny.yaml").params.rewards
    chex.assert_trees_all_close(loaded, params(discount=0.999, social_stage=OFF).rewards)
