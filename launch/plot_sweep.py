"""Draws a sweep: response curves, heat maps, intervals by setting, and one page with all of them.

    python launch/plot_sweep.py out/fairness

Works on whatever is finished of a sweep. PNG files and report.html, which needs no other file and
no network, go into the folder of the sweep or into --output. --figures names columns of
results.csv to draw instead of the usual ones, such as kpi.attendance,return_mean.
"""

import sys
from pathlib import Path

from absl import flags

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from launch.flags import Exit, UsageError, run
from townlet_jax.config.errors import suggest
from townlet_jax.ops.sweep_results import figures_of, read_results

_WORKDIR = flags.DEFINE_string("workdir", None, "folder of the sweep")
_OUTPUT = flags.DEFINE_string("output", None, "folder for the files; if not given, --workdir")
_FIGURES = flags.DEFINE_list("figures", [], "columns of results.csv to draw, separated by commas")
flags.DEFINE_alias("out", "output")


def main(argv: list[str]) -> Exit:
    """Draws and writes."""
    del argv
    if not _WORKDIR.value:
        raise UsageError("name the folder of a sweep")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        hint = "pip install 'townlet-jax[analysis]'"
        raise UsageError(f"pictures need matplotlib: {hint}") from None
    from townlet_jax.ops.sweep_page import write_page
    from townlet_jax.ops.sweep_plots import FIGURES, Swept, save_all

    about, rows = read_results(Path(_WORKDIR.value).expanduser())
    finite = [row for row in rows if row["status"] == "done"]
    if not finite:
        raise UsageError(f"{_WORKDIR.value}: no lane of this sweep is finite")
    known = figures_of(finite, about["paths"])
    for name in _FIGURES.value:
        if name not in known:
            raise UsageError(f"--figures: {name!r} is no column; {suggest(name, known)}")
    figures = _FIGURES.value or [name for name in FIGURES if name in known]
    folder = Path(_OUTPUT.value or _WORKDIR.value).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    paths = save_all(Swept(about, finite, figures), folder)
    write_page(folder / "report.html", about, rows, figures, paths)
    for path in [*paths, folder / "report.html"]:
        print(f"wrote {path}", file=sys.stderr)
    return Exit.DONE


if __name__ == "__main__":
    run(main, positional="workdir")
