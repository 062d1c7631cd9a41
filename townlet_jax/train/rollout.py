"""Acting: decisions of all residents of all towns, T of them in a row."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.masked import rounded
from townlet_jax.nets import categorical
from townlet_jax.train import sums, values
from townlet_jax.train.config import TrainParams, TrainShape
from townlet_jax.train.network import run_network
from townlet_jax.train.option import REST, Window, window
from townlet_jax.train.schedules import Controls
from townlet_jax.train.types import Choice, LearnerState, Seen, Transition
from townlet_jax.train.world import Numbers, World


class Acting(struct.PyTreeNode):
    """Towns and what is remembered from decision to decision, `[M, ...]`; see `LearnerState`."""

    world: Any
    hidden: jax.Array
    is_first: jax.Array
    choice: Choice


class Rollout(struct.PyTreeNode):
    """What a rollout gives.

    Attributes:
      transitions: `[T, M, A]`.
      hidden: float32 `[M, A, H]`, at its start.
      bootstrap: float32 `[M, A]`, value of the state after the last window.
      stats: sums over ticks and residents, `[M, ...]` by name.
    """

    transitions: Transition
    hidden: jax.Array
    bootstrap: jax.Array
    stats: dict[str, jax.Array]


def acting(learner: LearnerState) -> Acting:
    """Takes what acts out of a learner."""
    return Acting(
        world=learner.world,
        hidden=learner.hidden,
        is_first=learner.is_first,
        choice=learner.choice,
    )


def rollout(
    world: World,
    shape: TrainShape,
    learner: LearnerState,
    controls: Controls,
    numbers: Numbers,
    params: TrainParams,
) -> tuple[Acting, Rollout]:
    """Acts for T decisions with fixed parameters.

    Args:
      world: the place.
      shape: static sizes.
      learner: as it is.
      controls: what is in force.
      numbers: of the world.
      params: of the learner.
    """
    numbers = world.at_stage(numbers, controls.social_stage)
    value_scale = values.scale(learner.value_stats)
    see = functools.partial(_see, world, controls.satisfied_level, numbers, params)
    start = acting(learner)

    def body(now: Acting, _: None) -> tuple[Acting, tuple[Transition, dict[str, jax.Array]]]:
        seen, num_hidden = see(now)
        hidden, log_probs, value = _think(shape, learner.params, now, seen, value_scale)
        action = draw(world, now.world, log_probs)
        following, done, stats = carry_out(
            world, shape.decide_every, now, hidden, seen, action, numbers, params.gamma
        )
        transition = Transition(
            seen=seen,
            is_first=now.is_first,
            is_terminated=done.is_terminated,
            action=action.astype(jnp.int8),
            log_prob=categorical.log_prob(log_probs, action),
            value=value,
            reward=done.reward,
        )
        stats |= _count(now.choice, action, seen, num_hidden, done)
        return following, (transition, stats)

    end, (transitions, stats) = jax.lax.scan(body, start, None, length=shape.num_steps)
    seen, _ = see(end)
    _, _, bootstrap = _think(shape, learner.params, end, seen, value_scale)
    stats = jax.tree.map(lambda x: jnp.sum(x, axis=0), stats)
    figures = jax.vmap(world.figures, in_axes=(0, 0, None))(start.world, end.world, numbers)
    return end, Rollout(
        transitions=transitions,
        hidden=start.hidden,
        bootstrap=bootstrap,
        stats=stats | figures,
    )


def draw(world: World, state: Any, log_probs: jax.Array) -> jax.Array:
    """Draws actions with the key of each town, int32 `[M, A]`; log_probs: float32 `[M, A, n]`."""
    return jax.vmap(lambda s, p: categorical.sample(world.sample_key(s), p))(state, log_probs)


def carry_out(
    world: World,
    num_ticks: int,
    now: Acting,
    hidden: jax.Array,
    seen: Seen,
    action: jax.Array,
    numbers: Numbers,
    gamma: jax.Array,
) -> tuple[Acting, Window, dict[str, jax.Array]]:
    """Carries out a decision in all towns.

    Args:
      world: the place.
      num_ticks: k.
      now: before the decision. hidden: float32 `[M, A, H]`, after it was taken.
      seen: what it was taken from. action: int32 `[M, A]`.
      numbers: of the world. gamma: float32 per tick.

    Returns:
      What the next decision begins with; what the window brought, `[M, A]`; sums over its ticks.
    """
    run = functools.partial(window, world, num_ticks)
    state, done, stats = jax.vmap(run, in_axes=(0, 0, 0, None, None))(
        now.world, action, seen.is_valid, numbers, gamma
    )
    tick = jax.vmap(world.tick)(now.world)[:, None]
    old = now.choice
    is_new = (action != old.action) | old.is_done | ~old.has_chosen | now.is_first
    choice = Choice(
        action=action,
        tick=jnp.where(is_new, tick, old.tick),
        is_done=done.is_done,
        has_chosen=seen.is_valid & ~done.is_terminated & ~done.is_reset,
    )
    return Acting(world=state, hidden=hidden, is_first=done.is_reset, choice=choice), done, stats


def _see(
    world: World,
    satisfied_level: jax.Array,
    numbers: Numbers,
    params: TrainParams,
    now: Acting,
) -> tuple[Seen, jax.Array]:
    see = jax.vmap(world.see, in_axes=(0, 0, 0, None, None, None))
    return see(now.world, now.choice, now.is_first, satisfied_level, numbers, params)


def _think(
    shape: TrainShape,
    params: Any,
    now: Acting,
    seen: Seen,
    value_scale: tuple[jax.Array, jax.Array],
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Runs the network on one decision: hidden state, log-probabilities, value of the reward.

    Groups of towns are taken in turn, as in `update`, so that what a group decides does not depend
    on how many others are on its device.
    """
    given = (now.hidden, jax.tree.map(lambda x: x[None], seen), now.is_first[None])
    axes = (0, jax.tree.map(lambda _: 1, seen), 1)

    def deal(x: jax.Array, axis: int) -> jax.Array:  # [..., M, ...] -> [G, ..., M/G, ...]
        size = x.shape[axis] // shape.num_groups
        x = x.reshape(*x.shape[:axis], shape.num_groups, size, *x.shape[axis + 1 :])
        return jnp.moveaxis(x, axis, 0)

    def gather(x: jax.Array) -> jax.Array:  # [G, M/G, ...] -> [M, ...]
        return x.reshape(-1, *x.shape[2:])

    def think(
        net: Any, group: tuple[jax.Array, Seen, jax.Array]
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        hidden, log_probs, value = run_network(shape, net, *group)
        return hidden, log_probs[0], value[0]

    found = sums.block_by_block(think, params, jax.tree.map(deal, given, axes))
    hidden, log_probs, value = jax.tree.map(gather, found)
    mean, deviation = value_scale
    return hidden, log_probs, mean + rounded(deviation * value)


def _count(
    choice: Choice, action: jax.Array, seen: Seen, num_hidden: jax.Array, done: Window
) -> dict[str, jax.Array]:
    """Counts decisions by town, int32 `[M]` each and `[M, n]` by option."""
    num_legal = jnp.sum(seen.mask, axis=-1, dtype=jnp.int32)
    is_decision = seen.is_valid & (num_legal > 1)
    has_switched = is_decision & choice.has_chosen & (action != choice.action)
    has_switched &= (choice.action != REST) & (action != REST)
    codes = jnp.arange(seen.mask.shape[-1], dtype=jnp.int32)
    is_chosen = (action[..., None] == codes[None, None, :]) & seen.is_valid[..., None]

    def number(x: jax.Array) -> jax.Array:
        return jnp.sum(x, axis=1, dtype=jnp.int32)

    return {
        "decisions": number(is_decision),
        "switches": number(has_switched),
        "completions": number(done.is_done & seen.is_valid),
        "legal": number(jnp.where(seen.is_valid, num_legal, 0)),
        "hidden_options": number(jnp.where(seen.is_valid, num_hidden, 0)),
        "options": number(is_chosen),
    }
