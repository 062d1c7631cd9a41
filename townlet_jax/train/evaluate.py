"""Policies over many towns and days, the same towns for each of them (training text §11)."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax.sharding import Mesh, PartitionSpec

from townlet_jax.config.town import Town
from townlet_jax.config.town_params import REWARD_STAGES
from townlet_jax.env.batch import compiler_options, most_devices
from townlet_jax.env.core import TownNumbers
from townlet_jax.env.stats import fitness_of_day
from townlet_jax.masked import computed_once
from townlet_jax.nets import categorical
from townlet_jax.state import Relationships, TownState
from townlet_jax.state.rewards import empty_rewards
from townlet_jax.town.init import init
from townlet_jax.town.metrics import DayKpi, day_kpi, kpi
from townlet_jax.town.policies import POLICIES
from townlet_jax.town.view import look
from townlet_jax.train.config import TrainParams, TrainShape, train_params, train_shape
from townlet_jax.train.network import run_network
from townlet_jax.train.rollout import Acting, carry_out, draw
from townlet_jax.train.schedules import final_controls
from townlet_jax.train.town_world import TownLife, TownWorld
from townlet_jax.train.types import Seen, undecided

HOURS = 24
"""Parts of a day that curves are made of."""
_TOWNS, _SHARED = PartitionSpec("towns"), PartitionSpec()
_HOUR_SUMS = ("living", "needs", "low_needs")


@dataclasses.dataclass(frozen=True)
class Mind:
    """Who decides; static.

    Attributes:
      name: of a built-in policy, or `network`.
      is_greedy: whether a network takes the likeliest action instead of drawing one.
    """

    name: str
    is_greedy: bool = False


class Diary(struct.PyTreeNode):
    """What is noted of a town, `D` days.

    Attributes:
      days: figures of the closed days, float32 `[D, ...]` and bool `[D, 17]`.
      terms: float32 `[D, 11]` [reward], by `Term`, sums over residents. living: int32 `[D, 24]`
        [resident ticks]; needs: float32 `[D, 24, 3]`, sums of levels; low_needs: int32, likewise.
      options: int32 `[24, n]`, decisions by hour of the day.
      returns: float32 `[A]`, discounted, of the first residents to their exit; is_first_life: bool
        `[A]`, it goes on.
      day_reward: float32 `[A]` of the day so far; fitness: float32 `[D]`, mean of agent fitness.
      tenure_late: float32 `[2]`, lifetime tenure [day] and late share as they stand.
    """

    days: DayKpi
    terms: jax.Array
    living: jax.Array
    needs: jax.Array
    low_needs: jax.Array
    options: jax.Array
    returns: jax.Array
    is_first_life: jax.Array
    day_reward: jax.Array
    fitness: jax.Array
    tenure_late: jax.Array


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """How a policy fared; numpy arrays, E towns.

    Attributes:
      num_days: D. seeds: of the towns.
      diary: leaves `[E, ...]`, see `Diary`.
      relationships: ties at the end, leaves `[E, A, A]`.
      watched: of town 0, by decision: `tick` `[W]`, `action` `[W, A]`, `level` `[W, A, 3]`,
        `is_alive` `[W, A]`.
      town: state of town 0 at the end.
    """

    num_days: int
    seeds: tuple[int, ...]
    diary: Diary
    relationships: Relationships
    watched: dict[str, np.ndarray]
    town: TownState

    @property
    def window(self) -> int:
        """Ticks of a decision [tick]."""
        tick = self.watched["tick"]
        return int(tick[1] - tick[0]) if len(tick) > 1 else 1


class Noted(Protocol):
    """What KPIs are read from; E towns."""

    @property
    def num_days(self) -> int:
        """D."""

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of the towns."""

    @property
    def diary(self) -> Diary:
        """Leaves `[E, ...]`."""

    @property
    def window(self) -> int:
        """Ticks of a decision [tick]."""


def evaluate(
    town: Town,
    mind: Mind,
    seeds: Sequence[int],
    num_days: int,
    *,
    shape: TrainShape | None = None,
    params: Any = None,
    policy: TrainParams | None = None,
    stage: str | None = None,
) -> Evaluation:
    """Lets a policy live in fresh towns. One compile per policy kind, number of towns and days.

    Args:
      town: the configuration, which is not modified in any way.
      mind: who decides.
      seeds: of the towns, E of them.
      num_days: D, at least 1.
      shape: sizes of the network. params: of the network. policy: masks and commitment that it
        was trained with; None = those of the configuration.
      stage: social reward stage; None = that of the configuration.

    Returns:
      The figures, on the host.
    """
    numbers: TownNumbers = (town.params, town.layout)
    world = TownWorld(town.shape)
    if stage is not None:
        numbers = world.at_stage(numbers, jnp.int32(REWARD_STAGES.index(stage)))
    learner_params = train_params(town.config) if policy is None else policy
    if mind.name != "network":
        learner_params = free(learner_params)
    sizes = train_shape(town) if shape is None else shape
    num_ticks = num_days * int(town.params.time.ticks_per_day)
    k = sizes.decide_every
    num_windows = -(-num_ticks // k)
    stay = Stay(world, mind, sizes, num_days, num_windows)
    run = _runner(stay, most_devices(len(seeds)))
    words = jnp.asarray(np.array(seeds) % 2**31, jnp.uint32)
    given = run(words, {} if params is None else params, numbers, learner_params)
    diary, ties, watched, last = jax.device_get(given)
    return Evaluation(num_days, tuple(seeds), diary, ties, watched, last)


def free(params: TrainParams) -> TrainParams:
    """Returns the numbers for a built-in policy, which may choose whatever the town allows."""
    return params.replace(
        satisfied_level=jnp.full_like(params.satisfied_level, 2.0),
        option_commit_ticks=jnp.zeros_like(params.option_commit_ticks),
    )


@dataclasses.dataclass(frozen=True)
class Stay:
    """What decides the program of an evaluation; static.

    Attributes:
      world: the place. mind: who decides. shape: sizes of the network, and how often it decides.
      num_days: D. num_windows: decisions.
      is_watched: whether the first town is watched decision by decision.
    """

    world: TownWorld
    mind: Mind
    shape: TrainShape
    num_days: int
    num_windows: int
    is_watched: bool = True


def live(
    stay: Stay, seeds: jax.Array, net: Any, numbers: TownNumbers, params: TrainParams
) -> tuple[Diary, TownState, dict[str, jax.Array]]:
    """Lets a policy live in fresh towns, to be compiled.

    Args:
      stay: static.
      seeds: uint32 `[E]`, of the towns.
      net: parameters of the network, or nothing.
      numbers: of the towns. params: of the learner, for masks and commitment.

    Returns:
      Diaries `[E, ...]`; towns at the end `[E, ...]`; what is watched, `[W, 1, ...]` by name.
    """
    world, mind, shape, num_days = stay.world, stay.mind, stay.shape, stay.num_days
    start = jax.vmap(functools.partial(_begin, world, shape, num_days), (0, None))
    level = final_controls(params).satisfied_level
    note = jax.vmap(functools.partial(_note, world.shape.num_actions), (0, 0, 0, 0, None))

    def body(carry: tuple, _: Any) -> tuple[tuple, dict[str, jax.Array]]:
        now, diary = carry
        see = jax.vmap(world.see, in_axes=(0, 0, 0, None, None, None))
        seen, _ = see(now.world, now.choice, now.is_first, level, numbers, params)
        hidden, action = _choose(world, mind, shape, net, now, seen, numbers)
        discount = numbers[0].rewards.discount
        later, done, sums = carry_out(
            world, shape.decide_every, now, hidden, seen, action, numbers, discount
        )
        before = now.world.town
        diary = note(diary, before, later.world.town, (seen, action, done, sums), numbers)
        watched = {
            "tick": before.clock.tick[:1],
            "action": action[:1],
            "level": before.needs.level[:1],
            "is_alive": before.agents.is_alive[:1],
        }
        return (later, diary), watched if stay.is_watched else {}

    (now, diary), watched = jax.lax.scan(
        body, start(seeds, numbers), None, length=stay.num_windows
    )
    return diary, now.world.town, watched


@functools.cache
def _runner(stay: Stay, num_devices: int) -> Callable[..., tuple]:
    def run(seeds: jax.Array, net: Any, numbers: TownNumbers, params: TrainParams) -> tuple:
        diary, last, watched = live(stay, seeds, net, numbers, params)
        first = jax.tree.map(lambda x: x[:1], last)
        plain = first.replace(
            clock=first.clock.replace(stream_keys=jax.random.key_data(first.clock.stream_keys))
        )
        watched = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), watched)
        return diary, last.relationships, watched, plain

    sharded = jax.shard_map(
        run,
        mesh=Mesh(np.array(jax.local_devices()[:num_devices]), ("towns",)),
        in_specs=(_TOWNS, _SHARED, _SHARED, _SHARED),
        out_specs=_TOWNS,
        check_vma=False,
    )

    def first_of(*args: Any) -> tuple:
        diary, ties, watched, last = sharded(*args)
        return diary, ties, *jax.tree.map(lambda x: x[0], (watched, last))

    return jax.jit(first_of, compiler_options=compiler_options())


def _begin(
    world: TownWorld, shape: TrainShape, num_days: int, seed: jax.Array, numbers: TownNumbers
) -> tuple[Acting, Diary]:
    """Starts a town of a seed, as a simulation does, and an empty diary."""
    num_agents, num_actions = world.shape.num_agents, world.shape.num_actions
    town = init(world.shape, jax.random.key(seed), *numbers)
    now = Acting(
        world=TownLife(town=town, rewards=empty_rewards(world.shape)),
        hidden=jnp.zeros((num_agents, shape.gru_hidden), jnp.float32),
        is_first=town.agents.is_alive,
        choice=undecided(num_agents),
    )
    blank = day_kpi(town.metrics, town.relationships, numbers[0])
    days = jax.tree.map(lambda x: jnp.zeros((num_days, *x.shape), x.dtype), blank)
    zeros = functools.partial(jnp.zeros, dtype=jnp.float32)
    diary = Diary(
        days=days,
        terms=zeros((num_days, 11)),
        living=jnp.zeros((num_days, HOURS), jnp.int32),
        needs=zeros((num_days, HOURS, 3)),
        low_needs=jnp.zeros((num_days, HOURS, 3), jnp.int32),
        options=jnp.zeros((HOURS, num_actions), jnp.int32),
        returns=zeros(num_agents),
        is_first_life=town.agents.is_alive,
        day_reward=zeros(num_agents),
        fitness=zeros(num_days),
        tenure_late=zeros(2),
    )
    return now, diary


def _choose(
    world: TownWorld,
    mind: Mind,
    shape: TrainShape,
    net: Any,
    now: Acting,
    seen: Seen,
    numbers: TownNumbers,
) -> tuple[jax.Array, jax.Array]:
    """Decides for all residents of all towns: hidden state, action int32 `[E, A]`."""
    if mind.name != "network":
        policy, (params, layout) = POLICIES[mind.name], numbers

        def ask(state: TownLife, mask: jax.Array) -> jax.Array:
            view = look(world.shape, state.town, params, layout)
            return policy(world.sample_key(state), view, state.town, mask, params, layout)

        return now.hidden, jax.vmap(ask)(now.world, seen.mask)
    sequence = jax.tree.map(lambda x: x[None], seen)
    hidden, log_probs, _ = run_network(shape, net, now.hidden, sequence, now.is_first[None])
    if mind.is_greedy:
        return hidden, categorical.greedy(log_probs[0])
    return hidden, draw(world, now.world, log_probs[0])


def _note(
    num_actions: int,
    diary: Diary,
    before: TownState,
    after: TownState,
    lived: tuple,
    numbers: TownNumbers,
) -> Diary:
    """Notes a window; what it brought counts for the hour in which it began."""
    seen, action, done, sums = lived
    params, _ = numbers
    ticks_per_day = params.time.ticks_per_day
    tick, end = before.clock.tick, after.clock.tick
    day = jnp.minimum(tick // ticks_per_day, diary.terms.shape[0] - 1)
    hour = (tick % ticks_per_day) * HOURS // ticks_per_day
    codes = jnp.arange(num_actions, dtype=jnp.int32)
    chosen = (action[:, None] == codes[None, :]) & seen.is_valid[:, None]

    figures = computed_once(day_kpi(after.metrics, after.relationships, params))
    index = after.metrics.last_day_index
    place = jnp.where(index < 0, diary.terms.shape[0], index)  # out of range is dropped
    days = jax.tree.map(lambda all, new: all.at[place].set(new, mode="drop"), diary.days, figures)

    weight = jnp.power(params.rewards.discount, tick.astype(jnp.float32))
    gained = jnp.where(diary.is_first_life, weight * done.reward, 0.0)
    is_closing = end % ticks_per_day == 0
    day_reward = diary.day_reward + done.reward
    fitness = jnp.mean(fitness_of_day(day_reward, after, params))
    charter = kpi(after, params)
    added = {name: getattr(diary, name).at[day, hour].add(sums[name]) for name in _HOUR_SUMS}
    return diary.replace(
        **added,
        days=days,
        terms=diary.terms.at[day].add(sums["terms"]),
        options=diary.options.at[hour].add(jnp.sum(chosen, axis=0, dtype=jnp.int32)),
        returns=diary.returns + gained,
        is_first_life=diary.is_first_life & ~done.is_terminated,
        day_reward=jnp.where(is_closing, 0.0, day_reward),
        fitness=diary.fitness.at[day].set(jnp.where(is_closing, fitness, diary.fitness[day])),
        tenure_late=jnp.stack([charter.tenure_days, charter.lateness_rate]),
    )
