"""Objects: rows, venues, traits, placement, and every way a placement can be wrong."""

import pytest

from townlet_jax.config.layout import Role
from townlet_jax.masked import NONE

ROOM = "......\n.####.\n.#..#.\n.####.\n......\n......\n"
"""Six by six cells with a closed room of two cells at (2, 2) and (3, 2)."""


def objects(*rows):
    return "scenario:\n  objects:\n" + "".join(f"    - {{{row}}}\n" for row in rows)


def test_every_seat_is_a_row_of_one_venue(town):
    built = town(
        objects(
            "id: beds, type: bed, position: [1, 1], seats: 2",
            "id: fridge, type: fridge, position: [4, 4], venue: kitchen, stock: {meals: 3, raw: 1}",
            "id: stove, type: stove, position: [5, 4], venue: kitchen, stock: {meals: 2}",
        )
    )
    layout = built.layout.objects
    assert built.names.objects == ("beds.0", "beds.1", "fridge", "stove")
    assert built.names.venues == ("beds", "kitchen")
    assert built.names.types == ("bed", "fridge", "stove")
    assert layout.type.tolist() == [0, 0, 1, 2]
    assert layout.venue.tolist() == [0, 0, 1, 1]
    assert layout.position.tolist() == [[1, 1], [1, 1], [4, 4], [5, 4]]
    units = built.layout.stock.initial[:, 1].tolist()
    stock = dict(zip(built.names.stock_kinds, units, strict=False))
    assert (stock["meals"], stock["raw"]) == (5, 1)


def test_stock_limits_and_restock_add_up_over_a_venue(town):
    built = town(
        objects(
            "id: a, type: fridge, position: [1, 1], venue: v, "
            "restock: {meals: 3}, stock_max: {meals: 9}",
            "id: b, type: stove, position: [4, 4], venue: v, restock: {meals: 1}",
            "id: c, type: stove, position: [4, 5], venue: v, stock_max: {meals: 5}",
        )
        + "economy: {stove_stock_replenish: 7}\n"
    )
    stock, kinds = built.layout.stock, built.names.stock_kinds
    meals, raw = kinds.index("meals"), kinds.index("raw_ingredients")
    assert (stock.meals, stock.raw_ingredients) == (meals, raw)
    assert stock.restock[meals, 0] == 4
    assert stock.restock[raw, 0] == 7
    assert stock.maximum[meals, 0] == 14
    assert stock.maximum[raw, 0] == 2**30


def test_traits_of_types(town):
    built = town(
        objects(
            "id: a, type: bed, position: [1, 1]",
            "id: b, type: shower, position: [2, 1]",
            "id: c, type: stove, position: [3, 1]",
            "id: d, type: bench, position: [4, 1]",
            "id: e, type: till, position: [5, 1]",
            "id: f, type: statue, position: [6, 1]",
        )
        + "world: {max_objects: 8}\n"
    )
    layout = built.layout.objects
    assert layout.is_object.tolist() == [True] * 6 + [False] * 2
    assert layout.is_virtual.tolist() == [False, False, False, True, True, False, False, False]
    assert layout.is_social_place.tolist()[:6] == [False] * 3 + [True] + [False] * 2
    assert layout.requires.tolist()[:3] == [[False, False], [True, True], [True, False]]
    assert layout.cooldown_override.tolist() == [0] + [NONE] * 7
    assert layout.is_role[Role.BED].tolist() == [True] + [False] * 7
    core = built.names.affordances
    assert layout.role_affordance[Role.STOVE] == core.index("cook_meal")
    assert layout.offers[:3, 0].tolist() == [
        core.index("rest_sleep"), core.index("use_shower"), core.index("cook_meal"),
    ]  # fmt: skip
    assert any("nothing can be done with an object of type 'statue'" in str(n) for n in built.notes)


def test_a_manifest_overrides_traits_and_brings_objects(town):
    manifest = """
        - {type: object_type, id: bed, virtual: true, requires: water, cooldown_ticks: 9}
        - {type: object, id: bed_a, object_type: bed, position: [1, 1]}
        - {type: object, id: bed_b, object_type: bed, position: [2, 2]}
        - {id: nap, object_type: [bed, sofa], duration: 2, effects: {energy: 1}}
        - {id: jump, object_type: bed, duration: 2, effects: {energy: -1}}
    """
    built = town(objects("id: bed_a, type: sofa, position: [3, 3]"), manifest=manifest)
    layout = built.layout.objects
    assert built.names.objects == ("bed_a", "bed_b")
    assert built.names.types == ("bed", "sofa")
    assert layout.type.tolist() == [1, 0]
    assert layout.position.tolist() == [[3, 3], [2, 2]]
    assert layout.is_virtual.tolist() == [False, True]
    assert layout.requires.tolist() == [[False, False], [False, True]]
    assert layout.cooldown_override.tolist() == [NONE, 9]
    assert layout.offers.tolist() == [[0, NONE], [0, 1]]
    assert built.shape.num_offers == 2


def test_interact_cell_leads_the_way(town):
    built = town(objects("id: a, type: bed, position: [1, 1], interact_at: [3, 1]"))
    assert built.layout.objects.interact.tolist() == [[3, 1]]
    assert built.layout.map.distance[1, 3, 0] == 0
    assert built.layout.map.distance[1, 1, 0] == 2


def test_objects_without_position_stand_on_the_lattice(town):
    rows = ["id: a, type: bed", "id: b, type: bed, position: [2, 2]", "id: c, type: bed"]
    built = town(objects(*rows) + "world: {map: map.txt}\n", tiles="........\n" * 8)
    assert built.layout.objects.position.tolist() == [[6, 2], [2, 2], [2, 6]]
    notes = [str(note).split(".yaml:")[1] for note in built.notes]
    assert "4:7: scenario.objects[0]: object 'a' has no position; placed at [6, 2]" in notes
    assert "6:7: scenario.objects[2]: object 'c' has no position; placed at [2, 6]" in notes


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("position: [6, 1]", "position: [6, 1] is outside the map of 6 x 6 cells"),
        ("position: [1, 60]", "position: [1, 60] is outside the map of 6 x 6 cells"),
        ("position: [1, 1]", "position: [1, 1] is a wall"),
        ("position: [2, 2]", "position: [2, 2] cannot be reached from any entry cell"),
        ("position: [0, 0], interact_at: [1, 1]", "interact_at: [1, 1] is a wall"),
        ("position: [0, 0], interact_at: [3, 2]", "interact_at: [3, 2] cannot be reached"),
        (
            "position: [0, 0], seats: 4",
            "seats: must be at most 3, the walkable cells around [0, 0]",
        ),
        ("position: [0]", "position: must be"),
        ("position: [-1, 0]", "position[0]: must be"),
        ("position: here", "position: must be"),
        ("seats: 9", ": no free cell is left for object 'a'; give it a position"),
    ],
)
def test_bad_places_are_refused(refusals, row, fault):
    text = objects(f"id: a, type: bed, {row}") + "world: {map: map.txt}\n"
    (line,) = refusals(text, tiles=ROOM)
    assert line.startswith("town.yaml:4:")
    assert f"scenario.objects[0]{'' if fault[0] == ':' else '.'}{fault}" in line


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        (
            ["id: a, type: bed", "id: a, type: bed"],
            "5:12: scenario.objects[1].id: duplicate id 'a'",
        ),
        (
            ["id: eat_meal, type: bed"],
            "4:12: scenario.objects[0].id: duplicate id 'eat_meal', first",
        ),
        (["id: a.b, type: bed"], "4:12: scenario.objects[0].id: "),
        (["id: '', type: bed"], "4:12: scenario.objects[0].id: "),
        (["type: bed"], "4:7: scenario.objects[0].id: is required but missing"),
        (["id: a"], "4:7: scenario.objects[0].type: is required but missing"),
        (["id: a, type: bed, stock: {meals: -1}"], "scenario.objects[0].stock.meals: must be"),
        (["id: a, type: bed, stock: {meals: 1.5}"], "scenario.objects[0].stock.meals: must be"),
        (["id: a, type: bed, colour: red"], "scenario.objects[0].colour: unknown key; "),
        (
            ["id: a, type: bed, stock: {a: 1, b: 1}"],
            "5 kinds of stock (meals, raw_ingredients, cafe",
        ),
        ([f"id: o{i}, type: t{i}" for i in range(17)], "17 object types, at most 16 are allowed"),
        ([f"id: o{i}, type: bed, seats: 8" for i in range(5)], "seats in all, at most 32"),
    ],
)
def test_bad_objects_are_refused(refusals, rows, line):
    assert any(line in found for found in refusals(objects(*rows))), refusals(objects(*rows))


def test_max_objects_is_a_limit(refusals, town):
    text = objects("id: a, type: bed, seats: 4") + "world: {max_objects: %d}\n"
    assert "town.yaml:5:22: world.max_objects: the objects have 4 seats" in refusals(text % 3)[0]
    assert town(text % 7).shape.num_objects == 7


def test_a_town_without_objects_has_one_padding_row(town):
    built = town("seed: 3\n")
    assert built.shape.num_objects == 1
    assert built.layout.objects.is_object.tolist() == [False]
    assert built.layout.objects.offers.tolist() == [[NONE]]


@pytest.mark.parametrize(
    ("world", "tiles", "line"),
    [
        ("entry: [[1, 1]]", ROOM, "world.entry[0]: [1, 1] is a wall"),
        (
            "entry: [[0, 0], [0, 6]]",
            ROOM,
            "world.entry[1]: [0, 6] is outside the map of 6 x 6 cells",
        ),
        ("entry: []", ROOM, "world.entry: must be"),
        (
            "grid_size: [6, 7]",
            ROOM,
            "world.grid_size: the map has 6 x 6 cells, grid_size says 6 x 7",
        ),
        ("grid_size: [3, 7]", ROOM, "world.grid_size[0]: must be"),
        ("require_range: true", "####\n#..#\n#..#\n####\n", "the border of the map is all wall"),
        ("require_range: true", "....\n.?..\n....\n....\n", "map.txt:2:2: unknown character '?'"),
    ],
)
def test_bad_ground_is_refused(refusals, world, tiles, line):
    (found,) = refusals(f"world: {{map: map.txt, {world}}}\n", tiles=tiles)
    assert line in found


def test_missing_files_are_refused_where_they_are_named(refusals):
    (line,) = refusals("world: {map: nowhere.txt}\n")
    assert line == "town.yaml:2:14: world.map: no such file: 'nowhere.txt'"
    (line,) = refusals("affordances: {affordances_file: gone.yaml}\n")
    assert line.startswith(
        "town.yaml:2:33: affordances.affordances_file: no such file: 'gone.yaml'"
    )


def test_entry_cells_are_on_the_border_by_default(town):
    built = town("world: {map: map.txt}\n", tiles="##.#\n#..#\n...#\n#..#\n")
    assert built.layout.map.entry.tolist() == [[2, 0], [0, 2], [1, 3], [2, 3]]
    built = town("world: {map: map.txt, entry: [[1, 1]]}\n", tiles="....\n" * 4)
    assert built.layout.map.entry.tolist() == [[1, 1]] + [[NONE, NONE]] * 3
