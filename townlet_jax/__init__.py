"""Townlet-JAX: a small town as a pure function, and a PPO trainer that learns in it.

This file imports none of its packages, so ``import townlet_jax`` is instant. Import what you use:
``from townlet_jax.town import step``.
"""

import importlib
import os
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

try:
    __version__ = version("townlet-jax")
except PackageNotFoundError:  # a source tree that was not installed
    __version__ = "0+unknown"

__all__ = ["__version__", "load", "make"]


def load(
    path: str | os.PathLike[str],
    config: str | os.PathLike[str] | Any | None = None,
    set: Sequence[str] = (),
    lane: int = 0,
) -> tuple[Any, Any, Any]:
    """Loads a trained policy, with an environment for it.

    Args:
      path: a run of ``launch/train.py``, a folder of its snapshots, or one of them.
      config: a configuration file, or a loaded town; None = the one that it was trained with.
      set: ``path=value`` each, on top of the file.
      lane: which of the seeds of the run.

    Returns:
      A ``townlet_jax.train.policy.TrainedPolicy``; a ``townlet_jax.env.core.TownEnv``; the loaded
      ``townlet_jax.config.Town``.
    """
    policies = importlib.import_module("townlet_jax.snapshots.policies")
    registry = importlib.import_module("townlet_jax.env.registry")
    core = importlib.import_module("townlet_jax.env.core")
    town = registry.load_town(policies.config_file(path) if config is None else config, set)
    policy = policies.choose(policies.load(path, town), lane)
    return policy, core.TownEnv.of(town), town


def make(
    env_id: str,
    config: str | os.PathLike[str] | Any | None = None,
    set: Sequence[str] = (),
    **options: Any,
) -> Any:
    """Makes an environment by name, such as ``town-v0``.

    Args:
      env_id: name of the environment.
      config: a configuration file, or a loaded town; None = the one that the name stands for.
      set: ``path=value`` each, on top of the file.
      **options: ``auto_reset``, ``episode_ticks``; see ``townlet_jax.env.registry.make``.

    Returns:
      A ``townlet_jax.env.core.TownEnv``.
    """
    registry = importlib.import_module("townlet_jax.env.registry")
    return registry.make(env_id, config, set, **options)
