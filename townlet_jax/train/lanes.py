"""Several learners in one program, spread over devices: the only place with a lane axis.

A lane is one run of its own: a seed, and numbers of its own where they are given per lane. Lanes do
not talk to each other. A single lane is spread by its towns instead.

Which numbers have an axis of lanes is said by `Axes`, one flag per leaf of the pair (numbers of the
world, `TrainParams`). Leaves without it are shared, not copied.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from townlet_jax.env.batch import compiler_options
from townlet_jax.train import processes
from townlet_jax.train.config import TrainParams, TrainShape
from townlet_jax.train.ppo import init_learner, train_chunk
from townlet_jax.train.types import LearnerState, UpdateMetrics
from townlet_jax.train.world import Numbers, World

Axes = tuple[bool, ...]
Tree = TypeVar("Tree")

AXIS = "devices"
_SHARED, _LANES, _TOWNS = PartitionSpec(), PartitionSpec(AXIS), PartitionSpec(None, AXIS)
PER_TOWN = ("world", "hidden", "is_first", "choice", "town_index", "town_age")
"""Parts of a learner with an axis of towns."""


def stack_params(params: list[TrainParams]) -> TrainParams:
    """Puts the numbers of lanes side by side, `[L, ...]`."""
    return jax.tree.map(lambda *x: jnp.stack(x), *params)


def num_lanes(learner: LearnerState) -> int:
    """Returns L."""
    return learner.num_updates.shape[0]


def most_devices(shape: TrainShape, lanes: int) -> int:
    """Returns over how many devices lanes, or the towns of a single lane, can be split evenly.

    Every process gives as many of its devices as the others.

    Raises:
      ValueError: not even one device of each process can have a share; says what would fit.
    """
    units = lanes if lanes > 1 else shape.num_groups
    num_processes = jax.process_count()
    if units % num_processes:
        name = "the number of lanes" if lanes > 1 else "ppo.minibatch_groups"
        fitting = -(-units // num_processes) * num_processes
        raise ValueError(
            f"{name} is {units} and cannot be split over {num_processes} processes; the next that "
            f"can is {fitting}"
        )
    counts = range(num_processes, jax.device_count() + 1, num_processes)
    return max(n for n in counts if units % n == 0)


def axes_of(numbers: Numbers, params: TrainParams) -> Axes:
    """Returns the axes of lanes that share the numbers of the world and have `[L, ...]` params."""
    return *(False for _ in jax.tree.leaves(numbers)), *(True for _ in jax.tree.leaves(params))


def in_axes(tree: Tree, axes: Axes) -> Tree:
    """Returns a tree for `vmap`: 0 where a leaf has an axis of lanes, None elsewhere."""
    structure = jax.tree.structure(tree)
    found: Tree = jax.tree.unflatten(structure, [0 if has_axis else None for has_axis in axes])
    return found


def split(tree: Tree, axes: Axes) -> Tree:
    """Returns how a tree is split over devices: leaves with an axis of lanes by lane."""
    structure = jax.tree.structure(tree)
    found: Tree = jax.tree.unflatten(structure, [spec(has_axis) for has_axis in axes])
    return found


def spec(has_axis: bool) -> PartitionSpec:
    """Returns how a leaf is split over devices: by lane, or not at all."""
    return _LANES if has_axis else _SHARED


def one_by_one(many: Callable[..., Tree], axes: Axes) -> Callable[..., Tree]:
    """Makes a function of L lanes that takes them in turn, each as a single run would.

    Args:
      many: function of arguments with an axis of lanes where `axes` says so.
      axes: one flag per leaf of the arguments.

    Returns:
      The same function; its results are those of `many` for each lane alone, bit for bit.
    """

    def each(*args: Any) -> Tree:
        leaves, structure = jax.tree.flatten(args)
        own = [x for x, has_axis in zip(leaves, axes, strict=True) if has_axis]

        def single(rows: list[jax.Array]) -> Tree:
            given = iter(rows)
            whole = [
                next(given)[None] if has_axis else x
                for x, has_axis in zip(leaves, axes, strict=True)
            ]
            found = many(*jax.tree.unflatten(structure, whole))
            one: Tree = jax.tree.map(lambda x: x[0], found)
            return one

        mapped: Tree = jax.lax.map(single, own)
        return mapped

    return each


def start(
    world: World,
    shape: TrainShape,
    seeds: list[int],
    numbers: Numbers,
    params: TrainParams,
    axes: Axes | None = None,
    is_exact: bool = False,
) -> LearnerState:
    """Makes fresh learners, one per lane.

    Args:
      world: the place.
      shape: static sizes.
      seeds: of the lanes, L of them; lanes of one seed begin alike.
      numbers: of the world.
      params: of the learners.
      axes: which of them have an axis of lanes; None = all of `params`.
      is_exact: whether lanes are made in turn and equal those of single runs bit for bit.

    Returns:
      Leaves `[L, ...]`, placed as `train` returns them.
    """
    words = jnp.asarray(np.array(seeds) % 2**31, jnp.uint32)
    axes = axes_of(numbers, params) if axes is None else axes
    run = _starter(world, shape, axes)
    if not is_exact:
        return place(shape, run(words, numbers, params))
    leaves, structure = jax.tree.flatten((numbers, params))
    made = []
    for i in range(len(seeds)):
        own = [x[i : i + 1] if has else x for x, has in zip(leaves, axes, strict=True)]
        made.append(run(words[i : i + 1], *jax.tree.unflatten(structure, own)))
    return place(shape, jax.tree.map(lambda *x: jnp.concatenate(x), *made))


def forms(
    world: World,
    shape: TrainShape,
    lanes: int,
    numbers: Numbers,
    params: TrainParams,
    axes: Axes | None = None,
) -> LearnerState:
    """Returns shapes, dtypes and places of what `start` makes, without making it."""
    seeds = jax.ShapeDtypeStruct((lanes,), jnp.uint32)
    axes = axes_of(numbers, params) if axes is None else axes
    made = jax.eval_shape(_starter(world, shape, axes), seeds, numbers, params)
    devices = most_devices(shape, lanes)
    return jax.tree.map(
        lambda x, own: jax.ShapeDtypeStruct(
            x.shape, x.dtype, sharding=NamedSharding(mesh(devices), own)
        ),
        made,
        _specs(made, lanes, devices),
    )


def place(shape: TrainShape, learner: LearnerState) -> LearnerState:
    """Puts learners where `train` wants them; elsewhere they would compile again."""
    lanes = num_lanes(learner)
    devices = most_devices(shape, lanes)
    specs = _specs(learner, lanes, devices)
    devices_of_lanes = mesh(devices)
    return jax.tree.map(
        lambda x, own: processes.put(x, NamedSharding(devices_of_lanes, own)), learner, specs
    )


def place_numbers(
    shape: TrainShape, lanes: int, numbers: Numbers, params: TrainParams, axes: Axes | None = None
) -> tuple[Numbers, TrainParams]:
    """Puts numbers of L lanes on the devices of all processes, where `train` wants them.

    Args:
      shape: static sizes.
      lanes: L.
      numbers: of the world. params: of the learners. axes: as in `train`.
    """
    devices = most_devices(shape, lanes)
    axes = axes_of(numbers, params) if axes is None else axes
    given = (numbers, params)
    is_spread = lanes == 1 and devices > 1
    specs = jax.tree.map(lambda _: _SHARED, given) if is_spread else split(given, axes)
    own = mesh(devices)
    placed: tuple[Numbers, TrainParams] = jax.tree.map(
        lambda x, spec: processes.put(x, NamedSharding(own, spec)), given, specs
    )
    return placed


def train(
    world: World,
    shape: TrainShape,
    learner: LearnerState,
    numbers: Numbers,
    params: TrainParams,
    axes: Axes | None = None,
    is_exact: bool = False,
) -> tuple[LearnerState, UpdateMetrics]:
    """Does U updates of every lane.

    Args:
      world: the place.
      shape: static sizes.
      learner: `[L, ...]`; its buffers are given up.
      numbers: of the world.
      params: of the learners.
      axes: which of them have an axis of lanes; None = all of `params`.
      is_exact: whether lanes run in turn on each device and equal single runs bit for bit.

    Returns:
      The learners; metrics, `[L, U]` by name.
    """
    lanes = num_lanes(learner)
    axes = axes_of(numbers, params) if axes is None else axes
    devices = most_devices(shape, lanes)
    given = (learner, numbers, params)
    if jax.process_count() == 1:
        return trainer(world, shape, lanes, devices, axes, is_exact)(*given)
    run = _shared_trainer(world, shape, lanes, devices, axes, is_exact)
    if not run:  # all processes compile at their own pace before any of them begins
        program: Any = trainer(world, shape, lanes, devices, axes, is_exact)
        run.append(program.lower(*given).compile())
    processes.meet()
    found: tuple[LearnerState, UpdateMetrics] = run[0](*given)
    return found


@functools.cache
def _shared_trainer(*key: Any) -> list[Callable[..., Any]]:
    """Returns the place of a compiled program, empty at first."""
    return []


@functools.cache
def trainer(
    world: World,
    shape: TrainShape,
    lanes: int,
    devices: int,
    axes: Axes,
    is_exact: bool = False,
) -> jax.stages.Wrapped:
    """Compiles `train` for so many lanes and devices."""
    is_spread = lanes == 1 and devices > 1
    axis_name = AXIS if is_spread else None
    own = shape
    if is_spread:
        own = dataclasses.replace(
            shape,
            num_towns=shape.num_towns // devices,
            num_groups=shape.num_groups // devices,
        )

    def one(
        learner: LearnerState, given: tuple[Numbers, TrainParams]
    ) -> tuple[LearnerState, UpdateMetrics]:
        numbers, params = given
        return train_chunk(world, own, learner, numbers, params, axis_name)

    def all_lanes(
        learner: LearnerState, numbers: Numbers, params: TrainParams
    ) -> tuple[LearnerState, UpdateMetrics]:
        specs = _specs(learner, lanes, devices)
        given = (numbers, params)
        many = jax.vmap(one, in_axes=(0, in_axes(given, axes)))
        if lanes == 1 or is_exact:
            many = functools.partial(_only, one, axes)
        if is_exact and lanes > 1:
            many = one_by_one(many, (*(True for _ in jax.tree.leaves(learner)), *axes))
        placed = jax.tree.map(lambda _: _SHARED, given) if is_spread else split(given, axes)
        by_lane = _SHARED if is_spread else _LANES
        spread = jax.shard_map(
            many,
            mesh=mesh(devices),
            in_specs=(specs, placed),
            out_specs=(specs, by_lane),
            check_vma=False,
        )
        return spread(learner, given)

    return jax.jit(all_lanes, donate_argnums=0, compiler_options=compiler_options())


def _only(
    one: Callable[..., Tree],
    axes: Axes,
    learner: LearnerState,
    given: tuple[Numbers, TrainParams],
) -> Tree:
    """Calls a function of one lane for the only one there is, without an axis of lanes."""
    leaves, structure = jax.tree.flatten(given)
    own = [x[0] if has_axis else x for x, has_axis in zip(leaves, axes, strict=True)]
    found = one(jax.tree.map(lambda x: x[0], learner), jax.tree.unflatten(structure, own))
    single: Tree = jax.tree.map(lambda x: x[None], found)
    return single


def all_finite(params: Any) -> jax.Array:
    """Tells which lanes have only finite parameters, bool `[L]`."""
    finite = [
        jnp.all(jnp.isfinite(x.reshape(x.shape[0], -1)), axis=1) for x in jax.tree.leaves(params)
    ]
    return jnp.all(jnp.stack(finite), axis=0)


def _specs(learner: LearnerState, lanes: int, devices: int) -> Any:
    """Says how each leaf is spread."""
    if lanes > 1 or devices == 1:
        return jax.tree.map(lambda _: _LANES, learner)
    shared = jax.tree.map(lambda _: _SHARED, learner)
    parts = {
        name: jax.tree.map(lambda _: _TOWNS, getattr(learner, name)) for name in PER_TOWN
    }
    return shared.replace(**parts)


def mesh(devices: int) -> Mesh:
    """Returns the devices over which lanes or towns are split, equally many of each process."""
    each = devices // jax.process_count()
    by_process: dict[int, list[jax.Device]] = {}
    for device in jax.devices():
        by_process.setdefault(device.process_index, []).append(device)
    return Mesh(np.array([own[:each] for own in by_process.values()]).ravel(), (AXIS,))


@functools.cache
def _starter(world: World, shape: TrainShape, axes: Axes) -> Callable[..., LearnerState]:
    def one(seed: jax.Array, given: tuple[Numbers, TrainParams]) -> LearnerState:
        return init_learner(world, shape, jax.random.key(seed), *given)

    def many(seeds: jax.Array, numbers: Numbers, params: TrainParams) -> LearnerState:
        given = (numbers, params)
        return jax.vmap(one, in_axes=(0, in_axes(given, axes)))(seeds, given)

    return jax.jit(many, compiler_options=compiler_options(1))
