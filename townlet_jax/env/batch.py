"""Thousands of towns side by side: the only place with a town axis.

Town i of a batch has seed `seed + i` and lives as it would alone. Towns are split over all devices
of the process; each device runs its share without talking to the others.
"""

import functools
from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from townlet_jax.config.layout import TownLayout
from townlet_jax.config.params import TownParams
from townlet_jax.config.shape import TownShape
from townlet_jax.config.town import Town
from townlet_jax.state import TownState
from townlet_jax.state.events import TickEvents
from townlet_jax.town.decide import Decision, decide, settle, undecided
from townlet_jax.town.init import init
from townlet_jax.town.policies import POLICIES, Policy
from townlet_jax.town.step import step

Tree = TypeVar("Tree")

MAX_WATCHED_TICKS = 360
"""Most ticks that `watch` keeps the events of in one call."""

MANY_TOWNS = 16
"""Towns per device from which on a compilation that takes half as long again pays."""

_TOWNS = PartitionSpec("towns")


class Towns(struct.PyTreeNode):
    """A batch of towns.

    Attributes:
      state: the towns, every leaf with a leading axis `[E]`.
      decision: what their residents are set on, likewise.
    """

    state: TownState
    decision: Decision


def start(town: Town, seed: int, num_towns: int) -> Towns:
    """Builds fresh towns.

    Args:
      town: a loaded configuration.
      seed: seed of town 0; town i has `seed + i`, modulo 2^31.
      num_towns: E.
    """
    seeds = jnp.asarray((seed + np.arange(num_towns)) % 2**31, jnp.uint32)
    return place(_starter(town.shape)(seeds, town.params, town.layout))


def forms(town: Town, num_towns: int) -> Towns:
    """Returns shapes and dtypes of what `start` builds, without building it."""
    seeds = jax.ShapeDtypeStruct((num_towns,), jnp.uint32)
    return jax.eval_shape(_starter(town.shape), seeds, town.params, town.layout)


def place(towns: Towns) -> Towns:
    """Splits towns `[E, ...]` over devices as `advance` returns them, or it would compile again."""
    num_devices = most_devices(towns.state.clock.tick.shape[0])
    if num_devices == 1:
        return jax.device_put(towns, NamedSharding(_mesh(1), _TOWNS))
    return _placer(num_devices)(towns)


def advance(town: Town, policy: str, towns: Towns, num_ticks: int) -> Towns:
    """Runs towns under a built-in policy. One compile per number of towns, whatever the ticks.

    Args:
      town: the loaded configuration the towns were started with.
      policy: name in `POLICIES`.
      towns: `[E]` towns; their buffers are given up.
      num_ticks: ticks to live.
    """
    num_towns = towns.state.clock.tick.shape[0]
    num_devices = most_devices(num_towns)
    is_many = num_towns // num_devices >= MANY_TOWNS
    run = _runner(town.shape, policy, num_devices, is_many)
    return run(towns, jnp.int32(num_ticks), town.params, town.layout)


def watch(town: Town, policy: str, towns: Towns, num_ticks: int) -> tuple[Towns, TickEvents]:
    """Runs towns as `advance` does and keeps what happened in the first one.

    Args:
      town: the loaded configuration.
      policy: name in `POLICIES`.
      towns: `[E]` towns; their buffers are given up.
      num_ticks: T, at most `MAX_WATCHED_TICKS`.

    Returns:
      towns; events of town 0 on the host, numpy leaves with a leading axis `[T]`.
    """
    num_towns = towns.state.clock.tick.shape[0]
    num_devices = most_devices(num_towns)
    run = _watcher(town.shape, policy, num_devices, num_towns // num_devices >= MANY_TOWNS)
    towns, events = run(towns, jnp.int32(num_ticks), town.params, town.layout)
    return towns, jax.tree.map(lambda x: x[:num_ticks], jax.device_get(events))


def state_bytes(state: TownState) -> int:
    """Returns the bytes of states; a stream key counts as two words."""
    leaves = jax.tree.leaves(state)
    is_key = [jnp.issubdtype(x.dtype, jax.dtypes.prng_key) for x in leaves]
    plain = [jax.random.key_data(x) if k else x for x, k in zip(leaves, is_key, strict=True)]
    return sum(x.nbytes for x in plain)


def begin(shape: TownShape, seed: jax.Array, params: TownParams, layout: TownLayout) -> Towns:
    """Builds one fresh town; no town axis.

    Args:
      shape: static sizes.
      seed: uint32 `[]`.
      params, layout: the town's numbers and tables.
    """
    state = init(shape, jax.random.key(seed), params, layout)
    return Towns(state=state, decision=undecided(shape))


def live(
    shape: TownShape, policy: str | Policy, towns: Towns, params: TownParams, layout: TownLayout
) -> tuple[Towns, TickEvents]:
    """Lives one tick of one town under a policy; no town axis.

    Args:
      shape: static sizes.
      policy: name in `POLICIES`, or one of the caller's own.
      towns: one town without a leading axis.
      params, layout: the town's numbers and tables.
    """
    state, decision = towns.state, towns.decision
    mind = POLICIES[policy] if isinstance(policy, str) else policy
    decision, action = decide(shape, mind, decision, state, params, layout)
    state, events = step(shape, state, action, None, params, layout)
    decision = settle(shape, decision, state, events, params, layout)
    return Towns(state=state, decision=decision), events


def loop(live_one: Callable[..., Tree], num_devices: int, num_towns: int) -> Callable[..., Tree]:
    """Compiles a loop over ticks of many towns, split over devices.

    Args:
      live_one: `(carry, params, layout) -> carry`, one tick of one town.
      num_devices: D, over which the towns are split.
      num_towns: towns on each of them, for the compiler to know whether they are many.

    Returns:
      `(carry [E, ...], num_ticks, params, layout) -> carry`; gives up the buffers of the carry. One
      compile, whatever the ticks.
    """

    def run(carry: Tree, num_ticks: jax.Array, params: TownParams, layout: TownLayout) -> Tree:
        def body(_: jax.Array, carry: Tree) -> Tree:
            return live_all(carry, params, layout)

        live_all = _for_all(live_one)
        return lax.fori_loop(0, num_ticks, body, carry)

    return _split(run, num_devices, num_towns)


def most_devices(num_towns: int) -> int:
    """Returns over how many devices of this process the towns can be split evenly."""
    return max(n for n in range(1, jax.local_device_count() + 1) if num_towns % n == 0)


def compiler_options(num_towns: int = MANY_TOWNS) -> dict[str, str | bool]:
    """Returns what a compiled step needs to be told.

    XLA for CPU throws `masked.computed_once` away before it fuses, which makes a step several times
    slower, and cuts sums of 32 or more numbers in two passes over memory, which fusion would avoid;
    both passes are left out. Few towns run no faster for the slower half of its optimisations, so
    that they do without.

    Args:
      num_towns: towns on one device.
    """
    if jax.default_backend() != "cpu":
        return {}
    options: dict[str, str | bool] = {
        "xla_disable_hlo_passes": "cse_barrier_expander,tree_reduction_rewriter"
    }
    if num_towns < MANY_TOWNS:
        options |= {"xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": "1"}
    return {name: value for name, value in options.items() if _is_known(name, value)}


@functools.cache
def _is_known(option: str, value: str | bool) -> bool:
    """Asks the compiler whether it has an option; they come and go with its versions."""
    nothing = jax.jit(lambda: 0, compiler_options={option: value})
    try:
        nothing.lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True


@functools.cache
def _placer(num_devices: int) -> Callable[[Towns], Towns]:
    # One program; `device_put` compiles one for the slices of every other array.
    return jax.jit(lambda towns: towns, out_shardings=NamedSharding(_mesh(num_devices), _TOWNS))


def _for_all(live_one: Callable[..., Tree]) -> Callable[..., Tree]:
    """Maps a tick of one town over towns; a single one lives a fifth faster without the axis."""

    def live_all(towns: Tree, params: TownParams, layout: TownLayout) -> Tree:
        if jax.tree.leaves(towns)[0].shape[0] > 1:
            return jax.vmap(live_one, in_axes=(0, None, None))(towns, params, layout)
        lived = live_one(jax.tree.map(lambda x: x[0], towns), params, layout)
        return jax.tree.map(lambda x: x[None], lived)

    return live_all


def _split(run: Callable[..., Tree], num_devices: int, num_towns: int) -> Callable[..., Tree]:
    """Compiles `(towns, num_ticks, params, layout)` for as many towns on each of many devices."""
    shared = PartitionSpec()
    sharded = jax.shard_map(
        run,
        mesh=_mesh(num_devices),
        in_specs=(_TOWNS, shared, shared, shared),
        out_specs=_TOWNS,
        check_vma=False,
    )
    return jax.jit(sharded, donate_argnums=0, compiler_options=compiler_options(num_towns))


def _mesh(num_devices: int) -> Mesh:
    """A mesh with the one axis along which towns are split."""
    return Mesh(np.array(jax.local_devices()[:num_devices]), ("towns",))


@functools.cache
def _starter(shape: TownShape) -> Callable[..., Towns]:
    # Runs once, so whatever compiles soonest.
    many = jax.vmap(functools.partial(begin, shape), in_axes=(0, None, None))
    return jax.jit(many, compiler_options=compiler_options(1))


@functools.cache
def _runner(shape: TownShape, policy: str, num_devices: int, is_many: bool) -> Callable[..., Towns]:
    def live_one(towns: Towns, params: TownParams, layout: TownLayout) -> Towns:
        return live(shape, policy, towns, params, layout)[0]

    return loop(live_one, num_devices, MANY_TOWNS if is_many else 1)


@functools.cache
def _watcher(
    shape: TownShape, policy: str, num_devices: int, is_many: bool
) -> Callable[..., tuple[Towns, TickEvents]]:
    def run(
        towns: Towns, num_ticks: jax.Array, params: TownParams, layout: TownLayout
    ) -> tuple[Towns, TickEvents]:
        def body(index: jax.Array, carry: tuple[Towns, TickEvents]) -> tuple[Towns, TickEvents]:
            towns, record = carry
            towns, events = live_all(towns, params, layout)
            return towns, jax.tree.map(lambda all, new: all.at[index].set(new[0]), record, events)

        # Traced once, though it is needed for the forms of its records before it is run.
        live_all = jax.jit(_for_all(functools.partial(live, shape, policy)), inline=True)
        blank = jax.eval_shape(live_all, towns, params, layout)[1]
        record = jax.tree.map(
            lambda x: jnp.zeros((MAX_WATCHED_TICKS, *x.shape[1:]), x.dtype), blank
        )
        return lax.fori_loop(0, num_ticks, body, (towns, record))

    return _split(run, num_devices, MANY_TOWNS if is_many else 1)
