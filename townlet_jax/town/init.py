"""A fresh town, built from its tables."""

import jax
import jax.numpy as jnp

from townlet_jax.config.layout import TownLayout
from townlet_jax.config.params import TownParams
from townlet_jax.config.shape import NUM_NEEDS, TownShape
from townlet_jax.masked import LONG_AGO, NONE, rank, rounded
from townlet_jax.rules import lifecycle, slots
from townlet_jax.state import TownState, empty
from townlet_jax.state.clock import Clock, Purpose, Stream, now
from townlet_jax.town.draws import AT_CONSTRUCTION, purpose_key, uniform


def init(shape: TownShape, key: jax.Array, params: TownParams, layout: TownLayout) -> TownState:
    """Builds a town at tick 0 with the residents, stock, prices and ties of its layout.

    Args:
      shape: static sizes.
      key: key `[]` of the seed; it is consumed.
      params, layout: the town's numbers and tables.

    Returns:
      The town; slots without a resident are vacant and stay so until somebody is placed there.
    """
    state = empty(shape, key)
    residents = layout.residents
    is_resident = residents.is_resident
    moment = now(state.clock, params.time.ticks_per_day)
    places, _ = slots.allocate(state.slots, is_resident, moment, params.slots)
    traits, profile = _personalities(state.clock, params, layout)
    agents = state.agents.replace(
        is_alive=is_resident,
        position=jnp.where(is_resident[:, None], residents.position, 0),
        home=residents.home,
        traits=traits,
        profile=profile,
        wallet=jnp.where(is_resident, residents.wallet, 0.0),
        job=jnp.where(is_resident, residents.job, NONE),
    )
    formed = jnp.where(residents.is_tie, jnp.int32(0), LONG_AGO)
    return state.replace(
        agents=agents,
        needs=state.needs.replace(level=_needs(shape, state.clock, params, layout)),
        queues=state.queues.replace(is_fairness_on=residents.is_fairness_on),
        economy=state.economy.replace(
            stock=layout.stock.initial, price_base=params.economy.price_base
        ),
        lifecycle=state.lifecycle.replace(
            is_mortality_on=residents.is_mortality_on,
            num_arrivals=jnp.sum(is_resident, dtype=jnp.int32),
        ),
        slots=places,
        relationships=state.relationships.replace(
            is_tie=residents.is_tie,
            trust=residents.trust,
            familiarity=residents.familiarity,
            rivalry=residents.rivalry,
            formed_tick=formed,
            last_event_tick=formed,
        ),
    )


def _personalities(
    clock: Clock, params: TownParams, layout: TownLayout
) -> tuple[jax.Array, jax.Array]:
    """Traits `[A, 3]` and profiles `[A]`: those of the file, else assigned as for newcomers."""
    residents = layout.residents
    shift = uniform(_bits(clock, Purpose.PERSONALITY_SHIFT, 3))
    traits, profile = lifecycle.personality(
        rank(residents.is_resident), residents.halton, shift, params.lifecycle
    )
    is_assigned = residents.is_resident & residents.is_random_traits
    return (
        jnp.where(is_assigned[:, None], traits, residents.traits),
        jnp.where(is_assigned, profile, residents.profile),
    )


def _needs(shape: TownShape, clock: Clock, params: TownParams, layout: TownLayout) -> jax.Array:
    """Needs `[A, N]`: those of the file, else drawn from the range of newcomers."""
    residents = layout.residents
    u = uniform(_bits(clock, Purpose.INITIAL_NEEDS, shape.num_agents * NUM_NEEDS))
    low, high = params.lifecycle.arrival_needs
    drawn = low + rounded(u.reshape(-1, NUM_NEEDS) * (high - low))
    level = jnp.where(residents.is_random_needs[:, None], drawn, residents.needs)
    return jnp.where(residents.is_resident[:, None], level, 0.0)


def _bits(clock: Clock, purpose: Purpose, length: int) -> jax.Array:
    before = clock.replace(tick=jnp.int32(AT_CONSTRUCTION))
    return jax.random.bits(purpose_key(before, Stream.WORLD, purpose), (length,))
