"""Reports of evaluations: worked KPIs, missing cases, seeds, pairs, verdicts, table and CSV."""

import csv
import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from tests.ops.evaluations import FIRST_SEED, changed, made_up, without
from townlet_jax.config import load
from townlet_jax.ops.evaluation import compare, figures, report
from townlet_jax.ops.evaluation_table import evaluation_table, write_csv
from townlet_jax.town.reward import Term

SIX = [[0.0, 0.5, 1.0], [0.2, 0.4, 0.6]]
"""A figure of two towns on three days."""


@pytest.fixture
def two(tiny):
    return made_up(tiny, num_towns=2)


def kpis(town, *evaluations):
    return report(town, figures(town, "someone", evaluations))["kpis"]


def means(town, *evaluations):
    return {name: kpi["mean"] for name, kpi in kpis(town, *evaluations).items()}


def test_keys(tiny, two):
    other = figures(tiny, "other", [made_up(tiny, num_towns=2, seed=1)])
    settings = {"stage": "C1", "greedy": False}
    told = report(tiny, figures(tiny, "someone", [two]), [other], settings)
    assert list(told) == [
        "schema", "policy", "config_id", "config_hash", "policy_hash", "towns", "days", "seeds",
        "town_seeds", "stage", "greedy", "kpis", "per_town", "per_day", "charter", "paired",
        "others",
    ]  # fmt: skip
    assert (told["schema"], told["policy"], told["config_id"]) == (1, "someone", "tiny")
    assert (told["config_hash"], told["policy_hash"]) == (tiny.identity, None)
    assert (told["towns"], told["days"], told["seeds"]) == (2, 3, [])
    assert told["town_seeds"] == [FIRST_SEED, FIRST_SEED + 1]
    assert all(row.keys() == {"mean", "low", "high", "unit"} for row in told["kpis"].values())
    assert told["per_town"].keys() == told["kpis"].keys() == told["paired"]["other"].keys()
    assert all(len(values) == 2 for values in told["per_town"].values())
    assert all(len(values) == 3 for values in told["per_day"].values())
    assert told["kpis"].keys() - told["per_day"].keys() == {
        "late_share", "discounted_return", *(f"option_share.{x}" for x in tiny.names.actions)
    }  # fmt: skip
    for term in Term:
        assert f"reward.{term.name.lower()}" in told["kpis"]
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    for kpi in told["kpis"].values():
        assert kpi["low"] <= kpi["mean"] <= kpi["high"]


def test_worked_kpis_of_days(tiny, two):
    days = dict.fromkeys(("self_sufficiency", "relationship_coverage", "exits_per_day"), SIX)
    lives = changed(two, **days, tenure_late=[[3.0, 0.5], [2.0, 0.25]], fitness=SIX)
    told = report(tiny, figures(tiny, "someone", [lives]))
    found = {name: kpi["mean"] for name, kpi in told["kpis"].items()}
    assert told["per_town"]["self_sufficiency"] == [0.75, 0.5], "the first day does not count"
    assert found["self_sufficiency"] == 0.625
    assert told["per_town"]["relationship_coverage"] == [1, 0.6], "only the last day does"
    assert found["exits_per_day"] == pytest.approx((0.5 + 0.4) / 2)
    assert told["per_day"]["exits_per_day"] == [0.1, 0.45, 0.8]
    assert (found["tenure_days"], found["late_share"]) == (2.5, 0.375)
    assert found["agent_fitness"] == pytest.approx(0.45)
    single = made_up(tiny, num_towns=2, num_days=1)
    single = changed(single, self_sufficiency=[[0.5], [1.0]])
    assert means(tiny, single)["self_sufficiency"] == 0.75


def test_worked_sums(tiny, two):
    living = np.zeros((2, 3, 24), np.int32)
    living[0, :, 5], living[1, 0, 7] = 2 * 1440, 1440  # six resident days, and one
    needs, low, terms = np.zeros((2, 3, 24, 3)), np.zeros((2, 3, 24, 3)), np.zeros((2, 3, 11))
    needs[0, :, 5, 0], needs[1, 0, 7, 0] = (1440, 1440, 2880), 720
    low[0, 2, 5, 2], low[1, 0, 7, 2] = 864, 1440
    terms[0, :, Term.WAGE], terms[1, 0, Term.WAGE] = (1, 2, 3), 3
    starved = [[1.0, 0.0, 2.0], [1.0, 0.0, 0.0]]
    options = np.zeros((2, 24, 7), np.int32)
    options[0, 3, 2], options[0, 4, 0], options[1, 3, 2] = 30, 10, 5
    lives = changed(
        two, living=living, needs=needs, low_needs=low, terms=terms, starvation_events=starved,
        options=options, returns=[[1.0, 2.0, 6.0], [2.0, 2.0, 5.0]],
    )  # fmt: skip
    told = report(tiny, figures(tiny, "someone", [lives]))
    by_town = told["per_town"]
    assert by_town["need_mean.hunger"] == [pytest.approx(4 / 6, abs=1e-6), 0.5]
    assert by_town["need_low.energy"] == [0.1, 1]
    assert by_town["reward.wage"] == [1, 3]
    assert by_town["starvation_rate"] == [0.5, 1]
    assert by_town["option_share.get_clean"] == [0.75, 1]
    assert by_town["discounted_return"] == [3, 3]
    assert told["per_day"]["reward.wage"] == [(0.5 + 3) / 2, 1, 1.5]
    assert told["per_day"]["need_mean.hunger"] == [0.5, 0.5, 1]


def test_who_moves_in_later_has_no_share_in_returns(two):
    town = load("configs/tiny.yaml", ["world.max_agents=5"])
    lives = made_up(town, num_towns=1)
    lives = changed(lives, returns=[[3.0, 4.0, 5.0, 0.0, 0.0]])
    assert means(town, lives)["discounted_return"] == 4


def test_figures_without_cases_are_left_out(tiny, two):
    lives = changed(two, lateness_rate=SIX, attendance=SIX, chat_success_rate=SIX)
    lives = without(lives, "lateness_rate", np.s_[0, 1:])
    lives = without(lives, "attendance", 0)
    lives = without(lives, "chat_success_rate")
    told = report(tiny, figures(tiny, "someone", [lives]))
    assert told["per_town"]["lateness_rate"] == [0, 0.4]
    assert told["per_day"]["lateness_rate"] == [0.1, 0.4, 0.6]
    assert told["per_town"]["attendance"] == [None, 0.4]
    assert told["kpis"]["attendance"]["mean"] == 0.4
    nothing = {"mean": None, "low": None, "high": None}
    assert told["kpis"]["chat_success_rate"] == {**nothing, "unit": "share"}
    assert told["per_day"]["chat_success_rate"] == [None] * 3
    assert json.dumps(told, allow_nan=False)


def test_where_nobody_lives_nothing_is_known(tiny, two):
    zeros = {name: 0 * getattr(two.diary, name) for name in ("living", "needs", "options")}
    found = means(tiny, changed(two, **zeros))
    for name in ("need_mean.hunger", "reward.total", "starvation_rate", "option_share.rest"):
        assert found[name] is None


def test_fitness_needs_days_that_end_where_a_decision_ends(tiny, two):
    assert means(tiny, two)["agent_fitness"] is not None
    tick = np.arange(0, 3 * 1440, 7)
    odd = dataclasses.replace(two, watched={**two.watched, "tick": tick})
    assert means(tiny, odd)["agent_fitness"] is None


def test_several_learned_seeds(tiny):
    lives = [made_up(tiny, num_towns=3, seed=seed) for seed in range(2)]
    ours = figures(tiny, "learned", lives, [7, 8], ["ab", "cd"])
    told = report(tiny, ours)
    alone = [report(tiny, figures(tiny, "learned", [life], [7], ["ab"])) for life in lives]
    assert told["seeds"] == [7, 8] and told["policy_hashes"] == ["ab", "cd"]
    assert len(told["policy_hash"]) == 64 and alone[0]["policy_hash"] == "ab"
    assert "per_seed" not in alone[0] and "policy_hashes" not in alone[0]
    for name, values in told["per_seed"].items():
        assert values == pytest.approx([one["kpis"][name]["mean"] for one in alone], abs=2e-6)
        towns = np.mean([one["per_town"][name] for one in alone], axis=0)
        assert told["per_town"][name] == pytest.approx(towns, abs=2e-6)
        assert told["kpis"][name]["mean"] == pytest.approx(np.mean(values), abs=2e-6)


def test_differences_are_taken_town_by_town(tiny):
    lives = made_up(tiny, num_towns=5)
    better = changed(lives, self_sufficiency=lives.diary.days.self_sufficiency + 0.25)
    ours, others = (figures(tiny, name, [x]) for name, x in (("a", better), ("b", lives)))
    gaps = compare(ours, others)
    assert gaps["self_sufficiency"] == {"difference": 0.25, "low": 0.25, "high": 0.25}
    assert gaps["attendance"] == {"difference": 0, "low": 0, "high": 0}
    assert compare(others, ours)["self_sufficiency"]["difference"] == -0.25
    told = report(tiny, ours, [others])
    assert told["paired"]["b"] == gaps
    assert told["others"]["b"]["kpis"] == report(tiny, others)["kpis"]
    elsewhere = dataclasses.replace(others, town_seeds=(1, 2, 3, 4, 5))
    with pytest.raises(ValueError, match="did not live in the same towns"):
        compare(ours, elsewhere)


def test_no_difference_without_cases_of_both(tiny):
    lives = made_up(tiny, num_towns=2)
    first, second = (figures(tiny, "x", [without(lives, "attendance", town)]) for town in (0, 1))
    nothing = {"difference": None, "low": None, "high": None}
    assert compare(first, second)["attendance"] == nothing


def test_verdicts(tiny):
    share = np.full((8, 4), 0.9)
    share[0] = 0.0  # the mean stays above .7, the interval does not
    lives = changed(
        made_up(tiny, num_towns=8, num_days=4),
        self_sufficiency=share, lateness_rate=np.full((8, 4), 0.1),
        relationship_coverage=np.full((8, 4), 0.5), tenure_late=np.full((8, 2), 3.0),
    )  # fmt: skip
    charter = report(tiny, figures(tiny, "x", [lives]))["charter"]
    assert list(charter) == [
        "self_sufficiency", "tenure_days", "lateness_rate", "relationship_coverage"
    ]  # fmt: skip
    assert [row["verdict"] for row in charter.values()] == [
        "narrowly met", "met", "met", "not met"
    ]  # fmt: skip
    assert [row["passed"] for row in charter.values()] == [True, True, True, False]
    assert [row["secure"] for row in charter.values()] == [False, True, True, False]
    sufficiency = charter["self_sufficiency"]
    assert (sufficiency["target"], sufficiency["side"]) == (0.7, "at least")
    assert sufficiency["low"] < 0.7 < sufficiency["value"] < sufficiency["high"]


def test_too_early_and_no_data_are_no_verdicts(tiny):
    lives = without(made_up(tiny, num_days=2), "lateness_rate")
    charter = report(tiny, figures(tiny, "x", [lives]))["charter"]
    assert charter["tenure_days"]["verdict"] == "too early"
    assert charter["lateness_rate"]["verdict"] == "no data"
    for name in ("tenure_days", "lateness_rate"):
        assert charter[name]["passed"] is None and charter[name]["secure"] is None


def printed(told, width):
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(evaluation_table(told, width))
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 100, 140])
@pytest.mark.parametrize("num_others", [0, 1, 2, 3])
def test_the_table_fits_and_holds_every_difference(tiny, width, num_others):
    lives = without(made_up(tiny), "chat_success_rate")
    lives.diary.terms[:] *= 1e5
    names = ["scripted", "random", "runs/long/path/of/a/policy"][:num_others]
    others = [figures(tiny, name, [made_up(tiny, seed=i + 1)]) for i, name in enumerate(names)]
    text = printed(report(tiny, figures(tiny, "someone", [lives]), others), width)
    assert max(map(len, text.splitlines())) <= width
    for words in ("someone in tiny  4 towns of 3 days, from seed 10000", ">= 0.70", "met", "["):
        assert words in text
    assert ("differences are ours minus theirs" in text) == bool(names)
    for name in names:
        assert f"minus {name}" in text or f"minus …{name[-17:]}" in text
    assert "need mean hunger" in text and "-" in text


def test_the_page_names_every_kpi_and_every_key(tiny):
    page = Path("docs/evaluation.md").read_text(encoding="utf-8")
    lives = [made_up(tiny, seed=seed) for seed in range(2)]
    ours = figures(tiny, "x", lives, [0, 1], ["a", "b"])
    told = report(tiny, ours, [figures(tiny, "y", lives[:1])], {"stage": None, "greedy": False})
    kinds = {name.partition(".")[0] for name in told["kpis"]}
    for name in (*told, *told["charter"]["tenure_days"], *kinds):
        assert f"`{name}" in page, name


def test_csv(tiny, tmp_path):
    lives = without(made_up(tiny), "chat_success_rate")
    other = figures(tiny, "random", [made_up(tiny, seed=1)])
    told = report(tiny, figures(tiny, "someone", [lives]), [other])
    write_csv(told, tmp_path / "report.csv")
    with (tmp_path / "report.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["kpi"]: row for row in csv.DictReader(file)}
    assert rows.keys() == told["kpis"].keys()
    first = rows["self_sufficiency"]
    assert float(first["mean"]) == told["kpis"]["self_sufficiency"]["mean"]
    assert (first["target"], first["side"], first["unit"]) == ("0.7", "at least", "share")
    gap = told["paired"]["random"]["self_sufficiency"]
    assert float(first["minus random mean"]) == gap["difference"]
    assert (
        float(first["random mean"]) == told["others"]["random"]["kpis"]["self_sufficiency"]["mean"]
    )
    assert rows["chat_success_rate"]["mean"] == rows["chat_success_rate"]["minus random low"] == ""
    assert rows["attendance"]["target"] == ""
