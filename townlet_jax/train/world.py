"""What the trainer asks of a place to learn in; no town axis anywhere."""

from typing import Any, Protocol

import jax

from townlet_jax.train.config import TrainParams
from townlet_jax.train.types import Choice, Outcome, Seen

Numbers = Any
"""Numbers and tables of a world; of a town, the pair of `TownParams` and `TownLayout`."""


class World(Protocol):
    """A place with A agents that decide at the same moments; static and hashable."""

    def __hash__(self) -> int: ...

    def reset(self, key: jax.Array, numbers: Numbers, params: TrainParams) -> Any:
        """Starts afresh; the key is consumed."""
        ...

    def see(
        self,
        state: Any,
        choice: Choice,
        is_reset: jax.Array,
        satisfied_level: jax.Array,
        numbers: Numbers,
        params: TrainParams,
    ) -> tuple[Seen, jax.Array]:
        """Shows the state to the agents.

        Args:
          state: before a tick.
          choice: what they were set on.
          is_reset: bool `[A]`, whose memory starts anew.
          satisfied_level: float32 [level], needs above it hide the option that serves them.
          numbers: of the world.
          params: of the learner.

        Returns:
          What they see; int32 `[A]`, legal actions that the learner's own masks hide.
        """
        ...

    def sample_key(self, state: Any) -> jax.Array:
        """Returns the key `[]` with which actions are drawn now."""
        ...

    def tick(self, state: Any) -> jax.Array:
        """Returns the moment, int32 [tick]."""
        ...

    def step(self, state: Any, action: jax.Array, numbers: Numbers) -> tuple[Any, Outcome]:
        """Lives one tick; action: int32 `[A]`, 0 is resting."""
        ...

    def at_stage(self, numbers: Numbers, stage: jax.Array) -> Numbers:
        """Returns the numbers with another social reward stage, int32."""
        ...

    def figures(self, before: Any, after: Any, numbers: Numbers) -> dict[str, jax.Array]:
        """Counts what happened between two states; scalars by name."""
        ...
