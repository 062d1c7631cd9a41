"""Several learners in one program, spread over devices: the only place with a lane axis.

A lane is one run of its own: a seed, and numbers of its own if they are given per lane. Lanes do
not talk to each other. A single lane is spread by its towns instead.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from townlet_jax.env.batch import compiler_options
from townlet_jax.train.config import TrainParams, TrainShape
from townlet_jax.train.ppo import init_learner, train_chunk
from townlet_jax.train.types import LearnerState, UpdateMetrics
from townlet_jax.train.world import Numbers, World

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
    """Returns over how many devices lanes, or the towns of a single lane, can be split evenly."""
    units = lanes if lanes > 1 else shape.num_groups
    return max(n for n in range(1, jax.device_count() + 1) if units % n == 0)


def start(
    world: World, shape: TrainShape, seeds: list[int], numbers: Numbers, params: TrainParams
) -> LearnerState:
    """Makes fresh learners, one per lane.

    Args:
      world: the place.
      shape: static sizes.
      seeds: of the lanes, L of them; lanes of one seed begin alike.
      numbers: of the world, shared by all lanes.
      params: `[L, ...]`.

    Returns:
      Leaves `[L, ...]`, placed as `train` returns them.
    """
    words = jnp.asarray(np.array(seeds) % 2**31, jnp.uint32)
    return place(shape, _starter(world, shape)(words, numbers, params))


def forms(
    world: World, shape: TrainShape, lanes: int, numbers: Numbers, params: TrainParams
) -> LearnerState:
    """Returns shapes and dtypes of what `start` makes, without making it."""
    seeds = jax.ShapeDtypeStruct((lanes,), jnp.uint32)
    return jax.eval_shape(_starter(world, shape), seeds, numbers, params)


def place(shape: TrainShape, learner: LearnerState) -> LearnerState:
    """Puts learners where `train` wants them; elsewhere they would compile again."""
    lanes = num_lanes(learner)
    devices = most_devices(shape, lanes)
    specs = _specs(learner, lanes, devices)
    mesh = _mesh(devices)
    return jax.tree.map(lambda x, s: jax.device_put(x, NamedSharding(mesh, s)), learner, specs)


def train(
    world: World,
    shape: TrainShape,
    learner: LearnerState,
    numbers: Numbers,
    params: TrainParams,
) -> tuple[LearnerState, UpdateMetrics]:
    """Does U updates of every lane.

    Args:
      world: the place.
      shape: static sizes.
      learner: `[L, ...]`; its buffers are given up.
      numbers: of the world, shared by all lanes.
      params: `[L, ...]`.

    Returns:
      The learners; metrics, `[L, U]` by name.
    """
    lanes = num_lanes(learner)
    run = trainer(world, shape, lanes, most_devices(shape, lanes))
    return run(learner, numbers, params)


@functools.cache
def trainer(
    world: World, shape: TrainShape, lanes: int, devices: int
) -> Callable[..., tuple[LearnerState, UpdateMetrics]]:
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
        learner: LearnerState, numbers: Numbers, params: TrainParams
    ) -> tuple[LearnerState, UpdateMetrics]:
        return train_chunk(world, own, learner, numbers, params, axis_name)

    def all_lanes(
        learner: LearnerState, numbers: Numbers, params: TrainParams
    ) -> tuple[LearnerState, UpdateMetrics]:
        specs = _specs(learner, lanes, devices)
        by_lane = _SHARED if is_spread else _LANES
        many = jax.shard_map(
            jax.vmap(one, in_axes=(0, None, 0)),
            mesh=_mesh(devices),
            in_specs=(specs, _SHARED, by_lane),
            out_specs=(specs, by_lane),
            check_vma=False,
        )
        return many(learner, numbers, params)

    return jax.jit(all_lanes, donate_argnums=0, compiler_options=compiler_options())


def _specs(learner: LearnerState, lanes: int, devices: int) -> Any:
    """Says how each leaf is spread."""
    if lanes > 1 or devices == 1:
        return jax.tree.map(lambda _: _LANES, learner)
    shared = jax.tree.map(lambda _: _SHARED, learner)
    parts = {
        name: jax.tree.map(lambda _: _TOWNS, getattr(learner, name)) for name in PER_TOWN
    }
    return shared.replace(**parts)


def _mesh(devices: int) -> Mesh:
    return Mesh(np.array(jax.devices()[:devices]), (AXIS,))


@functools.cache
def _starter(world: World, shape: TrainShape) -> Callable[..., LearnerState]:
    def one(seed: jax.Array, numbers: Numbers, params: TrainParams) -> LearnerState:
        return init_learner(world, shape, jax.random.key(seed), numbers, params)

    many = jax.vmap(one, in_axes=(0, None, 0))
    return jax.jit(many, compiler_options=compiler_options(1))
