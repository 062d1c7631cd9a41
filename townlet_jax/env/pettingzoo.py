"""A town for PettingZoo: each agent is one life, so a newcomer has a name of their own."""

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from townlet_jax.config.errors import suggest
from townlet_jax.env.host import CompilerOptions, HostTowns, Outcome, Seen
from townlet_jax.env.libraries import part_of
from townlet_jax.env.registry import Config, load_town
from townlet_jax.state import ExitReason

_ParallelEnv: Any = part_of("pettingzoo", "ParallelEnv")
_Box = part_of("gymnasium.spaces", "Box")
_Discrete = part_of("gymnasium.spaces", "Discrete")

Rows = dict[str, np.ndarray]
Infos = dict[str, dict[str, Any]]
Parts = tuple[Rows, dict[str, float], dict[str, bool], dict[str, bool], Infos]
"""Observations, rewards, terminations, truncations and infos by agent."""
MAX_SEED = 2**31


def parallel_env(
    config: Config = None,
    *,
    set: Sequence[str] = (),
    episode_ticks: int | None = None,
    compiler_options: CompilerOptions | None = None,
) -> "ParallelTown":
    """Makes a town for PettingZoo.

    Args:
      config: a configuration file, or a loaded town; None = the shipped town.
      set: `path=value` each, on top of the file.
      episode_ticks: [tick] after which the town is cut off; None = as configured.
      compiler_options: for `jax.jit`; None = those that suit the device.

    Raises:
      ImportError: without PettingZoo.
    """
    return ParallelTown(
        config, set=set, episode_ticks=episode_ticks, compiler_options=compiler_options
    )


class ParallelTown(_ParallelEnv):
    """A town as a PettingZoo parallel environment; one step is one tick.

    Attributes:
      agents: who lives and may be told what to do, by slot.
      possible_agents: who has lived since the last reset; newcomers are added as they arrive,
        because nobody can tell in advance how many there will be.
    """

    metadata = {"name": "town_v0", "render_modes": [], "is_parallelizable": True}
    render_mode = None

    def __init__(
        self,
        config: Config = None,
        *,
        set: Sequence[str] = (),
        episode_ticks: int | None = None,
        compiler_options: CompilerOptions | None = None,
    ):
        """Loads a town; see `parallel_env`."""
        town = load_town(config, set)
        self._towns = HostTowns(town, 1, False, episode_ticks, compiler_options)
        self._slots = town.names.agents
        self._is_inhabited = np.asarray(town.layout.residents.is_resident)
        self._spaces: dict[str, tuple[Any, Any]] = {}
        self._random = np.random.default_rng()
        self._start_lives()
        self.agents: list[str] = []

    def observation_space(self, agent: str) -> Any:
        """Returns the space of a resident's observations: map and features in one row."""
        return self._spaces_of(agent)[0]

    def action_space(self, agent: str) -> Any:
        """Returns the space of a resident's actions; 0 is waiting."""
        return self._spaces_of(agent)[1]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Rows, Infos]:
        """Starts the town anew.

        Args:
          seed: of the town, modulo 2^31; None = one by chance, which follows from the last seed.
          options: none are known; ignored.

        Returns:
          Observations and infos by agent.
        """
        if seed is not None:
            self._random = np.random.default_rng(seed)
        chance = self._random.integers(MAX_SEED)
        seen = self._towns.reset(np.array([chance if seed is None else seed % MAX_SEED]))
        self._start_lives()
        rows = self._rows(seen.is_alive[0])
        self.agents = list(rows)
        infos = {name: _sight(seen, slot) for name, slot in rows.items()}
        return {name: seen.values[0, slot] for name, slot in rows.items()}, infos

    def step(self, actions: Mapping[str, int]) -> Parts:
        """Lives one tick; where nobody is left, as many as it takes for somebody to arrive.

        Once the town was cut off nothing happens and all parts are empty.

        Args:
          actions: code by agent; who is left out waits.

        Returns:
          By agent, for all who lived before the tick or arrived in it: observations; rewards; who
          exited; who lives on in a town that is cut off; infos with `action_mask` int8 `[n]`,
          `can_act`, `is_illegal` (the action was taken for waiting), `exit_reason` (a word, empty
          if there is none) and `breakdown` (the reward by `Term`).

        Raises:
          ValueError: for an agent that is not there. TypeError: for an action that is no integer.
        """
        if self._is_over():
            return {}, {}, {}, {}, {}
        parts = self._live(self._codes(actions))
        by_agent: tuple[dict[str, Any], ...] = parts
        while not self.agents and not self._is_over():
            # Nobody is left to be asked: time passes until somebody arrives.
            later: tuple[dict[str, Any], ...] = self._live(self._towns.waiting())
            for part, more in zip(by_agent, later, strict=True):
                part.update(more)
        return parts

    def _live(self, codes: np.ndarray) -> Parts:
        """Lives one tick under actions `[1, A]`."""
        outcome = self._towns.step(codes)
        self._num_ticks += 1
        for slot in np.flatnonzero(outcome.info["is_newcomer"][0]):
            self._num_lives[slot] += 1
            self._lives[slot] = life_name(self._slots, int(slot), int(self._num_lives[slot]))
        has_ended = outcome.terminated[0] | outcome.truncated[0]
        # Who arrives as the town is cut off was never an agent.
        rows = {
            name: slot
            for name, slot in self._rows(outcome.seen.is_alive[0]).items()
            if name in self.agents or not has_ended[slot]
        }
        self.agents = [name for name, slot in rows.items() if not has_ended[slot]]
        known = {*self.possible_agents}
        self.possible_agents += [name for name in self.agents if name not in known]
        return (
            {name: outcome.seen.values[0, slot] for name, slot in rows.items()},
            {name: float(outcome.reward[0, slot]) for name, slot in rows.items()},
            {name: bool(outcome.terminated[0, slot]) for name, slot in rows.items()},
            {name: bool(outcome.truncated[0, slot]) for name, slot in rows.items()},
            {name: _news(outcome, slot) for name, slot in rows.items()},
        )

    def _is_over(self) -> bool:
        return self._num_ticks >= self._towns.env.episode_ticks

    def _start_lives(self) -> None:
        """Forgets everybody but the residents of the configuration."""
        self._num_ticks = 0
        self._num_lives = self._is_inhabited.astype(int)
        self._lives = list(self._slots)
        self.possible_agents = [*self._rows(self._is_inhabited)]

    def _rows(self, is_here: np.ndarray) -> dict[str, int]:
        """Slots by name of the residents in them."""
        return {self._lives[slot]: int(slot) for slot in np.flatnonzero(is_here)}

    def _codes(self, actions: Mapping[str, int]) -> np.ndarray:
        codes = self._towns.waiting()
        for name, action in actions.items():
            if name not in self.agents:
                raise ValueError(f"no agent {name!r} is there: {suggest(name, self.agents)}")
            try:
                code = operator.index(action)
            except TypeError:
                kind = type(action).__name__
                raise TypeError(f"the action of {name} must be an integer, got {kind}") from None
            codes[0, self._lives.index(name)] = min(max(code, -1), self._towns.env.num_actions)
        return codes

    def _spaces_of(self, agent: str) -> tuple[Any, Any]:
        """One pair of spaces per name, so that each is seeded on its own."""
        if agent not in self._spaces:
            env = self._towns.env
            box = _Box(-1.0, 1.0, (env.observation_spec.size,), np.float32)
            self._spaces[agent] = (box, _Discrete(env.num_actions))
        return self._spaces[agent]


def life_name(slots: Sequence[str], slot: int, life: int) -> str:
    """Names a resident: the slot's name, from the second life on with its number.

    Args:
      slots: names of all slots.
      slot: where the resident lives.
      life: 1 for the first resident of the slot.
    """
    if life <= 1:
        return slots[slot]
    name = f"{slots[slot]}_{life}"
    while name in slots:
        name += "_"
    return name


def _sight(seen: Seen, slot: int) -> dict[str, Any]:
    return {"action_mask": seen.action_mask[0, slot], "can_act": bool(seen.can_act[0, slot])}


def _news(outcome: Outcome, slot: int) -> dict[str, Any]:
    info = outcome.info
    reason = ExitReason(info["exit_reason"][0, slot])
    return _sight(outcome.seen, slot) | {
        "is_illegal": bool(info["is_illegal"][0, slot]),
        "exit_reason": "" if reason == ExitReason.NONE else reason.name.lower(),
        "breakdown": info["breakdown"][0, slot],
    }
