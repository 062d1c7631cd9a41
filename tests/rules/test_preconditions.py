"""Preconditions: every attribute and operator, and the order of the tests."""

import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from townlet_jax.config.layout import AffordanceLayout, Attribute, Operator
from townlet_jax.masked import NONE
from townlet_jax.rules import preconditions as rule
from townlet_jax.state.events import FailReason

COMPARE = {
    Operator.EQ: operator.eq, Operator.NE: operator.ne, Operator.LT: operator.lt,
    Operator.LE: operator.le, Operator.GT: operator.gt, Operator.GE: operator.ge,
}  # fmt: skip
VALUES = {
    Attribute.OCCUPIED: (1, 0, 1),
    Attribute.POWER_ON: (1, 1, 1),
    Attribute.WATER_ON: (0, 0, 0),
    Attribute.STOCK: (3, 4, 5),
    Attribute.WALLET: (0.25, 0.5, 2),
    Attribute.HUNGER: (0.125, 0.25, 0.375),
    Attribute.HYGIENE: (0.5, 0.625, 0.75),
    Attribute.ENERGY: (0.875, 1, 0),
    Attribute.QUEUE_LENGTH: (0, 2, 7),
    Attribute.TICK_OF_DAY: (480, 480, 480),
    Attribute.DAY: (3, 3, 3),
    Attribute.IS_OWN_SITE: (0, 1, 0),
    Attribute.IN_SHIFT_WINDOW: (1, 1, 0),
}
"""What each of three residents finds, by attribute."""
COUNTS = jnp.array([[9, 9, 9], [3, 4, 5]], jnp.int32)
"""Stock `[S, A]`; the clauses below test kind 1."""


def facts(**fields):
    def column(attribute, dtype):
        return jnp.array(VALUES[attribute], dtype)

    levels = [VALUES[Attribute.HUNGER], VALUES[Attribute.HYGIENE], VALUES[Attribute.ENERGY]]
    return rule.Facts(
        is_occupied=column(Attribute.OCCUPIED, bool),
        stock=COUNTS,
        wallet=column(Attribute.WALLET, jnp.float32),
        level=jnp.array(levels, jnp.float32).T,
        queue_length=column(Attribute.QUEUE_LENGTH, jnp.int32),
        is_own_site=column(Attribute.IS_OWN_SITE, bool),
        is_in_shift_window=column(Attribute.IN_SHIFT_WINDOW, bool),
        requires=jnp.zeros((3, 2), bool),
        is_on=jnp.array([True, False]),
        tick_of_day=jnp.int32(480),
        day=jnp.int32(3),
    ).replace(**fields)


def table(*clauses, taken=(0, 0)):
    """One affordance with up to four clauses (attribute, operator, constant)."""
    rows = [*clauses, *[(NONE, 0, 0.0)] * (4 - len(clauses))]
    blank = dict.fromkeys(AffordanceLayout.__dataclass_fields__)
    return AffordanceLayout(**blank).replace(
        clause_attribute=jnp.array([[r[0] for r in rows]], jnp.int32),
        clause_operator=jnp.array([[r[1] for r in rows]], jnp.int32),
        clause_constant=jnp.array([[r[2] for r in rows]], jnp.float32),
        clause_kind=jnp.ones((1, 4), jnp.int32),
        stock_start=-jnp.array([taken], jnp.int32),
    )


FIRST = jnp.zeros(3, jnp.int32)
FITS = jnp.ones(3, bool)
FREE = jnp.zeros(3, jnp.float32)
passes, first_failure = jax.jit(rule.passes_clauses), jax.jit(rule.first_failure)


@pytest.mark.parametrize("attribute", Attribute, ids=lambda a: a.name)
@pytest.mark.parametrize("op", Operator, ids=lambda o: o.name)
def test_every_attribute_with_every_operator(attribute, op):
    values = VALUES[attribute]
    for constant in {*values, 0, 1}:
        expected = [COMPARE[op](value, constant) for value in values]
        assert passes(facts(), FIRST, table((attribute, op, constant))).tolist() == expected


def test_the_tables_above_cover_everything():
    assert set(VALUES) == set(Attribute) and set(COMPARE) == set(Operator)


@pytest.mark.parametrize("passes", [passes, rule.passes_clauses], ids=["jit", "eager"])
def test_clauses_are_a_conjunction(passes):
    clauses = [(Attribute.WALLET, Operator.GE, 0.5), (Attribute.QUEUE_LENGTH, Operator.LT, 7)]
    assert passes(facts(), FIRST, table(*clauses)).tolist() == [False, True, False]
    clauses += [(Attribute.DAY, Operator.EQ, 3), (Attribute.STOCK, Operator.NE, 4)]
    assert passes(facts(), FIRST, table(*clauses)).tolist() == [False, False, False]


def test_without_clauses_or_affordance_everything_passes():
    assert passes(facts(), FIRST, table()).all()
    never = table((Attribute.DAY, Operator.LT, 0))
    index = jnp.array([0, NONE, NONE], jnp.int32)
    assert passes(facts(), index, never).tolist() == [False, True, True]


@pytest.mark.parametrize("check", [first_failure, rule.first_failure], ids=["jit", "eager"])
def test_the_first_failed_test_is_the_reason(check):
    """Faults are taken away one after the other; the next one shows."""
    layout = table((Attribute.DAY, Operator.EQ, 9), taken=(0, 4))
    needy = jnp.ones((3, 2), bool)
    dark, dry, on = (jnp.array(x) for x in ((False, False), (True, False), (True, True)))
    dear = jnp.full(3, 0.5, jnp.float32)
    late = jnp.int32(9)
    cases = [
        (facts(requires=needy, is_on=dark), ~FITS, FailReason.TYPE_MISMATCH),
        (facts(requires=needy, is_on=dark), FITS, FailReason.POWER_OFF),
        (facts(requires=needy, is_on=dry), FITS, FailReason.WATER_OFF),
        (facts(requires=needy, is_on=on), FITS, FailReason.PRECONDITION_FAILED),
        (facts(requires=needy, is_on=on, day=late), FITS, FailReason.INSUFFICIENT_FUNDS),
    ]
    for given, fits, reason in cases:
        assert check(given, FIRST, fits, dear, layout)[0] == reason
    last = check(facts(day=late), FIRST, FITS, FREE, layout)
    assert last.tolist() == [FailReason.INSUFFICIENT_STOCK, NONE, NONE]


def test_money_is_enough_to_the_last_penny():
    cost = jnp.array([0.26, 0.5, 2], jnp.float32)
    reason = first_failure(facts(), FIRST, FITS, cost, table())
    assert reason.tolist() == [FailReason.INSUFFICIENT_FUNDS, NONE, NONE]


def test_nothing_to_test_never_fails():
    nothing = jnp.full(3, NONE, jnp.int32)
    assert (first_failure(facts(), nothing, ~FITS, FREE, table()) == NONE).all()


def test_pairs_may_have_any_leading_axes():
    """The masks ask about every row and offer at once: `[A, O, M]` instead of `[A]`."""
    layout = table((Attribute.STOCK, Operator.GE, 4), (Attribute.HYGIENE, Operator.LE, 0.7))
    flat = first_failure(facts(), FIRST, FITS, FREE, layout)
    scalars = ("is_on", "tick_of_day", "day")
    given = facts()
    wide = given.replace(
        **{
            name: jnp.broadcast_to(x[:, None, None], (3, 2, 1, *x.shape[1:]))
            for name, x in vars(given).items()
            if name not in (*scalars, "stock")
        },
        stock=jnp.broadcast_to(given.stock[:, :, None, None], (2, 3, 2, 1)),
    )

    def spread(x):
        return jnp.broadcast_to(x[:, None, None], (3, 2, 1))

    found = first_failure(wide, spread(FIRST), spread(FITS), spread(FREE), layout)
    np.testing.assert_array_equal(found, spread(flat))
    assert flat.tolist() == [FailReason.PRECONDITION_FAILED, NONE, FailReason.PRECONDITION_FAILED]
