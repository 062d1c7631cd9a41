"""Tests that an affordance must pass before it starts.

The same tests serve the start itself (one object per resident) and the action masks (every object
for every resident): `Facts` holds what is known about each (resident, object) pair, with any
leading axes.
"""

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.config.layout import AffordanceLayout, Attribute, Operator, Utility
from townlet_jax.masked import NONE, computed_once, pick
from townlet_jax.state.events import FailReason

_LESS, _EQUAL, _GREATER = 1, 2, 4
_ACCEPTED = {
    Operator.EQ: _EQUAL,
    Operator.NE: _LESS | _GREATER,
    Operator.LT: _LESS,
    Operator.LE: _LESS | _EQUAL,
    Operator.GT: _GREATER,
    Operator.GE: _GREATER | _EQUAL,
}
"""Outcomes of a comparison with which a clause holds."""


class Facts(struct.PyTreeNode):
    """What tests may ask about pairs of a resident and an object row; `[...]` are the pair axes.

    Attributes:
      is_occupied: bool `[...]`, held by somebody else.
      stock: int32 `[S, ...]` [units] of the row's venue.
      wallet: float32 `[...]` [money].
      level: float32 `[..., N]`.
      queue_length: int32 `[...]`.
      is_own_site, is_in_shift_window: bool `[...]`.
      requires: bool `[..., 2]`, utilities the row needs.
      is_on: bool `[2]`, power and water.
      tick_of_day, day: int32 scalars.
    """

    is_occupied: jax.Array
    stock: jax.Array
    wallet: jax.Array
    level: jax.Array
    queue_length: jax.Array
    is_own_site: jax.Array
    is_in_shift_window: jax.Array
    requires: jax.Array
    is_on: jax.Array
    tick_of_day: jax.Array
    day: jax.Array


def passes_clauses(facts: Facts, affordance: jax.Array, affordances: AffordanceLayout) -> jax.Array:
    """Evaluates the declared preconditions, a conjunction of at most four clauses.

    Args:
      facts: pairs `[...]`.
      affordance: int32 `[...]`, NONE passes.
      affordances: tables.

    Returns:
      bool `[...]`.
    """

    def clauses(table: jax.Array, default: float) -> jax.Array:
        return jnp.moveaxis(pick(table, affordance, default), -1, 0)  # [4, ...]

    attribute = clauses(affordances.clause_attribute, NONE)
    operator = clauses(affordances.clause_operator, 0)
    constant = clauses(affordances.clause_constant, 0.0)
    kind = clauses(affordances.clause_kind, 0)
    attribute, operator, constant, kind = computed_once((attribute, operator, constant, kind))
    value = jnp.zeros_like(constant)
    for code, known in _values(facts, kind).items():
        value = jnp.where(attribute == code, known, value)
    value = computed_once(value)
    outcome = jnp.where(value < constant, _LESS, jnp.where(value > constant, _GREATER, _EQUAL))
    accepted = jnp.int32(0)
    for comparison, outcomes in _ACCEPTED.items():
        accepted = jnp.where(operator == comparison, outcomes, accepted)
    accepted = jnp.where(attribute == NONE, _LESS | _EQUAL | _GREATER, accepted)
    return jnp.min(computed_once(accepted & outcome), axis=0) > 0


def _values(facts: Facts, kind: jax.Array) -> dict[Attribute, jax.Array]:
    """Lays the facts out as float32 values broadcastable over the clause axis `[4, ...]`."""

    def value(x: jax.Array) -> jax.Array:
        return x.astype(jnp.float32)[None]

    units = sum(jnp.where(kind == s, held[None], 0) for s, held in enumerate(facts.stock))
    return {
        Attribute.OCCUPIED: value(facts.is_occupied),
        Attribute.POWER_ON: facts.is_on[Utility.POWER].astype(jnp.float32),
        Attribute.WATER_ON: facts.is_on[Utility.WATER].astype(jnp.float32),
        Attribute.STOCK: jnp.asarray(units, jnp.float32),
        Attribute.WALLET: value(facts.wallet),
        Attribute.HUNGER: value(facts.level[..., 0]),
        Attribute.HYGIENE: value(facts.level[..., 1]),
        Attribute.ENERGY: value(facts.level[..., 2]),
        Attribute.QUEUE_LENGTH: value(facts.queue_length),
        Attribute.TICK_OF_DAY: facts.tick_of_day.astype(jnp.float32),
        Attribute.DAY: facts.day.astype(jnp.float32),
        Attribute.IS_OWN_SITE: value(facts.is_own_site),
        Attribute.IN_SHIFT_WINDOW: value(facts.is_in_shift_window),
    }


def first_failure(
    facts: Facts,
    affordance: jax.Array,
    does_fit: jax.Array,
    cost: jax.Array,
    affordances: AffordanceLayout,
) -> jax.Array:
    """Finds the first test that an affordance would not pass; stock contention is left to the
    start.

    Order: type, power, water, clauses, money, stock.

    Args:
      facts: pairs `[...]`.
      affordance: int32 `[...]`, NONE = nothing to test.
      does_fit: bool `[...]`, whether the object's type offers the affordance.
      cost: float32 `[...]` [money].
      affordances: tables.

    Returns:
      int32 `[...]`, `FailReason` or NONE.
    """
    taken = jnp.moveaxis(jnp.maximum(-pick(affordances.stock_start, affordance), 0), -1, 0)
    tests = (
        (FailReason.INSUFFICIENT_STOCK, jnp.all(taken <= jnp.maximum(facts.stock, 0), axis=0)),
        (FailReason.INSUFFICIENT_FUNDS, facts.wallet >= cost),
        (FailReason.PRECONDITION_FAILED, passes_clauses(facts, affordance, affordances)),
        (FailReason.WATER_OFF, ~facts.requires[..., Utility.WATER] | facts.is_on[Utility.WATER]),
        (FailReason.POWER_OFF, ~facts.requires[..., Utility.POWER] | facts.is_on[Utility.POWER]),
        (FailReason.TYPE_MISMATCH, does_fit),
    )
    reason = jnp.full(affordance.shape, NONE, jnp.int32)
    for code, is_passed in tests:
        reason = jnp.where(is_passed, reason, code)
    return jnp.where(affordance == NONE, NONE, reason)
