"""Pictures of evaluations: they come out, say what they should, and bear what is odd."""

import dataclasses

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.patches import FancyArrowPatch, Rectangle

from tests.ops.evaluations import changed, made_up, without
from townlet_jax.config import load
from townlet_jax.ops import day_plot, evaluation_plots, intervals_plot, ties_plot
from townlet_jax.ops.evaluation import figures, report
from townlet_jax.ops.palette import RIVALRY, TRUST


def words(figure: Figure) -> set[str]:
    found = {text.get_text() for text in figure.texts}
    for axes in figure.axes:
        found |= {text.get_text() for text in axes.texts}
        found |= {axes.get_title(loc="left"), axes.get_xlabel()}
        found |= {label.get_text() for label in (*axes.get_xticklabels(), *axes.get_yticklabels())}
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes)]
    for legend in filter(None, legends):
        found |= {text.get_text() for text in legend.get_texts()}
    return found


def told(town, lives, *others):
    contenders = [
        figures(town, name, [x]) for name, x in zip("abc", (lives, *others), strict=False)
    ]
    return report(town, contenders[0], contenders[1:])


def test_all_are_written(tiny, tmp_path) -> None:
    lives = made_up(tiny, num_towns=2, num_days=2)
    paths = evaluation_plots.save_all(tmp_path, tiny, [lives], told(tiny, lives))
    assert [path.name for path in paths] == [
        "needs.png", "day_plan.png", "ties.png", "intervals.png"
    ]  # fmt: skip
    for path in paths:
        pixels = imread(path)
        assert min(pixels.shape[:2]) > 400
        assert len(np.unique(pixels.reshape(-1, pixels.shape[2])[::97], axis=0)) > 20


def test_needs(tiny) -> None:
    figure = evaluation_plots.needs("scripted", tiny, [made_up(tiny), made_up(tiny, seed=1)])
    found = words(figure)
    assert {"tiny: needs", "policy scripted, 4 towns, 3 days, 2 learned seeds"} <= found
    assert {"hunger", "hygiene", "energy", "self-sufficiency", "day 3", "charter"} <= found
    upper, lower = figure.axes
    curves = [line for line in upper.lines if len(line.get_xdata()) == 72]
    assert len(curves) == 3
    assert len([x for x in upper.collections if isinstance(x, PolyCollection)]) == 3
    (dots,) = [x for x in lower.collections if not isinstance(x, PolyCollection)]
    assert len(dots.get_offsets()) == 2 * 4 * 3


def test_needs_of_one_town_have_no_band(tiny) -> None:
    figure = evaluation_plots.needs("idle", tiny, [made_up(tiny, num_towns=1, num_days=1)])
    assert not [x for x in figure.axes[0].collections if isinstance(x, PolyCollection)]
    assert "policy idle, 1 town, 1 day" in words(figure)


def test_long_paths_are_cut(tiny) -> None:
    path = "/" + "a/" * 40 + "runs/town"
    found = words(evaluation_plots.needs(path, tiny, [made_up(tiny)]))
    assert any(text.startswith("policy …") and "/runs/town, 4 towns" in text for text in found)


def test_hours_in_which_nobody_lives_leave_a_gap(tiny) -> None:
    lives = made_up(tiny)
    living = lives.diary.living.copy()
    living[:, 1, :6] = 0
    lives = without(changed(lives, living=living), "self_sufficiency", np.s_[:, 2])
    figure = evaluation_plots.needs("idle", tiny, [lives])
    curves = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 72]
    assert all(np.isnan(line.get_ydata()).sum() == 6 for line in curves)


def test_labels_keep_clear_of_each_other() -> None:
    apart = evaluation_plots._apart
    assert apart([0.1, 0.5, 0.9], 0.07) == [0.1, 0.5, 0.9]
    placed = apart([0.50, 0.49, 0.51], 0.07)
    assert placed[1] < placed[0] < placed[2] and np.ptp(placed) == pytest.approx(0.14)
    assert min(apart([0.0, 0.0, 0.0], 0.07)) == evaluation_plots.MIN_HEIGHT


def test_a_day(tiny) -> None:
    lives = made_up(tiny, num_towns=1, num_days=2)
    watched = {**lives.watched, "action": np.full_like(lives.watched["action"], 3)}
    watched["level"] = np.ones_like(watched["level"])
    watched["level"][300:310, 1, 2] = 0.3  # low for 50 ticks of the second day
    watched["is_alive"] = watched["is_alive"].copy()
    watched["is_alive"][-12:, 2] = False
    lives = dataclasses.replace(lives, watched=watched)
    figure = day_plot.day_plan("scripted", tiny, [lives])
    found = words(figure)
    assert {"tiny: plan of day 2", "policy scripted, town of seed 10000"} <= found
    assert {"ada", "ben", "cleo", "shopkeeper", "sleep", "own shift", "all decisions"} <= found
    upper = figure.axes[0]
    spans = {}
    for stripes in upper.collections:
        for path in stripes.get_paths():
            (x, y), (u, v) = path.get_extents().get_points()
            spans[round(y, 2), round(v, 2)] = (round(x, 2), round(u, 2))
    assert spans[-0.31, 0.31] == (0, 24), "ada sleeps all day"
    assert spans[1.69, 2.31] == (0, 23), "cleo is gone in the last hour"
    assert spans[1.31, 1.41] == (1, 1.83), "ben is hungry for a while"
    outlines = [x for x in upper.patches if isinstance(x, Rectangle) and not x.get_fill()]
    assert len(outlines) == 3 and outlines[0].get_x() == 8
    assert outlines[0].get_width() == pytest.approx(181 / 60)


def test_runs() -> None:
    assert day_plot.runs(np.array([3, 3, 1, 1, 1, 3])) == [(0, 2), (2, 5), (5, 6)]
    assert day_plot.runs(np.array([2])) == [(0, 1)]
    assert day_plot.runs(np.array([], int)) == []


def test_primitives_have_colours_too() -> None:
    town = load("configs/tiny.yaml", ["world.action_level=primitive"])
    colours = day_plot.action_colours(town.names.actions)
    assert len(colours) == town.shape.num_actions and colours["wait"] != colours["chat"]
    found = words(day_plot.day_plan("random", town, [made_up(town, num_towns=1, num_days=1)]))
    assert {"use shower", "move north"} <= found


def test_ties(tiny) -> None:
    lives = made_up(tiny, num_towns=2)
    ledger = lives.relationships
    for leaf in (ledger.trust, ledger.rivalry, ledger.familiarity):
        leaf[:] = 0
    ledger.is_tie[:] = False
    ledger.is_tie[0, [0, 1, 0, 2], [1, 0, 2, 0]] = True
    ledger.trust[0, [0, 1], [1, 0]] = (0.8, 0.6)
    ledger.rivalry[0, [0, 2], [2, 0]] = (0.5, 0.3)
    lives.town.agents.generation[1] = 2
    figure = ties_plot.ties("scripted", tiny, [lives])
    assert {"ada", "ben#2", "cleo", "policy scripted, end of day 3"} <= words(figure)
    assert "strength; 4 directed ties of 2 towns" in words(figure)
    lines = [x for x in figure.axes[0].patches if isinstance(x, FancyArrowPatch)]
    colours = [
        "#{:02x}{:02x}{:02x}".format(*(round(255 * c) for c in x.get_ec()[:3])) for x in lines
    ]
    assert colours == [TRUST, RIVALRY]


def test_towns_without_ties_or_people(tiny) -> None:
    lives = made_up(tiny, num_towns=1, num_days=1)
    lives.relationships.is_tie[:] = False
    lives.town.agents.is_alive[:] = False
    found = words(ties_plot.ties("idle", tiny, [lives]))
    assert "strength; 0 directed ties of the town" in found and "ada" not in found


def test_intervals_of_several_policies(tiny) -> None:
    first = without(made_up(tiny), "chat_success_rate")
    figure = intervals_plot.interval_panels(told(tiny, first, made_up(tiny, seed=1)))
    assert {"a", "b", "self sufficiency", "tenure [day]"} <= words(figure)
    shares = figure.axes[0]
    dots = [line for line in shares.lines if line.get_marker() in ("o", "s")]
    assert len(dots) == 2 * len(intervals_plot.SHARES) - 1
    assert all(0 <= line.get_xdata()[0] <= 1 for line in dots)
