"""What is told of a town, and how."""

import pytest

from townlet_jax.ops.highlights import KINDS, Highlights

CONFLICT = {
    "event": "queue_conflict", "object_id": "shower", "actor": "ada", "rival": "ben",
    "reason": "ghost_step",
}  # fmt: skip
CHAT = {"event": "chat_success", "speaker": "ada", "listener": "ben"}


def test_the_best_of_each_kind_is_told_in_order_of_time(labels) -> None:
    highlights = Highlights(labels)
    highlights.read([{"tick": 482, **CHAT, "quality": 0.4}, {"tick": 1, "event": "rent_paid"}])
    highlights.read([
        {"tick": 483, **CHAT, "quality": 0.9},
        {"tick": 484, **CHAT, "quality": 0.5},
        {"tick": 3, **CONFLICT, "queue_length": 1, "intensity": 1.5},
    ])  # fmt: skip
    assert highlights.tell() == [
        ("day 1 00:03", "ben pushed ada away from shower"),
        ("day 1 08:03", "ada and ben had a good talk (quality 0.90) (most notable of 3)"),
    ]


def test_weighty_stories_come_first(labels) -> None:
    highlights = Highlights(labels)
    highlights.read([
        {"tick": 1, **CHAT, "quality": 0.4},
        {"tick": 2, "event": "agent_exit", "agent_id": "cleo", "reason": "faint"},
        {"tick": 3, "event": "agent_spawn", "agent_id": "cleo#1"},
    ])  # fmt: skip
    assert highlights.tell(2) == [
        ("day 1 00:02", "cleo left town: collapsed from hunger"),
        ("day 1 00:03", "cleo#1 moved in"),
    ]


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("power_off", "ada could not use shower at shower: the power went"),
        ("abandoned", None),
        ("precondition_failed", None),
    ],
)
def test_failures(labels, reason: str, sentence: str | None) -> None:
    highlights = Highlights(labels)
    failure = {"agent_id": "ada", "object_id": "shower", "affordance_id": "use_shower"}
    highlights.read([{"tick": 0, "event": "affordance_fail", **failure, "reason": reason}])
    assert [told for _, told in highlights.tell()] == ([sentence] if sentence else [])


def test_every_kind_can_be_told(labels) -> None:
    """Each sentence is made from a record with every field that `events` knows."""
    record = {
        "tick": 0, "agent_id": "ada", "reason": "power_off", "actor": "ada", "rival": "ben",
        "object_id": "shower", "affordance_id": "use_shower", "queue_length": 3, "intensity": 1.0,
        "coworkers": ["ben", "cleo"], "agents": ["ada", "ben"], "ticks_late": 6, "spec": "heat",
        "speaker": "ada", "listener": "ben", "quality": 0.5,
    }  # fmt: skip
    highlights = Highlights(labels)
    for kind in KINDS:
        reason = {"reason": "eviction"} if kind.event == "agent_exit" else {}
        highlights.read([{**record, "event": kind.event, **reason}])
    told = highlights.tell(limit=99)
    assert len(told) == len(KINDS)
    assert all(sentence and "None" not in sentence for _, sentence in told)
    assert "ben and cleo covered for ada, who was late" in [sentence for _, sentence in told]
