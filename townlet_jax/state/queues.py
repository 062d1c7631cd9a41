"""Queues in front of objects, and what residents are doing with objects."""

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.config.shape import TownShape
from townlet_jax.masked import NONE


class Use(struct.PyTreeNode):
    """The affordance each resident runs.

    Attributes:
      obj, affordance: int32 `[A]`, NONE when idle.
      remaining_ticks: int32 `[A]` [tick], 0 when idle.
      paid: float32 `[A]` [money] charged at the start, 0 when idle.
    """

    obj: jax.Array
    affordance: jax.Array
    remaining_ticks: jax.Array
    paid: jax.Array


class Queues(struct.PyTreeNode):
    """Holders and waiters of object rows.

    Attributes:
      holder: int32 `[O]`, resident that holds the row, NONE = free.
      stall_count: int32 `[O]` [ticks + hits] since the grant or the last quiet tick.
      waiting_for: int32 `[A]`, object row or NONE.
      joined_tick: int32 `[A]` [tick] when the wait began, 0 when not waiting.
      waited_today_ticks: int32 `[A]` [tick] spent waiting anywhere since the day began.
      cooldown_until: int32 `[O, A]` [tick], first tick at which a request is accepted again.
      is_fairness_on: bool, whether cooldown and ghost step are in force.
      totals: int32 `[3]`, cooldown, ghost-step and rotation events since the start.
    """

    holder: jax.Array
    stall_count: jax.Array
    waiting_for: jax.Array
    joined_tick: jax.Array
    waited_today_ticks: jax.Array
    cooldown_until: jax.Array
    is_fairness_on: jax.Array
    totals: jax.Array


def empty_use(shape: TownShape) -> Use:
    """Makes idle residents."""
    a = shape.num_agents
    return Use(
        obj=jnp.full(a, NONE, jnp.int32),
        affordance=jnp.full(a, NONE, jnp.int32),
        remaining_ticks=jnp.zeros(a, jnp.int32),
        paid=jnp.zeros(a, jnp.float32),
    )


def empty_queues(shape: TownShape) -> Queues:
    """Makes free rows without waiters; fairness is on."""
    a, o = shape.num_agents, shape.num_objects
    return Queues(
        holder=jnp.full(o, NONE, jnp.int32),
        stall_count=jnp.zeros(o, jnp.int32),
        waiting_for=jnp.full(a, NONE, jnp.int32),
        joined_tick=jnp.zeros(a, jnp.int32),
        waited_today_ticks=jnp.zeros(a, jnp.int32),
        cooldown_until=jnp.zeros((o, a), jnp.int32),
        is_fairness_on=jnp.bool_(True),
        totals=jnp.zeros(3, jnp.int32),
    )
