"""Real towns, saved and brought back."""

import dataclasses
import json
from pathlib import Path

import jax
import numpy as np
import pytest

from townlet_jax.config import dump, load
from townlet_jax.env import batch
from townlet_jax.ops.host import fetch, state_hash, town_hashes
from townlet_jax.snapshots import cli, inspection, leaves, metadata, store, towns
from townlet_jax.snapshots.errors import CorruptSnapshotError, SnapshotError
from townlet_jax.snapshots.guard import Content

ROOT = Path(__file__).parents[2]
TINY = str(ROOT / "configs" / "tiny.yaml")
SAMPLE = ROOT / "docs" / "samples" / "snapshot_config_example.yaml"
NUM_TICKS, NUM_TOWNS = 60, 2
RUN = {"policy": "scripted", "seed": 3, "num_towns": NUM_TOWNS, "num_ticks": NUM_TICKS, "days": []}


def hash_of(alive):
    return state_hash(town_hashes(fetch(alive.state)))


@pytest.fixture(scope="module")
def town():
    return load(TINY)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("towns")


@pytest.fixture(scope="module")
def step(town, root):
    alive = batch.advance(town, "scripted", batch.start(town, 3, NUM_TOWNS), NUM_TICKS)
    content = leaves.to_host(alive)
    place = store.Store(root)
    about = towns.describe(town, content, RUN)
    step = place.save(about.tick, leaves.writer(dump(town.config), content, about))
    place.close()
    return step


def test_resumed_equals_uninterrupted(town, step):
    whole = batch.advance(town, "scripted", batch.start(town, 3, NUM_TOWNS), NUM_TICKS + 40)
    restored = towns.load(town, step)
    assert restored.is_exact and restored.migrations == () and restored.metadata.tick == NUM_TICKS
    alive = batch.advance(town, "scripted", restored.state, 40)
    assert hash_of(alive) == hash_of(whole)
    for a, b in zip(*(jax.tree.leaves(fetch(x)) for x in (alive, whole)), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_the_table_is_that_of_the_towns(town, step):
    content = leaves.to_host(batch.start(town, 0, 1))
    names = [leaf.name for leaf in metadata.read(step).table]
    assert names == list(content) and "state.clock.stream_keys" in names
    assert any(name.startswith("decision.") for name in names)


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("queue_fairness.cooldown_ticks=7", "queue_fairness.cooldown_ticks is .* and 7 now"),
        ("world.max_agents=5", "world.max_agents"),
    ],
)
def test_another_configuration_is_refused(step, override, line):
    with pytest.raises(SnapshotError, match=line) as error:
        towns.load(load(TINY, [override]), step)
    assert str(error.value).startswith(str(step))


def test_without_the_guard_numbers_may_differ_but_not_forms(step):
    loose = "snapshot.guardrails.require_exact_config=false"
    restored = towns.load(load(TINY, [loose, "queue_fairness.cooldown_ticks=7"]), step)
    assert not restored.is_exact
    (mark,) = restored.history
    assert mark["handler"] is None and metadata.read(step).config_hash in mark["source"]
    with pytest.raises(
        SnapshotError, match=r"decision\.action is int32 \[3\], the town needs int32 \[5\]"
    ):
        towns.load(load(TINY, [loose, "world.max_agents=5"]), step)


def test_how_snapshots_are_kept_makes_no_other_town(town, step):
    other = load(TINY, ["snapshot.autosave.retain=9", "snapshot.autosave.cadence_ticks=100"])
    assert other.identity == town.identity
    assert towns.load(other, step).is_exact


def test_numbers_that_are_not_finite_are_neither_saved_nor_restored(town, step):
    about = metadata.read(step)
    content = leaves.read(step, about)
    content["state.needs.level"] = content["state.needs.level"].copy()
    content["state.needs.level"][1, 2, 0] = np.nan
    for given, refuse in ((dump(town.config), leaves.writer), (town, towns.restore)):
        with pytest.raises(SnapshotError) as error:
            refuse(given, content, about)
        who = town.names.agents[2]
        assert f"state.needs.level of town 1[2, 0] ({who}) is nan" in str(error.value)


def wealthy(content):
    """A migration: everybody gets one more."""
    wallet = content.leaves["state.agents.wallet"] + 1
    return Content("tiny_saved_v1.1", content.leaves | {"state.agents.wallet": wallet}, content.run)


HANDLER = f"snapshot.migrations.handlers={{tiny: '{__name__}:wealthy'}}"


def test_migrations_need_leave(step):
    town = load(SAMPLE, [HANDLER])
    with pytest.raises(
        SnapshotError, match="auto-migration disabled; set snapshot.migrations.auto"
    ):
        towns.load(town, step)
    restored = towns.load(load(SAMPLE, [HANDLER, "snapshot.migrations.auto_apply=true"]), step)
    assert [(one["from"], one["to"]) for one in restored.migrations] == [
        ("tiny", "tiny_saved_v1.1")
    ]
    assert restored.history == restored.migrations
    before = leaves.read(step, metadata.read(step))["state.agents.wallet"]
    np.testing.assert_array_equal(restored.state.state.agents.wallet, before + 1)


def test_migrated_snapshots_carry_the_audit(step, tmp_path, capsys):
    arguments = [str(step), "--config", str(SAMPLE), "--set", HANDLER]
    assert cli.main(["validate", *arguments]) == cli.INVALID
    assert "auto-migration disabled" in capsys.readouterr().out
    output = tmp_path / "migrated"
    assert cli.main(["migrate", *arguments, "--output", str(output), "--json"]) == cli.DONE
    report = json.loads(capsys.readouterr().out)
    (applied,) = metadata.read(Path(report["output"])).migrations
    assert report["applied"] == [applied]
    assert (applied["from"], applied["to"]) == ("tiny", "tiny_saved_v1.1")
    assert str(step) in applied["source"] and applied["time"]
    assert towns.load(load(SAMPLE), Path(report["output"])).is_exact
    assert cli.main(["validate", report["output"], "--config", str(SAMPLE), "--strict"]) == cli.DONE
    assert cli.main(["migrate", report["output"], "--config", str(SAMPLE)]) == cli.USAGE
    assert "is tiny_saved_v1.1, there is nothing to migrate" in capsys.readouterr().err


def test_strict_refuses_what_a_load_would_change(step, capsys):
    loose = ["--set", "snapshot.guardrails.require_exact_config=false", "needs.decay.hunger=0.002"]
    arguments = ["validate", str(step), "--config", TINY]
    assert cli.main([*arguments, "--strict"]) == cli.DONE
    assert cli.main([*arguments, *loose[:2]]) == cli.DONE
    auto = [HANDLER, "snapshot.migrations.auto_apply=true"]
    sample = ["validate", str(step), "--config", str(SAMPLE), "--set", *auto]
    assert cli.main(sample) == cli.DONE
    assert "would migrate tiny to tiny_saved_v1.1" in capsys.readouterr().out
    assert cli.main([*sample, "--strict"]) == cli.INVALID
    assert "--strict refuses migrations" in capsys.readouterr().out


def test_stats_tell_what_the_arrays_hold(step, town):
    (line,) = inspection.stats(step, ["state.needs.level"])
    level = leaves.read(step, metadata.read(step))["state.needs.level"]
    assert line["shape"] == [NUM_TOWNS, *town.params.needs.decay.shape[:0], *level.shape[1:]]
    assert line["min"] == level.min() and line["max"] == level.max()
    assert line["mean"] == pytest.approx(level.mean()) and line["num_not_finite"] == 0


def test_differences_are_named(town, step, tmp_path):
    about = metadata.read(step)
    content = dict(leaves.read(step, about))
    content["state.agents.wallet"] = content["state.agents.wallet"].copy()
    content["state.agents.wallet"][1, 2] += 2
    other = dataclasses.replace(about, run=about.run | {"seed": 4})
    place = store.Store(tmp_path)
    changed = place.save(about.tick, leaves.writer(dump(town.config), content, other))
    place.close()
    found = inspection.diff(step, changed)
    assert found["metadata"] == {"run": [about.run, other.run]} and found["forms"] == []
    (line,) = found["leaves"]
    assert (line["name"], line["num_different"]) == ("state.agents.wallet", 1)
    assert line["max_difference"] == pytest.approx(2, abs=1e-6)
    where = line["where"]
    assert (where["town"], where["resident"], where["index"]) == (1, town.names.agents[2], [2])
    assert found["num_equal"] == len(about.table) - 1
    assert inspection.diff(step, step)["leaves"] == []


def test_arrays_that_are_not_what_the_metadata_says(step, tmp_path):
    about = metadata.read(step)
    for changed in (
        dataclasses.replace(about, run=about.run | {"num_towns": 3}),
        dataclasses.replace(about, table=about.table[1:]),
    ):
        with pytest.raises(CorruptSnapshotError, match="arrays are"):
            leaves.read(step, changed)
    with pytest.raises(CorruptSnapshotError, match="arrays cannot be read"):
        leaves.read(tmp_path, about)
