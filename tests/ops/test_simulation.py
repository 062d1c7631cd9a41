"""Chunks, clocks and progress. Runs are tested in `tests/launch/test_run_simulation.py`."""

import io
import itertools

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from townlet_jax.env import batch
from townlet_jax.ops import progress
from townlet_jax.ops.simulation import CHUNK, chunks
from townlet_jax.ops.stopwatch import CompileClock, joined


@given(st.integers(0, 10 * CHUNK))
def test_chunks_add_up(num_ticks: int) -> None:
    lengths = list(chunks(num_ticks))
    assert sum(lengths) == num_ticks
    assert all(0 < length <= CHUNK <= batch.MAX_WATCHED_TICKS for length in lengths)


@given(st.integers(0, 5000), st.integers(24, 2000))
def test_chunks_end_with_every_day(num_ticks: int, day_ticks: int) -> None:
    ends = list(itertools.accumulate(chunks(num_ticks, day_ticks)))
    assert set(range(day_ticks, num_ticks + 1, day_ticks)) <= set(ends)
    assert ends[-1:] == ([num_ticks] if num_ticks else [])


@pytest.mark.parametrize(
    ("spans", "length"),
    [([], 0), ([(0, 2), (1, 3)], 3), ([(5, 6), (0, 4), (1, 2)], 5), ([(0, 1), (1, 2)], 2)],
)
def test_joined_spans(spans, length: float) -> None:
    assert joined(spans) == length


def test_compile_clock_hears_only_while_open() -> None:
    with CompileClock() as clock:
        jax.jit(lambda x: x * 3 + 1)(np.float32(2))
        inside = clock.seconds()
    jax.jit(lambda x: x * 5 + 1)(np.float32(2))
    assert 0 < inside == clock.seconds()


def test_log_gets_a_few_plain_lines(monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    out = io.StringIO()
    with progress.Ticker(100, out) as ticker:
        for done in range(10, 101, 10):
            now[0] += 2
            ticker.show(done)
    assert out.getvalue() == "30 of 100 ticks, 30 %\n60 of 100 ticks, 60 %\n90 of 100 ticks, 90 %\n"


def test_terminal_gets_a_bar() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    with progress.Ticker(100, out) as ticker:
        ticker.show(40)
        ticker.show(100)
    assert "ticks" in out.getvalue()
