"""What must hold after every tick, as one function that runs inside the compiled loop."""

import jax
import jax.numpy as jnp

from townlet_jax.config.layout import TownLayout
from townlet_jax.config.params import TownParams
from townlet_jax.masked import NONE, one_hot, pick
from townlet_jax.rules import perturbations
from townlet_jax.state import TownState
from townlet_jax.state.events import FailSource, TickEvents
from townlet_jax.town.view import costs, prices


def violations(
    before: TownState,
    after: TownState,
    events: TickEvents,
    params: TownParams,
    layout: TownLayout,
) -> dict[str, jax.Array]:
    """Returns bool per invariant, true where it is broken."""
    return {
        "floats are finite": ~_is_finite(after),
        "needs lie in [0, 1]": jnp.any((after.needs.level < 0) | (after.needs.level > 1)),
        "wallets are not negative": jnp.any(after.agents.wallet < 0),
        **_queues(after, events, layout),
        **_vacancy(after),
        **_ties(after, params),
        **_stock(after, layout),
        "money comes from somewhere": _money(before, after, events, params, layout),
    }


def _is_finite(state):
    leaves = [x for x in jax.tree.leaves(state) if x.dtype == jnp.float32]
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(x)) for x in leaves]))


def _queues(state, events, layout):
    queues, use, objects = state.queues, state.use, layout.objects
    num_objects, num_agents = queues.cooldown_until.shape
    holds = one_hot(queues.holder, num_agents)  # [O, A]
    waits = queues.waiting_for[None, :] == jnp.arange(num_objects, dtype=jnp.int32)[:, None]
    is_running = use.affordance != NONE
    is_free = queues.holder == NONE
    was_freed_late = jnp.any(events.lifecycle.collapsed)
    runs_real = is_running & ~pick(objects.is_virtual, use.obj, True)
    rows = jnp.arange(num_objects, dtype=jnp.int32)[:, None]
    held = jnp.max(jnp.where(holds, rows, NONE), axis=0)
    is_reserved = ~objects.is_object | objects.is_virtual
    return {
        "a resident holds one row at most": jnp.any(jnp.sum(holds, axis=0) > 1),
        "nobody holds and waits": jnp.any(jnp.any(holds, axis=0) & (queues.waiting_for != NONE)),
        "nobody waits for a free row": jnp.any(is_free[:, None] & waits) & ~was_freed_late,
        "who runs something holds it": jnp.any(runs_real & (held != use.obj)),
        "idle residents run nothing": jnp.any(
            ~is_running & ((use.obj != NONE) | (use.remaining_ticks != 0) | (use.paid != 0))
        ),
        "runs have time left": jnp.any(is_running & (use.remaining_ticks <= 0)),
        "virtual and padding rows are nobody's": jnp.any(
            is_reserved & (~is_free | jnp.any(waits, axis=1))
        ),
    }


def _vacancy(state):
    is_vacant = ~state.agents.is_alive
    num_agents = is_vacant.shape[0]
    is_held = jnp.any(one_hot(state.queues.holder, num_agents), axis=0)
    ties = jnp.any(state.relationships.is_tie, axis=0) | jnp.any(state.relationships.is_tie, axis=1)
    slot = state.slots.slot
    is_same = (slot[:, None] == slot[None, :]) & (slot != NONE)[:, None]
    is_same &= ~jnp.eye(num_agents, dtype=bool)
    has_anything = (
        is_held
        | (state.queues.waiting_for != NONE)
        | (state.use.affordance != NONE)
        | ties
        | (slot != NONE)
        | (state.agents.wallet != 0)
    )
    return {
        "vacant slots have nothing": jnp.any(is_vacant & has_anything),
        "living residents have a slot each": jnp.any(is_same)
        | jnp.any(state.agents.is_alive & (slot == NONE)),
    }


def _ties(state, params):
    ties, p = state.relationships, params.relationships
    values = jnp.stack([ties.trust, ties.familiarity, ties.rivalry])
    low = jnp.stack([jnp.float32(-1), jnp.float32(-1), p.min_rivalry])[:, None, None]
    high = jnp.stack([jnp.float32(1), jnp.float32(1), p.max_rivalry])[:, None, None]
    count = jnp.sum(ties.is_tie, axis=1, dtype=jnp.int32)
    return {
        "ties stay within capacity": jnp.any(count > p.effective_capacity),
        "nobody is tied to itself": jnp.any(jnp.diagonal(ties.is_tie)),
        "strangers feel nothing": jnp.any((values != 0) & ~ties.is_tie[None, :, :]),
        "feelings stay in range": jnp.any((values < low) | (values > high)),
        "ties are not faint": jnp.any(
            ties.is_tie & (jnp.max(jnp.abs(values), axis=0) <= p.eviction_threshold)
        ),
        "chats are mutual": jnp.any(ties.last_chat_tick != ties.last_chat_tick.T),
    }


def _stock(state, layout):
    ceiling = jnp.maximum(layout.stock.initial, layout.stock.maximum)
    stock = state.economy.stock
    return {"stock lies in its bounds": jnp.any((stock < 0) | (stock > ceiling))}


def _money(before, after, events, params, layout):
    """Compares each wallet with the flows that the events of the tick list."""
    use, work = events.affordances, events.employment
    kind = perturbations.active_kinds(after.perturbations, layout.perturbations)
    cost = costs(prices(after, kind), use.started, layout)
    ran = jnp.where(use.finished != NONE, use.finished, after.use.affordance)
    earned = work.wage_paid + pick(layout.affordances.rate[:, -1], ran, 0.0)
    sources = jnp.array([FailSource.UTILITY, FailSource.GHOST_STEP])
    is_refunded = jnp.any(use.failed[sources] != NONE, axis=0)
    refund = jnp.where(is_refunded, jnp.maximum(before.use.paid, cost), 0.0)
    employment = params.employment
    penalty = employment.late_tick_penalty + jnp.where(
        work.late_start != NONE, pick(employment.lateness_penalty, before.agents.job, 0.0), 0.0
    )
    penalty += jnp.where(work.absent, employment.absence_penalty, 0.0)
    tick_of_day = (after.clock.tick - 1) % params.time.ticks_per_day
    rent = before.economy.price_base[jnp.maximum(layout.prices.rent, 0)] * 10  # spikes at most
    rent = jnp.where((tick_of_day == 0) & (after.clock.tick > 1), rent, 0.0)
    change = after.agents.wallet - before.agents.wallet
    is_same_life = (before.agents.generation == after.agents.generation) & after.agents.is_alive
    too_much = change > earned + refund - cost + 1e-4
    too_little = change < earned - cost - penalty - rent - 1e-4
    return jnp.any(is_same_life & (too_much | too_little))
