"""A few numbers of many towns over time: settings and seeds side by side, in one program.

A film keeps everything of one town. A trace keeps what is asked for, of every setting under every
seed, so that one call answers how a number in the configuration changes a life:

    settings = [load("configs/town.yaml", [f"chat.base_success={p}"]) for p in (0.3, 0.6, 0.9)]
    trust = trace(settings, "scripted", range(16), 1440, lambda town: town.relationships.trust, 60)

A setting may also come with a policy of its own.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from townlet_jax.config.layout import TownLayout
from townlet_jax.config.params import TownParams
from townlet_jax.config.shape import TownShape
from townlet_jax.config.town import Town
from townlet_jax.env.batch import Towns, begin, compiler_options, live
from townlet_jax.state import TownState
from townlet_jax.town.policies import POLICIES, Policy

Note = Callable[[TownState], Any]
"""What is kept of a town after a tick: a tree of arrays; pure, no town axis."""


def trace(
    settings: Sequence[Town],
    policy: str | Sequence[str],
    seeds: Sequence[int],
    num_ticks: int,
    note: Note,
    every: int = 1,
) -> Any:
    """Lets every setting live under every seed and notes how the towns stand.

    A town of a seed lives as `batch.start` and `batch.advance` let it live alone. One compile per
    shape, set of policies, `note` (the very function) and number of settings, seeds and frames,
    whatever the settings hold.

    Args:
      settings: S loaded configurations of one shape; they may differ in all numbers and tables.
      policy: name in `POLICIES`, or one for each setting.
      seeds: E seeds, the same for each setting.
      num_ticks: [tick] to live.
      note: what to keep.
      every: [tick] from one frame to the next.

    Returns:
      What `note` returns, on the host, leaves `[S, E, F, ...]`, F = num_ticks // every; frame f is
      the town after `(f + 1) * every` ticks.

    Raises:
      ValueError: the settings differ in shape, do not have a policy each, or there is not a single
        frame.
    """
    policies = [policy] * len(settings) if isinstance(policy, str) else list(policy)
    if len(policies) != len(settings):
        raise ValueError(f"{len(policies)} policies for {len(settings)} settings")
    shape, num_frames = settings[0].shape, num_ticks // every
    for other in settings[1:]:
        if other.shape != shape:
            raise ValueError(f"{other.shape} is another shape than {shape}; trace them apart")
    if num_frames < 1:
        raise ValueError(f"{num_ticks} ticks hold no frame of {every} ticks")
    numbers = [(town.params, town.layout) for town in settings]
    params, layouts = jax.tree.map(lambda *leaves: jnp.stack(leaves), *numbers)
    words = jnp.asarray(np.asarray(seeds) % 2**31, jnp.uint32)
    towns = _starter(shape)(words, params, layouts)
    names = tuple(sorted(set(policies)))
    minds = jnp.array([names.index(name) for name in policies], jnp.int32)
    run = _tracer(shape, names, note, num_frames)
    return jax.device_get(run(towns, minds, jnp.int32(every), params, layouts))


@functools.cache
def _starter(shape: TownShape) -> Callable[..., Towns]:
    seeds = jax.vmap(functools.partial(begin, shape), in_axes=(0, None, None))
    return jax.jit(jax.vmap(seeds, in_axes=(None, 0, 0)), compiler_options=compiler_options(1))


@functools.cache
def _tracer(
    shape: TownShape, names: tuple[str, ...], note: Note, num_frames: int
) -> Callable[..., Any]:
    def live_one(towns: Towns, mind: jax.Array, params: TownParams, layout: TownLayout) -> Towns:
        return live(shape, _one_of(names, mind), towns, params, layout)[0]

    live_seeds = jax.vmap(live_one, in_axes=(0, None, None, None))
    live_all = jax.vmap(live_seeds)

    def run(
        towns: Towns, minds: jax.Array, every: jax.Array, params: TownParams, layouts: TownLayout
    ) -> Any:
        def frame(towns: Towns, _: None) -> tuple[Towns, Any]:
            def tick(_: jax.Array, towns: Towns) -> Towns:
                return live_all(towns, minds, params, layouts)

            towns = lax.fori_loop(0, every, tick, towns)
            return towns, jax.vmap(jax.vmap(note))(towns.state)

        _, notes = lax.scan(frame, towns, length=num_frames)
        return jax.tree.map(lambda x: jnp.moveaxis(x, 0, 2), notes)  # [S, E, F, ...]

    # Traces are short, so whatever compiles soonest.
    return jax.jit(run, compiler_options=compiler_options(1))


def _one_of(names: tuple[str, ...], mind: jax.Array) -> Policy:
    """Returns a policy that asks some built-in ones and does what number `mind` says."""

    def policy(*town: Any) -> jax.Array:
        chosen = [POLICIES[name](*town) for name in names]
        action = chosen[0]
        for i, other in enumerate(chosen[1:], start=1):
            action = jnp.where(mind == i, other, action)
        return action

    return policy
