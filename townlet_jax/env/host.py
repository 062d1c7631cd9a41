"""Compiled towns for adapters that live on the host: numpy in, numpy out."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from townlet_jax.config.town import Town
from townlet_jax.env.batch import compiler_options
from townlet_jax.env.core import WAIT, EnvState, TownEnv
from townlet_jax.env.flat import flatten
from townlet_jax.town.observe import Observation

CompilerOptions = Mapping[str, str | bool]
"""What `jax.jit` is told; None = `env.batch.compiler_options`."""


Rows = Any
"""Arrays `[E, A, ...]`: of jax within a compiled program, of numpy outside."""

_AFTER = 2**31 - 1
"""Child of a seed's key from which later towns come; the streams of a town are the first few."""


class Carry(struct.PyTreeNode):
    """What stays on the device between steps, `[E, ...]`.

    Attributes:
      state: the towns.
      key: key `[E]`, for towns that an automatic reset starts.
    """

    state: EnvState
    key: jax.Array


class Seen(struct.PyTreeNode):
    """An observation as numpy arrays, `[E, A, ...]`.

    Attributes:
      values: float32 `[E, A, D]` in [-1, 1], map and features in one row.
      action_mask: int8 `[E, A, n]`, 1 where legal.
      is_alive, can_act: bool `[E, A]`.
    """

    values: Rows
    action_mask: Rows
    is_alive: Rows
    can_act: Rows


class Outcome(struct.PyTreeNode):
    """A step as numpy arrays, `[E, A, ...]`.

    Attributes:
      seen: what follows; after an automatic reset, of the new town.
      final: what the tick led to.
      reward: float32; terminated, truncated: bool, as `TownEnv.step` returns them.
      info: the rest of what it returns, by name, without the final observation.
    """

    seen: Seen
    final: Seen
    reward: Rows
    terminated: Rows
    truncated: Rows
    info: dict[str, Rows]


class HostTowns:
    """Towns on the device, driven from the host.

    Attributes:
      env: the environment of each.
      num_towns: E.
    """

    def __init__(
        self,
        town: Town,
        num_towns: int,
        auto_reset: bool,
        episode_ticks: int | None = None,
        options: CompilerOptions | None = None,
    ):
        """Prepares towns; they are compiled by the first `reset` and the first `step`.

        Args:
          town: a loaded configuration.
          num_towns: E.
          auto_reset: whether towns that were cut off are replaced within the same step.
          episode_ticks: [tick] after which they are; None = as configured.
          options: for the compiler.
        """
        self.env = TownEnv.of(town, auto_reset=auto_reset, episode_ticks=episode_ticks)
        self.num_towns = num_towns
        options = compiler_options(num_towns) if options is None else options
        # Environments of equal shape share programs, because numbers and tables are arguments.
        self._reset, self._step = _programs(
            town.shape, self.env.episode_ticks, auto_reset, tuple(sorted(options.items()))
        )
        self._params = (town.params, town.layout)
        self._carry: Carry | None = None

    def reset(self, seeds: np.ndarray) -> Seen:
        """Starts all towns anew.

        Args:
          seeds: `[E]` integers in 0...2^31 - 1.
        """
        self._carry, seen = self._reset(jnp.asarray(seeds, jnp.uint32), *self._params)
        return jax.device_get(seen)

    def step(self, actions: np.ndarray) -> Outcome:
        """Lives one tick in all towns.

        Args:
          actions: integer `[E, A]`.

        Raises:
          RuntimeError: before the first reset.
        """
        if self._carry is None:
            raise RuntimeError("step before reset: call reset first")
        # A number too large for int32 must not become a legal one.
        codes = np.clip(actions, -1, self.env.num_actions).astype(np.int32)
        self._carry, outcome = self._step(self._carry, codes, *self._params)
        return jax.device_get(outcome)

    def waiting(self) -> np.ndarray:
        """Returns the actions int64 `[E, A]` of towns where everybody waits."""
        return np.full((self.num_towns, self.env.num_agents), WAIT)


@functools.cache
def _programs(
    shape: Any, episode_ticks: int, auto_reset: bool, options: tuple[tuple[str, str | bool], ...]
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    env = TownEnv(shape, episode_ticks, auto_reset)

    def reset(seed: jax.Array, *params: Any) -> tuple[Carry, Seen]:
        key = jax.random.key(seed)
        observation, state = env.reset(key, params)
        carry = Carry(state=state, key=jax.random.fold_in(key, _AFTER))
        return carry, _seen(env, observation)

    def step(carry: Carry, actions: jax.Array, *params: Any) -> tuple[Carry, Outcome]:
        key, fresh = jax.random.split(carry.key)
        observation, state, reward, terminated, truncated, info = env.step(
            fresh, carry.state, actions, params
        )
        outcome = Outcome(
            seen=_seen(env, observation),
            final=_seen(env, info.pop("final_observation")),
            reward=reward,
            terminated=terminated,
            truncated=truncated,
            info=info,
        )
        return Carry(state=state, key=key), outcome

    compiled = functools.partial(jax.jit, compiler_options=dict(options))
    axes = (None, None)
    return (
        compiled(jax.vmap(reset, in_axes=(0, *axes))),
        compiled(jax.vmap(step, in_axes=(0, 0, *axes))),
    )


def _seen(env: TownEnv, observation: Observation) -> Seen:
    return Seen(
        values=flatten(env.observation_spec, observation),
        action_mask=observation.action_mask.astype(jnp.int8),
        is_alive=observation.is_alive,
        can_act=observation.can_act,
    )
