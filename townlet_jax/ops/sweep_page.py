"""A sweep as one HTML file that asks nothing of any other machine."""

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from townlet_jax.ops.sweep_files import Row, write
from townlet_jax.ops.sweep_results import estimates, table
from townlet_jax.ops.sweep_table import spoken

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #24292f; max-width: 78rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
img { max-width: 100%; border: 1px solid #d0d7de; border-radius: 6px; margin: .4rem 0; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #d0d7de; text-align: right; }
th:first-child, td:first-child { text-align: left; } th { position: sticky; top: 0;
  background: white; } small, .faint { color: #57606a; } .wide { overflow-x: auto; }
"""
_TITLES = {"response": "Response curves", "heat": "Heat maps", "intervals": "Settings"}


def write_page(
    path: Path, about: Mapping[str, Any], rows: Sequence[Row], figures: Sequence[str],
    pictures: Sequence[Path],
) -> None:  # fmt: skip
    """Writes the file.

    Args:
      path: of the file.
      about: what is swept. rows: of all lanes.
      figures: columns of the table.
      pictures: PNG files; they are put into the file.

    Raises:
      OSError: it cannot be written.
    """
    title = html.escape(f"Sweep {about['name']}")
    parts = [
        "<!doctype html>", '<html lang="en"><head><meta charset="utf-8">',
        f"<title>{title}</title><style>{STYLE}</style></head><body>",
        f"<h1>{title}</h1>", _introduction(about, rows),
    ]  # fmt: skip
    for kind, name in _TITLES.items():
        own = [picture for picture in pictures if picture.name.startswith(kind)]
        if own:
            parts += [f"<h2>{name}</h2>", *(_picture(picture) for picture in own)]
    finite = [row for row in rows if row["status"] == "done"]
    parts += ["<h2>All settings</h2>", _table(about, finite, figures), "</body></html>\n"]
    write(path, "\n".join(parts))


def _introduction(about: Mapping[str, Any], rows: Sequence[Row]) -> str:
    done = len({row["setting"] for row in rows})
    bad = sum(row["status"] != "done" for row in rows)
    facts = {
        "town": about["config_id"],
        "who decides": about["policy"] + (" (trained)" if about["mode"] == "train" else ""),
        "settings": f"{done} of {about['num_settings']}",
        "seeds per setting": about["num_seeds"],
        "towns and days per lane": f"{about['towns']}, {about['days']}",
        "lanes one by one": "yes" if about["is_exact"] else "no",
        "lanes that were not finite": bad,
        "swept": ", ".join(about["paths"]),
    }
    lines = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(str(fact))}</td></tr>"
        for name, fact in facts.items()
    )
    return f"<table>{lines}</table>"


def _picture(path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{html.escape(path.stem)}" src="data:image/png;base64,{data}">'


def _table(about: Mapping[str, Any], rows: Sequence[Row], figures: Sequence[str]) -> str:
    """Shows means with intervals over seeds, and interquartile means."""
    swept = {row["setting"]: [row.get(path) for path in about["paths"]] for row in rows}
    columns = []
    for name in figures:
        _, values = table(rows, name)
        columns.append(estimates(values))
    heads = ["setting", *about["paths"], *figures]
    lines = ["<tr>" + "".join(f"<th>{html.escape(head)}</th>" for head in heads) + "</tr>"]
    for i, setting in enumerate(sorted(swept)):
        cells = [str(setting), *(html.escape(spoken(x)) for x in swept[setting])]
        for mean, iqm in columns:
            text = "–"
            if mean.mean[i] == mean.mean[i]:
                span = f"[{mean.low[i]:.3g}, {mean.high[i]:.3g}] iqm {iqm.mean[i]:.3g}"
                text = f"{mean.mean[i]:.3g} <small>{span}</small>"
            cells.append(text)
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    remark = "Means over seeds, 95 % bootstrap intervals, interquartile means (iqm)."
    return f'<p class="faint">{remark}</p><div class="wide"><table>{"".join(lines)}</table></div>'
