"""Towns of a sweep: what differs, what may not, and what has no effect."""

import numpy as np
import pytest

from townlet_jax.config import ConfigError
from townlet_jax.config.document import Mark
from townlet_jax.config.sweep import Base, check
from townlet_jax.config.sweep_file import Value, read_sweep
from townlet_jax.train import stacking


@pytest.fixture(scope="module")
def base():
    return Base("configs/train/ppo_tiny.yaml")


def setting(**values):
    mark = Mark("sweep.yaml", 1, 1)
    return {path.replace("__", "."): Value(value, mark) for path, value in values.items()}


def reads(town):
    import jax

    trees = (stacking.evaluated(town), stacking.trained(town))
    return [np.asarray(x) for x in jax.tree.leaves(trees)]


@pytest.fixture
def refusal(base, tmp_path):
    """Returns what is said about a sweep file."""

    def refusal(text):
        path = tmp_path / "sweep.yaml"
        path.write_text(text)
        with pytest.raises(ConfigError) as caught:
            check(read_sweep(path), base, stacking.sizes, reads)
        return str(caught.value)

    return refusal


def test_a_setting_is_what_set_would_give(base):
    town = base.at(setting(queue_fairness__cooldown_ticks=7, economy__prices__meal=0.7))
    other = Base(
        "configs/train/ppo_tiny.yaml",
        ["queue_fairness.cooldown_ticks=7", "economy.prices.meal=0.7"],
    ).town
    assert town.identity == other.identity != base.town.identity
    for one, two in zip(reads(town), reads(other), strict=True):
        np.testing.assert_array_equal(one, two)


def test_aliases_and_items_of_lists_are_paths(base):
    town = base.at(setting(relationships__decay_per_tick__trust=0.5))
    assert town.params.relationships.trust_decay == 0.5
    wallet = {"scenario.agents[1].wallet": Value(9.0, Mark("sweep.yaml", 1, 1))}
    assert base.at(wallet).layout.residents.wallet[1] == 9.0
    assert base.value("scenario.agents[1].wallet") == 2.0


def test_numbers_of_spaces_are_rounded_where_ints_are_wanted(base):
    town = base.at(setting(queue_fairness__cooldown_ticks=33.4))
    assert town.params.queues.cooldown_ticks == 33


def test_one_override_of_training_leaves_the_others_in_force(base):
    path = "training.town_overrides.lifecycle.arrival.wallet_rents"
    town = base.at({path: Value(1.5, Mark("sweep.yaml", 1, 1))})
    overrides = town.config.training.town_overrides
    assert overrides["lifecycle.arrival.wallet_rents"] == 1.5
    assert len(overrides) == len(base.town.config.training.town_overrides) > 1


def test_sizes_hold_for_all_settings(base):
    wide = base.fixed(setting(network__gru_hidden=16))
    assert wide.at(setting(ppo__gamma=0.5)).config.network.gru_hidden == 16
    assert base.town.config.network.gru_hidden != 16


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "grid: {queue_fairnes.cooldown_ticks: [1]}",
            "queue_fairnes.cooldown_ticks: no such parameter; did you mean "
            "'queue_fairness.cooldown_ticks'?",
        ),
        ("grid: {network.gru_hidden: [16]}", "network.gru_hidden: is static: it decides gru_hid"),
        ("grid: {world.max_agents: [4]}", "is static: it decides num_agents"),
        ("grid: {training.num_updates: [4]}", "is static: it decides how long a lane runs"),
        ("grid: {ppo.gamma: [0.9, 1.5]}", ":1:25: ppo.gamma: must be a number in 0...1, got 1.5"),
        ("grid: {ppo.lr_schedule: [cos]}", "the nearest is 'cosine'"),
        ("static: {network.gru_hidden: [1]}", "network.gru_hidden: must be an int in 8...65536"),
        ("grid: {training.keep: [1, 2]}", "training.keep: has no effect on what the lanes"),
        ("grid: {rewards.wage_rate: [0.02]}", "rewards.wage_rate: has no effect on what the l"),
        ("grid: {ppo.gamma: [0.5]}", "with ppo.gamma 0.5, shaping.discount must be a number in"),
    ],
)
def test_bad_paths_and_values_are_one_line(refusal, text, said):
    lines = refusal(text).splitlines()
    assert len(lines) == 1 and said in lines[0], lines


def test_an_override_of_training_is_named(base, tmp_path):
    trial = Base("configs/train/ppo_town.yaml")
    path = tmp_path / "sweep.yaml"
    path.write_text("grid: {rewards.homeostasis_scale: [0.01]}")
    with pytest.raises(ConfigError, match="sweep training.town_overrides.rewards.homeostasis"):
        check(read_sweep(path), trial, stacking.sizes, lambda town: [])


def test_all_faults_are_told_at_once(refusal):
    lines = refusal("grid: {ppo.gamma: [2.0], ppo.clip_param: [-1.0]}").splitlines()
    assert [line.split(": ")[1] for line in lines] == ["ppo.gamma", "ppo.clip_param"]


def test_only_leaves_that_differ_are_stacked(base):
    plain = stacking.simulated(base.town)
    towns = [base.at(setting(queue_fairness__cooldown_ticks=x)) for x in (1, 60, 3)]
    stack = stacking.stack(plain, map(stacking.simulated, towns))
    (params, layout), _ = stack.tree
    assert params.queues.cooldown_ticks.tolist() == [1, 60, 3]
    assert sum(stack.axes) == 1
    assert layout.map.tiles.shape == base.town.layout.map.tiles.shape
