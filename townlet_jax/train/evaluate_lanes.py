"""Evaluations of many lanes in one program: each has its own towns, numbers and network."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jax.sharding import PartitionSpec

from townlet_jax.env.batch import compiler_options, most_devices
from townlet_jax.env.core import TownNumbers
from townlet_jax.state import TownState
from townlet_jax.train import lanes
from townlet_jax.train.config import TrainParams
from townlet_jax.train.evaluate import Diary, Stay, live
from townlet_jax.train.lanes import Axes

_LANES = PartitionSpec(lanes.AXIS)


@dataclasses.dataclass(frozen=True)
class LaneNotes:
    """What was noted of E towns, of one lane or of several in a row; see `evaluate.Noted`.

    Attributes:
      num_days: D. seeds: of the towns. diary: leaves `[E, ...]`, numpy arrays.
      window: ticks of a decision [tick].
    """

    num_days: int
    seeds: tuple[int, ...]
    diary: Diary
    window: int


class Ending(struct.PyTreeNode):
    """Ties and queues of towns at the end, `[...]` of towns.

    Attributes:
      num_ties: int32, directed ties.
      trust, familiarity, rivalry: float32, sums over ties.
      wait_ticks: int32 [tick] that residents waited on the last day, all together.
      queue_events: int32 `[..., 3]`, as `Queues.totals`.
    """

    num_ties: jax.Array
    trust: jax.Array
    familiarity: jax.Array
    rivalry: jax.Array
    wait_ticks: jax.Array
    queue_events: jax.Array


def evaluate_lanes(
    stay: Stay,
    seeds: jax.Array,
    nets: Any,
    numbers: TownNumbers,
    params: TrainParams,
    axes: Axes,
    is_exact: bool = False,
) -> tuple[Diary, Ending]:
    """Lets the policies of L lanes live in fresh towns, E for each lane.

    Args:
      stay: static; nothing is watched.
      seeds: uint32 `[L, E]`, of the towns.
      nets: parameters of the networks `[L, ...]`, or nothing.
      numbers: of the towns. params: of the learners, for masks and commitment.
      axes: which of these numbers have an axis of lanes.
      is_exact: whether lanes run in turn on each device and equal single runs bit for bit.

    Returns:
      Diaries and endings, `[L, E, ...]`.
    """
    num_lanes = seeds.shape[0]
    run = evaluator(stay, num_lanes, most_devices(num_lanes), axes, is_exact)
    return run(seeds, nets, numbers, params)


@functools.cache
def evaluator(
    stay: Stay, num_lanes: int, devices: int, axes: Axes, is_exact: bool = False
) -> jax.stages.Wrapped:
    """Compiles `evaluate_lanes` for so many lanes and devices."""

    def one(
        seeds: jax.Array, nets: Any, given: tuple[TownNumbers, TrainParams]
    ) -> tuple[Diary, Ending]:
        diary, last, _ = live(stay, seeds, nets, *given)
        return diary, jax.vmap(_ending)(last)

    def all_lanes(
        seeds: jax.Array, nets: Any, numbers: TownNumbers, params: TrainParams
    ) -> tuple[Diary, Ending]:
        given = (numbers, params)
        many = jax.vmap(one, in_axes=(0, 0, lanes.in_axes(given, axes)))
        if is_exact and num_lanes > 1:
            many = lanes.one_by_one(many, (True, *(True for _ in jax.tree.leaves(nets)), *axes))
        spread = jax.shard_map(
            many,
            mesh=lanes.mesh(devices),
            in_specs=(_LANES, _LANES, lanes.split(given, axes)),
            out_specs=_LANES,
            check_vma=False,
        )
        return spread(seeds, nets, given)

    return jax.jit(all_lanes, compiler_options=compiler_options())


def _ending(town: TownState) -> Ending:
    """Adds up the ties and waits of one town."""
    ties = town.relationships
    return Ending(
        num_ties=jnp.sum(ties.is_tie, dtype=jnp.int32),
        trust=jnp.sum(ties.trust),
        familiarity=jnp.sum(ties.familiarity),
        rivalry=jnp.sum(ties.rivalry),
        wait_ticks=jnp.sum(town.queues.waited_today_ticks, dtype=jnp.int32),
        queue_events=town.queues.totals,
    )
