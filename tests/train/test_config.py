import dataclasses

import jax
import numpy as np
import pytest

from tests.train.conftest import small_town
from townlet_jax.config.errors import ConfigError
from townlet_jax.train.config import train_params, train_shape, training_numbers


def error(run, *args):
    """Returns the text of a refusal, which is one line per problem."""
    with pytest.raises(ConfigError) as info:
        run(*args)
    assert len(str(info.value).splitlines()) == len(info.value.problems)
    return str(info.value)


def numbers_with(**overrides):
    text = ", ".join(f"{path}: {value}" for path, value in overrides.items())
    return training_numbers(small_town(f"training.town_overrides={{{text}}}"))


def test_sizes_are_read_from_the_file(town):
    shape = train_shape(town)
    assert (shape.num_towns, shape.num_agents, shape.num_actions) == (4, 3, 7)
    assert (shape.num_steps, shape.decide_every, shape.updates_per_chunk) == (4, 5, 2)
    assert (shape.num_epochs, shape.num_mini_batches, shape.num_groups) == (2, 2, 1)
    assert (shape.channels, shape.num_features) == ((), 154)
    assert hash(shape) == hash(train_shape(town))


def test_map_is_read_where_residents_see_one():
    shape = train_shape(small_town("features.systems.observations=hybrid"))
    assert (len(shape.channels), shape.num_features, shape.map_shape) == (4, 136, (11, 11, 4))


@pytest.mark.parametrize("ticks, num_steps", [(5, 1), (6, 2), (100, 20), (101, 21)])
def test_rollout_ticks_are_rounded_up_to_whole_decisions(ticks, num_steps):
    assert train_shape(small_town(f"training.rollout_ticks={ticks}")).num_steps == num_steps


def test_primitives_are_decided_every_tick():
    town = small_town("world.action_level=primitive", "training.rollout_ticks=7")
    shape = train_shape(town)
    assert (shape.decide_every, shape.num_steps) == (1, 7)
    assert shape.num_actions == town.shape.num_actions > 7


def test_chunk_is_no_longer_than_the_run():
    assert train_shape(small_town("training.updates_per_chunk=50")).updates_per_chunk == 8


def test_towns_that_cannot_be_dealt_out_name_the_next_number_that_can():
    town = small_town("training.num_towns=10", "ppo.num_mini_batches=4")
    text = error(train_shape, town)
    assert "training.num_towns" in text and "10" in text
    assert text.endswith("the next is 12")


def test_next_number_of_towns_counts_the_groups():
    town = small_town("training.num_towns=20", "ppo.num_mini_batches=4", "ppo.minibatch_groups=2")
    assert error(train_shape, town).endswith("the next is 24")


@pytest.mark.parametrize("num_towns, num_mini_batches", [(1, 1), (2, 2), (3, 1)])
def test_few_towns_make_fewer_minibatches(num_towns, num_mini_batches):
    town = small_town(f"training.num_towns={num_towns}", "ppo.num_mini_batches=4")
    assert train_shape(town).num_mini_batches == num_mini_batches


def test_central_critic_is_refused():
    assert "use local" in error(train_shape, small_town("network.critic=central"))


def test_numbers_are_arrays_of_fixed_kinds(params):
    for field in dataclasses.fields(params):
        leaf = np.asarray(getattr(params, field.name))
        assert leaf.dtype in (np.float32, np.int32, bool), field.name
    assert np.float32(params.learning_rate) == np.float32(1e-3)
    assert params.satisfied_fraction.shape == params.stages.shape == (8,)


def test_numbers_of_all_towns_have_one_form():
    one = train_params(small_town().config)
    levels = "policy.satisfied_level=[{fraction: 0, level: 0.5}]"
    other = train_params(small_town(levels, "ppo.lr_schedule=cosine", "ppo.gamma=0.5").config)
    forms = [jax.tree.map(lambda x: (np.shape(x), np.asarray(x).dtype), p) for p in (one, other)]
    assert forms[0] == forms[1]


def test_defaults_keep_towns_from_freezing(town):
    params, layout = training_numbers(town)
    assert int(params.lifecycle.max_exits_per_day) == 0
    np.testing.assert_allclose(params.lifecycle.arrival_needs, [0.3, 0.9], rtol=1e-6)
    assert layout is town.layout
    assert int(town.params.lifecycle.max_exits_per_day) > 0, "only training is overridden"


def test_overrides_apply_and_nothing_else_changes(town):
    params, _ = numbers_with(**{"lifecycle.arrival.needs": "[0.5, 0.6]"})
    np.testing.assert_allclose(params.lifecycle.arrival_needs, [0.5, 0.6], rtol=1e-6)
    same = params.replace(
        lifecycle=params.lifecycle.replace(arrival_needs=town.params.lifecycle.arrival_needs)
    )
    jax.tree.map(np.testing.assert_array_equal, same, town.params)


def test_no_overrides_leave_the_town_as_it_is(town):
    params, _ = numbers_with()
    jax.tree.map(np.testing.assert_array_equal, params, town.params)


@pytest.mark.parametrize(
    "path, value, words",
    [
        ("lifecycle.max_exit_per_day", 1, "did you mean 'max_exits_per_day'?"),
        ("lifecycle.max_exits_per_day", "many", "must be an int"),
        ("lifecycle.max_exits_per_day.more", 1, "must be an int"),
        ("lifecycle.arrival", "null", "must be a mapping"),
        ("lifecycl.max_exits_per_day", 1, "lifecycle"),
        ("relationships.max_edges", 3, "no number of a town"),
        ("world.max_agents", 4, "no number of a town"),
        ("features.systems.observations", "hybrid", "no number of a town"),
    ],
)
def test_wrong_override_is_refused_on_one_line(path, value, words):
    text = error(lambda: numbers_with(**{path: value}))
    assert f"training.town_overrides.{path}" in text
    assert words in text


def test_all_wrong_overrides_are_named_at_once():
    text = error(lambda: numbers_with(**{"world.max_agents": 4, "relationships.max_edges": 3}))
    assert len(text.splitlines()) == 2


@pytest.mark.parametrize("schedule", ["[{cycle: 1, stage: OFF}, {cycle: 1, stage: C1}]"])
def test_cycle_given_twice_is_refused(schedule):
    text = error(small_town, f"training.social_reward_schedule={schedule}")
    assert "social_reward_schedule[1].cycle" in text
