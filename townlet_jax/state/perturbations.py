"""Pending and active perturbations and their cooldowns."""

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.config.shape import TownShape
from townlet_jax.masked import LONG_AGO, NONE

STARTS_KEPT = 4
"""Starts remembered per spec, the largest `max_events_per_window`."""


class Perturbations(struct.PyTreeNode):
    """One table of K rows for pending and active events.

    Attributes:
      spec: int32 `[K]`, NONE = free row.
      event_id: int32 `[K]`, distinct over a town's life.
      start_tick, end_tick: int32 `[K]` [tick]; the event ends before `end_tick`.
      location: int32 `[K]`, object row or NONE.
      magnitude: float32 `[K]` [factor].
      is_pending: bool `[K]`, announced but not yet active.
      is_target: bool `[K, A]`; is_price_target: bool `[K, R]`.
      spec_until: int32 `[P]` [tick], first tick at which the spec may start by itself again.
      starts: int32 `[P, 4]` [tick], last starts per spec, newest first, LONG_AGO = none.
      agent_until: int32 `[A]` [tick], first tick at which a resident may be asked to a meet again.
      global_until, city_event_until: int32 [tick].
      next_id, num_dropped: int32, next event id; triggers refused for want of a row.
    """

    spec: jax.Array
    event_id: jax.Array
    start_tick: jax.Array
    end_tick: jax.Array
    location: jax.Array
    magnitude: jax.Array
    is_pending: jax.Array
    is_target: jax.Array
    is_price_target: jax.Array
    spec_until: jax.Array
    starts: jax.Array
    agent_until: jax.Array
    global_until: jax.Array
    city_event_until: jax.Array
    next_id: jax.Array
    num_dropped: jax.Array


def empty_perturbations(shape: TownShape) -> Perturbations:
    """Makes an empty table."""
    k, p, a = shape.num_perturbations, shape.num_specs, shape.num_agents
    return Perturbations(
        spec=jnp.full(k, NONE, jnp.int32),
        event_id=jnp.full(k, NONE, jnp.int32),
        start_tick=jnp.zeros(k, jnp.int32),
        end_tick=jnp.zeros(k, jnp.int32),
        location=jnp.full(k, NONE, jnp.int32),
        magnitude=jnp.ones(k, jnp.float32),
        is_pending=jnp.zeros(k, bool),
        is_target=jnp.zeros((k, a), bool),
        is_price_target=jnp.zeros((k, shape.num_price_keys), bool),
        spec_until=jnp.zeros(p, jnp.int32),
        starts=jnp.full((p, STARTS_KEPT), LONG_AGO, jnp.int32),
        agent_until=jnp.zeros(a, jnp.int32),
        global_until=jnp.int32(0),
        city_event_until=jnp.int32(0),
        next_id=jnp.int32(0),
        num_dropped=jnp.int32(0),
    )
