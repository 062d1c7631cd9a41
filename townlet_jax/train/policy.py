"""A trained network that decides for the residents of a town."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.config.layout import TownLayout
from townlet_jax.config.params import TownParams
from townlet_jax.config.town import Town
from townlet_jax.nets import categorical
from townlet_jax.state import TownState
from townlet_jax.state.events import TickEvents
from townlet_jax.state.rewards import empty_rewards
from townlet_jax.town.decide import Decision, settle
from townlet_jax.town.init import init
from townlet_jax.town.observe import Observation
from townlet_jax.town.step import step
from townlet_jax.train.config import TrainParams, TrainShape
from townlet_jax.train.network import run_network
from townlet_jax.train.option import REST
from townlet_jax.train.schedules import final_controls
from townlet_jax.train.town_world import TownLife, TownWorld
from townlet_jax.train.types import Choice, pack, undecided


@dataclasses.dataclass(frozen=True)
class TrainedPolicy:
    """A network that decides for residents.

    Attributes:
      name: where it comes from, such as `runs/town seed 3`.
      path: of the snapshot. seed, stage: of the lane; None = the stage that was configured.
      num_updates: that it was trained for.
      shape: sizes of the network. params: of the network.
      numbers: of the run, of which masks and commitment are part of the policy.
      policy_hash: SHA-256 of parameters, observation layout and action table, hexadecimal.
    """

    name: str
    path: Path
    seed: int
    stage: str | None
    num_updates: int
    shape: TrainShape
    params: Any
    numbers: TrainParams
    policy_hash: str

    @property
    def decide_every(self) -> int:
        """Ticks for which a decision holds [tick]."""
        return self.shape.decide_every

    def start(self) -> jax.Array:
        """Returns an empty memory, float32 `[A, H]`."""
        return jnp.zeros((self.shape.num_agents, self.shape.gru_hidden), jnp.float32)

    def act(
        self, key: jax.Array, memory: jax.Array, observation: Observation, is_greedy: bool = False
    ) -> tuple[jax.Array, jax.Array]:
        """Decides for the residents of one town.

        Args:
          key: key `[]`; it is consumed.
          memory: float32 `[A, H]`; rows with `observation.ctx_reset` are emptied first.
          observation: of the town; decisions are due every `decide_every` ticks.
          is_greedy: whether to take the likeliest actions instead of drawing them.

        Returns:
          int32 `[A]`, actions; the memory for the next decision.
        """
        memory, chosen, _ = self._run(memory, observation)
        action = categorical.greedy(chosen) if is_greedy else categorical.sample(key, chosen)
        return action, memory

    def respond(
        self, memory: jax.Array, observation: Observation
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Tells how likely each action is and what is expected of the moment, for analysis.

        Args:
          memory, observation: as in `act`.

        Returns:
          float32 `[A, n]`, probabilities, 0 where an action is not legal; float32 `[A]`, values in
          standard deviations of the returns of the run, around their mean; the memory for the next
          decision.
        """
        memory, chosen, value = self._run(memory, observation)
        return jnp.exp(chosen), value, memory

    def _run(
        self, memory: jax.Array, observation: Observation
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Applies the network to one town: memory, log-probabilities `[A, n]`, values `[A]`."""
        seen = pack(observation, observation.is_alive)
        sequence = jax.tree.map(lambda x: x[None, None], seen)
        is_first = observation.ctx_reset[None, None]
        memory, log_probs, value = run_network(
            self.shape, self.params, memory[None], sequence, is_first
        )
        return memory[0], log_probs[0, 0], value[0, 0]


class Lived(struct.PyTreeNode):
    """A town that lives under a network, tick by tick; no town axis.

    Attributes:
      net: parameters of the network. town: the town. hidden: float32 `[A, H]`.
      is_first: bool `[A]`, whose memory starts anew at the next decision.
      choice: what residents are set on.
    """

    net: Any
    town: TownState
    hidden: jax.Array
    is_first: jax.Array
    choice: Choice


def live(
    town: Town, policy: TrainedPolicy, seed: int, is_greedy: bool = False
) -> tuple[Any, Lived]:
    """Returns how a fresh town lives under a policy, for `env.filming`.

    Args:
      town: the configuration.
      policy: who decides.
      seed: of the town; it lives as in an evaluation with this seed.
      is_greedy: whether the likeliest actions are taken.

    Returns:
      `live_one(carry, params, layout) -> (carry, state, events)`; the carry before the first tick.
    """
    world = TownWorld(town.shape)
    fresh = init(town.shape, jax.random.key(seed), town.params, town.layout)
    start = Lived(
        net=policy.params,
        town=fresh,
        hidden=policy.start(),
        is_first=fresh.agents.is_alive,
        choice=undecided(town.shape.num_agents),
    )

    def live_one(
        now: Lived, params: TownParams, layout: TownLayout
    ) -> tuple[Lived, TownState, TickEvents]:
        now = _decide(world, policy.shape, is_greedy, now, (params, layout), policy.numbers)
        choice = now.choice
        action = jnp.where(choice.is_done, REST, choice.action)
        state, events = step(town.shape, now.town, action, None, params, layout)
        decision = Decision(action=action, is_done=choice.is_done)
        decision = settle(town.shape, decision, state, events, params, layout)
        choice = choice.replace(is_done=decision.is_done)
        is_first = now.is_first | events.lifecycle.context_reset
        return now.replace(town=state, choice=choice, is_first=is_first), state, events

    return live_one, start


def _decide(
    world: TownWorld,
    shape: TrainShape,
    is_greedy: bool,
    now: Lived,
    numbers: tuple[TownParams, TownLayout],
    params: TrainParams,
) -> Lived:
    """Decides where a decision is due; it is computed on every tick."""
    level = final_controls(params).satisfied_level
    life = TownLife(town=now.town, rewards=empty_rewards(world.shape))
    seen, _ = world.see(life, now.choice, now.is_first, level, numbers, params)
    sequence = jax.tree.map(lambda x: x[None, None], seen)
    hidden, log_probs, _ = run_network(
        shape, now.net, now.hidden[None], sequence, now.is_first[None, None]
    )
    chosen = log_probs[0, 0]
    action = (
        categorical.greedy(chosen)
        if is_greedy
        else categorical.sample(world.sample_key(life), chosen)
    )
    is_due = now.town.clock.tick % shape.decide_every == 0
    old = now.choice
    is_new = (action != old.action) | old.is_done | ~old.has_chosen | now.is_first
    choice = Choice(
        action=action,
        tick=jnp.where(is_new, now.town.clock.tick, old.tick),
        is_done=jnp.zeros_like(old.is_done),
        has_chosen=seen.is_valid,
    )

    def choose(new: jax.Array, kept: jax.Array) -> jax.Array:
        return jnp.where(is_due, new, kept)

    return now.replace(
        hidden=choose(hidden[0], now.hidden),
        is_first=choose(jnp.zeros_like(now.is_first), now.is_first),
        choice=jax.tree.map(choose, choice, old),
    )
