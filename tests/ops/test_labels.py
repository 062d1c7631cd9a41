"""Names and moments."""

import dataclasses

import pytest

from townlet_jax.ops.labels import labels, resident_name


@pytest.mark.parametrize(
    ("ticks_per_day", "tick", "text"),
    [
        (1440, 0, "day 1 00:00"),
        (1440, 482, "day 1 08:02"),
        (1440, 1440 + 1439, "day 2 23:59"),
        (24, 25, "day 2 01:00"),
        (2880, 2879, "day 1 23:59"),
    ],
)
def test_moment(labels, ticks_per_day: int, tick: int, text: str) -> None:
    assert dataclasses.replace(labels, ticks_per_day=ticks_per_day).moment(tick) == text


def test_resident_name() -> None:
    assert [resident_name("ada", n) for n in (0, 1, 12)] == ["ada", "ada#1", "ada#12"]


def test_labels_of_a_town(tiny) -> None:
    found = labels(tiny)
    affordances = dict(zip(found.names.affordances, found.durations, strict=True))
    assert affordances["eat_meal"] == 15
    assert len(found.kinds) == len(found.names.perturbations)
