"""Environments of this and of other libraries, under random actions, in one form."""

import contextlib
import dataclasses
import importlib
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

OWN = "townlet_jax"
"""The module that is not skipped: what fails in it is a defect."""


@dataclasses.dataclass(frozen=True)
class Peer:
    """A library.

    Attributes:
      module: what is imported.
      install: what installs it.
      environments: names in it, the first of which are run with `--quick`.
      world: makes one of them of the module and a name.
    """

    module: str
    install: str
    environments: tuple[str, ...]
    world: Callable[[ModuleType, str], "World"]


@dataclasses.dataclass(frozen=True)
class World:
    """An environment of a library; nothing here knows of a second one.

    Attributes:
      agents: their number.
      params: passed to both functions as an argument of the compiled program.
      reset: `(params, key) -> (state, observation)`.
      step: `(params, key, state, observation) -> (state, observation, outcome)` under random
        actions, with automatic reset; the outcome is the reward and what ended.
      options: of the compiler, by environments on a device.
    """

    agents: int
    params: Any
    reset: Callable[..., Any]
    step: Callable[..., Any]
    options: Callable[[int], dict[str, Any]] = lambda _: {}


class SkippedError(Exception):
    """Why an environment is not run, in one line."""


def imported(peer: Peer) -> ModuleType:
    """Imports a library.

    Raises:
      SkippedError: it is not installed, or does not work with what is.
    """
    try:
        return importlib.import_module(peer.module)
    except ModuleNotFoundError as error:
        what = "" if error.name == peer.module else f", it needs {error.name}"
        raise SkippedError(f"not installed{what}: {peer.install}") from error
    except Exception as error:
        line = (str(error).splitlines() or [""])[0]
        raise SkippedError(f"cannot be imported: {type(error).__name__}: {line}") from error


def installed_version(peer: Peer) -> str:
    """Returns the version of a library as it was installed."""
    with contextlib.suppress(PackageNotFoundError):
        return version(peer.module.replace("_", "-"))
    return "unknown"


def compiled(world: World, num_environments: int) -> tuple[Callable[[int], None], Any]:
    """Returns what lives so many steps of many environments, and the form of an observation."""
    import jax
    import jax.numpy as jnp
    import numpy as np
    from jax.sharding import Mesh, PartitionSpec

    from townlet_jax.env.batch import most_devices

    def begin(params, key):
        key, reset_key = jax.random.split(key)
        state, observation = world.reset(params, reset_key)
        form = jax.eval_shape(world.step, params, key, state, observation)[2]
        outcome = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), form)
        return key, state, observation, outcome

    def live_one(params, carry):
        key, state, observation, _ = carry
        key, step_key = jax.random.split(key)
        return key, *world.step(params, step_key, state, observation)

    def live(params, carry, num_steps):
        many = jax.vmap(live_one, (None, 0))
        return jax.lax.fori_loop(0, num_steps, lambda _, carry: many(params, carry), carry)

    devices = most_devices(num_environments)
    mesh = Mesh(np.array(jax.local_devices()[:devices]), ("environments",))
    split, shared = PartitionSpec("environments"), PartitionSpec()
    over = dict(mesh=mesh, out_specs=split, check_vma=False)
    begin_all = jax.shard_map(jax.vmap(begin, (None, 0)), in_specs=(shared, split), **over)
    live_all = jax.shard_map(live, in_specs=(shared, split, shared), **over)
    options = world.options(num_environments // devices)
    loop = jax.jit(live_all, donate_argnums=1, compiler_options=options)
    keys = jax.random.split(jax.random.key(0), num_environments)
    carry = jax.jit(begin_all, compiler_options=options)(world.params, keys)

    def run(num_steps: int) -> None:
        nonlocal carry
        carry = jax.block_until_ready(loop(world.params, carry, jnp.int32(num_steps)))

    return run, jax.eval_shape(world.reset, world.params, keys[0])[1]


def _town(module: ModuleType, observation: str) -> World:
    """A standard town; `observation`: variant."""
    import jax

    from townlet_jax.env.batch import compiler_options

    env = module.make("town-v0", set=[f"features.systems.observations={observation}"])

    def reset(params, key):
        seen, state = env.reset(key, params)
        return state, seen

    def step(params, key, state, seen):
        action_key, key = jax.random.split(key)
        actions = _any_legal(action_key, seen.action_mask)
        seen, state, *outcome, _ = env.step(key, state, actions, params)
        return state, seen, tuple(outcome)

    return World(env.num_agents, env.default_params, reset, step, compiler_options)


def _marl(module: ModuleType, name: str) -> World:
    """An environment with the interface of JaxMARL, whose `step` resets by itself."""
    import jax

    env = module.make(name)

    def reset(_, key):
        seen, state = env.reset(key)
        return state, seen

    def step(_, key, state, seen):
        key, *action_keys = jax.random.split(key, 1 + env.num_agents)
        actions = {
            agent: env.action_space(agent).sample(action_key)
            for agent, action_key in zip(env.agents, action_keys, strict=True)
        }
        seen, state, reward, dones, _ = env.step(key, state, actions)
        return state, seen, (reward, dones)

    return World(env.num_agents, (), reset, step)


def _jumanji(module: ModuleType, name: str) -> World:
    """A multi-agent environment of Jumanji, with its wrapper for automatic resets."""
    env = importlib.import_module("jumanji.wrappers").AutoResetWrapper(module.make(name))

    def reset(_, key):
        state, timestep = env.reset(key)
        return state, timestep.observation

    def step(_, key, state, seen):
        state, timestep = env.step(state, _any_legal(key, seen.action_mask))
        return state, timestep.observation, (timestep.reward, timestep.discount, timestep.step_type)

    return World(env.num_agents, (), reset, step)


def _xland(module: ModuleType, name: str) -> World:
    """An environment of XLand-MiniGrid, with its wrapper for automatic resets; one agent.

    The state of the library holds the observation, and its task is the one that it comes with.
    """
    import jax

    env, params = module.make(name)
    env = importlib.import_module("xminigrid.wrappers").GymAutoResetWrapper(env)

    def reset(params, key):
        timestep = env.reset(params, key)
        return timestep, timestep.observation

    def step(params, key, timestep, _):
        action = jax.random.randint(key, (), 0, env.num_actions(params))
        timestep = env.step(params, timestep, action)
        return timestep, timestep.observation, ()

    return World(1, params, reset, step)


def _any_legal(key, action_mask):
    """Draws a legal action for each row of `[A, n]`."""
    import jax

    scores = jax.random.uniform(key, action_mask.shape)
    return (scores * action_mask).argmax(-1).astype("int32")


PEERS = {
    OWN: Peer(OWN, "pip install townlet-jax", ("compact", "hybrid"), _town),
    "JaxMARL": Peer(
        "jaxmarl",
        "pip install 'townlet-jax[peers]'",
        ("overcooked", "MPE_simple_spread_v3"),
        _marl,
    ),
    "Jumanji": Peer(
        "jumanji",
        "pip install 'townlet-jax[peers]'",
        ("RobotWarehouse-v0", "LevelBasedForaging-v0"),
        _jumanji,
    ),
    "XLand-MiniGrid": Peer(
        "xminigrid", "pip install 'townlet-jax[peers]'", ("XLand-MiniGrid-R4-13x13",), _xland
    ),
    "SocialJax": Peer("socialjax", "its repository; no package index has it", ("clean_up",), _marl),
}
