"""The training log: rotation, finite numbers, and each epoch once after a resume."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from townlet_jax.config import ConfigError
from townlet_jax.ops.training_log import TrainingLog, cut, log_files, read_log


def chunk(*epochs: int) -> list[dict[str, Any]]:
    return [{"epoch": epoch, "loss_total": 1 / epoch} for epoch in epochs]


def epochs(path: str | Path) -> list[int]:
    return [record["epoch"] for record in read_log(str(path))]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "ppo.jsonl")


def test_every_update_counts_but_not_every_one_is_written(path: str) -> None:
    with TrainingLog(path, log_frequency=3) as log:
        log.write(chunk(1, 2, 3, 4))
        assert epochs(path) == [3]  # flushed
        log.write(chunk(5, 6, 7))
        assert log.offset == 7
    assert [(r["epoch"], r["log_stream_offset"]) for r in read_log(path)] == [(3, 3), (6, 6)]
    with TrainingLog(path, log_frequency=3, offset=7) as log:
        log.write(chunk(8, 9))
    assert list(read_log(path))[-1] == {"epoch": 9, "loss_total": 1 / 9, "log_stream_offset": 9}


def test_full_file_goes_on_in_the_next(path: str) -> None:
    with TrainingLog(path, max_entries=2) as log:
        log.write(chunk(1))
        log.write(chunk(2, 3, 4, 5, 6))
        assert log_files(path) == [Path(path), Path(f"{path}.1"), Path(f"{path}.2")]
        log.write(chunk(7))
    assert [epochs(f"{path}{end}")[:2] for end in (".1", ".2", ".3")] == [[3, 4], [5, 6], [7]]
    assert epochs(path) == [1, 2, 3, 4, 5, 6, 7]
    with TrainingLog(path, max_entries=2) as log:
        log.write(chunk(8, 9))
        log.write_event({"event": "stop", "epoch": 9})
    assert [len(f.read_bytes().splitlines()) for f in log_files(path)] == [2] * 5


def test_numpy_scalars_become_numbers(path: str) -> None:
    values = {"a": np.float32(0.5), "b": np.int32(3), "c": np.bool_(True), "d": None, "e": "OFF"}
    with TrainingLog(path) as log:
        log.write([{"epoch": np.int32(1), **values}])
        log.sync()
    expected = {"epoch": 1, "a": 0.5, "b": 3, "c": True, "d": None, "e": "OFF"}
    assert list(read_log(path)) == [{**expected, "log_stream_offset": 1}]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (math.nan, "^kl: nan is not finite$"),
        (np.float32(-math.inf), "^kl: -inf is not finite$"),
        ([1.0], "^kl: a list is not a number, a text or null$"),
        (np.zeros(2), "^kl: a ndarray is not"),
    ],
)
def test_what_is_not_plain_is_refused_and_nothing_written(path: str, value, reason: str) -> None:
    with TrainingLog(path) as log:
        with pytest.raises(ValueError, match=reason):
            log.write([*chunk(1), {"epoch": 2, "kl": value}])
        with pytest.raises(ValueError, match=reason):
            log.write_event({"kl": value})
        assert (log.offset, list(read_log(path))) == (0, [])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"epoch": 2', "ends in the middle of a record"),
        (b'{"epoch": 2\n', "is not JSON: "),
        (b"[2]\n", "must be a JSON object"),
        (b'{"epoch": NaN}\n', "is not JSON: NaN is not finite"),
        (b'{"epoch": 1e999}\n', "is not JSON: 1e999 is not finite"),
        (b"\xff\n", "is not JSON: "),
        (b"\n", "is not JSON: "),
        (b"[" * 10**5 + b"\n", "is not JSON: "),
    ],
)
def test_bad_line_is_named(path: str, line: bytes, reason: str) -> None:
    with TrainingLog(path, max_entries=1) as log:
        log.write(chunk(1, 2))
    with Path(f"{path}.1").open("ab") as file:
        file.write(line)
    found = read_log(path)
    assert [next(found)["epoch"], next(found)["epoch"]] == [1, 2]
    with pytest.raises(ConfigError) as error:
        next(found)
    assert str(error.value).startswith(f"{path}.1:2:1: {reason}")
    assert "\n" not in str(error.value)


def test_missing_log(path: str) -> None:
    with pytest.raises(FileNotFoundError):
        list(read_log(path))
    cut(path, 5)
    assert log_files(path) == []


@given(
    size=st.integers(1, 5),
    frequency=st.integers(1, 3),
    done=st.integers(0, 12),
    lost=st.integers(0, 9),
    torn=st.integers(0, 10),
)
def test_resumed_log_equals_uninterrupted(
    tmp_path_factory, size: int, frequency: int, done: int, lost: int, torn: int
) -> None:
    """A run is killed `lost` updates after its checkpoint at `done`, while it writes a line."""
    folder = tmp_path_factory.mktemp("logs")
    whole, path = str(folder / "whole"), str(folder / "resumed")
    with TrainingLog(whole, frequency, size) as log:
        log.write(chunk(*range(1, 25)))
    with TrainingLog(path, frequency, size) as log:
        log.write(chunk(*range(1, done + 1)))
        log.write(chunk(*range(done + 1, done + lost + 1)))
    with log_files(path)[-1].open("ab") as file:
        file.write(json.dumps(chunk(done + lost + 1)[0]).encode()[:torn])
    cut(path, done)
    with TrainingLog(path, frequency, size, offset=done) as log:
        log.write(chunk(*range(done + 1, 25)))
    files = [file.read_bytes() for file in log_files(path)]
    assert files == [file.read_bytes() for file in log_files(whole)]


def test_stop_record_goes_when_the_run_goes_on(path: str) -> None:
    with TrainingLog(path) as log:
        log.write(chunk(1, 2, 3))
        log.write_event({"event": "hold", "epoch": 3})
        log.write_event({"event": "stop", "epoch": 3})
    cut(path, 3)
    assert [record.get("event") for record in read_log(path)] == [None, None, None, "hold"]


def test_last_record_without_its_line_end_is_kept(path: str) -> None:
    with TrainingLog(path) as log:
        log.write(chunk(1, 2))
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[:-1])
    cut(path, 2)
    assert Path(path).read_bytes() == whole


@pytest.mark.parametrize(
    ("line", "reason"),
    [(b"nonsense\n", ":2:1: is not JSON"), (b'{"epoch": "2"}\n', ":2:1: epoch: must be an int")],
)
def test_damage_before_the_checkpoint_is_not_cut(path: str, line: bytes, reason: str) -> None:
    with TrainingLog(path) as log:
        log.write(chunk(1))
    with Path(path).open("ab") as file:
        file.write(line)
    with TrainingLog(path) as log:
        log.write(chunk(3))
    before = Path(path).read_bytes()
    with pytest.raises(ConfigError, match=reason):
        cut(path, 3)
    assert Path(path).read_bytes() == before
