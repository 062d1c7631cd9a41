"""Notebooks are kept without outputs, short, and free of what only one machine has."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MAX_CELLS = 15
SIZES = "TOWNLET_NOTEBOOKS"
# A path from the root of a machine, or of a user; web addresses and `a / b` are none.
ABSOLUTE = re.compile(r"(?<![\w./)\]-])(?:/(?!/)[A-Za-z_][\w.-]*/|~/|[A-Za-z]:\\)")


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def code(notebook: dict[str, Any]) -> list[str]:
    cells = [source(cell) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return ["\n".join(x for x in cell.splitlines() if not x.startswith("%")) for cell in cells]


def faults(notebook: dict[str, Any]) -> list[str]:
    """Says what is wrong with a notebook."""
    found = []
    if len(notebook["cells"]) > MAX_CELLS:
        found.append(f"{len(notebook['cells'])} cells, at most {MAX_CELLS}")
    for number, cell in enumerate(notebook["cells"], start=1):
        if cell.get("outputs"):
            found.append(f"cell {number} has outputs")
        if cell.get("execution_count") is not None:
            found.append(f"cell {number} has an execution count")
        if cell.get("metadata"):
            found.append(f"cell {number} has metadata")
        for match in ABSOLUTE.finditer(source(cell)):
            found.append(f"cell {number}: {match.group()!r} is an absolute path")
    for text in code(notebook):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom):
                private = [alias.name for alias in node.names if alias.name.startswith("_")]
                found += [f"{name} of {node.module} is not public" for name in private]
    if SIZES not in code(notebook)[0]:
        found.append(f"the first code cell does not read {SIZES}")
    return found


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook(path: Path) -> None:
    assert not faults(read(path))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_pages_exist(path: Path) -> None:
    texts = [source(cell) for cell in read(path)["cells"] if cell["cell_type"] == "markdown"]
    pages = re.findall(r"\]\(([^)#]+)", "\n".join(texts))
    assert pages, "names no page of the documentation"
    assert [page for page in pages if not (path.parent / page).is_file()] == []


@pytest.mark.parametrize(
    ("cell", "num_faults"),
    [
        ({"source": ["import os\n", "os.environ['TOWNLET_NOTEBOOKS']"]}, 0),
        ({"source": ["x = 1"]}, 1),
        ({"source": ["TOWNLET_NOTEBOOKS"], "outputs": [{}], "execution_count": 3}, 2),
        ({"source": ["TOWNLET_NOTEBOOKS = load('/home/ada/town.yaml')"]}, 1),
        ({"source": ["TOWNLET_NOTEBOOKS = load('~/town.yaml')"]}, 1),
        ({"source": ["TOWNLET_NOTEBOOKS = load('../configs/town.yaml') / 3"]}, 0),
        ({"source": ["TOWNLET_NOTEBOOKS\n", "from townlet_jax.env.batch import _mesh"]}, 1),
        ({"source": ["TOWNLET_NOTEBOOKS"], "metadata": {"scrolled": True}}, 1),
    ],
)
def test_fault_is_found(cell: dict[str, Any], num_faults: int) -> None:
    assert len(faults({"cells": [{"cell_type": "code", **cell}]})) == num_faults


def test_length_is_limited() -> None:
    cells = [{"cell_type": "code", "source": [SIZES]}] * (MAX_CELLS + 1)
    assert len(faults({"cells": cells})) == 1
