"""A world in which everything is drawn at random: for tests of the machinery, not of learning."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.train.config import TrainShape
from townlet_jax.train.types import Outcome, Seen

NUM_FEATURES = 7
"""What was done last, one column per action; whether the memory is emptied; noise."""
NUMBERS = {
    "exit_prob": jnp.float32(0.15),
    "reset_prob": jnp.float32(0.1),
    "over_prob": jnp.float32(0.2),
    "paid_to_nobody": jnp.float32(0.0),
    "stage_pay": jnp.float32(0.0),
}
"""Chances per tick of an exit, of a memory that is emptied, of a choice that is completed; what
vacant slots earn, and what a stage is worth to everybody."""
_SHOW, _LIVE, _DRAW, _START = range(4)


class Crowd(struct.PyTreeNode):
    """Slots of a town; `key`: key `[]`, `tick`: int32, the others int32 `[A]`.

    Attributes:
      away: ticks until somebody moves in, 0 = there. done: action that was carried out last, -1 =
        none yet.
    """

    key: jax.Array
    tick: jax.Array
    away: jax.Array
    done: jax.Array


@dataclasses.dataclass(frozen=True)
class Noise:
    """Random features, masks, rewards, exits and arrivals."""

    num_agents: int = 2
    num_actions: int = 3

    def reset(self, key, numbers, params):
        away = jax.random.randint(jax.random.fold_in(key, _START), (self.num_agents,), -2, 2)
        return Crowd(
            key=key,
            tick=jnp.int32(0),
            away=jnp.maximum(away, 0),
            done=jnp.full(self.num_agents, -1, jnp.int32),
        )

    def see(self, state, choice, is_reset, satisfied_level, numbers, params):
        one, other = jax.random.split(self._key(state, _SHOW))
        shown = jax.random.normal(one, (self.num_agents, NUM_FEATURES - self.num_actions - 1))
        codes = jnp.arange(self.num_actions, dtype=jnp.int32)[None, :]
        told = [state.done[:, None] == codes, is_reset[:, None]]
        told = jnp.concatenate(told, axis=1).astype(jnp.float32)
        mask = jax.random.bernoulli(other, 0.6, (self.num_agents, self.num_actions)) | (codes == 0)
        seen = Seen(
            map=jnp.zeros((self.num_agents, 0, 0, 0), jnp.uint8),
            features=jnp.concatenate([told, shown], axis=1).astype(jnp.float16),
            mask=mask,
            is_valid=state.away == 0,
        )
        return seen, jnp.sum(~mask, axis=1, dtype=jnp.int32)

    def sample_key(self, state):
        return self._key(state, _DRAW)

    def tick(self, state):
        return state.tick

    def step(self, state, action, numbers):
        u = jax.random.uniform(self._key(state, _LIVE), (5, self.num_agents))
        is_here = state.away == 0
        is_exited = is_here & (u[0] < numbers["exit_prob"])
        away = jnp.where(is_here, 0, state.away - 1)
        is_new = ~is_here & (away == 0)
        away = jnp.where(is_exited, 1 + (3 * u[1]).astype(jnp.int32), away)
        paid = jnp.float32(0.1) * action.astype(jnp.float32) + u[4] + numbers["stage_pay"]
        outcome = Outcome(
            reward=jnp.where(is_here, paid, numbers["paid_to_nobody"]),
            is_exited=is_exited,
            is_over=u[2] < numbers["over_prob"],
            is_reset=is_new | (u[3] < numbers["reset_prob"]),
            stats={"ticks": jnp.int32(1)},
        )
        return state.replace(tick=state.tick + 1, away=away, done=action), outcome

    def at_stage(self, numbers, stage):
        return {**numbers, "stage_pay": stage.astype(jnp.float32)}

    def figures(self, before, after, numbers):
        return {"passed": after.tick - before.tick}

    def _key(self, state, purpose):
        return jax.random.fold_in(jax.random.fold_in(state.key, state.tick), purpose)


def noise_shape(world: Any, **sizes: Any) -> TrainShape:
    """Returns sizes of a tiny learner."""
    shape = TrainShape(
        num_towns=4,
        num_agents=world.num_agents,
        num_actions=world.num_actions,
        num_features=NUM_FEATURES,
        num_steps=5,
        decide_every=2,
        updates_per_chunk=1,
        num_epochs=2,
        num_mini_batches=2,
        feature_hidden=8,
        gru_hidden=8,
    )
    return dataclasses.replace(shape, **sizes)
