"""Affordances, prices and stock as numbers."""

import numpy as np
import pytest

from townlet_jax.config.layout import Attribute, Flag, Operator
from townlet_jax.masked import NONE

FRIDGE = "scenario: {objects: [{id: f, type: fridge, position: [1, 1], stock: {meals: 3}}]}\n"


def test_core_as_numbers(town):
    built = town(FRIDGE)
    table, names = built.layout.affordances, built.names
    eat, cook = (names.affordances.index(name) for name in ("eat_meal", "cook_meal"))
    np.testing.assert_allclose(table.rate[eat], [0.45 / 15, 0, 0.02 / 15, 0], rtol=1e-6)
    assert table.duration[cook] == 30
    assert names.stock_kinds == ("meals", "raw_ingredients", "cafe_meals")
    assert table.stock_start[eat].tolist() == [-1, 0, 0, 0]
    assert table.stock_start[cook].tolist() == [0, -1, 0, 0]
    assert table.stock_finish[cook].tolist() == [2, 0, 0, 0]
    assert table.flags[eat, Flag.MEAL] and not table.flags[eat, Flag.WORK]
    assert table.clause_attribute[eat].tolist() == [Attribute.STOCK] + [NONE] * 3
    assert table.clause_operator[eat, 0] == Operator.GE
    assert table.clause_constant[eat, 0] == 1
    assert [names.price_keys[k] if k >= 0 else None for k in table.price[:6].tolist()] == [
        "shower", "meal", "ingredients", None, "cafe_meal", None,
    ]  # fmt: skip
    assert table.price.tolist()[6:] == [NONE] * 10
    assert table.types[eat].tolist() == [True] + [False] * 15
    assert table.rows[:, 0].tolist() == [f == eat for f in range(16)]
    assert any("no object of this town offers use_shower, cook_meal" in str(n) for n in built.notes)


MANIFEST = """
    - {id: eat_meal, object_type: fridge, duration: 5, effects: {hunger: 1, money: -0.7}}
    - {id: nap, object_type: fridge, duration: 4, effects: {energy: 0.5, money: -2}, preconds: %s}
    - {id: sing, object_type: fridge, duration: 4, effects: {money: 2}}
    - {id: sauna, object_type: fridge, duration: 4, effects: {hygiene: 1}, price: heat}
    - {id: eat_out, object_type: fridge, duration: 5, effects: {hunger: 1}}
"""
WITHOUT_HEAT = MANIFEST.replace(", price: heat", "")


def test_prices_come_from_configuration_then_effect_then_default(town):
    built = town(
        FRIDGE + "economy: {prices: {meal: 0.5, heat: 3, moon: 1}, ingredients_cost: 0.25}\n",
        manifest=MANIFEST % "[]",
    )
    base = dict(zip(built.names.price_keys, built.params.economy.price_base.tolist(), strict=False))
    assert {key: round(value, 6) for key, value in base.items()} == {
        "meal": 0.5, "ingredients": 0.25, "shower": 0.2, "cafe_meal": 0.6, "rent": 1.0,
        "nap": 2.0, "heat": 3.0,
    }  # fmt: skip
    assert built.layout.prices.rent == 4
    assert built.layout.prices.is_price.tolist() == [True] * 7 + [False]
    table = built.layout.affordances
    assert table.price[:5].tolist() == [0, 5, NONE, 6, 3]
    np.testing.assert_allclose(table.rate[:3, 3], [0, 0, 0.5])
    notes = "\n".join(map(str, built.notes))
    assert "[0].effects.money: a price of 0.7 for 'meal', but economy.prices says 0.5" in notes
    assert "economy.prices.moon: nothing has the price 'moon'" in notes


@pytest.mark.parametrize(
    ("manifest", "line"),
    [
        (WITHOUT_HEAT % "stock.meats > 1", "manifest.yaml:2:"),
        (WITHOUT_HEAT % "stock.mealz > 1", "no object stocks 'mealz'; did you mean 'meals'?"),
        (MANIFEST % "[]", "[3].price: unknown price key 'heat'"),
        (
            "".join(
                f"- {{id: a{i}, object_type: fridge, duration: 1, effects: {{hunger: 1}}}}\n"
                for i in range(17)
            ),
            "manifest.yaml:17:3: [16]: 17 affordances, at most 16 are allowed",
        ),
        (
            "".join(
                f"- {{id: a{i}, object_type: fridge, duration: 1, effects: {{money: -1}}}}\n"
                for i in range(4)
            ),
            "9 price keys (meal, ingredients, shower, cafe_meal, rent, a0, a1, a2, a3), at most 8",
        ),
    ],
)
def test_manifests_that_do_not_fit_the_town_are_refused(refusals, manifest, line):
    assert any(line in found for found in refusals(FRIDGE, manifest=manifest))
