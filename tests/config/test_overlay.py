"""Files and overrides on top of each other, each value with the place it came from."""

import pytest

from townlet_jax.config import overlay
from townlet_jax.config.errors import ConfigError
from townlet_jax.config.reading import read_config, read_marked


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return str(path)

    return write


def lines(path, *overrides):
    with pytest.raises(ConfigError) as error:
        read_config(path, overrides)
    return str(error.value).splitlines()


def test_extends_merges_mappings_and_replaces_lists(write):
    write(
        "base.yaml",
        "config_id: base\nchat: {range_tiles: 4, base_success: .5}\n"
        "world: {entry: [[1, 1], [2, 2]]}\n",
    )
    write("deep/mid.yaml", "extends: ../base.yaml\nchat: {base_success: .6}\n")
    path = write("top.yaml", "extends: deep/mid.yaml\nconfig_id: top\nworld: {entry: [[3, 3]]}\n")
    config, notes = read_config(path)
    assert (config.config_id, config.world.entry, notes) == ("top", ((3, 3),), [])
    assert (config.chat.range_tiles, config.chat.base_success) == (4, 0.6)


def test_marks_survive_merging(write):
    base = write(
        "base.yaml",
        "config_id: base\nchat:\n  range_tiles: 40\nqueue: {foo: 1}\n"
        "scenario: {agents: [{id: a}, {id: b, wallet: -1}]}",
    )
    path = write(
        "top.yaml", "extends: base.yaml\nchat:\n  base_success: 2\nscenario:\n  agents: [{}]\n"
    )
    assert lines(path) == [
        f"{base}:3:16: chat.range_tiles: must be an int in 1...8, got 40",
        f"{base}:4:9: queue.foo: unknown key; the nearest valid name is 'range_tiles'",
        f"{path}:3:17: chat.base_success: must be a number in 0...1, got 2",
        f"{path}:5:12: scenario.agents[0].id: is required but missing",
    ]


def test_an_alias_on_top_wins_over_the_canonical_key_below(write):
    write("base.yaml", "config_id: base\nrelationships: {max_edges: 5}\n")
    path = write("top.yaml", "extends: base.yaml\nconflict: {rivalry: {max_edges: 4}}\n")
    assert read_config(path)[0].relationships.max_edges == 4
    assert read_config(path, ["conflict.rivalry.max_edges=3"])[0].relationships.max_edges == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: a.yaml", "extends: '{folder}/a.yaml' extends this file in turn"),
        ("extends: nothing.yaml", "extends: no such file: '{folder}/nothing.yaml'"),
        ("extends: 3", "extends: must be a file name, got 3"),
        ("extends:", "extends: must be a file name, got null"),
    ],
)
def test_bad_extends(write, tmp_path, text, message):
    path = write("a.yaml", text)
    line = lines(path)
    assert len(line) == 1 and message.format(folder=tmp_path)[:40] in line[0]
    assert line[0].startswith(f"{path}:1:")


def test_long_cycles_are_refused(write):
    path = write("a.yaml", "extends: b.yaml")
    b = write("b.yaml", "extends: ./../" + path.split("/")[-2] + "/a.yaml")
    assert lines(path)[0].startswith(f"{b}:1:10: extends: ")


def test_perturbations_from_a_file(write):
    write("events.yaml", "perturbations:\n  events:\n    dark: {kind: blackout, duration_min: 5}\n")
    path = write("a.yaml", "config_id: a\nperturbations: events.yaml\n")
    assert read_config(path)[0].perturbations.events["dark"].duration == (5, 5)
    events = write("events.yaml", "events:\n  dark: {kind: blackou, probability_per_day: -1}\n")
    assert lines(path) == [
        f"{events}:2:16: perturbations.events.dark.kind: must be one of price_spike, blackout, "
        "outage, arranged_meet, got 'blackou'; the nearest is 'blackout'",
        f"{events}:2:46: perturbations.events.dark.probability_per_day: "
        "must be a number in 0...1000000000, got -1",
    ]
    path = write("b.yaml", "config_id: a\nperturbations: nothing.yaml\n")
    assert lines(path) == [f"{path}:2:16: perturbations: no such file: 'nothing.yaml'"]


TOWN = """\
config_id: a
seed: 1
jobs: {baker: {start_tick: 10}}
scenario: {agents: [{id: a, schedule: [{kind: wait}]}, {id: b}]}
"""


def test_overrides(write):
    path = write("a.yaml", TOWN)
    config, _ = read_config(
        path,
        [
            "seed=2",
            "seed = 3",
            "chat={range_tiles: 4}",
            "chat.base_success=3e-1",
            "features.stages.relationships=OFF",
            "jobs.baker.end_tick=20",
            "jobs.2.start_tick=4",
            "scenario.agents[1].wallet=3",
            "scenario.agents.0.schedule[0].repeat=7",
            "scenario.agents[0].needs={hunger: 1}",
            "observations.hybrid.local_window=7",
            "shaping.discount=",
        ],
    )
    assert config.seed == 3
    assert (config.chat.range_tiles, config.chat.base_success) == (4, 0.3)
    assert config.features.stages.relationships == "OFF"
    assert (config.jobs["baker"].start_tick, config.jobs["baker"].end_tick) == (10, 20)
    assert config.jobs["2"].start_tick == 4
    assert config.scenario.agents[1].wallet == 3.0
    assert config.scenario.agents[0].schedule[0].repeat == 7
    assert config.scenario.agents[0].needs.hunger == 1.0
    assert config.observations_config.hybrid.local_window == 7


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("chat.range_tile=3", "chat.range_tile: unknown key; did you mean 'range_tiles'?"),
        ("chats.range_tiles=3", "chats: unknown key; did you mean 'chat'?"),
        ("economy.meal_prise=3", "economy.meal_prise: unknown key; "),
        ("chat.range_tiles=many", "chat.range_tiles: must be an int in 1...8, got 'many'"),
        ("chat.range_tiles", "chat.range_tiles: must have the form path=value"),
        ("=3", "must have the form path=value"),
        ("a b=3", "a b: must have the form path=value"),
        ("chat.range_tiles=[", "chat.range_tiles: is not YAML: "),
        ("chat.range_tiles=&x [*x]", "chat.range_tiles: an alias refers to the value"),
        ("config_id.x=3", "config_id: must be a text that is not blank, got a mapping"),
        ("scenario.agents[9].wallet=3", "scenario.agents[9].wallet: no item 9: the list has 2"),
        ("scenario.agents[0].id.x=3", "scenario.agents[0].id.x: 'a' has no 'x' inside"),
        ("scenario.agents[0].walet=3", "scenario.agents[0].walet: unknown key; did you mean"),
        ("extends=b.yaml", "extends: unknown key; "),
        ("perturbations=no.yaml", "perturbations: no such file: 'no.yaml'"),
    ],
)
def test_bad_overrides(write, override, line):
    path = write("a.yaml", TOWN)
    found = lines(path, "seed=5", override)
    assert len(found) == 1 and found[0].startswith(f"--set:2:1: {line}")


def test_the_document_tells_which_file_a_value_is_from(write):
    base = write("base.yaml", "config_id: base\nworld: {max_agents: 9}\n")
    path = write("top.yaml", "extends: base.yaml\nconfig_id: top\n")
    document = read_marked(path, ["seed=4"]).document
    assert document.place(("world", "max_agents")) == (base, 2, 21)
    assert document.place(("config_id",)) == (path, 2, 12)
    assert document.place(("seed",)) == (overlay.SET, 1, 1)
    assert document.place(()).file == path
