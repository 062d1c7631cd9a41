"""The files that come with the project: they load, and they say what the world text says."""

import glob

import numpy as np
import pytest

from townlet_jax.config import load, read_config, read_manifest
from townlet_jax.config.schedules import KINDS

CONFIGS = sorted(glob.glob("configs/*.yaml") + glob.glob("configs/scenarios/*.yaml"))
SCENARIOS = "configs/scenarios/"


def test_there_are_as_many_as_expected():
    assert len(CONFIGS) >= 9


@pytest.mark.parametrize("path", CONFIGS)
def test_every_file_loads_strictly(path):
    town = load(path, strict=True)
    assert town.config_id and town.names.objects is not None
    allowed = ("no object of this town offers",)
    assert [str(n) for n in town.notes if not any(text in str(n) for text in allowed)] == []


@pytest.mark.parametrize("path", sorted(glob.glob("configs/affordances/*.yaml")))
def test_every_manifest_is_read_strictly(path):
    assert read_manifest(path, strict=True).notes == []


def test_core_holds_the_table_of_the_world_text():
    core = read_manifest("configs/affordances/core.yaml").affordances
    expected = {
        "use_shower": (20, 0, 0.5, -0.02, "shower", ("blocks_chat",)),
        "eat_meal": (15, 0.45, 0, 0.02, "meal", ("meal",)),
        "cook_meal": (30, 0.05, 0, -0.03, "ingredients", ()),
        "rest_sleep": (120, 0, 0, 0.3, None, ("blocks_chat",)),
        "eat_out": (20, 0.5, 0, 0.03, "cafe_meal", ("meal",)),
        "work_shift": (60, 0, -0.02, -0.03, None, ("work",)),
    }
    for name, (ticks, hunger, hygiene, energy, price, flags) in expected.items():
        found = core[name]
        effects = (found.effects.hunger, found.effects.hygiene, found.effects.energy)
        assert (found.duration, *effects) == (ticks, hunger, hygiene, energy)
        assert (found.price_key(()), found.flags) == (price, flags)
    assert core["cook_meal"].stock.finish == {"meals": 2}
    assert core["work_shift"].object_type == ("counter", "checkout", "till", "desk", "stall")
    assert core["use_shower"].preconds == (
        "occupied == false", "power_on == true", "water_on == true",
    )  # fmt: skip
    assert core["work_shift"].preconds == ("is_own_site == true", "in_shift_window == true")


def test_bunks_are_core_with_virtual_beds():
    core = read_manifest("configs/affordances/core.yaml")
    bunks = read_manifest("configs/affordances/bunks.yaml")
    assert bunks.affordances == core.affordances
    assert list(bunks.types) == ["bed"] and bunks.types["bed"].virtual


def test_the_standard_town():
    town = load("configs/town.yaml")
    sites = [town.names.objects[row] for row in town.layout.jobs.site[:3].tolist()]
    assert dict(zip(town.names.jobs, sites, strict=True)) == {
        "grocer": "till", "barista": "cafe_counter", "clerk": "desk",
    }  # fmt: skip
    assert town.layout.map.entry.tolist() == [[0, 10], [0, 11], [23, 10], [23, 11]]
    assert town.layout.residents.job.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]
    assert bool(town.layout.residents.is_random_needs.all())
    assert bool(town.layout.residents.is_random_traits.all())
    assert town.params.lifecycle.is_halton
    np.testing.assert_allclose(town.layout.residents.wallet, 2.0)
    stock = town.layout.stock
    kitchen, cafe = (town.names.venues.index(name) for name in ("kitchen_a", "cafe"))
    assert stock.initial[:, kitchen].tolist() == [8, 6, 0, 0]
    assert stock.maximum[:, kitchen].tolist()[:2] == [24, 12]
    assert (stock.initial[2, cafe], stock.restock[2, cafe], stock.maximum[2, cafe]) == (30, 30, 60)
    meet = town.names.perturbations.index("arranged_meet")
    assert town.names.objects[town.layout.perturbations.location[meet]] == "table.0"
    for budget in town.budgets.values():
        assert round(budget.time_share, 2) == 0.61 and round(budget.income_ratio, 2) == 1.20


def test_the_fallback_is_the_standard_town_in_peace():
    fallback, town = (read_config(f"configs/{name}.yaml")[0] for name in ("fallback", "town"))
    same = {"config_id", "perturbations"}
    assert fallback.model_dump(exclude=same) == town.model_dump(exclude=same)
    assert all(event.prob_per_day == 0 for event in fallback.perturbations.events.values())


def test_the_large_town():
    town = load("configs/town_large.yaml")
    assert (town.shape.num_agents, town.shape.num_objects) == (24, 32)
    assert (town.shape.width, town.shape.height) == (48, 48)
    layout = town.layout.objects
    is_bunk = np.array([name.startswith("bunk") for name in town.names.objects])
    assert is_bunk.sum() == 4 and np.array(layout.is_virtual)[is_bunk].all()
    assert [town.params.employment.start[j] for j in range(4)] == [420, 560, 700, 840]
    assert (town.params.employment.end[:4] - town.params.employment.start[:4] == 180).all()
    reach = town.layout.map.distance[10, 0, :32]
    assert (reach < 32767).all()
    assert town.layout.stock.initial.sum() == 4 * (18 + 8) + 60


def test_the_tiny_town():
    town = load("configs/tiny.yaml")
    assert town.shape.width <= 12 and town.shape.height <= 12
    assert 2 <= int(town.layout.residents.is_resident.sum()) <= 3
    assert town.shape.num_objects <= 8


@pytest.mark.parametrize(
    ("name", "ticks", "residents", "length"),
    [
        ("queue_conflict", 80, 8, 6),
        ("employment_punctuality", 80, 2, 80),
        ("rivalry_decay", 50, 2, 50),
        ("kitchen_breakfast", 60, 2, 60),
        ("observation_baseline", 20, 1, 1),
    ],
)
def test_scenarios_have_their_length(name, ticks, residents, length):
    town = load(f"{SCENARIOS}{name}.yaml")
    assert town.config.scenario.ticks == ticks
    assert int(town.layout.residents.is_resident.sum()) == residents
    assert town.shape.schedule_length == length
    assert bool(town.layout.schedules.has_schedule[:residents].all())
    assert (np.array(town.params.needs.decay) == 0).all()


def test_queue_conflict_is_as_printed():
    town = load(f"{SCENARIOS}queue_conflict.yaml")
    assert town.seed == 5252 and town.shape.tick_order == "random"
    ties = town.layout.residents
    assert np.argwhere(ties.is_tie).tolist() == [[6, 7], [7, 6]]
    rows = town.layout.schedules.rows
    north = town.names.objects.index("shower_north")
    assert rows[1, :2].tolist() == [
        [KINDS.index("request_blocked"), north, -1], [KINDS.index("blocked"), north, -1],
    ]  # fmt: skip
    assert town.layout.schedules.length.tolist() == [6, 2, 2, 2, 2, 2, 5, 5]
    assert rows[6, 2].tolist() == [KINDS.index("chat"), 7, -1]


def test_erin_walks_to_a_cell_of_its_own():
    town = load(f"{SCENARIOS}employment_punctuality.yaml")
    kind, target, _ = town.layout.schedules.rows[1, 14].tolist()
    assert KINDS[kind] == "move" and target >= town.shape.num_objects
    assert town.layout.map.distance[16, 12, target] == 3
