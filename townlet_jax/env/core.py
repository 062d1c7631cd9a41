"""One town as an environment: `reset` and `step` over arrays, for all its residents at once.

Nothing here knows of a second town; use `jax.vmap` over keys, states and actions. One step is one
tick.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.config.layout import TownLayout
from townlet_jax.config.observation_layout import ObservationSpec, observation_layout
from townlet_jax.config.params import TownParams
from townlet_jax.config.shape import TownShape
from townlet_jax.config.town import Names, Town
from townlet_jax.env.checks import as_actions, as_key, as_pair, check_leaves
from townlet_jax.state import ExitReason, TownState, empty
from townlet_jax.state.rewards import RewardState, empty_rewards
from townlet_jax.town.init import init
from townlet_jax.town.intents import follows_schedule
from townlet_jax.town.observe import Observation, observe
from townlet_jax.town.reward import reward
from townlet_jax.town.step import step

WAIT = 0
"""Code that every action level gives to doing nothing."""

TownNumbers = tuple[TownParams, TownLayout]
"""Numbers and tables of a town; every value may change without compiling again."""

Stepped = tuple[Observation, "EnvState", jax.Array, jax.Array, jax.Array, dict[str, Any]]


class EnvState(struct.PyTreeNode):
    """A town and what the environment remembers beside it.

    Attributes:
      town: the town.
      rewards: budgets of the reward.
      action_mask: bool `[A, n]`, legal actions as last observed.
      age: int32 [tick] since the town was started.
      num_illegal: int32 [actions] since then that were taken for waiting.
    """

    town: TownState
    rewards: RewardState
    action_mask: jax.Array
    age: jax.Array
    num_illegal: jax.Array


@dataclasses.dataclass(frozen=True, eq=False)
class TownEnv:
    """The rules of play for one town; static, and equal only to itself.

    Attributes:
      shape: static sizes.
      episode_ticks: age [tick] at which a town is cut off.
      auto_reset: whether a town that was cut off is replaced within the same step.
      default_params: the pair used where none is given; None = it must be given.
      names: what slots and actions are called, for people.
    """

    shape: TownShape
    episode_ticks: int
    auto_reset: bool = True
    default_params: TownNumbers | None = None
    names: Names | None = None

    @classmethod
    def of(
        cls, town: Town, *, auto_reset: bool = True, episode_ticks: int | None = None
    ) -> "TownEnv":
        """Makes the environment of a loaded configuration.

        Args:
          town: the configuration.
          auto_reset: whether a town that was cut off is replaced within the same step.
          episode_ticks: [tick], at least 1; None = `training.episode_ticks` of the configuration.
        """
        ticks = town.config.training.episode_ticks if episode_ticks is None else episode_ticks
        if isinstance(ticks, bool) or not isinstance(ticks, int) or ticks < 1:
            raise ValueError(f"episode_ticks must be a whole number of at least 1, got {ticks!r}")
        return cls(town.shape, ticks, auto_reset, (town.params, town.layout), town.names)

    @property
    def num_agents(self) -> int:
        """A, slots of residents; a slot may be vacant."""
        return self.shape.num_agents

    @property
    def num_actions(self) -> int:
        """Actions of the level in use; 0 is waiting (resting)."""
        return self.shape.num_actions

    @property
    def observation_spec(self) -> ObservationSpec:
        """What every number of an observation means."""
        return observation_layout(self.shape)

    def reset(
        self, key: jax.Array, params: TownNumbers | None = None
    ) -> tuple[Observation, EnvState]:
        """Starts a town.

        Args:
          key: key `[]`; it is consumed. The whole life of the town follows from it.
          params: numbers and tables; None = `default_params`.
        """
        town_params, layout = as_pair(params, self.default_params)
        town = init(self.shape, as_key(key), town_params, layout)
        observation = observe(self.shape, town, town.agents.is_alive, town_params, layout)
        state = EnvState(
            town=town,
            rewards=empty_rewards(self.shape),
            action_mask=observation.action_mask,
            age=jnp.int32(0),
            num_illegal=jnp.int32(0),
        )
        return observation, state

    def step(
        self,
        key: jax.Array,
        state: EnvState,
        actions: jax.Array,
        params: TownNumbers | None = None,
    ) -> Stepped:
        """Lives one tick.

        Args:
          key: key `[]`; only for the town that an automatic reset starts: the luck of a living town
            is in its state.
          state: from `reset` or the last step.
          actions: int32 `[A]`, codes of the action level. One that is out of range or masked is
            taken for waiting and counted; rows of vacant slots are ignored.
          params: numbers and tables; None = `default_params`.

        Returns:
          What residents see next; the next state; the reward, float32 `[A]`; terminated, bool
          `[A]`, who exits in this tick; truncated, bool `[A]`, who lives on in a town that reached
          `episode_ticks`; and a dictionary with

          * `final_observation`: what they see after the tick, before any automatic reset;
          * `breakdown`: float32 `[A, 11]`, the reward by `Term`;
          * `is_valid`: bool `[A]`, whether a resident that is free to choose lived this tick in
            this row: other rows teach nothing;
          * `is_illegal`: bool `[A]`, whose action was taken for waiting; `num_illegal`: int32, how
            many since the town was started;
          * `is_newcomer`: bool `[A]`, who arrived in this tick;
          * `exit_reason`: int32 `[A]`, `ExitReason`, 0 where nobody exits;
          * `is_over`: bool, whether the town reached `episode_ticks`.

        Raises:
          TypeError, ValueError: for actions of a wrong kind or shape, while tracing.
        """
        pair = town_params, layout = as_pair(params, self.default_params)
        actions = as_actions(actions, self.num_agents)
        before = state.town
        is_legal, actions = obeyed(actions, state.action_mask)
        is_illegal = ~is_legal & before.agents.is_alive
        is_valid = before.agents.is_alive & ~before.agents.is_leaving
        is_valid &= ~follows_schedule(before, layout)

        town, events = step(self.shape, before, actions, None, town_params, layout)
        rewards, paid = reward(state.rewards, town, events, town_params)
        seen = observe(self.shape, town, events.lifecycle.context_reset, town_params, layout)
        state = EnvState(
            town=town,
            rewards=rewards,
            action_mask=seen.action_mask,
            age=state.age + 1,
            num_illegal=state.num_illegal + jnp.sum(is_illegal, dtype=jnp.int32),
        )
        is_over = state.age >= self.episode_ticks
        terminated = events.lifecycle.exited != ExitReason.NONE
        truncated = is_over & town.agents.is_alive & ~terminated
        info = {
            "final_observation": seen,
            "breakdown": paid.breakdown,
            "is_valid": is_valid,
            "is_illegal": is_illegal,
            "num_illegal": state.num_illegal,
            "is_newcomer": events.lifecycle.spawned,
            "exit_reason": events.lifecycle.exited,
            "is_over": is_over,
        }
        if self.auto_reset:
            seen, state = self._renewed(key, is_over, seen, state, pair)
        return seen, state, paid.total, terminated, truncated, info

    def check_state(self, state: EnvState | TownState) -> None:
        """Refuses a state that was restored damaged. For the host, not for traced code.

        Args:
          state: of this environment, or a town alone; all leaves may share leading axes.

        Raises:
          ValueError: one line that names the leaf, for a wrong structure, shape or kind, and for
            numbers that are not finite.
        """
        tick = state.town.clock.tick if isinstance(state, EnvState) else state.clock.tick
        blank = jax.eval_shape(self._blank)
        wanted = blank if isinstance(state, EnvState) else blank.town
        check_leaves(state, wanted, jnp.shape(tick))

    def _renewed(
        self,
        key: jax.Array,
        is_over: jax.Array,
        seen: Observation,
        state: EnvState,
        params: TownNumbers,
    ) -> tuple[Observation, EnvState]:
        """Replaces a town that is over by a fresh one; both are computed, one is selected."""
        fresh = self.reset(key, params)
        return jax.tree.map(lambda new, old: jnp.where(is_over, new, old), fresh, (seen, state))

    def _blank(self) -> EnvState:
        return EnvState(
            town=empty(self.shape, jax.random.key(0)),
            rewards=empty_rewards(self.shape),
            action_mask=jnp.zeros((self.num_agents, self.num_actions), bool),
            age=jnp.int32(0),
            num_illegal=jnp.int32(0),
        )


def obeyed(actions: jax.Array, action_mask: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Takes illegal actions for waiting.

    Args:
      actions: integer `[A]`, any values.
      action_mask: bool `[A, n]`.

    Returns:
      bool `[A]`, whose action is legal; int32 `[A]`, what is done.
    """
    codes = jnp.arange(action_mask.shape[-1], dtype=actions.dtype)
    is_chosen = actions[:, None] == codes[None, :]  # [A, n]
    is_legal = jnp.any(is_chosen & action_mask, axis=-1)
    return is_legal, jnp.where(is_legal, actions, WAIT).astype(jnp.int32)
