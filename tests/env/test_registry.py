from pathlib import Path

import pytest

import townlet_jax
from townlet_jax.config import ConfigError
from townlet_jax.env.core import TownEnv
from townlet_jax.env.registry import SHIPPED, shipped_config


def test_make_reads_the_shipped_town():
    env = townlet_jax.make("town-v0")
    assert isinstance(env, TownEnv)
    assert (env.num_agents, env.num_actions, env.auto_reset) == (8, 7, True)
    assert env.episode_ticks == 4320
    assert env.names.agents[0] == "amira"
    assert env.observation_spec.size == 620
    assert hash(env) == hash(env) and env != townlet_jax.make("town-v0")


def test_make_reads_a_file_and_changes_it(mortal_town):
    path = shipped_config("tiny.yaml")
    given = {"set": ["world.action_level=primitive"], "auto_reset": False, "episode_ticks": 7}
    env = townlet_jax.make("town-v0", path, **given)
    assert (env.num_agents, env.episode_ticks, env.auto_reset) == (3, 7, False)
    assert env.names.actions[0] == "wait"
    assert townlet_jax.make("town-v0", mortal_town).shape == mortal_town.shape


def test_names_of_environments():
    for name in SHIPPED:
        assert shipped_config(SHIPPED[name]).is_file()
    with pytest.raises(ValueError, match="no environment 'town-v1': did you mean 'town-v0'"):
        townlet_jax.make("town-v1")


def test_bad_options(mortal_town):
    for ticks in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="episode_ticks must be a whole number"):
            townlet_jax.make("town-v0", mortal_town, episode_ticks=ticks)
    with pytest.raises(ValueError, match="set changes a file"):
        townlet_jax.make("town-v0", mortal_town, ["seed=1"])
    with pytest.raises(TypeError, match="autoreset"):
        townlet_jax.make("town-v0", mortal_town, autoreset=False)
    with pytest.raises(ConfigError):
        townlet_jax.make("town-v0", set=["no.such.key=1"])
    with pytest.raises(ConfigError):
        townlet_jax.make("town-v0", "no_such_file.yaml")


def test_installation_without_configurations(monkeypatch, tmp_path):
    monkeypatch.setattr("townlet_jax.env.registry.__file__", str(tmp_path / "a" / "b" / "c.py"))
    with pytest.raises(FileNotFoundError, match=r"no town\.yaml"):
        shipped_config("town.yaml")
    package = Path(townlet_jax.__file__).parent
    assert (package / "configs" / "maps").is_dir(), "what a wheel holds"
