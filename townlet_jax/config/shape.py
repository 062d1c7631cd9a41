"""`TownShape`: everything that decides an array shape, a loop length or which code exists."""

import dataclasses
from typing import Literal

NUM_NEEDS = 3
"""N: hunger, hygiene, energy."""
NUM_OPTIONS = 7
"""rest, get_fed, get_clean, sleep, go_to_work, socialise, cook."""
FIRST_USE_ACTION = 7
"""Primitive codes below are wait, four moves, chat and leave; from here on 'use type k'."""


@dataclasses.dataclass(frozen=True)
class TownShape:
    """Static sizes of a town; hashable, so it may be a static argument of `jit`.

    Attributes:
      num_agents: A, agent slots, 1-64.
      num_objects: O, object rows, 1-32. Venues (V) are allocated to the same number.
      num_targets: G, rows of the direction tables; rows 0..O-1 are the objects.
      width, height: W, H of the grid [tile], 4-64.
      schedule_length: L, rows of the longest schedule, at least 1.
      num_actions: actions of the level in use.
      action_level: `option` or `primitive`.
      tick_order: `random` or `slot`.
      max_edges: K, ties per resident.
      attendance_window: W, shifts in the attendance ring.
      num_slots: E, embedding slots.
      num_ops: Q, admin rows per tick.
      num_offers: M, affordances of the type that has most, at least 1.
      num_affordances, num_types, num_stock_kinds, num_price_keys: F, OT, S, R.
      num_jobs, num_specs, num_perturbations: J, P and the rows of the perturbation table.
      observation: what residents see: `hybrid`, `full` or `compact`.
      local_window: w, side of the map window [tile], odd, 3-11.
      top_friends, top_rivals: slots of the social block; both 0 leave it out.
      embed_dim, embed_seed: length and seed of the vectors that tell identities apart.
      include_aggregates: whether the social block ends with means and maxima.
    """

    num_agents: int = 8
    num_objects: int = 24
    num_targets: int = 24
    width: int = 24
    height: int = 24
    schedule_length: int = 1
    num_actions: int = NUM_OPTIONS
    action_level: Literal["option", "primitive"] = "option"
    tick_order: Literal["random", "slot"] = "random"
    max_edges: int = 6
    attendance_window: int = 3
    num_slots: int = 64
    num_ops: int = 8
    num_offers: int = 1
    num_affordances: int = 16
    num_types: int = 16
    num_stock_kinds: int = 4
    num_price_keys: int = 8
    num_jobs: int = 8
    num_specs: int = 8
    num_perturbations: int = 8
    observation: Literal["hybrid", "full", "compact"] = "hybrid"
    local_window: int = 11
    top_friends: int = 2
    top_rivals: int = 2
    embed_dim: int = 8
    embed_seed: int = 3025
    include_aggregates: bool = True
