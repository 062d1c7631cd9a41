"""Decisions that last several ticks: what is legal, and the window in which one is carried out
(training text §2, options after Sutton, Precup and Singh 1999).
"""

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.config.layout import TownLayout
from townlet_jax.masked import rounded
from townlet_jax.state import TownState
from townlet_jax.town.options import OWN_ROLES, Option, owns
from townlet_jax.town.policies import NEED_OPTIONS
from townlet_jax.train.config import TrainParams
from townlet_jax.train.types import Choice
from townlet_jax.train.world import Numbers, World

REST = 0
"""Code that every action level gives to doing nothing."""


class Window(struct.PyTreeNode):
    """What a window brought to each resident; `[A]`.

    Attributes:
      reward: float32, discounted to the decision.
      is_terminated: bool, the life ended; is_done: bool, the choice is completed or failed.
      is_reset: bool, the memory starts anew.
    """

    reward: jax.Array
    is_terminated: jax.Array
    is_done: jax.Array
    is_reset: jax.Array


def window(
    world: World,
    num_ticks: int,
    state: jax.Array,
    action: jax.Array,
    is_valid: jax.Array,
    numbers: Numbers,
    gamma: jax.Array,
) -> tuple[jax.Array, Window, dict[str, jax.Array]]:
    """Carries out one decision of every resident of a town.

    A choice that is completed gives way to rest. Rewards count up to the tick of the exit; what a
    newcomer does before the next decision enters no transition.

    Args:
      world: the place.
      num_ticks: k.
      state: before the window.
      action: int32 `[A]`.
      is_valid: bool `[A]`, rows that count.
      numbers: of the world.
      gamma: float32, discount per tick.

    Returns:
      The state after it; what it brought; sums over its ticks by name.
    """
    nobody = jnp.zeros_like(is_valid)
    empty = Window(jnp.zeros(action.shape, jnp.float32), nobody, nobody, nobody)

    def body(carry: tuple, _: None) -> tuple[tuple, dict[str, jax.Array]]:
        state, so_far, is_live, weight = carry
        state, out = world.step(state, jnp.where(so_far.is_done, REST, action), numbers)
        gained = jnp.where(is_live, rounded(weight * out.reward), 0.0)
        so_far = Window(
            reward=so_far.reward + gained,
            is_terminated=so_far.is_terminated | (is_live & out.is_exited),
            is_done=so_far.is_done | out.is_over,
            is_reset=so_far.is_reset | out.is_reset,
        )
        return (state, so_far, is_live & ~out.is_exited, weight * gamma), out.stats

    start = (state, empty, is_valid, jnp.float32(1.0))
    (state, result, _, _), stats = jax.lax.scan(body, start, None, length=num_ticks)
    return state, result, jax.tree.map(lambda x: jnp.sum(x, axis=0), stats)


def policy_mask(
    mask: jax.Array,
    state: TownState,
    choice: Choice,
    is_reset: jax.Array,
    satisfied_level: jax.Array,
    params: TrainParams,
    layout: TownLayout,
) -> jax.Array:
    """Narrows what is legal: satisfied needs hide their option, a running option may bind.

    Args:
      mask: bool `[A, 7]`, options that the town allows.
      state: the town before its tick.
      choice: what residents were set on.
      is_reset: bool `[A]`, whose memory starts anew: nothing binds them.
      satisfied_level: float32 [level]; 1 or more hides nothing.
      params: of the learner.
      layout: tables.

    Returns:
      bool `[A, 7]`; resting stays legal unless a choice binds.
    """
    level = state.needs.level
    hides = jnp.zeros_like(mask)
    runs = jnp.zeros_like(mask)
    codes = jnp.arange(mask.shape[1], dtype=jnp.int32)[None, :]
    for option in (*OWN_ROLES, Option.GO_TO_WORK):
        runs |= owns(state, layout, option)[:, None] & (codes == option)
    for need, option in enumerate(NEED_OPTIONS):
        hides |= (level[:, need] >= satisfied_level)[:, None] & (codes == option)
    allowed = mask & ~(hides & ~runs & (satisfied_level < 1.0))

    own = codes == choice.action[:, None]
    is_hard = level < params.hard_need_level
    served = jnp.stack([choice.action == option for option in NEED_OPTIONS], axis=1)
    age = state.clock.tick - choice.tick
    binds = jnp.any(runs & own & allowed, axis=1) & (age < params.option_commit_ticks)
    binds &= choice.has_chosen & ~choice.is_done & ~is_reset
    binds &= ~jnp.any(is_hard & ~served, axis=1)
    return jnp.where(binds[:, None], own, allowed)
