"""A replay says what the states and events say, however they came in, and survives JSON."""

import json

import jax
import numpy as np
import pytest

from townlet_jax.config import load
from townlet_jax.env.filming import CHUNK, built_in, film
from townlet_jax.masked import NONE
from townlet_jax.ops import frames
from townlet_jax.ops.census import census
from townlet_jax.ops.events import decode
from townlet_jax.ops.host import town_at
from townlet_jax.ops.labels import labels
from townlet_jax.ops.replay import Recorder, Replay, good_stride
from townlet_jax.ops.stories import stories
from townlet_jax.state import ExitReason

TICKS = CHUNK + 60


@pytest.fixture(scope="module")
def reel(tiny):
    """A day's beginning in the tiny town: states and events, `[T, ...]`."""
    chunks = list(film(*built_in(tiny, "scripted", 3), tiny.params, tiny.layout, TICKS))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *chunks)


def cut(tree, *ends: int):
    """Yields the parts of a tree that end at these ticks."""
    for start, end in zip((0, *ends), (*ends, None), strict=True):
        yield jax.tree.map(lambda leaf, part=slice(start, end): leaf[part], tree)


def recorded(town, reel, *ends: int, **options) -> Replay:
    recorder = Recorder(town, "scripted", 3, **options)
    for chunk in cut(reel, *ends):
        recorder.add(*chunk)
    return recorder.replay()


def assert_frame(town, replay: Replay, f: int, state) -> None:
    """Compares a frame with the census of its state."""
    column = {name: values[..., f] for name, values in replay.columns.items()}
    people = {person.slot: person for person in census(town, state)}
    for a in range(town.shape.num_agents):
        person = people.get(a)
        assert (column["life"][a] == frames.VACANT) == (person is None)
        if person is None:
            continue
        life = frames.LEAVING if person.is_leaving else frames.ALIVE
        assert column["life"][a] == (frames.COLLAPSED if person.has_collapsed else life)
        assert (column["x"][a], column["y"][a]) == person.position
        needs = [round(level * 100) for level in person.needs.values()]
        np.testing.assert_allclose(column["needs"][:, a], needs, atol=1)
        assert replay.mood[a, f] == min(column["needs"][:, a])
        assert column["wallet"][a] == pytest.approx(person.money * 100, abs=0.51)
        assert column["turn"][a] == person.place
        about, rows = replay.about, town.names.objects
        names = {
            "action": ([action["name"] for action in about["actions"]], person.action),
            "affordance": ([use["name"] for use in about["affordances"]], person.affordance),
            "using": (rows, person.obj),
            "holds": (rows, person.holds),
            "waits": (rows, person.waits_for),
            "job": ([job["name"] for job in about["jobs"]], person.job),
        }
        for name, (known, wanted) in names.items():
            index = column[name][a]
            assert (None if index == NONE else known[index]) == wanted, name
        if person.job is not None:
            assert about["statuses"][column["status"][a]] == person.status


def test_frames_equal_the_states(tiny, reel) -> None:
    replay = recorded(tiny, reel)
    assert (replay.num_frames, replay.first_tick, replay.stride) == (TICKS, 1, 1)
    for f in range(0, TICKS, 7):
        assert_frame(tiny, replay, f, town_at(reel[0], f))


def test_a_busy_moment(tiny, newborn, quiet) -> None:
    shower = tiny.names.objects.index("shower")
    newborn.queues.holder[shower] = 0
    newborn.queues.waiting_for[1:3] = shower
    newborn.queues.joined_tick[1:3] = 4, 2
    newborn.agents.is_leaving[1] = True
    newborn.lifecycle.exit_reason[2] = ExitReason.FAINT
    newborn.perturbations.spec[:] = NONE
    states = jax.tree.map(lambda leaf: leaf[None], newborn)
    replay = recorded(tiny, (states, quiet(1)))
    assert_frame(tiny, replay, 0, newborn)
    assert replay.columns["turn"][:, 0].tolist() == [0, 2, 1]
    newborn.agents.is_alive[:] = False
    assert_frame(tiny, recorded(tiny, (states, quiet(1))), 0, newborn)


def test_ties_equal_the_states(tiny, reel) -> None:
    replay = recorded(tiny, reel, tie_ticks=10)
    assert replay.pairs.shape[1] > 0
    for g, f in enumerate(range(0, TICKS, 10)):
        ledger = town_at(reel[0], f).relationships
        is_tie = np.zeros_like(ledger.is_tie)
        for d, (a, b) in enumerate(replay.pairs.T):
            is_tie[a, b] = replay.ties["trust"][d, g] != frames.NO_TIE
            for name in ("trust", "familiarity", "rivalry") if is_tie[a, b] else ():
                level = replay.ties[name][d, g] / 100
                assert level == pytest.approx(float(getattr(ledger, name)[a, b]), abs=0.0051)
        np.testing.assert_array_equal(is_tie, ledger.is_tie)


def test_stories_equal_the_events(tiny, reel) -> None:
    generation = np.zeros(tiny.shape.num_agents, np.int32)
    records = decode(reel[1], labels(tiny), generation, 0)
    assert recorded(tiny, reel).stories == tuple(stories(records, tiny.names.agents))
    assert any(story.category == "talk" for story in recorded(tiny, reel).stories)


@pytest.mark.parametrize("stride", [1, 7])
def test_cuts_do_not_matter(tiny, reel, stride: int) -> None:
    whole = recorded(tiny, reel, stride=stride)
    pieces = recorded(tiny, reel, 1, 3, 100, 101, 299, stride=stride)
    assert pieces.to_json() == whole.to_json()
    assert whole.num_frames == -(-TICKS // stride)
    np.testing.assert_array_equal(
        whole.columns["x"], recorded(tiny, reel).columns["x"][:, ::stride]
    )


def test_json_round_trip(tiny, reel) -> None:
    replay = recorded(tiny, reel)
    text = replay.to_json()
    back = Replay.from_json(text)
    assert back.to_json() == text
    assert back.stories == replay.stories and back.about == json.loads(text)["about"]
    for name, values in replay.columns.items():
        np.testing.assert_array_equal(back.columns[name], values)
        assert back.columns[name].dtype == values.dtype
    for name, values in replay.ties.items():
        np.testing.assert_array_equal(back.ties[name], values)


def test_what_does_not_change(tiny, reel) -> None:
    about = recorded(tiny, reel).about
    assert (about["title"], about["policy"], about["ticks_per_day"]) == ("tiny", "scripted", 1440)
    assert (len(about["ground"]), about["ground"][1]) == (12, "511111211115")
    purposes = {place["name"]: place["purpose"] for place in about["places"]}
    assert purposes == {
        "beds": "bed", "fridge": "fridge", "stove": "stove", "shower": "shower", "till": "work",
        "bench": "social",
    }  # fmt: skip
    seats = [about["places"][i]["name"] for i in about["rows"]]
    assert seats[:4] == ["beds", "beds", "beds", "fridge"]
    assert about["jobs"] == [
        {"name": "shopkeeper", "shown": "Shopkeeper", "start": 480, "end": 660}
    ]


@pytest.mark.parametrize("text", ["[]", "{}", '{"format": "townlet-replay", "version": 99}', "{"])
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Replay.from_json(text)


def test_nothing_recorded(tiny) -> None:
    with pytest.raises(ValueError, match="nothing was recorded"):
        Recorder(tiny).replay()


def test_long_records_leave_frames_out(tiny) -> None:
    assert good_stride(tiny, 1440) == 1
    assert good_stride(tiny, 10**7) == 15


@pytest.mark.acceptance
def test_five_days_are_small() -> None:
    town = load("configs/town.yaml")
    recorder = Recorder(town, "scripted", 7)
    for chunk in film(*built_in(town, "scripted", 7), town.params, town.layout, 5 * 1440):
        recorder.add(*chunk)
    replay = recorder.replay()
    assert replay.num_frames == 7200 and len(replay.stories) > 1000
    assert len(replay.to_json().encode()) < 300_000
