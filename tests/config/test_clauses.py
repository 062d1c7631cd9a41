"""Preconditions: what is read, what is refused, what they become."""

import pytest

from townlet_jax.config import clauses
from townlet_jax.config.layout import Attribute, Operator
from townlet_jax.masked import NONE

KINDS = ["raw_ingredients", "meals"]


def compiled(text):
    return clauses.compiled(clauses.parse(text), KINDS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("occupied == false", (Attribute.OCCUPIED, NONE, Operator.EQ, 0.0)),
        ("power_on != true", (Attribute.POWER_ON, NONE, Operator.NE, 1.0)),
        ("wallet>=.5", (Attribute.WALLET, NONE, Operator.GE, 0.5)),
        ("needs.hunger < 0.25", (Attribute.HUNGER, NONE, Operator.LT, 0.25)),
        ("energy <= 1e-1", (Attribute.ENERGY, NONE, Operator.LE, 0.1)),
        ("stock.meals > 3", (Attribute.STOCK, 1, Operator.GT, 3.0)),
        ("queue_length < -1", (Attribute.QUEUE_LENGTH, NONE, Operator.LT, -1.0)),
        ("is_own_site == true", (Attribute.IS_OWN_SITE, NONE, Operator.EQ, 1.0)),
        ("in_shift_window == true", (Attribute.IN_SHIFT_WINDOW, NONE, Operator.EQ, 1.0)),
        ("tick_of_day >= 600", (Attribute.TICK_OF_DAY, NONE, Operator.GE, 600.0)),
        ("day == 0", (Attribute.DAY, NONE, Operator.EQ, 0.0)),
    ],
)
def test_clauses_become_numbers(text, expected):
    assert compiled(text) == expected


@pytest.mark.parametrize("symbol", ["==", "!=", "<", "<=", ">", ">="])
@pytest.mark.parametrize("constant", ["false", "true", "0.5", "2"])
def test_meal_available_tests_the_stock_of_meals(symbol, constant):
    value = {"false": 0.0, "true": 1.0}.get(constant, constant)
    attribute, kind, code, bound = compiled(f"meal_available {symbol} {constant}")
    assert (attribute, kind) == (Attribute.STOCK, 1)
    for stock in (0, 1, 7):
        holds = stock < bound if code == Operator.LT else stock >= bound
        assert code in (Operator.LT, Operator.GE)
        assert holds == eval(f"{float(stock >= 1)} {symbol} {float(value)}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("occupied", "must read 'name op constant'"),
        ("occupied = false", "must read 'name op constant'"),
        ("occupied == false and wallet > 1", "must read 'name op constant'"),
        ("__import__('os')", "must read 'name op constant'"),
        ("ocupied == false", "unknown precondition name 'ocupied'; did you mean 'occupied'?"),
        ("needs.thirst < 1", "unknown precondition name 'needs.thirst'"),
        ("stock. > 1", "unknown precondition name"),
        ("wallet > lots", "a constant is a number, true or false, got 'lots'"),
        ("wallet > nan", "a constant is a number"),
        ("wallet > 1e99", "a constant is a number"),
        ("wallet > 1_0", "a constant is a number"),
        ("wallet > hunger", "a constant is a number"),
    ],
)
def test_anything_else_is_refused(text, message):
    with pytest.raises(ValueError, match="(?s).*") as error:
        clauses.parse(text)
    assert message in str(error.value)
