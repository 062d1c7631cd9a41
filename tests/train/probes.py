"""Tiny worlds with known values, to learn in (training text §16).

A probe is a table: an integer code per agent says where it stands, and what it sees is one of a few
symbols. An episode that ends starts anew in the same tick, as the life of a newcomer.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.train.config import TrainShape
from townlet_jax.train.types import Outcome, Seen

NUM_SYMBOLS = 8
"""Features; symbol 0 shows nothing at all."""
CUE, ASK = 1, 3
"""Symbols of the memory probes: one of two cues, later a question."""
LENGTH = 5
"""Steps of an episode of the memory probes."""


class Place(struct.PyTreeNode):
    """Where agents stand; `key`: key `[]`, `tick`: int32, `code`: int32 `[A]`."""

    key: jax.Array
    tick: jax.Array
    code: jax.Array


@dataclasses.dataclass(frozen=True)
class Probe:
    """One action, an episode of one step with reward 1. Others change parts of it."""

    num_agents: int = 1
    num_actions: int = 1

    def begin(self, bits: jax.Array, code: jax.Array) -> jax.Array:
        """Returns where an episode begins; bits: int32 `[A]`, random; code: where one ended."""
        return jnp.zeros_like(code)

    def symbol(self, code: jax.Array) -> jax.Array:
        """Returns what is seen, int32 `[A]` in 0-7."""
        return code + 1

    def legal(self, code: jax.Array) -> jax.Array:
        """Returns what is legal, bool `[A, n]`."""
        return jnp.ones((self.num_agents, self.num_actions), bool)

    def is_valid(self, code: jax.Array) -> jax.Array:
        """Returns who is free to choose, bool `[A]`."""
        return jnp.ones(self.num_agents, bool)

    def live(self, code: jax.Array, action: jax.Array) -> tuple[jax.Array, Any, Any]:
        """Lives a tick: the code after it, the reward, whether the episode ended."""
        return code, 1.0, True

    def is_forgetful(self) -> bool:
        """Tells whether the memory is emptied at every step."""
        return False

    # What follows is the interface of `townlet_jax.train.world.World`.

    def reset(self, key, numbers, params):
        place = Place(key, jnp.int32(0), jnp.zeros(self.num_agents, jnp.int32))
        return place.replace(code=self.begin(self._bits(place), place.code))

    def see(self, state, choice, is_reset, satisfied_level, numbers, params):
        symbols = jnp.arange(1, NUM_SYMBOLS + 1, dtype=jnp.int32)
        features = self.symbol(state.code)[:, None] == symbols[None, :]
        seen = Seen(
            map=jnp.zeros((self.num_agents, 0, 0, 0), jnp.uint8),
            features=features.astype(jnp.float16),
            mask=self.legal(state.code),
            is_valid=self.is_valid(state.code),
        )
        return seen, jnp.zeros(self.num_agents, jnp.int32)

    def sample_key(self, state):
        return jax.random.fold_in(state.key, 2 * state.tick)

    def tick(self, state):
        return state.tick

    def step(self, state, action, numbers):
        code, reward, has_ended = self.live(state.code, action)
        has_ended = jnp.broadcast_to(has_ended, code.shape)
        state = state.replace(tick=state.tick + 1)
        code = jnp.where(has_ended, self.begin(self._bits(state), code), code)
        outcome = Outcome(
            reward=jnp.broadcast_to(jnp.asarray(reward, jnp.float32), code.shape),
            is_exited=has_ended,
            is_over=jnp.zeros_like(has_ended),
            is_reset=has_ended | self.is_forgetful(),
            stats={},
        )
        return state.replace(code=code), outcome

    def at_stage(self, numbers, stage):
        return numbers

    def figures(self, before, after, numbers):
        return {}

    def _bits(self, state):
        key = jax.random.fold_in(state.key, 2 * state.tick + 1)
        return jax.random.randint(key, (self.num_agents,), 0, 2**16, jnp.int32)


Constant = Probe
"""P1: V = 1."""


class Shown(Probe):
    """P2: the reward is what is seen, 1 or -1."""

    def begin(self, bits, code):
        return bits % 2

    def live(self, code, action):
        return code, 1.0 - 2.0 * code.astype(jnp.float32), True


class Delay(Probe):
    """P3: two steps, the reward at the end. V = .9, 1."""

    def live(self, code, action):
        return 1 - code, code.astype(jnp.float32), code == 1


@dataclasses.dataclass(frozen=True)
class Choice(Probe):
    """P4: action 1 earns 1, action 0 costs 1."""

    num_actions: int = 2

    def right(self, code):
        return jnp.ones_like(code)

    def live(self, code, action):
        return code, jnp.where(action == self.right(code), 1.0, -1.0), True


class ShownChoice(Choice):
    """P5: what is seen decides which action is the right one."""

    def begin(self, bits, code):
        return bits % 2

    def right(self, code):
        return 1 - code


class Endless(Probe):
    """P6: reward 1 for ever. V = 10 for a discount of .9, however often it is cut off.

    With a memory the state after the last step would be one that is never learned from.
    """

    def live(self, code, action):
        return code, 1.0, False

    def is_forgetful(self):
        return True


class Four(Probe):
    """P6, as a life of four steps. V = 3.439, 2.71, 1.9, 1."""

    def live(self, code, action):
        return (code + 1) % 4, 1.0, code == 3


@dataclasses.dataclass(frozen=True)
class Memory(Choice):
    """P7: a cue, three blanks, then a question that only the cue answers. V = .9^4 at the cue."""

    has_memory: bool = True

    def begin(self, bits, code):
        return LENGTH * (bits % 2)

    def symbol(self, code):
        step = code % LENGTH
        return jnp.where(step == 0, CUE + code // LENGTH, jnp.where(step == LENGTH - 1, ASK, 0))

    def live(self, code, action):
        is_asked = code % LENGTH == LENGTH - 1
        reward = jnp.where(action == code // LENGTH, 1.0, -1.0)
        return jnp.where(is_asked, code, code + 1), jnp.where(is_asked, reward, 0.0), is_asked

    def is_forgetful(self):
        return not self.has_memory


class Blind(Memory):
    """P8: every second episode has no cue, and the answer is that of the episode before.

    Whoever carried memory from one episode to the next would know it. V = 0 at the blind start.
    """

    def begin(self, bits, code):
        has_cue = (code >= 2 * LENGTH) | (code == 0)
        answer = jnp.where(has_cue, bits % 2, code // LENGTH % 2)
        return LENGTH * (answer + jnp.where(has_cue, 0, 2))

    def symbol(self, code):
        step, episode = code % LENGTH, code // LENGTH
        start = jnp.where(episode < 2, CUE + episode, ASK + 1)
        return jnp.where(step == 0, start, jnp.where(step == LENGTH - 1, ASK, 0))

    def live(self, code, action):
        is_asked = code % LENGTH == LENGTH - 1
        reward = jnp.where(action == code // LENGTH % 2, 1.0, -1.0)
        return jnp.where(is_asked, code, code + 1), jnp.where(is_asked, reward, 0.0), is_asked


@dataclasses.dataclass(frozen=True)
class Opposites(Choice):
    """P9: what pays one agent costs the other."""

    num_agents: int = 2

    def symbol(self, code):
        return 1 + jnp.arange(self.num_agents, dtype=jnp.int32)

    def right(self, code):
        return jnp.arange(self.num_agents, dtype=jnp.int32) % 2


@dataclasses.dataclass(frozen=True)
class Masked(Probe):
    """P10: the third action pays 10, and is illegal in odd states."""

    num_actions: int = 3

    def legal(self, code):
        is_odd = code[:, None] == 1
        return ~is_odd | (jnp.arange(3, dtype=jnp.int32)[None, :] < 2)

    def begin(self, bits, code):
        return bits % 2

    def live(self, code, action):
        return code, jnp.where(action == 2, 10.0, 1.0), True


@dataclasses.dataclass(frozen=True)
class Windowed(Probe):
    """P11: reward 1 per tick; with an exit the life ends in the third tick of its window."""

    has_exit: bool = False

    def symbol(self, code):
        return jnp.ones_like(code)

    def live(self, code, action):
        has_ended = (code == 2) & self.has_exit
        return (code + 1) % 5, 1.0, has_ended

    def begin(self, bits, code):
        return code


@dataclasses.dataclass(frozen=True)
class Forced(Choice):
    """P12: a choice, then two states in which only action 0 is legal and which earn 5."""

    has_forced: bool = True

    def legal(self, code):
        return (code[:, None] == 0) | (jnp.arange(2, dtype=jnp.int32)[None, :] == 0)

    def begin(self, bits, code):
        return jnp.zeros_like(code)

    def live(self, code, action):
        paid = jnp.where(action == 1, 1.0, -1.0)
        if not self.has_forced:
            return code, paid, True
        return code + 1, jnp.where(code == 0, paid, 5.0), code == 2


@dataclasses.dataclass(frozen=True)
class Partial(Choice):
    """P13: every second row is invalid, and earns a lot."""

    num_agents: int = 2
    bribe: float = 1e6

    def is_valid(self, code):
        return jnp.arange(self.num_agents, dtype=jnp.int32) % 2 == 0

    def live(self, code, action):
        paid = jnp.where(action == 1, 1.0, -1.0)
        return code, jnp.where(self.is_valid(code), paid, self.bribe), False


def probe_shape(world: Any, **sizes: Any) -> TrainShape:
    """Returns sizes of a small learner of a probe."""
    shape = TrainShape(
        num_towns=8,
        num_agents=world.num_agents,
        num_actions=world.num_actions,
        num_features=NUM_SYMBOLS,
        num_steps=8,
        updates_per_chunk=60,
        num_epochs=4,
        num_mini_batches=2,
        feature_hidden=16,
        gru_hidden=16,
    )
    return dataclasses.replace(shape, **sizes)
