"""Results of a sweep: estimates with known values, tables, files, pictures, the page."""

import csv
import json

import numpy as np
import pytest

from townlet_jax.ops.bootstrap import iqm_intervals, seed_intervals
from townlet_jax.ops.sweep_results import figures_of, summarise, table, write_all
from townlet_jax.ops.sweep_table import short, sweep_table
from townlet_jax.ops.terminal import console

PATHS = ["queue.a", "queue.b"]
ABOUT = {
    "name": "made up", "config_id": "nowhere", "mode": "simulate", "policy": "scripted",
    "num_seeds": 4, "num_settings": 6, "paths": PATHS, "towns": 1, "days": 1, "is_exact": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    return [
        {
            "sweep": "made up",
            "setting": s,
            "seed": 10 + r,
            "lane": 4 * s + r,
            "status": "done",
            "queue.a": [1, 10, 100][s // 2],
            "queue.b": [True, False][s % 2],
            "wall_sec": 0.1,
            "kpi.self_sufficiency": None if (s, r) == (5, 3) else rng.random(),
            "kpi.conflicts_per_day": 3.0 + s + r,
            "ties.trust": 0.25,
            "stop_reason": "done",
        }
        for s in range(6)
        for r in range(4)
    ]


def test_interquartile_mean_by_hand():
    values = np.array([[0.0, 1.0, 2.0, 100.0], [5.0, np.nan, 7.0, 9.0], [np.nan] * 4])
    found = iqm_intervals(values)
    np.testing.assert_allclose(found.mean, [1.5, 7.0, np.nan])
    eight = iqm_intervals(np.arange(8.0)[None, ::-1])
    assert eight.mean[0] == 3.5
    assert (found.low[:2] <= found.mean[:2]).all() and (found.mean[:2] <= found.high[:2]).all()


def test_intervals_of_seeds_have_known_ends():
    values = np.tile(np.array([0.0, 1.0]), 50)[None]
    found = seed_intervals(values)
    half = 1.96 * 0.5 / 10
    np.testing.assert_allclose([found.low[0], found.high[0]], [0.5 - half, 0.5 + half], atol=0.02)
    single = seed_intervals(np.array([[3.0]]))
    assert (single.mean[0], single.low[0], single.high[0]) == (3.0, 3.0, 3.0)


def test_figures_are_neither_names_nor_swept(rows):
    names = ["kpi.self_sufficiency", "kpi.conflicts_per_day", "ties.trust"]
    assert figures_of(rows, PATHS) == names
    settings, values = table(rows, "kpi.self_sufficiency")
    assert settings == [*range(6)] and values.shape == (6, 4)
    assert np.isnan(values[5, 3]) and not np.isnan(values[4]).any()


def test_summary_has_a_row_per_setting_and_figure(rows):
    found = summarise(rows, PATHS)
    assert len(found) == 6 * 3
    row = next(r for r in found if r["setting"] == 2 and r["figure"] == "kpi.conflicts_per_day")
    assert (row["queue.a"], row["queue.b"], row["seeds"]) == (10, True, 4)
    assert (row["mean"], row["iqm"]) == (6.5, 6.5)
    assert row["low"] < 6.5 < row["high"]
    short_of_one = next(r for r in found if r["setting"] == 5 and r["seeds"] == 3)
    assert short_of_one["figure"] == "kpi.self_sufficiency"


def _lines(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_files_say_the_same(rows, tmp_path):
    paths = {path.name: path for path in write_all(tmp_path, ABOUT, rows)}
    lines = _lines(paths["results.csv"])
    assert len(lines) == 24 and lines[0]["queue.b"] == "true"
    assert float(lines[7]["kpi.self_sufficiency"]) == rows[7]["kpi.self_sufficiency"]
    assert json.loads(paths["results.json"].read_text()) == {
        "schema": 1, "about": ABOUT, "rows": rows,
    }  # fmt: skip
    assert len(_lines(paths["summary.csv"])) == 18
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = parquet.read_table(paths["results.parquet"]).to_pydict()
    assert columns["kpi.self_sufficiency"] == [row["kpi.self_sufficiency"] for row in rows]
    assert columns["queue.b"][:2] == [True, True]


def test_the_table_names_what_is_swept(rows, capsys):
    import sys

    console(sys.stdout).print(sweep_table(ABOUT, rows))
    told = capsys.readouterr().out
    assert "self-suff." in told and "100" in told and "95 % interval" in told
    assert "coverage" not in told, "it is the same everywhere"
    assert short("x.enabled", ["x.enabled", "y.enabled"]) == "x.enabled"


def test_pictures_and_page(rows, tmp_path):
    from townlet_jax.ops.sweep_page import write_page
    from townlet_jax.ops.sweep_plots import Swept, save_all

    figures = figures_of(rows, PATHS)
    pictures = save_all(Swept(ABOUT, rows, figures), tmp_path)
    assert [path.name for path in pictures] == [
        "response_queue_a.png", "response_queue_b.png", "heat_queue_a_queue_b.png",
        "intervals.png",
    ]  # fmt: skip
    assert all(path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" for path in pictures)
    write_page(tmp_path / "report.html", ABOUT, rows, figures, pictures)
    text = (tmp_path / "report.html").read_text()
    assert text.count("data:image/png;base64,") == 4 and "made up" in text
    assert "http:" not in text and "https:" not in text and "src=\"/" not in text


def test_a_figure_that_no_setting_has_is_drawn_empty(rows, tmp_path):
    from townlet_jax.ops.sweep_plots import Swept, save_all

    blank = [{**row, "ties.trust": None} for row in rows]
    assert len(save_all(Swept(ABOUT, blank, ["ties.trust"]), tmp_path)) == 4


def test_parameters_that_do_not_vary_together_have_no_map(rows):
    from townlet_jax.ops.sweep_plots import Swept

    line = [row for row in rows if row["queue.a"] == 1 or row["queue.b"] == rows[0]["queue.b"]]
    assert Swept(ABOUT, rows, []).is_crossed("queue.a", "queue.b")
    assert not Swept(ABOUT, line, []).is_crossed("queue.a", "queue.b")


def test_a_curve_shows_means_over_the_other_parameter(rows):
    from townlet_jax.ops.sweep_plots import Swept

    swept = Swept(ABOUT, rows, ["kpi.conflicts_per_day"])
    found = swept.by_seed("kpi.conflicts_per_day", [{"queue.a": 1}, {"queue.a": 100}])
    np.testing.assert_allclose(found, [[3.5, 4.5, 5.5, 6.5], [7.5, 8.5, 9.5, 10.5]])


def test_a_point_beside_a_grid_shifts_no_curve(rows):
    from townlet_jax.ops.sweep_plots import Swept

    grid = [row for row in rows if row["queue.b"]]
    point = [{**row, "setting": 9, "queue.b": False, "kpi.conflicts_per_day": 99.0}
             for row in grid if row["queue.a"] == 10]  # fmt: skip
    swept = Swept(ABOUT, [*grid, *point], ["kpi.conflicts_per_day"])
    even = swept.balanced(["queue.a"])
    assert even.rows == grid
    both = swept.balanced(["queue.b"])
    assert {row["queue.a"] for row in both.rows} == {10} and len(both.rows) == 8
