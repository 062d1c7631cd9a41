"""Environments by name."""

import os
from collections.abc import Sequence
from pathlib import Path

from townlet_jax.config import Town, load
from townlet_jax.config.errors import suggest
from townlet_jax.env.core import TownEnv

SHIPPED = {
    "town-v0": "town.yaml",
    "town-large-v0": "town_large.yaml",
    "town-tiny-v0": "tiny.yaml",
}
"""Configuration that each name stands for."""

Config = str | os.PathLike[str] | Town | None


def make(
    env_id: str,
    config: Config = None,
    set: Sequence[str] = (),
    *,
    auto_reset: bool = True,
    episode_ticks: int | None = None,
) -> TownEnv:
    """Makes an environment.

    Args:
      env_id: a name in `SHIPPED`.
      config: a configuration file, or a loaded town; None = the one that the name stands for.
      set: `path=value` each, on top of the file.
      auto_reset: whether a town that was cut off is replaced within the same step.
      episode_ticks: [tick] after which it is; None = `training.episode_ticks`.

    Raises:
      ValueError: for an unknown name, with the nearest one, and for a faulty configuration.
    """
    if env_id not in SHIPPED:
        raise ValueError(f"no environment {env_id!r}: {suggest(env_id, SHIPPED)}")
    town = load_town(config, set, SHIPPED[env_id])
    return TownEnv.of(town, auto_reset=auto_reset, episode_ticks=episode_ticks)


def load_town(config: Config, set: Sequence[str] = (), shipped: str = "town.yaml") -> Town:
    """Loads a configuration.

    Args:
      config: a file, or a town that is loaded already; None = a shipped one.
      set: `path=value` each, on top of the file.
      shipped: name of the shipped configuration.

    Raises:
      ConfigError: for a faulty configuration; ValueError: for overrides of a loaded town.
    """
    if isinstance(config, Town):
        if set:
            raise ValueError("set changes a file, not a town that is loaded already")
        return config
    return load(shipped_config(shipped) if config is None else config, set)


def shipped_config(name: str) -> Path:
    """Finds a configuration that comes with the package.

    Args:
      name: file name, such as `town.yaml`.

    Raises:
      FileNotFoundError: if this installation has none.
    """
    package = Path(__file__).resolve().parents[1]
    # A source tree checked out without links has the folder only beside the package.
    for folder in (package / "configs", package.parent / "configs"):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(
        f"this installation has no {name}: install the package again, or name a config file"
    )
