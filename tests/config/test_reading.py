"""Whole files: scenarios, dumps that read back, seeds, and mutations of every value."""

import copy
import dataclasses
import math
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from townlet_jax.config import yaml_reader
from townlet_jax.config.document import Document, walk
from townlet_jax.config.errors import ConfigError, dotted, nearest, show, suggest
from townlet_jax.config.reading import config_seed, dump, interpret, read_config
from townlet_jax.config.schema import Config
from townlet_jax.config.schema_aliases import normalise

QUEUE_CONFLICT = """\
config_id: scenario_queue_conflict
seed: 5252
features: {stages: {relationships: B, social_rewards: OFF}, seed_relationships: true}
world:
  grid_size: [24, 24]
  initial_relationships: [{a: gina, b: hugo, trust: 0.3, familiarity: 0.4, symmetric: true}]
rewards: {decay_rates: {hunger: 0.0, hygiene: 0.0, energy: 0.0}}
queue_fairness: {cooldown_ticks: 4, ghost_step_after: 1, age_priority_weight: 0.0}
conflict: {rivalry: {increment_per_conflict: 0.05, decay_per_tick: 0.01, max_edges: 6}}
scenario:
  ticks: 80
  objects:
    - {id: shower_north, type: shower, position: [12, 8]}
    - {id: breakfast_table, type: cafe_table, position: [5, 12], seats: 2, stock: {cafe_meals: 10}}
  agents:
    - {id: anna, position: [12, 7], needs: &dirty {hunger: 0.6, hygiene: 0.3}, schedule: [
        {kind: request, object: shower_north}, {kind: wait, repeat: 4}]}
    - {id: ben, position: [13, 8], needs: *dirty, wallet: 2.0, schedule: &push [
        {kind: request, object: shower_north, blocked: true, position: null, quality: null}]}
    - {id: cara, needs: *dirty, schedule: *push}
    - {id: gina, needs: random, personality: socialite, schedule: [
        {kind: move, position: [3, 3]}, {kind: chat, target_agent: hugo}]}
    - {id: hugo, job: grocer, personality: [.5, 0, -1]}
"""

EVERYTHING = """\
config_id: everything
seed: 7
features:
  stages: {relationships: C1, social_rewards: C2}
  systems: {lifecycle: off, observations: compact}
  behavior: {personality_profiles: on}
time: {ticks_per_day: 1000}
world: {entry: [[1, 2]], tick_order: slot, max_agents: 9, require_range: off}
economy: {prices: {meal: .3}, price_groups: {food: [meal]}, wage_income: .1, restock_tick: 3}
jobs: {grocer: {start_tick: 180, end_tick: 360, wage_rate: .02, location: [0, 0]}}
lifecycle: {spawn_delay_ticks: {min: 3, max: 4}, arrival: {needs: .5}}
personalities: {distribution: {stoic: 1, balanced: 2.5}, overrides: {a: stoic}, spread: .1}
perturbations:
  max_concurrent_events: 2
  events:
    dear: {kind: price_spike, prob_per_day: .3, duration: [60, 120], magnitude: [1.2, 1.8]}
    meet: {kind: arranged_meet, target: top_rivals, location: cafe, max_participants: 3}
observations_config: {social_snippet: {top_friends: 3, embed_dim: 4}, hybrid: {local_window: 5}}
kpi: {afi: {return: .5}}
policy: {satisfied_level: [{fraction: 0, level: .9}, {fraction: .5, level: 2}]}
ppo: {learning_rate: 3e-4, lr_schedule: cosine, advantage_normalization: on}
training:
  social_reward_schedule: [{cycle: 0, stage: OFF}, {cycle: 5, stage: C1}]
  anneal_schedule: [{cycle: 1, mode: bc}]
  town_overrides: {lifecycle.max_exits_per_day: 0}
telemetry:
  narration: {category_cooldown_ticks: {queue: 3}, priority_categories: [queue]}
  transport: {type: tcp, endpoint: "localhost:1", retry: {max_attempts: 2}}
snapshot: {identity: {policy_hash: 0123456789abcdef0123456789abcdef01234567}}
stability: {starvation: {window_ticks: 5}}
scenario:
  objects: [{id: shower, type: shower, position: [2, 2], stock: {soap: 3}}]
  agents: [{id: a, wallet: 3, needs: {hunger: .2}, schedule: [{kind: use, object: shower}]}]
"""


def read(text):
    document = yaml_reader.parse(text, "f.yaml")
    return interpret(document, known=normalise(document)).config


@pytest.mark.parametrize("text", ["config_id: x", QUEUE_CONFLICT, EVERYTHING])
def test_a_dump_reads_back(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    config, _ = read_config(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").write_text(dump(config))
    again, notes = read_config(tmp_path / "b.yaml", strict=True)
    assert again == config and notes == []
    assert dump(again) == dump(config)
    yaml.safe_load(dump(config))


@settings(max_examples=20)
@given(
    st.text("aOfFnN0123e-.:~ yes'\"", min_size=1, max_size=8).filter(str.strip),
    st.floats(0, 1),
    st.dictionaries(st.sampled_from(["on", "1", "3e4", "null", "~"]), st.booleans()),
)
def test_any_text_and_number_survives_a_dump(name, level, extras):
    data = {
        "config_id": name.strip(),
        "chat": {"base_success": level},
        "jobs": {name.strip(): {}},
        "console_auth": extras,
    }
    config = interpret(Document("d", data)).config
    assert read(dump(config)) == config


def test_queue_conflict():
    config = read(QUEUE_CONFLICT)
    cara, gina, hugo = config.scenario.agents[2:]
    assert (cara.needs.hygiene, cara.needs.energy, cara.schedule[0].blocked) == (0.3, 0.5, True)
    assert gina.needs == "random" and gina.schedule[0].position == (3, 3)
    assert hugo.personality == (0.5, 0.0, -1.0)
    assert config.scenario.objects[1].stock == {"cafe_meals": 10}
    assert config.features.stages.social_rewards == "OFF"


def test_seed():
    assert config_seed(read("config_id: x\nseed: 5")) == 5
    # sha256("scenario_queue_conflict")[:4], as other tools compute it
    assert config_seed(read("config_id: abc")) == 0xBA7816BF & 0x7FFFFFFF


def test_every_file_level_fault_is_one_line(tmp_path):
    for text in ("- a", "3", "", "a: 1\na: 2", "a: [", "config_id: x\n---\n"):
        path = tmp_path / "a.yaml"
        path.write_text(text)
        with pytest.raises(ConfigError) as error:
            read_config(path)
        assert str(error.value).startswith(f"{path}:") and "\n" not in str(error.value)


FREE_TEXT = ("config_id", "id", "type", "object", "target", "location", "endpoint", "food", "needs")
FREE_LISTS = ("food", "priority_categories")


def scalars(data):
    return [path for path in walk(data) if path and not isinstance(get(data, path), dict | list)]


def get(data: Any, path: Any) -> Any:
    for part in path:
        data = data[part]
    return data


def mutations(path, value):
    """Values of another type or far out of any range."""
    yield from ([], {"x": 1}, [None, [1]], -5.5, 10**400)
    if path[-1] not in FREE_TEXT and not set(path) & set(FREE_LISTS):
        yield "\x07no such word\n"
    if not isinstance(value, bool) and value not in ("OFF", "on", "off"):
        yield True


CASES = [
    pytest.param(text, path, id=dotted(path))
    for text in (QUEUE_CONFLICT, EVERYTHING)
    for path in scalars(yaml_reader.parse(text, "f.yaml").data)
    if path[-1] != "quality"
]


@pytest.mark.parametrize(("text", "path"), CASES)
def test_every_mutated_value_is_refused_with_its_place(text, path):
    document = yaml_reader.parse(text, "f.yaml")
    for value in mutations(path, get(document.data, path)):
        mutated = dataclasses.replace(document, data=copy.deepcopy(document.data))
        get(mutated.data, path[:-1])[path[-1]] = value
        place = mutated.place(path)
        with pytest.raises(ConfigError) as error:
            interpret(mutated, known=normalise(mutated))
        found = str(error.value).splitlines()
        assert any(line.startswith(f"f.yaml:{place.line}:") for line in found), (value, found)
        assert all(line.startswith("f.yaml:") for line in found)


@pytest.mark.parametrize("text", [QUEUE_CONFLICT, EVERYTHING])
def test_every_misspelt_key_is_refused_or_noted(text):
    document = yaml_reader.parse(text, "f.yaml")
    free = ("jobs", "events", "stock", "prices", "price_groups", "category_cooldown_ticks")
    for path in document.keys:
        if (
            len(path) == 1
            or path[-1] in ("min", "max")
            or path[-2] in (*free, "distribution", "overrides", "town_overrides")
        ):
            continue
        mutated = copy.deepcopy(document)
        parent = get(mutated.data, path[:-1])
        wrong = f"{path[-1]}_"
        parent[wrong] = parent.pop(path[-1])
        mutated.keys[(*path[:-1], wrong)] = mutated.keys[path]
        try:
            reading = interpret(mutated, known=normalise(mutated))
            found = [str(note) for note in reading.notes]
        except ConfigError as error:
            found = str(error).splitlines()
        key = dotted((*path[:-1], wrong))
        lines = [line for line in found if key in line and "unknown key" in line]
        assert len(lines) == 1 and repr(path[-1]) in lines[0], (path, found)


WORDS = st.sampled_from(
    [*Config.model_fields, "stages", "hybrid", "rivalry", "events", "agents", "kind", "id", "x"]
)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=60)
@given(st.dictionaries(WORDS, TREES, max_size=5))
def test_any_tree_is_read_or_refused(tree):
    document = Document("d", tree)
    try:
        config = interpret(document, known=normalise(document)).config
    except ConfigError as error:
        assert str(error)
    else:
        assert math.isfinite(config.ppo.gamma)


def test_words_of_messages():
    assert nearest("cooldwn", ["heat", "cooldown"]) == "cooldown"
    assert nearest("x", []) == ""
    assert suggest("COOLDOWN", ["cooldown"]) == "did you mean 'cooldown'?"
    assert suggest("x", []) == "no name is valid here"
    assert show(10**400) == "a very large int"
    assert show(["a", None, True]) == "['a', null, true]"
    assert len(show("x" * 500)) <= 60 and "\n" not in show("a\nb")
    assert dotted(("a", 0, "b", "c\nd")) == "a[0].b.c d"
