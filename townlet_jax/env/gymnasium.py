"""Towns for Gymnasium: each resident slot of each town is a sub-environment.

A sub-environment lives from an arrival to an exit. Between two lives its slot is vacant: it sees
zeros, may only wait, earns nothing, and its info `is_valid` is false.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from townlet_jax.env.core import WAIT
from townlet_jax.env.host import CompilerOptions, HostTowns, Outcome, Seen
from townlet_jax.env.libraries import is_missing, part_of
from townlet_jax.env.registry import Config, load_town

_VectorEnv: Any = part_of("gymnasium.vector", "VectorEnv")
_AutoresetMode = part_of("gymnasium.vector", "AutoresetMode")
_registry = part_of("gymnasium", "registry")
_register_env = part_of("gymnasium", "register")
_batch_space = part_of("gymnasium.vector.utils", "batch_space")
_Box = part_of("gymnasium.spaces", "Box")
_Discrete = part_of("gymnasium.spaces", "Discrete")

ENV_ID = "townlet/Town-v0"
MAX_SEED = 2**31


class TownVectorEnv(_VectorEnv):
    """E towns as `B = E * A` sub-environments, town by town; one step is one tick.

    A resident's exit, and the end of a town's time, reset within the same step: the observation is
    already that of the vacant slot or of the new town, and infos hold `final_obs` and `final_info`.

    Attributes:
      num_towns: E.
      num_envs: B.
    """

    def __init__(
        self,
        num_towns: int = 1,
        config: Config = None,
        *,
        set: Sequence[str] = (),
        episode_ticks: int | None = None,
        compiler_options: CompilerOptions | None = None,
    ):
        """Loads towns.

        Args:
          num_towns: E, at least 1.
          config: a configuration file, or a loaded town; None = the shipped town.
          set: `path=value` each, on top of the file.
          episode_ticks: [tick] after which towns are replaced; None = as configured.
          compiler_options: for `jax.jit`; None = those that suit the device.

        Raises:
          ImportError: without Gymnasium.
        """
        super().__init__()
        if num_towns < 1:
            raise ValueError(f"num_towns must be at least 1, got {num_towns}")
        town = load_town(config, set)
        self._towns = HostTowns(town, num_towns, True, episode_ticks, compiler_options)
        env = self._towns.env
        self.metadata = {"autoreset_mode": _AutoresetMode.SAME_STEP, "render_modes": []}
        self.num_towns = num_towns
        self.num_envs = num_towns * env.num_agents
        self.single_observation_space = _Box(-1.0, 1.0, (env.observation_spec.size,), np.float32)
        self.single_action_space = _Discrete(env.num_actions)
        self.observation_space = _batch_space(self.single_observation_space, self.num_envs)
        self.action_space = _batch_space(self.single_action_space, self.num_envs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Starts all towns anew.

        Args:
          seed: of town 0; town i has `seed + i`, modulo 2^31. None = seeds by chance.
          options: none are known; `reset_mask` is refused, because residents share a town.

        Returns:
          Observations float32 `[B, D]`; infos `action_mask` int8 `[B, n]`, `is_alive` and `can_act`
          bool `[B]`.
        """
        if options and "reset_mask" in options:
            raise ValueError("reset_mask: residents of a town cannot be reset one by one")
        super().reset(seed=seed)
        if seed is None:
            seeds = self.np_random.integers(MAX_SEED, size=self.num_towns)
        else:
            seeds = (seed + np.arange(self.num_towns)) % MAX_SEED
        seen = self._towns.reset(seeds)
        return self._flat(seen.values), self._infos(_sight(seen))

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Lives one tick in all towns.

        Args:
          actions: integers `[B]`.

        Returns:
          Observations float32 `[B, D]`; rewards float32 `[B]`; terminations, who exits;
          truncations, rows of a town that is cut off; infos as `reset` returns them, of the
          tick `is_valid`, `is_illegal`, `is_newcomer`, `exit_reason`, `breakdown`, and for rows
          that ended `final_obs` and `final_info`.

        Raises:
          TypeError, ValueError: for actions of a wrong kind or shape.
        """
        outcome = self._towns.step(self._codes(actions))
        terminated, is_over = outcome.terminated, outcome.info["is_over"][:, None]
        # Vacant slots of a town that is cut off start anew with it.
        truncated = is_over & ~terminated
        seen, is_gone = outcome.seen, terminated & ~is_over
        has_ended = self._flat(terminated | truncated)
        values = self._flat(np.where(is_gone[:, :, None], np.float32(0), seen.values))
        infos = self._infos(_sight(_vacated(seen, is_gone)) | _news(outcome))
        if has_ended.any():
            final = self._infos(_sight(outcome.final) | _news(outcome), has_ended)
            last = np.full(self.num_envs, None, object)
            rows = self._flat(outcome.final.values)
            for row in np.flatnonzero(has_ended):
                last[row] = rows[row]
            infos |= {"final_obs": last, "_final_obs": has_ended.copy()}
            infos |= {"final_info": final, "_final_info": has_ended.copy()}
        return (
            values,
            self._flat(outcome.reward),
            self._flat(terminated),
            self._flat(truncated),
            infos,
        )

    def _codes(self, actions: np.ndarray) -> np.ndarray:
        actions = np.asarray(actions)
        wanted = f"actions must be integers [{self.num_envs}], one per resident slot of each town"
        if actions.dtype.kind not in "iu":
            raise TypeError(f"{wanted}; got {actions.dtype} {list(actions.shape)}")
        if actions.shape != (self.num_envs,):
            raise ValueError(f"{wanted}; got {actions.dtype} {list(actions.shape)}")
        return actions.reshape(self.num_towns, -1)

    def _flat(self, rows: np.ndarray) -> np.ndarray:
        """Copies `[E, A, ...]` into `[B, ...]` that belongs to the caller."""
        return np.array(rows).reshape(self.num_envs, *rows.shape[2:])

    def _infos(
        self, infos: dict[str, np.ndarray], is_set: np.ndarray | None = None
    ) -> dict[str, Any]:
        """Puts beside each info the mask of rows that have it, as Gymnasium does."""
        mask = np.ones(self.num_envs, bool) if is_set is None else is_set
        flat = {name: self._flat(rows) for name, rows in infos.items()}
        return flat | {f"_{name}": mask.copy() for name in flat}


def vector_env(num_envs: int | None = None, **options: Any) -> TownVectorEnv:
    """Makes the towns that `gymnasium.make_vec` asks for.

    Args:
      num_envs: B, a multiple of the town's resident slots; None or 1 = one town.
      **options: as of `TownVectorEnv`, without `num_towns`.

    Raises:
      ValueError: unless the residents fill whole towns.
    """
    town = load_town(options.pop("config", None), options.pop("set", ()))
    num_agents = town.shape.num_agents
    wanted = num_agents if num_envs in (None, 1) else num_envs
    if wanted % num_agents:
        raise ValueError(f"num_envs must be a multiple of {num_agents} residents, got {num_envs}")
    return TownVectorEnv(wanted // num_agents, town, **options)


def _vacated(seen: Seen, is_gone: np.ndarray) -> Seen:
    """Shows the slots of those who exited as they will be: vacant."""
    only_wait = np.zeros_like(seen.action_mask)
    only_wait[:, :, WAIT] = 1
    return seen.replace(
        action_mask=np.where(is_gone[:, :, None], only_wait, seen.action_mask),
        is_alive=seen.is_alive & ~is_gone,
        can_act=seen.can_act & ~is_gone,
    )


def _sight(seen: Seen) -> dict[str, np.ndarray]:
    return {name: getattr(seen, name) for name in ("action_mask", "is_alive", "can_act")}


def _news(outcome: Outcome) -> dict[str, np.ndarray]:
    names = ("is_valid", "is_illegal", "is_newcomer", "exit_reason", "breakdown")
    return {name: outcome.info[name] for name in names}


def _register() -> None:
    """Makes the towns known to `gymnasium.make_vec`, once."""
    if ENV_ID not in _registry:
        _register_env(id=ENV_ID, vector_entry_point=f"{__name__}:vector_env")


if not is_missing(_VectorEnv):
    _register()
