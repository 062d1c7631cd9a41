"""What there is to draw."""

import dataclasses

import numpy as np

from townlet_jax.ops.scene import OUTDOORS, ground, letters, scene


def test_floor_behind_walls_and_doors_is_indoors() -> None:
    tiles = np.array([[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 1, 0, 2, 0], [0, 1, 1, 1, 3]])
    inside = np.zeros_like(tiles, bool)
    inside[2, 2] = True
    result = ground(tiles.astype(np.int8))
    np.testing.assert_array_equal((tiles == 0) & (result != OUTDOORS), inside)
    np.testing.assert_array_equal(result[tiles != 0], tiles[tiles != 0])


def test_letters_are_distinct() -> None:
    assert letters(("bed", "bench", "b")) == {"bed": "B", "bench": "E", "b": "A"}
    many = letters(tuple(f"type_{i}" for i in range(16)))
    assert len(set(many.values())) == 16


def test_places_join_their_seats(tiny, newborn) -> None:
    rows = tiny.names.objects
    newborn.queues.holder[rows.index("beds.1")] = 2
    newborn.queues.waiting_for[0] = rows.index("beds.0")
    newborn.use.obj[1] = rows.index("till")
    places = {place.name: place for place in scene(tiny, newborn).places}
    assert list(places) == ["beds", "fridge", "stove", "shower", "till", "bench"]
    beds, till = places["beds"], places["till"]
    assert (beds.seats, beds.users, beds.waiting, beds.load()) == (3, (2,), (0,), "1/3")
    assert (till.seats, till.users, till.load()) == (0, (1,), "1")
    assert beds.position == (3, 3)


def test_bonds_are_means_of_both_directions(tiny, newborn) -> None:
    ledger = newborn.relationships
    ledger.is_tie[0, 1] = ledger.is_tie[1, 0] = ledger.is_tie[2, 0] = True
    ledger.trust[0, 1], ledger.trust[1, 0], ledger.rivalry[2, 0] = 0.2, 0.4, 0.1
    first, second = scene(tiny, newborn).bonds
    assert (first.a, first.b, first.trust) == (0, 1, 0.3)
    assert (second.a, second.b, second.rivalry) == (0, 2, 0.05)


def test_marks_are_initials_where_these_differ(tiny, newborn) -> None:
    assert scene(tiny, newborn).marks == {0: "a", 1: "b", 2: "c"}


def test_marks_differ_where_initials_do_not(tiny, newborn) -> None:
    names = dataclasses.replace(tiny.names, agents=("mia", "max", "moe"))
    marks = scene(dataclasses.replace(tiny, names=names), newborn).marks
    assert marks == {0: "a", 1: "b", 2: "c"}
