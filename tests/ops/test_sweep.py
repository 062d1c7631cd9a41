"""Sweeps of the tiny town: lanes equal single runs, and other values compile nothing."""

import numpy as np
import pytest

from tests.train.conftest import QUICK
from townlet_jax.config.sweep import Base
from townlet_jax.config.sweep_file import read_sweep
from townlet_jax.ops.evaluation import figures
from townlet_jax.ops.sweep import Plan, SweepRun
from townlet_jax.snapshots import store
from townlet_jax.train import evaluate, evaluate_lanes, lanes

CONFIG = "configs/tiny.yaml"
HUNGER = "rewards.decay_rates.hunger"
SHORT = (
    "time.ticks_per_day=120", "jobs.shopkeeper.start_tick=20", "jobs.shopkeeper.end_tick=60",
)  # fmt: skip
"""Short days, which are quickly lived."""
FILE = """
seeds: 2
grid: {{queue_fairness.cooldown_ticks: {}, rewards.decay_rates.hunger: {}}}
evaluate: {{towns: 1, days: 2}}
"""


CHUNKED = FILE.replace("seeds: 2", "seeds: 2\nchunk: 4")


@pytest.fixture(scope="module")
def base():
    return Base(CONFIG, SHORT)


@pytest.fixture(scope="module", autouse=True)
def traces():
    """Compiles quickly; returns a list that grows with every trace of a program of lanes."""
    found, live = [], evaluate_lanes.live

    def traced(stay, *args):
        found.append(stay)
        return live(stay, *args)

    with pytest.MonkeyPatch.context() as patch:
        for module in (evaluate, evaluate_lanes):
            patch.setattr(module, "compiler_options", lambda *_: QUICK)
        patch.setattr(evaluate_lanes, "live", traced)
        evaluate._runner.cache_clear()
        evaluate_lanes.evaluator.cache_clear()
        yield found
        evaluate._runner.cache_clear()
        evaluate_lanes.evaluator.cache_clear()


@pytest.fixture
def sweep(base, tmp_path):
    """Returns a function that runs a sweep: its rows, and what was said."""

    def sweep(text, stops=(), **plan):
        path = tmp_path / "sweep.yaml"
        path.write_text(text)
        said, answers = [], iter(stops)
        file = read_sweep(path)
        whole = Plan(**{"mode": file.file.mode, "num_seeds": file.file.seeds, **plan})
        with SweepRun(base, file, whole, said.append) as run:
            done = run.run(lambda: next(answers, False))
        return run.rows, said, done

    return sweep


@pytest.fixture(scope="module")
def rows():
    return {}


def first(sweep, rows):
    """Runs four settings once for all tests."""
    if not rows:
        found, said, done = sweep(FILE.format([1, 200], [0.001, 0.01]))
        assert done
        rows.update(found=found, said=said)
    return rows["found"], rows["said"]


def test_a_row_per_setting_and_seed(sweep, rows):
    found, said = first(sweep, rows)
    assert [(row["setting"], row["lane"], row["seed"]) for row in found] == [
        (s, 2 * s + r, 10_000 + r) for s in range(4) for r in range(2)
    ]
    assert [row[HUNGER] for row in found[::2]] == [0.001, 0.01, 0.001, 0.01]
    assert all(row["status"] == row["stop_reason"] == "done" for row in found)
    names = {"kpi.self_sufficiency", "kpi.reward.survival", "kpi.conflicts_per_day", "ties.trust"}
    assert names <= found[0].keys()
    assert found[0]["kpi.need_mean.hunger"] > found[2]["kpi.need_mean.hunger"], "numbers matter"
    for row in found:
        assert row["queues.ghost_steps_per_day"] == row["kpi.conflicts_per_day"]
        assert row["queues.rotations_per_day"] == row["queues.ghost_steps_per_day"]
        assert row["queues.wait_ticks"] >= 0
    assert said[0].startswith("sweep: 4 settings x 2 seeds, 8 lanes of 1 town(s) and 2 day(s)")


def test_other_values_and_more_calls_compile_nothing(sweep, rows, traces):
    first(sweep, rows)
    assert len(traces) == 1
    found, said, _ = sweep(CHUNKED.format([5, 40, 300], [0.002, 0.003, 0.004, 0.005]))
    assert len(found) == 24 and len(traces) == 1
    assert "chunked: 12 settings, 4 per call, 3 calls of the same program" in said
    again, _, _ = sweep(CHUNKED.format([1, 200], [0.001, 0.01]))
    assert bare(again) == bare(rows["found"]) and len(traces) == 1


def bare(rows):
    """Leaves out how long rows took."""
    return [{name: x for name, x in row.items() if name != "wall_sec"} for row in rows]


def test_a_padded_call_equals_a_full_one(sweep, rows, base):
    first(sweep, rows)
    three = FILE.format([1, 200], [0.001, 0.01]).replace(
        "grid:", "chunk: 4\npoints: [{queue_fairness.cooldown_ticks: 200}]\ngrid:"
    )
    found, said, _ = sweep(three)
    assert len(found) == 10 and bare(found[:8]) == bare(rows["found"])
    assert found[8][HUNGER] == base.town.config.rewards.decay_rates.hunger, "as configured"


@pytest.mark.acceptance
@pytest.mark.parametrize("is_exact", [False, True], ids=["together", "exact"])
def test_lanes_equal_single_runs(sweep, base, is_exact):
    found, _, _ = sweep(FILE.format([1, 200], [0.01]), is_exact=is_exact)
    for row in found[1::2]:
        path = "queue_fairness.cooldown_ticks"
        town = Base(CONFIG, (*SHORT, f"{path}={row[path]}", f"{HUNGER}=0.01")).town
        single = evaluate.evaluate(town, evaluate.Mind("scripted"), [row["seed"]], 2)
        kpis = figures(town, "scripted", [single]).by_town
        for name, x in kpis.items():
            own = row[f"kpi.{name}"]
            wanted = float(x[0, 0])
            if own is None:
                assert np.isnan(wanted), name
            elif is_exact:
                assert own == wanted, name
            else:
                assert own == pytest.approx(wanted, rel=1e-5, abs=1e-6), name


def test_a_stopped_sweep_goes_on(sweep, rows, tmp_path, traces):
    first(sweep, rows)
    text = CHUNKED.format([1, 200], [0.001, 0.01, 0.005, 0.006])
    folder = tmp_path / "out"
    found, _, done = sweep(text, stops=[False, True], workdir=folder)
    assert not done and len(found) == 8
    again, said, done = sweep(text, workdir=folder, is_resumed=True)
    assert done and len(again) == 16 and bare(again[:8]) == bare(found)
    assert "part 0: finished before, 8 lanes" in said
    whole, _, _ = sweep(text)
    assert bare(again) == bare(whole) and len(traces) == 1


SMALL = (
    "network.map_hidden=16", "network.feature_hidden=16", "network.gru_hidden=16",
    "training.num_towns=4", "training.num_steps=4", "training.num_updates=6",
    "training.updates_per_chunk=1", "training.checkpoint_every=2", "ppo.num_epochs=1",
    "ppo.num_mini_batches=2",
)  # fmt: skip
TRAINED = """
mode: train
seeds: 2
grid: {ppo.learning_rate: [1.0e-3, 1.0e-5]}
evaluate: {towns: 1, days: 1}
"""


@pytest.mark.acceptance
def test_trained_lanes_go_on_bit_for_bit(tmp_path):
    """A sweep that is stopped after each chunk of updates equals one that is not."""
    base = Base("configs/train/ppo_tiny.yaml", (*SHORT, *SMALL))
    path = tmp_path / "sweep.yaml"
    path.write_text(TRAINED)
    file = read_sweep(path)

    def run(answers, **plan):
        with SweepRun(base, file, Plan("train", 2, **plan), lambda line: None) as sweeping:
            return sweeping.run(lambda: next(answers, False)), sweeping.rows

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lanes, "compiler_options", lambda *_: QUICK)
        lanes.trainer.cache_clear()
        done, whole = run(iter(()))
        assert done and [row["updates"] for row in whole] == [6] * 4
        assert whole[0]["return_mean"] != whole[2]["return_mean"], "rates matter"
        assert whole[0]["kpi.self_sufficiency"] is not None
        folder = tmp_path / "out"
        done, rows = run(iter([False] * 4 + [True]), workdir=folder)
        assert not done and rows == []
        assert [step.tick for step in store.steps(folder / "running" / "0")] == [3]
        done, rows = run(iter(()), workdir=folder, is_resumed=True)
        assert done and bare(rows) == bare(whole)
        assert not (folder / "running" / "0").exists()
        lanes.trainer.cache_clear()


def test_memory_limits_a_call(sweep, rows):
    first(sweep, rows)
    text = FILE.format([1, 200], [0.001, 0.01]).replace("seeds: 2", "seeds: 2\nmemory_gib: 1.0e-9")
    sized = SweepRun._chunk
    chosen = []

    def spied(self, lanes):
        chosen.append(sized(self, lanes))
        return 4  # the program that is there

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SweepRun, "_chunk", spied)
        _, said, _ = sweep(text)
    assert chosen[0] < 4
    assert any(line.startswith("memory: ") and "are allowed" in line for line in said)
