"""Towns that nobody learns in: they load, policies fit them, and they are what they say."""

import glob

import numpy as np
import pytest

from townlet_jax.config import load
from townlet_jax.config.observation_layout import observation_layout

CONFIGS = sorted(glob.glob("configs/eval/*.yaml"))
COMPACT = "features.systems.observations=compact"
WITHOUT_END = 2**20
"""[unit] More than any shelf of these towns holds."""


@pytest.fixture(scope="module")
def town():
    return load("configs/town.yaml", [COMPACT])


@pytest.mark.parametrize("path", CONFIGS)
def test_every_file_loads_strictly_and_shows_what_the_standard_town_does(path, town):
    other = load(path, [COMPACT], strict=True)
    assert other.notes == () and other.config_id != town.config_id
    assert observation_layout(other.shape) == observation_layout(town.shape)
    assert other.names.actions == town.names.actions
    for budget in other.budgets.values():
        assert budget.time_share < 0.8 and budget.income_ratio > 1.1


def seats(town):
    """Counts seats by object type."""
    kinds = [town.names.types[int(k)] for k in town.layout.objects.type[: len(town.names.objects)]]
    return {kind: kinds.count(kind) for kind in town.names.types}


def stocks(town):
    """Adds up what there is at the start, what is delivered, and what there is room for."""
    stock = town.layout.stock
    room = np.where(stock.maximum < WITHOUT_END, stock.maximum, 0)
    return {"initial": stock.initial.sum(), "restock": stock.restock.sum(), "maximum": room.sum()}


def shifts(town):
    employment, number = town.params.employment, len(town.names.jobs)
    return np.asarray(employment.start)[:number], np.asarray(employment.end)[:number]


def test_the_held_out_town_is_another_one_with_as_much_of_everything(town):
    heldout = load("configs/eval/heldout.yaml")
    assert heldout.shape.observation == "compact"
    assert seats(heldout) == seats(town)
    assert stocks(heldout) == stocks(town)
    assert (heldout.shape.width, heldout.shape.height) != (town.shape.width, town.shape.height)
    assert not set(heldout.names.agents) & set(town.names.agents)
    start, end = (
        np.asarray(x)[:3] for x in (heldout.params.employment.start, heldout.params.employment.end)
    )
    assert (end - start == 180).all()
    assert not set(start.tolist()) & set(np.asarray(town.params.employment.start)[:3].tolist())
    reach = np.asarray(heldout.layout.map.distance)[..., : len(heldout.names.objects)]
    x, y = np.asarray(heldout.layout.map.entry)[0]
    assert (reach[y, x] < 32767).all()


def test_the_scarce_town_has_half(town):
    scarce, whole = seats(load("configs/eval/scarce.yaml")), seats(town)
    shared = {"bed", "fridge", "stove", "shower", "cafe_table"}
    assert {kind: whole[kind] / scarce[kind] for kind in shared} == dict.fromkeys(shared, 2)
    stock = stocks(load("configs/eval/scarce.yaml"))
    assert {name: 2 * units for name, units in stock.items()} == stocks(town)


def test_the_disturbed_town_is_disturbed_three_times_as_often(town):
    disturbed = load("configs/eval/disturbed.yaml").config
    for name, event in town.config.perturbations.events.items():
        often = disturbed.perturbations.events[name].prob_per_day
        assert often == pytest.approx(3 * event.prob_per_day)
    same = {"config_id", "perturbations", "features"}
    assert disturbed.model_dump(exclude=same) == town.config.model_dump(exclude=same)


def test_the_large_town_is_the_large_town():
    large, seen = load("configs/town_large.yaml"), load("configs/eval/heldout_large.yaml")
    same = {"config_id", "features"}
    assert seen.config.model_dump(exclude=same) == large.config.model_dump(exclude=same)
    assert seen.shape.observation == "compact" and seen.shape.num_agents == 24
