"""Training steps per second, beside the same towns stepped with random options in the same run."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.timing import in_turn
from launch.flags import set_cpu_defaults, set_host_devices

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "train" / "ppo_town.yaml"
LANES = 2
"""Seeds side by side, one per core."""
RUNS = 5


def measure(is_quick: bool) -> dict[str, object]:
    """Times phases in turn and returns their medians.

    `town_ticks_per_second` of `random` is stepping with random options, of `rollout` acting with
    the network, of `whole` training. Each phase contains the ones before it.
    """
    set_cpu_defaults()
    set_host_devices(LANES)
    import jax

    from townlet_jax.config import load
    from townlet_jax.env import batch
    from townlet_jax.train import lanes
    from townlet_jax.train.config import train_params, train_shape, training_numbers
    from townlet_jax.train.town_world import TownWorld

    town = load(CONFIG, ["training.updates_per_chunk=1"])
    shape, world = train_shape(town), TownWorld(town.shape)
    numbers = training_numbers(town)
    params = lanes.stack_params([train_params(town.config)] * LANES)
    num_ticks = shape.num_steps * shape.decide_every
    num_towns = LANES * shape.num_towns
    learner = lanes.start(world, shape, list(range(LANES)), numbers, params)
    towns = batch.start(town, 0, num_towns)

    def step_random() -> None:
        nonlocal towns
        towns = jax.block_until_ready(batch.advance(town, "random", towns, num_ticks))

    def train_whole() -> None:
        nonlocal learner
        learner, _ = lanes.train(world, shape, learner, numbers, params)
        jax.block_until_ready(learner)

    act = _acting(world, shape, learner, numbers, params)
    phases: dict[str, Callable[[], Any]] = {
        "random": step_random,
        "rollout": act,
        "whole": train_whole,
    }
    for run in phases.values():
        run()
    timings = in_turn(phases, 2 if is_quick else RUNS)
    median = {name: timing.seconds for name, timing in timings.items()}
    rows = [
        {
            "benchmark": "ppo",
            "phase": name,
            "observation": town.shape.observation,
            "towns": num_towns,
            "residents": shape.num_agents,
            "town_ticks_per_second": round(num_towns * num_ticks / median[name]),
            "decisions_per_second": round(
                num_towns * shape.num_steps * shape.num_agents / median[name]
            ),
            "spread_seconds": [round(timing.low, 4), round(timing.high, 4)],
            "cpu_seconds": round(timing.cpu_seconds, 4),
        }
        for name, timing in timings.items()
    ]
    return {
        "ratios": {
            "training_over_random": round(median["whole"] / median["random"], 3),
            "share_of_rollout": round(median["rollout"] / median["whole"], 3),
            "share_of_update": round(1 - median["rollout"] / median["whole"], 3),
        },
        "shape": dataclasses.asdict(shape) | {"channels": len(shape.channels)},
        "rows": rows,
    }


def _acting(world: Any, shape: Any, learner: Any, numbers: Any, params: Any) -> Callable[[], Any]:
    """Compiles rollouts alone, over the same devices."""
    import jax
    import numpy as np
    from jax.sharding import Mesh, PartitionSpec

    from townlet_jax.env.batch import compiler_options
    from townlet_jax.train.rollout import rollout
    from townlet_jax.train.schedules import controls

    def one(learner: Any, numbers: Any, params: Any) -> Any:
        now = controls(params, learner.num_updates)
        return rollout(world, shape, learner, now, numbers, params)

    lanes_of, shared = PartitionSpec("lanes"), PartitionSpec()
    sharded = jax.shard_map(
        jax.vmap(one, in_axes=(0, None, 0)),
        mesh=Mesh(np.array(jax.devices()[:LANES]), ("lanes",)),
        in_specs=(lanes_of, shared, lanes_of),
        out_specs=lanes_of,
        check_vma=False,
    )
    run = jax.jit(sharded, compiler_options=compiler_options())
    kept = jax.tree.map(lambda x: jax.numpy.copy(x), learner)
    return lambda: jax.block_until_ready(run(kept, numbers, params))
