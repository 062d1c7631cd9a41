"""Layout of observations: names, sizes, hash, and what is refused at load."""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from townlet_jax.config import ConfigError, UnsupportedObservationError, load
from townlet_jax.config.observation_layout import observation_layout, require_layout
from townlet_jax.config.observation_tables import embedding, packed, window_rows
from townlet_jax.config.shape import TownShape

TOWN = str(Path(__file__).parents[2] / "configs" / "town.yaml")
SNIPPET = "observations_config.social_snippet"
SHAPES = [
    TownShape(observation=variant, action_level=level, top_friends=friends)
    for variant in ("hybrid", "full", "compact")
    for level in ("option", "primitive")
    for friends in (0, 2, 6)
]


def test_embedding():
    """EX-OBS-4."""
    table = embedding(64, 8, 3025)
    first = [0.3132, 0.4082, -0.3671, 0.4398, -0.2700, -0.2006, 0.4144, 0.3496]
    np.testing.assert_allclose(table[0], first, atol=5e-5)
    np.testing.assert_allclose(table[63, :3], [-0.1710, -0.2626, 0.5033], atol=5e-5)
    np.testing.assert_allclose(np.linalg.norm(table, axis=1), 1, atol=1e-6)
    assert table.dtype == np.float32 and len(np.unique(table)) == table.size
    assert embedding(2, 32, 2**63).shape == (2, 32)


def test_window_rows():
    """Row i of the window around (x, y) is what a padded map shows there."""
    values = np.arange(1, 13).reshape(3, 4)
    rows = window_rows(values, 3, outside=0)
    padded = np.pad(values, 1)
    for x, y, i in np.ndindex(4, 3, 3):
        assert rows[x, y + i].tolist() == padded[y + i, x : x + 3].tolist()
    assert packed(np.array([1, 3, 2]), 2) == 1 | 3 << 2 | 2 << 4


@pytest.mark.parametrize(
    ("variant", "num_features", "size"),
    [("hybrid", 136, 620), ("full", 124, 729), ("compact", 154, 154)],
)
def test_places_of_the_standard_layout(variant, num_features, size):
    spec = observation_layout(TownShape(observation=variant))
    place = {feature.name: feature.start for feature in spec.features}
    assert (spec.num_features, spec.size) == (num_features, size)
    fixed = {
        "need_hunger": 0, "wallet": 3, "time_cos": 7, "shift_pre": 10, "shift_soon": 16,
        "ctx_reset_flag": 20, "rivalry_max": 22, "rivalry_avoid_count": 23, "last_rest": 24,
        "last_cook": 30, "last_action_success": 31, "reservation_active": 33, "queue_wait": 36,
        "is_running": 37, "path_hint_north": 39, "neighbor_agent_ratio": 43,
        "nearest_agent_distance": 46, "target_fridge_dx": 47, "target_stove_dx": 50,
        "target_bed_dx": 53, "target_shower_dx": 56, "target_work_dist": 61,
        "personality_ambition": 64, "power_on": 65, "price_level": 67,
    }  # fmt: skip
    if variant != "full":
        fixed |= {"target_cafe_table_dx": 68, "target_social_place_dx": 71}
        fixed |= {"target_nearest_resident_dx": 74, "target_best_friend_dist": 79}
    if variant == "compact":
        fixed |= {"rival_in_current_queue": 80, "chat_available": 83, "blocked_north": 84}
        fixed |= {"load_fridge": 88, "stock_stove": 93, "can_pay_cafe_meal": 97}
    start = {"hybrid": 80, "full": 68, "compact": 98}[variant]
    for slot, offset in (("friend0", 0), ("friend1", 13), ("rival0", 26), ("rival1", 39)):
        fixed[f"social_{slot}_e0"] = start + offset
        fixed[f"social_{slot}_distance"] = start + offset + 12
    fixed |= {"social_trust_mean": start + 52, "social_rivalry_max": start + 55}
    assert {name: place[name] for name in fixed} == fixed


@pytest.mark.parametrize("shape", SHAPES)
def test_every_layout(shape):
    spec = observation_layout(shape)
    names = spec.names
    assert len(set(names)) == len(names) == spec.features[-1].stop
    assert {"rivalry_max", "rivalry_avoid_count"} <= set(names)
    assert [f.start for f in spec.features] == list(range(len(names)))
    assert spec.blocks[0].start == 0 and spec.blocks[-1].stop == len(names)
    assert [c.start for c in spec.channels] == list(range(spec.num_channels))
    tree = json.loads(spec.canonical_json)
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"))
    assert text == spec.canonical_json and tree["version"] == 1
    assert spec.layout_hash == hashlib.sha256(text.encode()).hexdigest()


def test_the_hash_tells_layouts_apart():
    hashes = {observation_layout(shape).layout_hash for shape in SHAPES}
    assert len(hashes) == len(SHAPES)
    same = dataclasses.replace(SHAPES[0], num_agents=64, num_objects=3, width=9)
    assert observation_layout(same).layout_hash in hashes
    for change in ({"embed_seed": 1}, {"num_slots": 65}, {"local_window": 9}):
        other = dataclasses.replace(SHAPES[0], **change)
        assert observation_layout(other).layout_hash not in hashes


def test_a_policy_for_other_observations_is_refused():
    spec = observation_layout(SHAPES[0])
    require_layout(spec, spec.layout_hash, "policy.json")
    with pytest.raises(UnsupportedObservationError) as error:
        require_layout(spec, "feed", "policy.json")
    line = str(error.value)
    assert line.startswith("policy.json:1:1: ") and "feed" in line and spec.layout_hash in line
    assert isinstance(error.value, NotImplementedError) and len(line.splitlines()) == 1


@pytest.mark.parametrize(
    ("overrides", "kind", "reason"),
    [
        (["features.systems.observations=compct"], ConfigError, "the nearest is 'compact'"),
        (["observations_config.hybrid.local_window=8"], ConfigError, "an odd int in 3...11, got 8"),
        (["observations_config.hybrid.local_window=1"], ConfigError, "an odd int in 3...11, got 1"),
        (
            [f"{SNIPPET}.top_friends=6", f"{SNIPPET}.top_rivals=3"],
            ConfigError,
            "top_friends + top_rivals must be at most 8, got 6 + 3",
        ),
        (
            [f"{SNIPPET}.top_friends=6", f"{SNIPPET}.embed_dim=32"],
            UnsupportedObservationError,
            "an observation of 864 numbers (map 484, features 380), at most 800",
        ),
        (
            ["features.stages.relationships=A", f"{SNIPPET}.top_rivals=1"],
            UnsupportedObservationError,
            "social slots need features.stages.relationships B or higher, got A",
        ),
    ],
)
def test_what_is_refused_at_load(overrides, kind, reason):
    with pytest.raises(kind) as error:
        load(TOWN, overrides)
    assert type(error.value) is kind
    assert reason in str(error.value) and len(str(error.value).splitlines()) == 1


def test_the_file_decides_the_shape():
    shape = load(TOWN, ["features.stages.relationships=OFF"]).shape
    assert (shape.top_friends, shape.top_rivals, shape.include_aggregates) == (0, 0, False)
    assert observation_layout(shape).num_features == 80
    given = [f"{SNIPPET}.top_friends=3", f"{SNIPPET}.include_aggregates=false"]
    shape = load(TOWN, [*given, "observations_config.hybrid.local_window=5"]).shape
    assert observation_layout(shape).num_features == 80 + 5 * 13
    assert observation_layout(shape).map_shape == (5, 5, 4)
