"""The schema: defaults, kinds of values, aliases, rules, and what a fault reads like."""

import pytest

from townlet_jax.config import yaml_reader
from townlet_jax.config.errors import ConfigError, UnsupportedObservationError
from townlet_jax.config.reading import interpret
from townlet_jax.config.schema_aliases import normalise


def read(text, strict=False):
    document = yaml_reader.parse("config_id: x\n" + text, "f.yaml")
    return interpret(document, strict, normalise(document))


def config_of(text):
    return read(text).config


def faults(text, strict=False):
    with pytest.raises(ConfigError) as error:
        read(text, strict)
    return str(error.value).splitlines()


def test_defaults_of_the_three_texts():
    config = config_of("")
    assert config.time.ticks_per_day == 1440
    assert config.world.grid_size == (24, 24)
    assert config.rewards.decay_rates.hunger == 0.0014
    assert config.features.stages.relationships == "B"
    assert config.relationships.trust_decay == 2.4e-4
    assert config.conflict.rivalry.decay_per_tick == 1e-4
    assert config.relationships.deltas.help_received.trust == 0.2
    assert config.personalities.profiles["stoic"].traits.forgiveness == 0.5
    assert config.ppo.gamma == config.shaping.discount == 0.999
    assert config.lifecycle.spawn_delay_ticks == (5, 20)
    assert config.kpi.afi.return_ == 0.4
    assert config.telemetry.transport.type == "stdout"
    assert "max_edges" not in config.relationships.model_fields_set


def test_given_keys_are_remembered():
    config = config_of("relationships: {max_edges: 4}\nconflict: {avoid_cooldown_ticks: 3}")
    assert config.relationships.model_fields_set == {"max_edges"}
    assert "chat" not in config.model_fields_set


@pytest.mark.parametrize(
    ("word", "expected"),
    [("OFF", "OFF"), ("off", "OFF"), ("false", "OFF"), ("C1", "C1"), ("'OFF'", "OFF")],
)
def test_stages(word, expected):
    config = config_of(f"features: {{stages: {{social_rewards: {word}}}}}")
    assert config.features.stages.social_rewards == expected


@pytest.mark.parametrize(("word", "expected"), [("on", "on"), ("off", "off"), ("true", "on")])
def test_lifecycle_words(word, expected):
    config = config_of(f"features: {{systems: {{lifecycle: {word}}}}}")
    assert config.features.systems.lifecycle == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [("on", True), ("off", False), ("true", True), ("no", False), ("OFF", False)],
)
def test_flags(word, expected):
    assert config_of(f"queue_fairness: {{enabled: {word}}}").queue_fairness.enabled is expected


def test_ints_become_floats_and_nothing_else_is_converted():
    config = config_of("chat: {base_success: 1}\nppo: {learning_rate: 3e-4}")
    assert type(config.chat.base_success) is float
    assert config.ppo.learning_rate == 3e-4
    assert faults("chat: {range_tiles: 2.0, base_success: '0.5', quality_noise: true}") == [
        "f.yaml:2:21: chat.range_tiles: must be an int in 1...8, got 2.0",
        "f.yaml:2:40: chat.base_success: must be a number in 0...1, got '0.5'",
        "f.yaml:2:62: chat.quality_noise: must be a number in 0...1, got true",
    ]


@pytest.mark.parametrize(
    ("written", "span"),
    [("7", (7, 7)), ("[3, 9]", (3, 9)), ("{min: 2, max: 4}", (2, 4)), ("0", (1, 1))],
)
def test_ranges(written, span):
    config = config_of(f"lifecycle: {{spawn_delay_ticks: {written}}}")
    assert config.lifecycle.spawn_delay_ticks == span


@pytest.mark.parametrize(
    "written", ["[4, 3]", "{min: 4}", "[1]", "[1, 2, 3]", "x", "{min: 2, max: 1}"]
)
def test_bad_ranges(written):
    (fault,) = faults(f"lifecycle: {{spawn_delay_ticks: {written}}}")
    allowed = "must be a number, [lo, hi] or {min, max} with lo <= hi, ints in 1...100000, got "
    assert fault.startswith("f.yaml:2:32: lifecycle.spawn_delay_ticks: " + allowed)


ALIASED = [
    ("observations: {hybrid: {local_window: 7}}", "observations_config.hybrid.local_window", 7),
    ("observations_config: {hybrid: {time_ticks_per_day: 600}}", "time.ticks_per_day", 600),
    ("observations: {hybrid: {time_ticks_per_day: 600}}", "time.ticks_per_day", 600),
    ("conflict: {rivalry: {max_edges: 4}}", "relationships.max_edges", 4),
    ("conflict: {rivalry: {eviction_threshold: .2}}", "relationships.eviction_threshold", 0.2),
    ("relationships: {decay_per_tick: {trust: 1.e-3}}", "relationships.trust_decay", 1e-3),
    ("economy: {meal_cost: .9}", "economy.prices.meal", 0.9),
    ("economy: {ingredients_cost: .9}", "economy.prices.ingredients", 0.9),
    ("lifecycle: {respawn_delay_ticks: 9}", "lifecycle.spawn_delay_ticks", (9, 9)),
    (
        "relationships: {deltas: {queue_conflict: {rivalry: .4}}}",
        "conflict.rivalry.increment_per_conflict",
        0.4,
    ),
    *(
        (f"perturbations: {{events: {{e: {{kind: price_spike, {alias}}}}}}}", key, value)
        for alias, key, value in (
            ("probability_per_day: .5", "perturbations.events.e.prob_per_day", 0.5),
            ("duration_min: 5", "perturbations.events.e.duration", (5, 5)),
            ("magnitude_range: [1, 2]", "perturbations.events.e.magnitude", (1.0, 2.0)),
        )
    ),
]


@pytest.mark.parametrize(("text", "key", "value"), ALIASED)
def test_aliases(text, key, value):
    found = config_of(text)
    for part in key.split("."):
        found = found[part] if isinstance(found, dict) else getattr(found, part)
    assert found == value


def test_an_alias_may_repeat_but_not_contradict():
    both = "relationships: {{max_edges: 5}}\nconflict: {{rivalry: {{max_edges: {}}}}}"
    assert config_of(both.format(5)).relationships.max_edges == 5
    assert faults(both.format(4)) == [
        "f.yaml:3:33: conflict.rivalry.max_edges: 4 differs from relationships.max_edges "
        "(5, line 2); give only one"
    ]
    both = (
        "observations: {hybrid: {local_window: 9}}\n"
        "observations_config: {hybrid: {local_window: 7}}"
    )
    assert "differs from observations_config.hybrid.local_window (7, line 3)" in faults(both)[0]
    spans = "lifecycle: {respawn_delay_ticks: 5, spawn_delay_ticks: [5, 5]}"
    assert config_of(spans).lifecycle.spawn_delay_ticks == (5, 5)


def test_faults_name_the_key_as_it_was_written():
    text = "observations: {hybrid: {local_window: 8, time_ticks_per_day: 1}, compct: 3}"
    assert faults(text) == [
        "f.yaml:2:39: observations.hybrid.local_window: must be an odd int in 3...11, got 8",
        "f.yaml:2:62: observations.hybrid.time_ticks_per_day: must be an int in 24...100000, got 1",
        "f.yaml:2:66: observations.compct: unknown key; did you mean 'compact'?",
    ]


def test_all_faults_at_once_in_file_order():
    text = """\
queue_fairness: {cooldown_tick: 4, ghost_step_after: abc}
jobs: {a: {start_tick: 1440}, b: {start_tick: 9, end_tick: 3}}
world: {grid_size: [24, x]}
scenario: {agents: [{needs: {hungr: 1}}, {id: a, job: c}, {id: a}]}
ppo: {gamma: 2, minibatch_groups: 3}
"""
    keys = [fault.split(": ")[1] for fault in faults(text)]
    assert keys == [
        "queue_fairness.cooldown_tick",
        "queue_fairness.ghost_step_after",
        "jobs.b.end_tick",
        "world.grid_size[1]",
        "scenario.agents[0].id",
        "scenario.agents[0].needs.hungr",
        "ppo.gamma",
    ]


RULES = [
    ("conflict: {rivalry: {min_value: .5, max_value: .4}}", "conflict.rivalry.max_value"),
    (
        "conflict: {rivalry: {avoid_threshold: .4, min_value: .5}}",
        "conflict.rivalry.avoid_threshold",
    ),
    (
        "relationships: {eviction_threshold: .5}\n"
        "conflict: {rivalry: {max_value: .4, avoid_threshold: .3}}",
        "relationships.eviction_threshold",
    ),
    ("relationships: {max_edges: 4, effective_capacity: 5}", "relationships.effective_capacity"),
    ("relationships: {reserve_rivals: 7}", "relationships.reserve_rivals"),
    ("jobs: {a: {start_tick: 1439}}", "jobs.a.start_tick"),
    ("jobs: {a: {end_tick: 599}}\ntime: {ticks_per_day: 600}", "jobs.a.end_tick"),
    ("economy: {restock_tick: 600}\ntime: {ticks_per_day: 600}", "economy.restock_tick"),
    ("observations: {hybrid: {local_window: 4}}", "observations.hybrid.local_window"),
    (
        "observations: {social_snippet: {top_friends: 5, top_rivals: 4}}",
        "observations.social_snippet.top_friends",
    ),
    ("observations: {social_snippet: {top_rivals: 7}}", "observations.social_snippet.top_rivals"),
    ("telemetry: {transport: {endpoint: 'h:1'}}", "telemetry.transport.endpoint"),
    (
        "telemetry: {transport: {type: tcp, endpoint: 'h:1', file_path: x}}",
        "telemetry.transport.file_path",
    ),
    ("telemetry: {transport: {type: tcp}}", "telemetry.transport"),
    ("telemetry: {transport: {type: file}}", "telemetry.transport"),
    ("telemetry: {transport: {type: file, file_path: ' '}}", "telemetry.transport.file_path"),
    (
        "training: {social_reward_schedule: [{cycle: 1, stage: OFF}, {cycle: 1, stage: C1}]}",
        "training.social_reward_schedule[1].cycle",
    ),
    ("training: {num_towns: 6}\nppo: {minibatch_groups: 4}", "ppo.minibatch_groups"),
    ("training: {rollout_ticks: 4}", "training.rollout_ticks"),
    ("training: {episode_ticks: 100}", "training.episode_ticks"),
    ("training: {town_overrides: {chat.range_tile: 3}}", "training.town_overrides.chat.range_tile"),
    (
        "training: {town_overrides: {chat.range_tiles: 30}}",
        "training.town_overrides.chat.range_tiles",
    ),
    (
        "policy: {satisfied_level: [{fraction: .5, level: 1}, {fraction: .5, level: 2}]}",
        "policy.satisfied_level[1].fraction",
    ),
    ("personalities: {distribution: {stoik: 1}}", "personalities.distribution.stoik"),
    ("personalities: {distribution: {stoic: 0}}", "personalities.distribution"),
    ("personalities: {overrides: {ann: stoik}}", "personalities.overrides.ann"),
    (
        "perturbations: {events: {e: {kind: outage, utility: power}}}",
        "perturbations.events.e.utility",
    ),
    ("scenario: {agents: [{id: a, job: backer}]}\njobs: {baker: {}}", "scenario.agents[0].job"),
    ("scenario: {agents: [{id: a, personality: stoik}]}", "scenario.agents[0].personality"),
    ("scenario: {agents: [{id: a}, {id: b}, {id: a}]}", "scenario.agents[2].id"),
    (
        "scenario: {agents: [{id: a, schedule: [{kind: chat, target_agent: b}]}]}",
        "scenario.agents[0].schedule[0].target_agent",
    ),
    ("scenario: {agents: [{id: a, schedule: [{kind: move}]}]}", "scenario.agents[0].schedule[0]"),
    (
        "scenario: {agents: [{id: a, schedule: [{kind: request}]}]}",
        "scenario.agents[0].schedule[0]",
    ),
    ("scenario: {objects: [{id: a, type: b}, {id: a, type: b}]}", "scenario.objects[1].id"),
    ("scenario: {objects: [{id: a.b, type: b}]}", "scenario.objects[0].id"),
    ("scenario: {agents: [{id: a}, {id: b}]}\nworld: {max_agents: 1}", "world.max_agents"),
    (
        "scenario: {agents: [{id: a}]}\nworld: {initial_relationships: [{a: a, b: c}]}",
        "world.initial_relationships[0].b",
    ),
    (
        "world: {initial_relationships: [{a: a, b: c}, {a: c, b: a, symmetric: true}]}",
        "world.initial_relationships[1]",
    ),
    ("snapshot: {identity: {policy_hash: abc}}", "snapshot.identity.policy_hash"),
    ("snapshot: {autosave: {cadence_ticks: 99}}", "snapshot.autosave.cadence_ticks"),
    ("seed: -1", "seed"),
    ("config_id2: 1\nmeta: 3\nworld: {entry: []}", "world.entry"),
]


@pytest.mark.parametrize(("text", "key"), RULES)
def test_rules(text, key):
    (fault,) = faults(text)
    place, found, message = fault.split(": ", 2)
    assert place.startswith("f.yaml:") and found == key and message


def test_unknown_keys():
    reading = read("queu: {range_tiles: 3}\neconomy: {wage_incom: 3, meal_cost: 1}")
    assert [str(note) for note in reading.notes] == [
        "f.yaml:2:1: queu: has no effect: unknown key; did you mean 'queue'?",
        "f.yaml:3:11: economy.wage_incom: has no effect: unknown key; did you mean 'wage_income'?",
    ]
    assert reading.config.economy.prices == {"meal": 1.0}
    assert faults("queu: {}", strict=True) == [
        "f.yaml:2:1: queu: unknown key; did you mean 'queue'?"
    ]
    assert "unknown key; did you mean 'patience'?" in faults("early_stop: {patiens: 3}")[0]


def test_config_id_is_required():
    with pytest.raises(ConfigError, match="f.yaml:1:1: config_id: is required but missing"):
        interpret(yaml_reader.parse("seed: 1", "f.yaml"))


def test_keys_without_effect_are_said_once():
    reading = read(
        "curiosity: {phase_A_weight: .01, extra: 3}\n"
        "runtime: {world: {provider: a}, policy: {provider: b}}\n"
        "affordances: {runtime: {factory: x}}\n"
        "scenario: {agents: [{id: a, schedule: &s [{kind: chat, quality: 1}]}, "
        "{id: b, schedule: *s}]}\n"
        "perturbations: {events: {e: {kind: outage, magnitude: 3}}}\n"
    )
    assert [note.key for note in reading.notes] == [
        "affordances.runtime",
        "curiosity",
        "runtime",
        "scenario.agents[0].schedule[0].quality",
        "perturbations.events.e.magnitude",
    ]


def test_the_social_view():
    slots = "observations_config: {social_snippet: {top_friends: 2}}\n"
    for stage in ("OFF", "A"):
        stages = f"features: {{stages: {{relationships: {stage}}}}}\n"
        with pytest.raises(UnsupportedObservationError, match="f.yaml:2:53: .* got " + stage):
            read(slots + stages)
        reading = read(stages)
        snippet = reading.config.observations_config.social_snippet
        assert (snippet.top_friends, snippet.top_rivals) == (0, 0)
        assert not snippet.include_aggregates
        assert [note.key for note in reading.notes] == ["features.stages.relationships"]
    assert issubclass(UnsupportedObservationError, NotImplementedError)
    snippet = config_of(slots.replace("2", "3")).observations_config.social_snippet
    assert (snippet.top_friends, snippet.top_rivals, snippet.include_aggregates) == (3, 2, True)


def test_values_that_follow_from_others():
    config = config_of(
        "ppo: {gamma: .99, entropy_coef: .02}\n"
        "relationships: {max_edges: 9}\n"
        "economy: {wage_income: .5}\n"
        "jobs: {a: {start_tick: 5}, b: {end_tick: 9, wage_rate: .1}}\n"
        "training: {num_steps: 2000}\n"
        "perturbations: {events: {e: {kind: outage}}}\n"
        "personalities: {distribution: {stoic: 1}}\n"
    )
    assert config.shaping.discount == 0.99
    assert config.ppo.entropy_coef_end == 0.02
    assert config.relationships.effective_capacity == 9
    assert (config.jobs["a"].end_tick, config.jobs["a"].wage_rate) == (5, 0.5)
    assert (config.jobs["b"].end_tick, config.jobs["b"].wage_rate) == (9, 0.1)
    assert config.training.episode_ticks == 10_000
    assert config.perturbations.events["e"].utility == "water"
    assert config.personalities.sampling == "profile"


def test_default_jobs_only_on_a_bare_floor_in_a_long_day():
    assert list(config_of("").jobs) == ["grocer", "barista"]
    assert config_of("world: {map: town.txt}").jobs == {}
    short = config_of("time: {ticks_per_day: 100}")
    assert (short.jobs, short.economy.restock_tick) == ({}, 99)


def test_single_keys_of_defaults_can_be_overridden():
    config = config_of("relationships: {deltas: {chat_success: {trust: .3}}}")
    delta = config.relationships.deltas.chat_success
    assert (delta.trust, delta.familiarity) == (0.3, 0.1)
    profiles = "personalities: {profiles: {shy: {traits: [-1, 0, 1], need: {hunger: 2}}}}"
    profile = config_of(profiles).personalities.profiles["shy"]
    assert (profile.traits.extroversion, profile.traits.ambition) == (-1.0, 1.0)
    assert len(config_of(profiles).personalities.profiles) == 5
