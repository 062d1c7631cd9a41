"""The verbs of `townlet-inspect` that read no arrays, and how each meets bad input."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.snapshots.conftest import about, fill
from townlet_jax.snapshots import cli, metadata

ROOT = Path(__file__).parents[2]
READS_METADATA = ("ls", "show", "config", "identity", "tree", "verify")


def told(capsys, *arguments, status=cli.DONE):
    assert cli.main([str(x) for x in arguments]) == status
    found = capsys.readouterr()
    return found.out if status == cli.DONE else found.err


def test_ls(place, root, step, capsys):
    place.save(8, fill(8))
    lines = told(capsys, "ls", root).splitlines()
    assert [line.split()[0] for line in lines] == ["tick", "7", "8"]
    assert lines[1].split()[1:5] == ["simulation", "2", "idle", "3"]
    assert lines[1].endswith(str(step))
    found = json.loads(told(capsys, "ls", root, "--json"))
    assert [line["tick"] for line in found] == [7, 8]


def test_show(root, step, capsys):
    text = told(capsys, "show", root)
    cells = [line.split() for line in text.splitlines()]
    assert ["tick", "7"] in cells and ["run.policy", "idle"] in cells
    assert ["state.needs.level", "float32", "[2,", "1,", "2]", "8"] in cells
    text = told(capsys, "show", step, "--keys", "state.agents.*")
    assert "state.agents.is_alive" in text and "state.needs.level" not in text
    found = json.loads(told(capsys, "show", step, "--json"))
    assert found["schema_version"] == 1 and found["tick"] == 7 and found["migrations"] == []
    assert found["identity"] == {"policy_hash": None} and len(found["arrays"]) == 3


def test_config_and_identity(step, capsys):
    assert told(capsys, "config", step) == "config_id: old\n"
    found = json.loads(told(capsys, "identity", step, "--json"))
    assert (found["config_hash"], found["actions"]) == ("0" * 64, ["rest"])
    assert "policy_hash  -" in told(capsys, "identity", step)


def test_tree(step, capsys):
    assert told(capsys, "tree", step).splitlines() == [
        "state  (13 bytes)",
        "  clock  (4 bytes)",
        "    tick  int32 []",
        "  needs  (8 bytes)",
        "    level  float32 [1, 2]",
        "  agents  (1 bytes)",
        "    is_alive  bool [1]",
    ]


def test_verify_tells_of_each(place, root, step, capsys):
    newer = place.save(8, fill(8))
    assert told(capsys, "verify", step).startswith(f"{step}: intact, ")
    (newer / "config.yaml").unlink()
    assert cli.main(["verify", str(root)]) == cli.CORRUPT
    intact, corrupt = capsys.readouterr().out.splitlines()
    assert intact.startswith(f"{step}: intact") and corrupt.endswith("config.yaml: is missing")


@pytest.mark.parametrize("verb", READS_METADATA)
def test_nothing_there_is_one_line(tmp_path, verb, capsys):
    line = told(capsys, verb, tmp_path / "no", status=cli.USAGE)
    assert line == f"townlet-inspect: {tmp_path / 'no'}: no such folder of snapshots\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["show", "{step}", "--keys", "state.mood"], "no array is called state.mood"),
        (["validate", "{step}", "--config", "no.yaml"], "no.yaml:1:1: cannot be read"),
        (["migrate", "{step}", "--config", "configs/tiny.yaml"], "has no handler for old"),
    ],
)
def test_bad_input_is_one_line(step, capsys, monkeypatch, arguments, line):
    monkeypatch.chdir(ROOT)
    told_line = told(capsys, *(x.format(step=step) for x in arguments), status=cli.USAGE)
    assert line in told_line and len(told_line.splitlines()) == 1


@pytest.mark.parametrize("arguments", [[], ["look"], ["ls"], ["diff", "a"], ["show", "x", "--all"]])
def test_bad_usage_is_one_line(capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == cli.USAGE
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_corrupt_metadata_is_one_line(step, capsys):
    (step / metadata.METADATA).write_text("{")
    line = told(capsys, "show", step, status=cli.CORRUPT)
    assert "metadata.json: no JSON" in line and len(line.splitlines()) == 1


def test_metadata_verbs_import_no_jax(root, step):
    code = (
        "import sys; from townlet_jax.snapshots import cli\n"
        "for verb in sys.argv[2:]: assert cli.main([verb, sys.argv[1]]) == 0\n"
        "assert not {'jax', 'orbax', 'rich', 'matplotlib'} & set(sys.modules)"
    )
    command = [sys.executable, "-c", code, str(root), *READS_METADATA]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_script_is_the_same(step):
    command = [sys.executable, "launch/inspect_snapshot.py", "identity", str(step), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout)["config_id"] == about().config_id
