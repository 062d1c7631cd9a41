"""The town as a place to learn in."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.config.shape import TownShape
from townlet_jax.env.core import TownNumbers
from townlet_jax.masked import computed_once, rounded
from townlet_jax.state import ExitReason, Total, TownState
from townlet_jax.state.clock import Purpose, Stream
from townlet_jax.state.rewards import RewardState, empty_rewards
from townlet_jax.town.decide import Decision, settle
from townlet_jax.town.draws import purpose_key
from townlet_jax.town.init import init
from townlet_jax.town.intents import follows_schedule
from townlet_jax.town.metrics import kpi
from townlet_jax.town.observe import observe
from townlet_jax.town.reward import reward
from townlet_jax.town.step import step
from townlet_jax.train.config import TrainParams
from townlet_jax.train.option import policy_mask
from townlet_jax.train.types import Choice, Outcome, Seen, pack

LOW_NEED = 0.3
"""[level] at or below which a need counts as low in the log."""


class TownLife(struct.PyTreeNode):
    """A town and the budgets of its rewards."""

    town: TownState
    rewards: RewardState


@dataclasses.dataclass(frozen=True)
class TownWorld:
    """The rules of a town for the trainer, see `world.World`."""

    shape: TownShape

    def reset(self, key: jax.Array, numbers: TownNumbers, params: TrainParams) -> TownLife:
        """Starts a town whose residents have needs and money all over the range of training."""
        town_key, spread_key = jax.random.split(key)
        town = init(self.shape, town_key, *numbers)
        is_alive = town.agents.is_alive
        u = jax.random.uniform(spread_key, (self.shape.num_agents, 4), jnp.float32)
        level = _spread(u[:, :3], params.reset_needs)
        wallet = _spread(u[:, 3], params.reset_wallet)
        town = town.replace(
            needs=town.needs.replace(level=jnp.where(is_alive[:, None], level, town.needs.level)),
            agents=town.agents.replace(wallet=jnp.where(is_alive, wallet, town.agents.wallet)),
        )
        return TownLife(town=town, rewards=empty_rewards(self.shape))

    def see(
        self,
        state: TownLife,
        choice: Choice,
        is_reset: jax.Array,
        satisfied_level: jax.Array,
        numbers: TownNumbers,
        params: TrainParams,
    ) -> tuple[Seen, jax.Array]:
        """Shows the town to its residents; at the option level the learner's masks apply."""
        town, (town_params, layout) = state.town, numbers
        observation = observe(self.shape, town, is_reset, town_params, layout)
        legal = observation.action_mask
        mask = legal
        if self.shape.action_level == "option":
            mask = policy_mask(legal, town, choice, is_reset, satisfied_level, params, layout)
        is_valid = town.agents.is_alive & ~town.agents.is_leaving
        is_valid &= ~follows_schedule(town, layout)
        num_hidden = jnp.sum(legal & ~mask, axis=1, dtype=jnp.int32)
        return pack(observation.replace(action_mask=mask), is_valid), num_hidden

    def sample_key(self, state: TownLife) -> jax.Array:
        """Returns the key of the town's policy stream at this tick."""
        return purpose_key(state.town.clock, Stream.POLICY, Purpose.ACTION_SAMPLE)

    def tick(self, state: TownLife) -> jax.Array:
        """Returns the tick about to run."""
        return state.town.clock.tick

    def step(
        self, state: TownLife, action: jax.Array, numbers: TownNumbers
    ) -> tuple[TownLife, Outcome]:
        """Lives one tick."""
        params, layout = numbers
        town, events = computed_once(step(self.shape, state.town, action, None, params, layout))
        rewards, paid = computed_once(reward(state.rewards, town, events, params))
        decision = Decision(action=action, is_done=jnp.zeros_like(town.agents.is_alive))
        decision = settle(self.shape, decision, town, events, params, layout)
        is_alive = town.agents.is_alive
        level = jnp.where(is_alive[:, None], town.needs.level, 0.0)
        is_low = is_alive[:, None] & (town.needs.level <= LOW_NEED)
        outcome = Outcome(
            reward=paid.total,
            is_exited=events.lifecycle.exited != ExitReason.NONE,
            is_over=decision.is_done,
            is_reset=events.lifecycle.context_reset,
            stats={
                "terms": jnp.sum(paid.breakdown, axis=0),
                "squared_terms": jnp.sum(jnp.square(paid.breakdown), axis=0),
                "needs": jnp.sum(level, axis=0),
                "low_needs": jnp.sum(is_low, axis=0, dtype=jnp.int32),
                "living": jnp.sum(is_alive, dtype=jnp.int32),
                "collapses": jnp.sum(events.lifecycle.collapsed, dtype=jnp.int32),
            },
        )
        return TownLife(town=town, rewards=rewards), outcome

    def at_stage(self, numbers: TownNumbers, stage: jax.Array) -> TownNumbers:
        """Returns the numbers with another social reward stage."""
        params, layout = numbers
        return params.replace(rewards=params.rewards.replace(social_stage=stage)), layout

    def figures(
        self, before: TownLife, after: TownLife, numbers: TownNumbers
    ) -> dict[str, jax.Array]:
        """Counts what happened in a rollout, and how the town stands at its end."""
        town = after.town
        charter = kpi(town, numbers[0])
        is_alive = town.agents.is_alive
        return {
            "totals": town.metrics.totals - before.town.metrics.totals,
            "clip_events": after.rewards.clip_events - before.rewards.clip_events,
            "num_alive": jnp.sum(is_alive, dtype=jnp.int32),
            "wallets": jnp.sum(jnp.where(is_alive, town.agents.wallet, 0.0)),
            "self_sufficiency": charter.self_sufficiency,
            "relationship_coverage": charter.relationship_coverage,
            "lateness_rate": charter.lateness_rate,
        }


def _spread(u: jax.Array, span: jax.Array) -> jax.Array:
    """Stretches uniforms over a range."""
    low, high = span
    return low + rounded(u * (high - low))


EXITS = slice(Total.EXIT_FAINT, Total.EXIT_APPROVED + 1)
"""Exits of all reasons among the totals."""
