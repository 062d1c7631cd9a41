"""A town for JaxMARL: dictionaries by `agent_0`, `agent_1`, ..., one name per resident slot.

JaxMARL knows neither vacant slots nor the difference between an exit and the end of time; both are
in the infos.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from townlet_jax.env.core import EnvState, TownEnv
from townlet_jax.env.flat import flatten
from townlet_jax.env.libraries import part_of
from townlet_jax.env.registry import Config, load_town
from townlet_jax.town.observe import observe

_MultiAgentEnv: Any = part_of("jaxmarl.environments.multi_agent_env", "MultiAgentEnv")
_Box = part_of("jaxmarl.environments.spaces", "Box")
_Discrete = part_of("jaxmarl.environments.spaces", "Discrete")

Rows = dict[str, jax.Array]

INFOS = ("is_valid", "is_illegal", "is_newcomer", "exit_reason")
"""What of the environment's info is passed on; all of it has one number per resident slot."""


class JaxMarlTown(_MultiAgentEnv):
    """A town as a JaxMARL environment; one step is one tick.

    `step`, with its automatic reset, is that of the base class. The numbers of the town are part of
    the compiled program.

    Attributes:
      env: the environment that it stands on.
      params: numbers and tables of the town.
      with_final_observation: whether infos hold what residents saw before an automatic reset.
    """

    def __init__(
        self,
        config: Config = None,
        set: Sequence[str] = (),
        *,
        episode_ticks: int | None = None,
        with_final_observation: bool = False,
    ):
        """Loads a town.

        Args:
          config: a configuration file, or a loaded town; None = the shipped town.
          set: `path=value` each, on top of the file.
          episode_ticks: [tick] after which the town is replaced; None = as configured.
          with_final_observation: adds `final_observation`, float32 `[A, D]`, to the infos.

        Raises:
          ImportError: without JaxMARL.
        """
        town = load_town(config, set)
        self.env = TownEnv.of(town, auto_reset=False, episode_ticks=episode_ticks)
        super().__init__(num_agents=self.env.num_agents)
        self.params = (town.params, town.layout)
        self.with_final_observation = with_final_observation
        box = _Box(-1.0, 1.0, (self.env.observation_spec.size,), jnp.float32)
        self.observation_spaces = dict.fromkeys(self.agents, box)
        # As in the base class: whoever calls it outside a compiled program does not wait long.
        self._start = jax.jit(self._fresh)
        self.action_spaces = dict.fromkeys(self.agents, _Discrete(self.env.num_actions))

    @property
    def name(self) -> str:
        """What the environment is called."""
        return "townlet_town"

    @property
    def agent_classes(self) -> dict[str, list[str]]:
        """All residents are of one kind."""
        return {"residents": list(self.agents)}

    def reset(self, key: jax.Array) -> tuple[Rows, EnvState]:
        """Starts a town.

        Args:
          key: key `[]`, of either style.
        """
        return self._start(key)

    def step_env(
        self, key: jax.Array, state: EnvState, actions: Rows
    ) -> tuple[Rows, EnvState, Rows, Rows, dict[str, jax.Array]]:
        """Lives one tick, without the reset that `step` adds.

        Args:
          key: key `[]`; unused, because a town brings its own luck.
          state: from `reset` or the last step.
          actions: integer `[]` by agent.

        Returns:
          Observations; state; rewards; dones: whether the life that acted in this row goes on,
          `__all__` once the town reached `episode_ticks`; infos, bool or int32 `[A]` each.

        Raises:
          ValueError: unless there is one action for each agent.
        """
        if set(actions) != {*self.agents}:
            odd = ", ".join(sorted({*self.agents} ^ {*actions}))
            raise ValueError(f"actions must name agent_0 to agent_{self.num_agents - 1}; see {odd}")
        chosen = jnp.stack([jnp.asarray(actions[agent]).reshape(()) for agent in self.agents])
        observation, state, reward, terminated, truncated, info = self.env.step(
            key, state, chosen, self.params
        )
        is_over = info["is_over"]
        # A slot that is vacant, or that somebody else has moved into, holds another life.
        has_ended = terminated | ~observation.is_alive | info["is_newcomer"]
        dones = self._by_agent(has_ended | is_over)
        infos = {name: info[name] for name in INFOS}
        infos |= {"terminated": terminated, "truncated": truncated}
        rows = flatten(self.env.observation_spec, observation)
        if self.with_final_observation:
            infos["final_observation"] = rows
        return (
            self._by_agent(rows), state, self._by_agent(reward), dones | {"__all__": is_over}, infos
        )  # fmt: skip

    def get_obs(self, state: EnvState) -> Rows:
        """Shows a town as if it had just been started.

        Args:
          state: of this environment.
        """
        params, layout = self.params
        is_alive = state.town.agents.is_alive
        observation = observe(self.env.shape, state.town, is_alive, params, layout)
        return self._by_agent(flatten(self.env.observation_spec, observation))

    def get_avail_actions(self, state: EnvState) -> Rows:
        """Tells which actions are legal, bool `[n]` by agent."""
        return self._by_agent(state.action_mask)

    def _fresh(self, key: jax.Array) -> tuple[Rows, EnvState]:
        observation, state = self.env.reset(key, self.params)
        return self._by_agent(flatten(self.env.observation_spec, observation)), state

    def _by_agent(self, rows: jax.Array) -> Rows:
        return {agent: rows[a] for a, agent in enumerate(self.agents)}
