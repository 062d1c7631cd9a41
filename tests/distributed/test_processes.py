"""Two processes that train together, and what becomes of one when the other is gone."""

import os
import signal
import time

import pytest

from tests.distributed.conftest import finish
from tests.distributed.runs import LOST


def test_two_processes_learn_what_one_learns_and_end_together(runs, pair):
    """A killed process ends the other; that takes a pair of processes anyway."""
    expected = runs("alone", "1", "8")["first"]["1"]
    for found in pair.first_chunk():
        assert found["weights"] == expected["weights"]
        assert found == expected
    pair.signal(1, signal.SIGKILL)
    began = time.monotonic()
    status, out, err = finish(pair.processes[0])
    assert time.monotonic() - began < 60
    assert (status, out) == (LOST, "process 1 has died\n"), err


@pytest.mark.acceptance
@pytest.mark.parametrize(
    ("number", "how"), [(signal.SIGKILL, "has died"), (signal.SIGSTOP, "has not answered for")]
)
def test_loss_of_the_first_process_ends_the_other(pair, number, how):
    pair.first_chunk()
    pair.signal(0, number)
    began = time.monotonic()
    status, out, err = finish(pair.processes[1])
    assert time.monotonic() - began < 60
    assert status == LOST, err
    assert out.startswith(f"process 0 {how}") and out.count("\n") == 1
    assert "Traceback" not in err
    assert os.path.exists(pair.paths[0])
