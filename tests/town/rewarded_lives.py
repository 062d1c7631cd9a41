"""Days of the standard town under a built-in policy, eight seeds at once, and what they earn."""

import functools
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from townlet_jax.config import load
from townlet_jax.env import batch
from townlet_jax.state.rewards import RewardState, empty_rewards
from townlet_jax.town.policies import POLICIES
from townlet_jax.town.reward import Term, reward
from townlet_jax.town.reward_terms import is_ending

CONFIG = Path(__file__).parents[2] / "configs" / "town.yaml"
DAY, DAYS, SEEDS = 1440, 6, 8
FIRST_LIFE_DAYS = 3
GAMMA = 0.998
CASES = {
    "idle": ("idle", "primitive", 5),
    "random primitive": ("random", "primitive", 5),
    "random option": ("random", "option", 5),
    "random option, 60 ticks": ("random", "option", 60),
    "scripted": ("scripted", "option", 5),
}
"""Policy, action level and ticks per decision."""


class Life(struct.PyTreeNode):
    """A town, who decides, and what its residents earned: sums of the breakdown, the totals of
    every tick (NaN where a slot is not scored), the return of each slot's first life, and whether
    it lasts.
    """

    towns: batch.Towns
    mind: jax.Array
    rewards: RewardState
    breakdown: jax.Array
    totals: jax.Array
    value: jax.Array
    is_first: jax.Array


class Lives(NamedTuple):
    """Results, numpy with a leading axis of the seeds.

    value: `[8]`, mean over slots of the discounted return of the first life. totals: `[8, T, A]`.
    per_day: `[8, 11]` per slot and day of being scored. clips: `[8, 3]`.
    """

    value: np.ndarray
    totals: np.ndarray
    per_day: np.ndarray
    clips: np.ndarray


@functools.cache
def program(*form):
    """Returns a town, the policies of the cases of a form (level, ticks), and what lives them."""
    level, ticks = form
    town = load(
        CONFIG,
        [
            f"ppo.gamma={GAMMA}",
            "features.stages.social_rewards=C1",
            f"world.action_level={level}",
            f"policy.decide_every={ticks}",
        ],
    )
    names = [policy for policy, *own in CASES.values() if tuple(own) == form]

    def live_one(life, params, layout):
        def chosen(*args):
            return jax.lax.switch(life.mind, [POLICIES[name] for name in names], *args)

        tick = life.towns.state.clock.tick
        towns, events = batch.live(town.shape, chosen, life.towns, params, layout)
        rewards, made = reward(life.rewards, towns.state, events, params)
        is_counted = life.is_first & (tick < FIRST_LIFE_DAYS * DAY)
        weight = jnp.float32(GAMMA) ** tick.astype(jnp.float32)
        is_scored = made.breakdown[:, Term.SURVIVAL] > 0
        return Life(
            towns=towns,
            mind=life.mind,
            rewards=rewards,
            breakdown=life.breakdown + jnp.sum(made.breakdown, axis=0),
            totals=life.totals.at[tick].set(jnp.where(is_scored, made.total, jnp.nan)),
            value=life.value + jnp.where(is_counted, weight * made.total, 0.0),
            is_first=life.is_first & ~is_ending(events),
        )

    return town, names, batch.loop(live_one, 1, SEEDS)


@functools.cache
def lives(name):
    """Lives six days under a policy of `CASES`, at stage C1."""
    policy, *form = CASES[name]
    town, names, run = program(*form)
    num_slots = town.shape.num_agents

    def many(tree):
        return jax.tree.map(lambda x: jnp.broadcast_to(x, (SEEDS, *x.shape)).copy(), tree)

    fresh = {
        "mind": jnp.int32(names.index(policy)),
        "rewards": empty_rewards(town.shape),
        "breakdown": jnp.zeros(len(Term)),
        "totals": jnp.zeros((DAYS * DAY, num_slots)),
        "value": jnp.zeros(num_slots),
        "is_first": jnp.ones(num_slots, bool),
    }
    life = Life(towns=batch.start(town, seed=1, num_towns=SEEDS), **many(fresh))
    life = jax.device_get(run(life, jnp.int32(DAYS * DAY), town.params, town.layout))
    scored_days = (~np.isnan(life.totals)).sum(axis=(1, 2)) / DAY
    return Lives(
        value=life.value.mean(axis=1),
        totals=life.totals,
        per_day=life.breakdown / scored_days[:, None],
        clips=life.rewards.clip_events,
    )
