"""Social reward stages: what is in force, edits of the file, approvals."""

import os
import stat
from pathlib import Path

import pytest

from townlet_jax.config import Config, ConfigError, load
from townlet_jax.ops import phase_c

BASE = "config_id: small\nworld: {grid_size: [8, 8]}\n"
TRAINING = """
training:
  num_updates: 20
  social_reward_schedule:  # by cycle
  # warm up
  - {cycle: 0, stage: OFF}
  # after the soak
  - {cycle: 5, stage: C1}

# The end.
"""


def config(override: str | None, schedule: dict[int, str], stage: str = "OFF") -> Config:
    rows = [{"cycle": cycle, "stage": name} for cycle, name in schedule.items()]
    training = {"social_reward_stage_override": override, "social_reward_schedule": rows}
    return Config.model_validate(
        {
            "config_id": "x",
            "features": {"stages": {"social_rewards": stage}},
            "training": training,
        }
    )


@pytest.fixture
def file(tmp_path: Path):
    """Returns a function that writes a configuration and returns its name."""

    def write(text: str, name: str = "town.yaml") -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


# EX-STG-1, EX-STG-2, then the rest of training text §9.2.
@pytest.mark.parametrize(
    ("override", "schedule", "stage", "expected"),
    [
        ("OFF", {0: "OFF", 1: "C1"}, "OFF", "OFF C1 C1 C1 C1 C1 C1"),
        ("C2", {5: "C1"}, "OFF", "C2 C2 C2 C2 C2 C1 C1"),
        (None, {}, "C3", "C3 C3 C3 C3 C3 C3 C3"),
        ("OFF", {}, "C3", "OFF OFF OFF OFF OFF OFF OFF"),
        (None, {2: "C1", 4: "C3"}, "OFF", "OFF OFF C1 C1 C3 C3 C3"),
        ("C2", {0: "C1"}, "C3", "C1 C1 C1 C1 C1 C1 C1"),
    ],
)
def test_stage_at(override, schedule, stage, expected) -> None:
    town = config(override, schedule, stage)
    assert [phase_c.stage_at(town, cycle) for cycle in range(7)] == expected.split()
    assert phase_c.stage_at(town, 2**40) == expected.split()[-1]


def test_table_names_the_source() -> None:
    found = phase_c.phases(config("C2", {5: "C1"}))
    assert phase_c.table(found).splitlines() == [
        "from cycle  stage  source",
        "         0  C2     training.social_reward_stage_override",
        "         5  C1     training.social_reward_schedule[0]",
    ]


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (["1:C1", "01:C2"], "'01:C2': cycle 1 is given twice"),
        (["C1"], "'C1' must be a cycle and a stage, as in 1:C1"),
        (["-1:C1"], "'-1:C1' must be a cycle and a stage"),
        (["1:C4"], "'C4' is no stage; did you mean 'C1'"),
        (["1:"], "'' is no stage"),
    ],
)
def test_bad_entries(texts: list[str], reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}"):
        phase_c.parse_entries(texts)


def test_entries() -> None:
    assert phase_c.parse_entries(["7:c3", "0:off"]) == {7: "C3", 0: "OFF"}


def test_stage_is_set(file) -> None:
    path = file(BASE + "features: {stages: {social_rewards: OFF}}  # not yet\n")
    edit = phase_c.set_stage(path, "C1")
    assert edit.text == BASE + "features: {stages: {social_rewards: C1}}  # not yet\n"
    assert edit.summary == "features.stages.social_rewards: OFF -> C1"


def test_example_of_the_handbook(file) -> None:
    path = file(BASE)
    edit = phase_c.set_schedule(path, "OFF", {1: "C1", 0: "OFF"})
    assert edit.text == BASE + (
        'training:\n  social_reward_stage_override: "OFF"\n'
        '  social_reward_schedule: [{cycle: 0, stage: "OFF"}, {cycle: 1, stage: C1}]\n'
    )
    assert edit.summary == (
        "training.social_reward_stage_override: none -> OFF; "
        "training.social_reward_schedule: none -> 0:OFF 1:C1"
    )
    assert phase_c.set_schedule(file(edit.text), "OFF", {}) == (edit.text, "no value changes")


def test_entries_are_merged_and_comments_stay(file) -> None:
    path = file(BASE + TRAINING)
    edit = phase_c.set_schedule(path, None, {9: "C3", 5: "C2", 2: "OFF"})
    assert edit.text == BASE + TRAINING.replace(
        "  # after the soak\n  - {cycle: 5, stage: C1}\n",
        '  - {cycle: 2, stage: "OFF"}\n'
        "  # after the soak\n  - {cycle: 5, stage: C2}\n  - {cycle: 9, stage: C3}\n",
    )
    assert edit.summary.endswith("0:OFF 5:C1 -> 0:OFF 2:OFF 5:C2 9:C3")
    assert load(file(edit.text)).config.training.num_updates == 20


def test_clear_drops_former_entries(file) -> None:
    path = file(BASE + TRAINING)
    edit = phase_c.set_schedule(path, "none", {3: "C2"}, is_clear=True)
    assert "  # warm up\n  - {cycle: 3, stage: C2}\n\n# The end.\n" in edit.text
    assert edit.summary == "training.social_reward_schedule: 0:OFF 5:C1 -> 3:C2"
    edit = phase_c.set_schedule(path, None, {}, is_clear=True)
    assert edit.summary.endswith("-> none")


def test_override_is_taken_back(file) -> None:
    path = file(BASE + "training: {social_reward_stage_override: OFF}\n")
    edit = phase_c.set_schedule(path, phase_c.NONE, {})
    assert edit.text == BASE + "training: {social_reward_stage_override: null}\n"
    assert edit.summary == "training.social_reward_stage_override: OFF -> none"


def test_inherited_entries_are_kept(file) -> None:
    file(BASE + TRAINING, "base.yaml")
    path = file("extends: base.yaml\nconfig_id: child\n")
    edit = phase_c.set_schedule(path, None, {7: "C2"})
    assert edit.text.endswith(
        'training:\n  social_reward_schedule: [{cycle: 0, stage: "OFF"}, {cycle: 5, stage: C1}, '
        "{cycle: 7, stage: C2}]\n"
    )


def test_nothing_is_left_of_what_the_loader_refuses(file, tmp_path: Path) -> None:
    path = file(BASE)
    entries = {cycle: "C1" for cycle in range(9)}
    with pytest.raises(ConfigError) as error:
        phase_c.set_schedule(path, None, entries)
    assert str(error.value).startswith(f"{path}:4:27: training.social_reward_schedule: must be a")
    assert [found.name for found in tmp_path.iterdir()] == ["town.yaml"]
    assert Path(path).read_text() == BASE


def test_faults_of_the_file_itself(file) -> None:
    path = file(BASE + "chat: {range_tils: 3}\n")
    with pytest.raises(ConfigError, match=f"^{path}:3:8: chat.range_tils: unknown key; did you"):
        phase_c.set_stage(path, "C1")


def test_writing_keeps_the_mode(tmp_path: Path) -> None:
    path = tmp_path / "town.yaml"
    phase_c.write("a: 1\r\n", str(path))
    assert path.read_bytes() == b"a: 1\r\n"
    path.chmod(0o640)
    before = path.stat().st_ino
    phase_c.write("a: 2\n", str(path))
    assert path.read_text() == "a: 2\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.stat().st_ino != before  # another file took its name


def test_links_and_devices_stay(tmp_path: Path) -> None:
    target, link = tmp_path / "target.yaml", tmp_path / "link.yaml"
    target.write_text("a: 1\n")
    link.symlink_to(target)
    phase_c.write("a: 2\n", str(link))
    assert link.is_symlink() and target.read_text() == "a: 2\n"
    phase_c.write("a: 2\n", os.devnull)
    assert not Path(os.devnull).is_file()


def test_failed_write_changes_nothing(tmp_path: Path, monkeypatch) -> None:
    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "town.yaml"
    path.write_text("a: 1\n")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError) as error:
        phase_c.write("a: 2\n", str(path))
    assert error.value.filename == str(path)
    assert path.read_text() == "a: 1\n"
    assert [found.name for found in tmp_path.iterdir()] == ["town.yaml"]


APPROVAL = """
config_id: small
stages: [C1]
approved_by: Ada
date: 2026-01-31
report: soaks/c1.md
"""


def test_off_needs_no_approval(file) -> None:
    found = phase_c.check(file(BASE))
    assert found == ([phase_c.Phase(0, "OFF", phase_c.STAGE)], [])


def test_stage_without_approval_is_refused(file) -> None:
    path = file(BASE + TRAINING)
    assert phase_c.check(path).faults == [
        f"{path}:10:5: training.social_reward_schedule[1]: C1 from cycle 5 on is "
        "not approved; name the record of a soak with --approval"
    ]
    assert phase_c.check(path, file(APPROVAL, "approval.yaml")).faults == []


def test_record_must_be_for_this_stage_and_town(file) -> None:
    path = file(BASE + TRAINING.replace("C1", "C2"))
    approval = file(APPROVAL.replace("small", "large"), "approval.yaml")
    first, second = phase_c.check(path, approval).faults
    assert first == f"{approval}:2:12: config_id: approves 'large', not 'small'"
    assert second.endswith(f": C2 from cycle 5 on is not approved by {approval}, which is for C1")


def test_stage_outside_training_counts(file) -> None:
    path = file(
        BASE + "features: {stages: {social_rewards: C1}}\n"
        "training: {social_reward_stage_override: OFF}\n"
    )
    found = phase_c.check(path)
    assert [phase[:2] for phase in found.phases] == [(0, "OFF"), (None, "C1")]
    assert phase_c.table(found.phases).splitlines()[-1].split()[0] == "elsewhere"
    (fault,) = found.faults
    assert fault.startswith(f"{path}:3:37: features.stages.social_rewards: C1 outside training is")
