"""The whole town: shapes, types of leaves, names, identity, the numbers of the configuration."""

import dataclasses
import re

import jax
import numpy as np
import pytest

from townlet_jax.config import ConfigError, layout, load, params
from townlet_jax.config.town_params import DELTA_ROWS
from townlet_jax.state.relationships import TieEvent

SIZES = {"N": 3, "J": 8, "R": 8, "P": 8, "S": 4, "F": 16, "OT": 16, "N + 1": 4}


@pytest.fixture(scope="module")
def small():
    return load("configs/town.yaml")


def declared(group):
    """Yields (field, dtype, axes) as the docstring of a group says."""
    text = re.sub(r"\s+", " ", group.__doc__.split("Attributes:")[1])
    pattern = r"((?:\w+, )*\w+): (int8|int16|int32|float32|bool)(?: `\[([^\]]*)\]`)?"
    for names, dtype, axes in re.findall(pattern, text):
        for name in names.split(", "):
            yield name, dtype, axes


@pytest.mark.parametrize(
    "path", ["configs/town.yaml", "configs/scenarios/observation_baseline.yaml"]
)
def test_leaves_are_what_their_docstrings_say(path):
    town = load(path)
    shape = town.shape
    sizes = SIZES | {
        "A": shape.num_agents, "O": shape.num_objects, "V": shape.num_objects,
        "G": shape.num_targets, "H": shape.height, "W": shape.width,
        "L": shape.schedule_length, "M": shape.num_offers,
        "n": 4096, "num_actions - 7": shape.num_actions - 7,
        "E": shape.num_slots, "embed_dim": shape.embed_dim,
        "H + w - 1": shape.height + shape.local_window - 1,
    }  # fmt: skip
    checked = 0
    for module, tree in ((params, town.params), (layout, town.layout)):
        for field in dataclasses.fields(tree):
            group = getattr(tree, field.name)
            assert type(group).__module__ == module.__name__
            found = dict((name, rest) for name, *rest in declared(type(group)))
            assert set(found) == {f.name for f in dataclasses.fields(group)}
            for name, (dtype, axes) in found.items():
                leaf = getattr(group, name)
                parts = [axis.strip() for axis in axes.split(",")] if axes else []
                expected = tuple(sizes[p] if p in sizes else int(p) for p in parts)
                assert isinstance(leaf, jax.Array) and not leaf.weak_type, name
                assert (leaf.dtype.name, leaf.shape) == (dtype, expected), (field.name, name)
                checked += 1
    assert checked > 140


def test_shape_of_the_standard_town(small):
    shape = small.shape
    assert (shape.num_agents, shape.num_objects, shape.width, shape.height) == (8, 24, 24, 24)
    assert shape.num_targets == 24 + 8  # every home is a target
    assert shape.num_actions == 7 and shape.action_level == "option"
    assert len({hash(load("configs/town.yaml").shape), hash(shape)}) == 1


def test_static_sizes_come_from_the_configuration(town):
    shape = town(
        """
        world: {grid_size: [5, 7], tick_order: slot, max_agents: 3, max_objects: 4}
        relationships: {max_edges: 2}
        employment: {attendance_window: 5}
        embedding_allocator: {max_slots: 9}
        console: {max_ops_per_tick: 2}
        jobs: {}
        """
    ).shape
    assert (shape.width, shape.height, shape.tick_order) == (5, 7, "slot")
    assert (shape.num_agents, shape.num_objects, shape.num_targets) == (3, 4, 4)
    assert (shape.max_edges, shape.attendance_window, shape.num_slots, shape.num_ops) == (
        2,
        5,
        9,
        2,
    )


def test_primitive_actions_are_the_types_with_an_affordance():
    town = load("configs/town.yaml", ["world.action_level=primitive"])
    uses = ["bed", "cafe_table", "counter", "fridge", "shower", "stove"]
    assert list(town.names.actions[7:]) == [f"use_{name}" for name in uses]
    assert town.shape.num_actions == 13
    rows = town.layout.actions.rows
    for k, name in enumerate(uses):
        kind = town.names.types.index(name)
        np.testing.assert_array_equal(rows[k], np.array(town.layout.objects.type) == kind)


def test_params_mirror_the_configuration():
    town = load(
        "configs/town.yaml",
        [
            "time.ticks_per_day=2000", "queue_fairness.age_priority_weight=0.25",
            "rewards.decay_rates.hygiene=0.5", "behavior.energy_threshold=0.3",
            "lifecycle.respawn_delay_ticks=7", "features.stages.relationships=C2",
            "conflict.rivalry.increment_per_conflict=0.4",
            "relationships.deltas.help_given.trust=0.9",
            "relationships.max_edges=4", "features.systems.lifecycle=off",
            "queue_fairness.enabled=off",
            "relationships.modifiers.ambition=0.8", "chat.quality_noise=0.5", "kpi.need_floor=0.4",
            "personalities.profiles.stoic.need.hunger=0.5",
            "personalities.profiles.stoic.behaviour.conflict_tolerance=1.4",
            "personalities.profiles.industrious.behaviour.conflict_tolerance=1.7",
        ],
    )  # fmt: skip
    found = town.params
    assert found.time.ticks_per_day == 2000
    assert found.queues.age_weight == 256
    np.testing.assert_allclose(found.needs.decay, [0.0014, 0.5, 0.0008])
    np.testing.assert_allclose(found.behavior.thresholds, [0.6, 0.55, 0.3])
    assert found.lifecycle.spawn_delay.tolist() == [7, 7]
    ties = found.relationships
    assert ties.stage == 4 and ties.effective_capacity == 4
    np.testing.assert_allclose(ties.deltas[TieEvent.QUEUE_CONFLICT], [0, 0, 0.4])
    np.testing.assert_allclose(ties.deltas[TieEvent.HELP_GIVEN], [0.9, 0.05, 0])
    np.testing.assert_allclose([ties.forgiveness, ties.ambition], [0.5, 0.8])
    assert found.chat.quality_noise == 0.5
    np.testing.assert_allclose(found.kpi.need_floor, 0.4)
    np.testing.assert_allclose(found.needs.profile_multiplier[3], [0.5, 1, 1])
    np.testing.assert_allclose(ties.profile_tolerance, [1, 1, 1.7, 1.4])
    assert not town.layout.residents.is_mortality_on
    assert not town.layout.residents.is_fairness_on


def test_delta_rows_are_those_of_the_tie_events():
    assert tuple(event.name.lower() for event in TieEvent) == DELTA_ROWS


def test_values_never_change_the_tree(small):
    other = load("configs/town.yaml", ["chat.range_tiles=3", "time.ticks_per_day=1000"])
    assert other.shape == small.shape
    assert jax.tree.structure(other.params) == jax.tree.structure(small.params)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), (other.params, other.layout)) == jax.tree.map(
        lambda x: (x.shape, x.dtype), (small.params, small.layout)
    )


def test_seed_and_identity(small, tmp_path):
    assert load("configs/town.yaml").identity == small.identity
    assert load("configs/town.yaml", ["seed=5"]).seed == 5
    for override in ("seed=5", "chat.range_tiles=3", "config_id=other"):
        assert load("configs/town.yaml", [override]).identity != small.identity
    with open("configs/affordances/core.yaml") as file:
        text = file.read()
    named = "affordances.affordances_file=" + str(tmp_path / "core.yaml")
    (tmp_path / "core.yaml").write_text(text)
    first = load("configs/town.yaml", [named]).identity
    (tmp_path / "core.yaml").write_text(text + "\n")
    assert load("configs/town.yaml", [named]).identity != first


def test_the_map_is_part_of_the_identity(town):
    text = "world: {map: map.txt}\n"
    assert town(text, tiles="....\n" * 4).identity != town(text, tiles=".,..\n" * 4).identity


def test_problems_of_one_file_come_in_file_order(refusals):
    lines = refusals("""
        scenario:
          agents:
            - {id: a, position: [30, 0]}
            - {id: b, home: [30, 0], position: [1, 1], schedule: [{kind: start, object: x}]}
        jobs: {a: {location: [40, 0]}}
    """)
    numbers = [int(line.split(":")[1]) for line in lines]
    assert numbers == sorted(numbers) and len(numbers) == 4


def test_a_missing_configuration_is_one_line():
    with pytest.raises(ConfigError) as error:
        load("configs/nowhere.yaml")
    assert str(error.value).count("\n") == 0 and "configs/nowhere.yaml" in str(error.value)
