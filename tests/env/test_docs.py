"""The programs of docs/environment.md run as they stand."""

import re
from pathlib import Path

import jax
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "environment.md").read_text()
PROGRAMS = dict(
    zip(
        ("arrays", "jaxmarl", "pettingzoo", "gymnasium"),
        re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL),
        strict=True,
    )
)


@pytest.fixture
def run(monkeypatch):
    monkeypatch.chdir(ROOT)

    def run(name):
        names = {}
        # A user has no strict settings.
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            exec(compile(PROGRAMS[name], f"docs/environment.md: {name}", "exec"), names)
        return names

    return run


@pytest.mark.slow
def test_arrays(run):
    names = run("arrays")
    assert names["reward"].shape == (8, 3)
    assert (names["state"].age == 3).all()
    assert (names["state"].num_illegal == 0).all()


@pytest.mark.acceptance
def test_jaxmarl_learns(run):
    pytest.importorskip("jaxmarl")
    names = run("jaxmarl")
    assert all(np.isfinite(x).all() for x in names["weights"].values())
    assert np.abs(names["weights"]["out"]).max() > 0
    assert np.isfinite(names["value"]) and np.isfinite(names["reward"])
    assert (names["state"].num_illegal == 0).all()


@pytest.mark.acceptance
@pytest.mark.parametrize("library", ["pettingzoo", "gymnasium"])
def test_host_adapters(run, library):
    pytest.importorskip(library)
    names = run(library)
    rows = names["observations"]
    rows = rows if library == "gymnasium" else np.stack([*rows.values()])
    assert np.abs(rows).max() <= 1
