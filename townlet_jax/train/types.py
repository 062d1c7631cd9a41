"""What the trainer carries: transitions, the learner, metrics."""

from typing import Any, Generic, TypeVar

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.town.observe import Observation

FEATURE_LIMIT = 8.0
"""Features are clipped to this size before they are packed."""
State = TypeVar("State")
UpdateMetrics = dict[str, jax.Array]
"""Scalars by the key of the training log."""


class Seen(struct.PyTreeNode):
    """What residents see before a decision, packed; a leading axis `[A]` everywhere.

    Attributes:
      map: uint8 `[A, w, w, C]`. features: float16 `[A, F]`.
      mask: bool `[A, n]`, legal actions, at least one.
      is_valid: bool `[A]`, free to choose: other rows teach nothing.
    """

    map: jax.Array
    features: jax.Array
    mask: jax.Array
    is_valid: jax.Array


class Outcome(struct.PyTreeNode):
    """What a tick brought to each resident.

    Attributes:
      reward: float32 `[A]`.
      is_exited: bool `[A]`, the life ended in this tick.
      is_over: bool `[A]`, what was chosen is completed or failed; the resident rests until the next
        decision.
      is_reset: bool `[A]`, the memory starts anew: newcomers and the teleported.
      stats: sums over the residents of the town, by name.
    """

    reward: jax.Array
    is_exited: jax.Array
    is_over: jax.Array
    is_reset: jax.Array
    stats: dict[str, jax.Array]


class Choice(struct.PyTreeNode):
    """What residents are set on, carried from decision to decision.

    Attributes:
      action: int32 `[A]`. tick: int32 `[A]` [tick], when it was chosen.
      is_done: bool `[A]`, completed since. has_chosen: bool `[A]`, there was an earlier decision in
        this life.
    """

    action: jax.Array
    tick: jax.Array
    is_done: jax.Array
    has_chosen: jax.Array


class Transition(struct.PyTreeNode):
    """One decision of every resident, as stored: `[T, M, A, ...]`.

    Attributes:
      seen: what the action was chosen from.
      is_first: bool, the memory was emptied before.
      is_terminated: bool, the life ended within the window.
      action: int8. log_prob, value, reward: float32; of the acting policy, in units of the reward,
        of the window.
    """

    seen: Seen
    is_first: jax.Array
    is_terminated: jax.Array
    action: jax.Array
    log_prob: jax.Array
    value: jax.Array
    reward: jax.Array


class ValueStats(struct.PyTreeNode):
    """Running moments of the targets, with the weight that they have gathered; float32 each."""

    mean: jax.Array
    square: jax.Array
    weight: jax.Array


class LearnerState(struct.PyTreeNode, Generic[State]):
    """Everything that a run goes on with; arrays only.

    Attributes:
      params, opt_state: of the network.
      world: the towns `[M, ...]`.
      hidden: float32 `[M, A, H]`. is_first: bool `[M, A]`, the memory is to be emptied.
      choice: what residents are set on, `[M, A]`.
      town_index: int32 `[M]`, which town of the run. town_age: int32 `[M]` [tick] since its start.
      value_stats: of targets.
      key: key `[]`, of permutations and fresh towns; it never changes.
      num_updates: int32, updates done.
    """

    params: Any
    opt_state: Any
    world: State
    hidden: jax.Array
    is_first: jax.Array
    choice: Choice
    town_index: jax.Array
    town_age: jax.Array
    value_stats: ValueStats
    key: jax.Array
    num_updates: jax.Array


def undecided(num_agents: int) -> Choice:
    """Makes the choice of residents before their first decision."""
    return Choice(
        action=jnp.zeros(num_agents, jnp.int32),
        tick=jnp.zeros(num_agents, jnp.int32),
        is_done=jnp.zeros(num_agents, bool),
        has_chosen=jnp.zeros(num_agents, bool),
    )


def pack(observation: Observation, is_valid: jax.Array) -> Seen:
    """Packs an observation as it is stored; a policy sees nothing else, when it acts as well.

    Args:
      observation: of one town.
      is_valid: bool `[A]`.
    """
    features = jnp.clip(observation.features, -FEATURE_LIMIT, FEATURE_LIMIT)
    return Seen(
        map=observation.map,
        features=features.astype(jnp.float16),
        mask=observation.action_mask,
        is_valid=is_valid,
    )
