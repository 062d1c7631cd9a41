"""Built-in policies: idle, random and scripted; pure, with the interface of a network."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.config.layout import Flag, Role, TownLayout
from townlet_jax.config.params import TownParams
from townlet_jax.masked import NEVER, NONE, first_true, one_hot, pick
from townlet_jax.rules import affordances
from townlet_jax.state import TownState
from townlet_jax.town.options import OWN_ROLES, Option, owns
from townlet_jax.town.view import View, is_role

Policy = Callable[[jax.Array, View, TownState, jax.Array, TownParams, TownLayout], jax.Array]
"""`(key, view, state, mask, params, layout) -> action`, mask bool `[A, n]`, action int32 `[A]`."""

NEED_OPTIONS = (Option.GET_FED, Option.GET_CLEAN, Option.SLEEP)
"""Option that serves each need."""


class ScriptParams(struct.PyTreeNode):
    """Numbers of the scripted policy, all traced.

    Attributes:
      rested, awake_need: float32 [level], sleep ends above the first, or when hunger or hygiene
        fall to the second.
      wake_ticks: int32 [tick] before a shift in which energy above `wake_energy` [level] ends a
        sleep.
      work_hunger, work_energy: float32 [level] at or below which work is left.
      starving, exhausted: float32 [level] below which nothing else counts.
      leave_ticks, prepare_ticks, nap_ticks: int32 [tick] before setting out for work.
      prepare_energy, prepare_need: float32 [level] below which a shift is prepared for.
      urgent: float32 [level] below which the lowest need comes first.
      night_until, night_from: int32 [tick of day]; night_energy: float32 [level] below which nights
        are slept.
      pantry_meals: int32 [units]; cook_wallet: float32 [money]; cook_every: int32, slots divisible
        by it cook.
    """

    rested: jax.Array
    awake_need: jax.Array
    wake_ticks: jax.Array
    wake_energy: jax.Array
    work_hunger: jax.Array
    work_energy: jax.Array
    starving: jax.Array
    exhausted: jax.Array
    leave_ticks: jax.Array
    prepare_ticks: jax.Array
    nap_ticks: jax.Array
    prepare_energy: jax.Array
    prepare_need: jax.Array
    urgent: jax.Array
    night_until: jax.Array
    night_from: jax.Array
    night_energy: jax.Array
    pantry_meals: jax.Array
    cook_wallet: jax.Array
    cook_every: jax.Array


def script_params() -> ScriptParams:
    """Returns the numbers that the published figures were taken with."""
    numbers = {
        "rested": 0.97, "awake_need": 0.37, "wake_ticks": 90, "wake_energy": 0.5,
        "work_hunger": 0.2, "work_energy": 0.1, "starving": 0.2, "exhausted": 0.12,
        "leave_ticks": 15, "prepare_ticks": 150, "nap_ticks": 70,
        "prepare_energy": 0.6, "prepare_need": 0.65, "urgent": 0.36,
        "night_until": 360, "night_from": 1320, "night_energy": 0.8,
        "pantry_meals": 4, "cook_wallet": 0.5, "cook_every": 4,
    }  # fmt: skip
    types = {int: jnp.int32, float: jnp.float32}
    return ScriptParams(**{name: types[type(x)](x) for name, x in numbers.items()})


def idle(
    key: jax.Array,
    view: View,
    state: TownState,
    mask: jax.Array,
    params: TownParams,
    layout: TownLayout,
) -> jax.Array:
    """Waits or rests, whatever happens. The key is not consumed."""
    del key, view, state, params, layout
    return jnp.zeros(mask.shape[0], jnp.int32)


def random(
    key: jax.Array,
    view: View,
    state: TownState,
    mask: jax.Array,
    params: TownParams,
    layout: TownLayout,
) -> jax.Array:
    """Draws uniformly from the legal actions. The key is consumed."""
    del view, state, params, layout
    num_legal = jnp.sum(mask, axis=-1, dtype=jnp.int32)
    bits = (jax.random.bits(key, (mask.shape[0],)) >> 1).astype(jnp.int32)
    nth = bits % jnp.maximum(num_legal, 1)
    before = jnp.cumsum(mask, axis=-1, dtype=jnp.int32) - 1
    return jnp.maximum(first_true(mask & (before == nth[:, None])), 0)


def scripted(
    key: jax.Array,
    view: View,
    state: TownState,
    mask: jax.Array,
    params: TownParams,
    layout: TownLayout,
) -> jax.Array:
    """Lives sensibly by a fixed list of rules; the first that applies decides. The key is not
    consumed.

    Option level only. What it chooses is always legal, else it rests.
    """
    del key
    script = script_params()
    rules = [
        *_running_rules(view, state, params, layout, script),
        *_need_rules(view, state, params, layout, script),
    ]
    option = jnp.full(mask.shape[0], Option.REST, jnp.int32)
    for applies, choice in reversed(rules):
        option = jnp.where(applies, choice, option)
    is_legal = jnp.any(one_hot(option, mask.shape[1]) & mask, axis=-1)
    return jnp.where(is_legal, option, Option.REST)


POLICIES: dict[str, Policy] = {"scripted": scripted, "random": random, "idle": idle}
"""Built-in policies by name."""

_Rule = tuple[jax.Array, jax.Array | Option]


def _shift(
    view: View, state: TownState, params: TownParams, layout: TownLayout
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Reads today's shift: start and end [tick of day] and the distance to the site [tile], all
    int32 `[A]`.

    Without an open shift the start is NEVER and the end -1, so that no comparison holds.
    """
    job = state.agents.job
    is_open = (job != NONE) & (state.employment.closed_day != view.now.day)
    start = jnp.where(is_open, pick(params.employment.start, job), NEVER)
    end = jnp.where(is_open, pick(params.employment.end, job), -1)
    target = pick(layout.jobs.target, job, NONE)
    x, y = state.agents.position[:, 0], state.agents.position[:, 1]
    distance = layout.map.distance[y, x, jnp.maximum(target, 0)].astype(jnp.int32)
    return start, end, jnp.where(target == NONE, 0, distance)


def _running_rules(
    view: View, state: TownState, params: TownParams, layout: TownLayout, script: ScriptParams
) -> list[_Rule]:
    """Rules for residents that run something."""
    hunger, hygiene, energy = (state.needs.level[:, n] for n in range(3))
    time = view.now.tick_of_day
    start, _, _ = _shift(view, state, params, layout)
    has_partner = jnp.any(view.can_chat, axis=-1)
    is_asleep = is_role(layout, Role.BED, state.use.obj)
    is_due = (start - script.wake_ticks <= time) & (time <= start) & (energy > script.wake_energy)
    sleeps_on = (energy < script.rested) & (hunger > script.awake_need)
    sleeps_on &= (hygiene > script.awake_need) & ~is_due
    is_at_work = affordances.has_flag(state.use, Flag.WORK, layout.affordances)
    works_on = (hunger > script.work_hunger) & (energy > script.work_energy)
    is_busy = view.is_running & ~is_asleep & ~is_at_work
    rules: list[_Rule] = [
        (is_asleep & sleeps_on, Option.SLEEP),
        (is_at_work & works_on & has_partner, Option.SOCIALISE),
        (is_at_work & works_on, Option.GO_TO_WORK),
        (is_busy & has_partner & ~view.is_blocking, Option.SOCIALISE),
    ]
    for option in (Option.COOK, *OWN_ROLES):
        rules.append((is_busy & owns(state, layout, option), option))
    return rules


def _need_rules(
    view: View, state: TownState, params: TownParams, layout: TownLayout, script: ScriptParams
) -> list[_Rule]:
    """Rules for residents that are free to choose."""
    level = state.needs.level
    hunger, hygiene, energy = (level[:, n] for n in range(3))
    time = view.now.tick_of_day
    start, end, distance = _shift(view, state, params, layout)
    slack = start - distance  # [tick of day], latest moment to set out
    prepares = (slack - script.prepare_ticks <= time) & (time < start)
    serving = jnp.array(NEED_OPTIONS, jnp.int32)
    lowest = serving[jnp.argmin(level, axis=-1)]
    shortfall = params.behavior.thresholds[None, :] - level
    wanting = serving[jnp.argmax(shortfall, axis=-1)]
    is_night = (time < script.night_until) | (time > script.night_from)
    company = jnp.where(params.relationships.stage > 0, Option.SOCIALISE, Option.REST)
    return [
        (hunger < script.starving, Option.GET_FED),
        (energy < script.exhausted, Option.SLEEP),
        ((slack - script.leave_ticks <= time) & (time <= end), Option.GO_TO_WORK),
        (
            prepares & (energy < script.prepare_energy) & (time < slack - script.nap_ticks),
            Option.SLEEP,
        ),
        (prepares & (hygiene < script.prepare_need), Option.GET_CLEAN),
        (prepares & (hunger < script.prepare_need), Option.GET_FED),
        (jnp.min(level, axis=-1) < script.urgent, lowest),
        (view.meet != NONE, Option.SOCIALISE),
        (jnp.max(shortfall, axis=-1) > 0, wanting),
        (is_night & (energy < script.night_energy), Option.SLEEP),
        (_should_cook(view, state, layout, script), Option.COOK),
        (jnp.ones_like(view.can_act), company),
    ]


def _should_cook(
    view: View, state: TownState, layout: TownLayout, script: ScriptParams
) -> jax.Array:
    """Every fourth slot cooks when a pantry runs low and money allows, bool `[A]`."""
    meals = pick(pick(view.stock, layout.stock.meals), layout.objects.venue)  # [O]
    is_low = jnp.any(layout.objects.is_role[Role.FRIDGE] & (meals < script.pantry_meals))
    slot = jnp.arange(view.can_act.shape[0], dtype=jnp.int32)
    return is_low & (state.agents.wallet > script.cook_wallet) & (slot % script.cook_every == 0)
