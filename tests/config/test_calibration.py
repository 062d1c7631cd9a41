"""Whether a life in the town can be paid for."""

import dataclasses

import pytest

from townlet_jax.config import calibration, load
from townlet_jax.config.affordance_tables import build_prices
from townlet_jax.config.reading import read_marked
from townlet_jax.config.report import Report


def parts(path="configs/town.yaml", overrides=()):
    town = load(path, overrides)
    report = Report(read_marked(path).document)
    return town.config, town.manifest.affordances, build_prices(town.config, town.manifest, report)


def budget(leave_out=(), overrides=()):
    config, affordances, prices = parts(overrides=overrides)
    left = {name: entry for name, entry in affordances.items() if name not in leave_out}
    job = config.jobs["grocer"]
    return calibration.budget(config, left, prices, job, affordances["work_shift"])


def test_ex_cal_1():
    found = budget()
    expected = {"eat_meal": 4.24, "cook_meal": 2.12, "use_shower": 3.00, "rest_sleep": 4.27}
    assert {name: round(uses, 2) for name, uses in found.uses.items()} == expected
    assert found.time_share == pytest.approx(0.61, abs=0.005)
    assert found.time_share * 1440 == pytest.approx(127 + 60 + 512 + 181, abs=1)
    assert found.cost == pytest.approx(3.62, abs=0.005)
    assert found.income == pytest.approx(4.34, abs=0.005)
    assert found.income_ratio == pytest.approx(1.20, abs=0.005)


@pytest.mark.parametrize(
    ("leave_out", "share", "ratio"),
    [(["cook_meal"], 0.55, 1.28), (["cook_meal", "eat_meal"], 0.55, 1.08)],
)
def test_ex_cal_1_without_cooking_and_eating_out(leave_out, share, ratio):
    found = budget(leave_out)
    assert found.time_share == pytest.approx(share, abs=0.005)
    assert found.income_ratio == pytest.approx(ratio, abs=0.005)


def test_every_need_comes_out_even():
    config, affordances, prices = parts()
    found = calibration.budget(config, affordances, prices, config.jobs["clerk"], None)
    for need in ("hunger", "hygiene", "energy"):
        gained = sum(uses * getattr(affordances[f].effects, need) for f, uses in found.uses.items())
        assert gained == pytest.approx(1440 * getattr(config.rewards.decay_rates, need))


def test_one_affordance_may_serve_two_needs():
    config, affordances, prices = parts()
    effects = affordances["rest_sleep"].effects.model_copy(update={"hunger": 0.9})
    changed = affordances["rest_sleep"].model_copy(update={"effects": effects})
    some = {"use_shower": affordances["use_shower"], "rest_sleep": changed}
    found = calibration.budget(config, some, prices, config.jobs["clerk"], None)
    assert found.uses["rest_sleep"] * 0.3 >= 1440 * 0.0008 + found.uses["use_shower"] * 0.02 - 1e-9
    assert found.cost == pytest.approx(1 + 0.2 * found.uses["use_shower"])


def test_what_cannot_be_met_is_said():
    assert budget(["use_shower"]) == "nothing restores hygiene"
    assert budget(["eat_meal", "eat_out", "cook_meal"]) == "nothing restores hunger"
    hopeless = ["rewards.decay_rates.energy=1", "rewards.decay_rates.hygiene=1"]
    config, affordances, prices = parts(overrides=hopeless)
    effects = affordances["rest_sleep"].effects.model_copy(update={"hygiene": -0.9})
    changed = {
        **affordances,
        "rest_sleep": affordances["rest_sleep"].model_copy(update={"effects": effects}),
    }
    tiring = affordances["use_shower"].effects.model_copy(update={"energy": -0.4})
    changed["use_shower"] = affordances["use_shower"].model_copy(update={"effects": tiring})
    del changed["eat_out"]
    found = calibration.budget(config, changed, prices, config.jobs["clerk"], None)
    assert found == "no mix of affordances covers all needs"


def notes(*overrides):
    town = load("configs/town.yaml", overrides)
    return [str(note) for note in town.notes if "hard to live on" in str(note)]


def test_a_warning_states_both_figures():
    assert notes() == []
    (line,) = notes("jobs.clerk.wage_rate=0.02")
    assert "jobs.clerk: hard to live on: time share 0.61 (at most 0.8), income ratio 1.00" in line
    assert line.startswith("--set:1:1: ")
    lines = notes("rewards.decay_rates.energy=0.002")
    assert len(lines) == 3 and all(line.startswith("configs/town.yaml:1") for line in lines)


def test_free_lives_have_an_infinite_ratio():
    town = load("configs/town.yaml", ["economy.prices.rent=0"])
    free = dataclasses.replace(town.budgets["clerk"], cost=0.0)
    assert free.income_ratio == float("inf")


def test_scenarios_shorter_than_a_day_are_not_asked():
    town = load("configs/scenarios/employment_punctuality.yaml")
    assert not [note for note in town.notes if "hard to live on" in str(note)]
    town = load("configs/scenarios/employment_punctuality.yaml", ["scenario.ticks=2000"])
    assert [note for note in town.notes if "hard to live on: nothing restores hyg" in str(note)]
