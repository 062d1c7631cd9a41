import dataclasses
import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

from tests.train.conftest import QUICK
from townlet_jax.config import load
from townlet_jax.ops.early_stop import Stop
from townlet_jax.ops.training import Training, resume
from townlet_jax.ops.training_log import read_log
from townlet_jax.ops.training_plan import Plan
from townlet_jax.snapshots import learners, leaves, metadata, policies, store
from townlet_jax.snapshots.errors import SnapshotError
from townlet_jax.train import lanes

SMALL = [
    "training.num_towns=4", "training.num_steps=4", "training.num_updates=4",
    "training.updates_per_chunk=2", "training.checkpoint_every=2", "ppo.num_mini_batches=2",
    "ppo.num_epochs=2", "network.feature_hidden=16", "network.gru_hidden=16",
]  # fmt: skip
CLOCK = {"epoch_duration_sec", "steps_per_second", "agent_ticks_per_second", "compile_sec"}


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Few updates are run, so whatever compiles soonest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lanes, "compiler_options", lambda *_: QUICK)
        yield


@pytest.fixture(scope="module")
def town():
    return load("configs/train/ppo_tiny.yaml", SMALL)


def plan_in(folder: Path, **changes) -> Plan:
    plan = Plan(seeds=(3,), workdir=folder, log=str(folder / "train.jsonl"), eval_towns=0)
    return dataclasses.replace(plan, **changes)


def run(town, plan, num_chunks, restored=None):
    with Training(town, plan, restored) as training:
        for _ in range(num_chunks):
            assert training.advance() is None
            assert training.save()
        training.end(Stop("done", training.epoch))
        return training


@pytest.fixture(scope="module")
def whole(town, tmp_path_factory):
    """A run of four updates that was never interrupted."""
    plan = plan_in(tmp_path_factory.mktemp("whole"))
    return plan, run(town, plan, 2)


def content(folder: Path, tick: int):
    step = folder / "snapshots" / f"{tick:010d}"
    return leaves.read(step, metadata.read(step))


def timeless(path: str):
    return [
        {key: x for key, x in record.items() if key not in CLOCK} for record in read_log(path)
    ]


def test_resumed_equals_uninterrupted(town, whole, tmp_path):
    plan, _ = whole
    part = plan_in(tmp_path)
    run(town, part, 1)
    with Path(part.log).open("a") as log:  # written after the checkpoint, by a run that was killed
        log.write('{"epoch": 3}\n{"epo')
    shutil.rmtree(tmp_path / "best", ignore_errors=True)
    run(town, part, 1, resume(town, part))
    ours, theirs = content(tmp_path, 4), content(plan.workdir, 4)
    assert ours.keys() == theirs.keys()
    for name, x in theirs.items():
        np.testing.assert_array_equal(ours[name], x, err_msg=name, strict=True)
    assert timeless(part.log) == timeless(plan.log)
    runs = [metadata.read(f / "snapshots" / "0000000004").run for f in (tmp_path, plan.workdir)]
    assert runs[0] == runs[1]


def test_log_has_every_key_once_per_update(whole):
    plan, training = whole
    records = list(read_log(plan.log))
    assert [r.get("epoch") for r in records] == [1, 2, 3, 4, 4]
    assert records[-1]["event"] == "stop" and records[-1]["reason"] == "done"
    updates = records[:-1]
    assert [r["log_stream_offset"] for r in updates] == [1, 2, 3, 4]
    assert ["compile_sec" in r for r in updates] == [True, False, False, False]
    keys = set(json.loads((Path("tests/data/training_keys.json")).read_text()))
    for record in updates:
        assert keys - {"compile_sec"} <= record.keys() - {"compile_sec"}
        shares = [x for key, x in record.items() if key.startswith("option_hist.")]
        assert abs(sum(shares) - 1) <= 1e-5
        assert record["cycle_id"] == record["epoch"] - 1
        assert record["agent_ticks_total"] == record["epoch"] * 4 * 3 * 4 * 5
    steps = np.cumsum([r["transitions"] for r in updates])
    assert [r["steps"] for r in updates] == steps.tolist()
    assert training.report()["records"][0]["epoch"] == 4


def test_snapshots_are_kept_and_told(whole):
    plan, _ = whole
    steps = store.steps(plan.workdir / "snapshots")
    assert [step.tick for step in steps] == [2, 4]
    about = metadata.read(steps[-1].path)
    assert (about.kind, about.num_rows, about.rows) == ("training", 1, "learners")
    assert {leaf.name for leaf in about.table} >= {
        "params.gru.kernel", "opt_state.mu.policy.bias", "world.town.needs.level", "num_updates",
    }  # fmt: skip


def test_other_plans_and_sizes_are_refused(town, whole, tmp_path):
    plan, _ = whole
    with pytest.raises(SnapshotError, match=r"its seeds are \[3\], not \[4\]"):
        resume(town, dataclasses.replace(plan, seeds=(4,)))
    with pytest.raises(SnapshotError, match="no such folder"):
        resume(town, plan_in(tmp_path / "nothing"))
    loose = "snapshot.guardrails.require_exact_config=false"
    other = load("configs/train/ppo_tiny.yaml", [*SMALL, loose, "network.gru_hidden=8"])
    with pytest.raises(SnapshotError, match="sizes of a run cannot change"):
        resume(other, plan)


def test_policies_come_back_with_their_layout_and_actions(town, whole):
    plan, training = whole
    (policy,) = policies.load(plan.workdir, town)
    assert policy.num_updates == 4 and policy.seed == 3 and len(policy.policy_hash) == 64
    net = jax.tree.map(lambda x: x[0], jax.device_get(training._learner.params))
    for ours, theirs in zip(jax.tree.leaves(policy.params), jax.tree.leaves(net), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    full = load("configs/train/ppo_tiny.yaml", [*SMALL, "features.systems.observations=hybrid"])
    with pytest.raises(NotImplementedError, match="layout_hash"):
        policies.load(plan.workdir, full)
    with pytest.raises(SnapshotError, match="no such run"):
        policies.find(plan.workdir / "nowhere")
    with pytest.raises(SnapshotError, match=r"lane must be in 0\.\.\.0, got 1"):
        policies.choose([policy], 1)


def test_a_run_can_begin_with_the_policy_of_another(town, whole, tmp_path):
    plan, training = whole
    heir = load("configs/train/ppo_tiny.yaml", [*SMALL, f"training.init_from={plan.workdir}"])
    with Training(heir, plan_in(tmp_path, seeds=(8,))) as begun:
        ours, theirs = begun._learner, training._learner
        np.testing.assert_array_equal(ours.params["gru"]["kernel"], theirs.params["gru"]["kernel"])
        assert float(ours.value_stats.weight[0]) > 0 and int(ours.num_updates[0]) == 0
        assert not np.asarray(ours.opt_state.mu["gru"]["kernel"]).any()
    other = load(
        "configs/train/ppo_tiny.yaml",
        [*SMALL, f"training.init_from={plan.workdir}", "network.gru_hidden=8"],
    )
    with pytest.raises(SnapshotError, match="does not fit"):
        Training(other, plan_in(tmp_path / "other"))


def test_numbers_that_are_not_finite_end_the_run_and_are_never_saved(town, whole, tmp_path):
    del whole  # compiled
    with Training(town, plan_in(tmp_path)) as training:
        params = training._learner.params
        params["value"]["bias"] = params["value"]["bias"] * np.float32("nan")
        stop = training.advance()
        assert stop is not None and (stop.reason, stop.status) == ("nonfinite", 4)
        with pytest.raises(SnapshotError, match=r"params\.value\.bias of learner 0"):
            training.save()
    assert not store.steps(tmp_path / "snapshots")


@pytest.mark.acceptance
def test_best_policy_is_kept_apart(town, tmp_path):
    with Training(town, plan_in(tmp_path, eval_towns=2, eval_days=1)) as training:
        training.advance()
        assert training.save()
        training.evaluate()
    (best,) = store.steps(tmp_path / "best")
    assert best.tick == 2 and policies.find(tmp_path) == best.path
    (record,) = [r for r in read_log(str(tmp_path / "train.jsonl")) if "event" in r]
    assert record["event"] == "evaluation" and 0 <= record["self_sufficiency"] <= 1
    assert learners.load(town, best.path).is_exact
