"""What happened, in sentences."""

import jax
import numpy as np
import pytest

from townlet_jax.ops.events import Record
from townlet_jax.ops.highlights import KINDS
from townlet_jax.ops.stories import _TALES, CATEGORIES, Story, activity, shown, stories, tell

AGENTS = ("ada", "ben", "cleo", "resident_3")
USE = {"agent_id": "ada", "affordance_id": "rest_sleep", "object_id": "beds_a.1"}


@pytest.mark.parametrize(
    ("record", "category", "text", "slots"),
    [
        ({"event": "affordance_start", **USE}, "daily", "Ada started sleeping at beds a", (0,)),
        (
            {"event": "affordance_fail", **USE, "reason": "abandoned"},
            "daily",
            "Ada stopped sleeping at beds a",
            (0,),
        ),
        (
            {"event": "affordance_fail", **USE, "reason": "power_off"},
            "daily",
            "Sleeping at beds a came to nothing for Ada: the power was off",
            (0,),
        ),
        (
            {"event": "chat_success", "speaker": "ben", "listener": "cleo#2", "quality": 0.9},
            "talk",
            "Ben and Cleo#2 had a great talk",
            (1, 2),
        ),
        (
            {
                "event": "queue_conflict", "actor": "ada", "rival": "resident_3",
                "object_id": "shower", "queue_length": 2, "intensity": 1.0,
            },
            "queue",
            "Resident 3 pushed Ada away from shower, with 2 people in line",
            (0, 3),
        ),
        (
            {"event": "employment_took_my_shift", "agent_id": "ada", "coworkers": ["ben", "cleo"]},
            "work",
            "Ben and Cleo worked the shift that Ada missed",
            (0, 1, 2),
        ),
        (
            {"event": "stock_replenish", "object_id": "cafe", "type": "cafe_meals", "amount": 3},
            "money",
            "3 cafe meals arrived at cafe",
            (),
        ),
        ({"event": "agent_spawn", "agent_id": "ben#1"}, "life", "Ben#1 moved in", (1,)),
        (
            {"event": "perturbation_blackout", "spec": "dark", "kind": "blackout"},
            "town",
            "The power went out (dark)",
            (),
        ),
        (
            {"event": "perturbation_ended", "spec": "price_spike", "kind": "price_spike"},
            "town",
            "Prices fell again",
            (),
        ),
    ],
)  # fmt: skip
def test_sentences(record: Record, category: str, text: str, slots: tuple[int, ...]) -> None:
    told = stories([{"tick": 7, **record}], AGENTS)
    assert told == [Story(7, category, record["event"], text, slots)]


def test_what_others_tell_is_left_out() -> None:
    records = [
        {"event": "perturbation_started", "spec": "dark", "kind": "blackout"},
        {"event": "affordance_fail", **USE, "reason": "collapsed"},
        {"event": "embedding_reuse_warning", "agent_id": "ada"},
    ]
    assert stories([{"tick": 0, **record} for record in records], AGENTS) == []


def test_every_highlight_has_a_tale() -> None:
    assert {kind.event for kind in KINDS} <= set(_TALES)
    assert {category for category, _ in _TALES.values()} == set(CATEGORIES)


@pytest.mark.parametrize(
    ("affordance", "words"),
    [
        ("rest_sleep", "sleeping"), ("feed_ducks", "feeding ducks"), ("bake_bread", "baking bread"),
        ("chop_wood", "chopping wood"), ("read", "reading"), ("play", "playing"), ("see", "seeing"),
    ],
)  # fmt: skip
def test_activities(affordance: str, words: str) -> None:
    assert activity(affordance) == words


def test_shown() -> None:
    assert [shown(name) for name in ("ada", "resident_3", "beds_a.0")] == [
        "Ada",
        "Resident 3",
        "Beds a",
    ]


def test_newcomers_of_a_chunk(labels, quiet, newborn) -> None:
    events, states = quiet(2), _stack(newborn, 2)
    events.lifecycle.spawned[0, 1] = True
    states.agents.generation[:, 1] = 1
    states.clock.tick[:] = 41, 42
    assert [(story.tick, story.text) for story in tell(labels, states, events)] == [
        (40, "Ben#1 moved in")
    ]


def _stack(state, number: int):
    return jax.tree.map(lambda leaf: np.stack([leaf] * number), state)
