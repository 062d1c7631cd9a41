"""The benchmark beside other environments: what is missing is named, what runs has a row."""

import json
import os
from types import ModuleType

import jax.numpy as jnp
import pytest

from benchmarks import peers
from benchmarks.timing import Timing
from benchmarks.worlds import OWN, Peer, SkippedError, World, imported

HOW = "pip install it"
KEYS = {
    "benchmark", "library", "environment", "version", "environments", "agents",
    "observation_size", "observation_bytes", "first_call_seconds", "steps", "seconds",
    "agent_steps_per_second", "agent_steps_per_cpu_second", "environment_steps_per_second",
    "spread", "cpu_seconds",
}  # fmt: skip


def counting(_module: ModuleType, name: str) -> World:
    """Returns an environment of two agents who see the number of steps so far, three times."""
    os.write(1, b"libraries talk past sys.stdout")
    if name == "faulty":
        raise TypeError("not like this\nand more")

    def step(params, _key, state, _seen):
        state = state + params
        return state, jnp.full((2, 3), state), jnp.zeros(2)

    def reset(_params, _key):
        return jnp.int32(0), jnp.zeros((2, 3), jnp.int32)

    return World(2, jnp.int32(1), reset, step)


@pytest.fixture
def some_peers(monkeypatch):
    """Has the benchmark know a library that runs, one that does not, and one that is missing."""
    known = {
        "Counting": Peer("json", HOW, ("plain", "faulty"), counting),
        "Missing": Peer("no_such_library", HOW, ("any",), counting),
    }
    monkeypatch.setattr(peers, "PEERS", known)
    monkeypatch.setattr(peers, "ENVIRONMENTS", 2)
    monkeypatch.setattr(peers, "SECONDS", 0.001)
    monkeypatch.setattr(peers, "QUICK_SECONDS", 0.001)
    monkeypatch.setattr(peers, "copy_bandwidth", lambda _: 1e9)
    for name in ("set_cpu_defaults", "set_host_devices"):
        monkeypatch.setattr(peers, name, lambda *_: None)


def test_a_missing_library_is_named_with_what_installs_it():
    with pytest.raises(SkippedError, match=rf"^not installed: {HOW}$"):
        imported(Peer("no_such_library", HOW, (), counting))


def test_a_library_that_breaks_is_named_with_one_line(tmp_path, monkeypatch):
    (tmp_path / "needs_more.py").write_text("import no_such_part")
    (tmp_path / "too_old.py").write_text("raise AttributeError('jax.tree_map\\nis gone')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SkippedError, match=rf"^not installed, it needs no_such_part: {HOW}$"):
        imported(Peer("needs_more", HOW, (), counting))
    with pytest.raises(SkippedError, match=r"^cannot be imported: AttributeError: jax.tree_map$"):
        imported(Peer("too_old", HOW, (), counting))


def test_one_json_object_has_rows_and_what_was_skipped(some_peers, capfd):
    assert peers.main(["--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["copy_bytes_per_second"] == 1e9
    (row,) = found["rows"]
    assert set(row) == KEYS
    assert (row["library"], row["environment"]) == ("Counting", "plain")
    assert (row["environments"], row["agents"], row["observation_size"]) == (2, 2, 3)
    least, most = row["spread"]
    assert least <= row["agent_steps_per_second"] <= most
    assert found["skipped"] == [
        {"library": "Counting", "environment": "faulty", "reason": "TypeError: not like this"},
        {"library": "Missing", "environment": "any", "reason": f"not installed: {HOW}"},
    ]


def test_the_table_names_what_was_skipped(some_peers, capsys):
    assert peers.main(["--quick"]) == 0
    printed = capsys.readouterr().out
    assert "Counting" in printed and f"skipped: Missing, any: not installed: {HOW}" in printed
    assert "faulty" not in printed, "only the first of a library"


def test_a_fault_of_the_town_is_not_skipped():
    with pytest.raises(TypeError, match="not like this"):
        peers.prepare(Peer(OWN, HOW, (), counting), "faulty", 1)


def test_rates_count_all_agents_of_all_environments():
    about = {"version": "1", "environments": 10, "agents": 4}
    row = peers.row("Library", "name", about, 100, Timing(2.0, 1.0, 4.0, 3.0))
    assert row["agent_steps_per_second"] == 2000
    assert row["agent_steps_per_cpu_second"] == 1333
    assert row["environment_steps_per_second"] == 500
    assert row["spread"] == [1000, 4000]


@pytest.mark.parametrize("args", [["--fast"], ["town"], ["--json=yes"]])
def test_a_wrong_command_line_gets_one_line_and_status_2(args, capsys):
    with pytest.raises(SystemExit) as ended:
        peers.main(args)
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
