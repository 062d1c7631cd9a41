"""Approval records: one line per fault."""

import json
from pathlib import Path

import pytest

from townlet_jax.config import ConfigError
from townlet_jax.config.approval import read_approval

GOOD = {
    "config_id": "town_small",
    "stages": ["C1", "C2"],
    "approved_by": "Ada",
    "date": "2026-01-31",
    "report": "soaks/c1.md",
}


def fault_of(tmp_path: Path, **changes: object) -> str:
    """Returns what is said of a record with other values; None leaves one out."""
    path = tmp_path / "approval.json"
    record = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    path.write_text(json.dumps(record))
    with pytest.raises(ConfigError) as error:
        read_approval(path)
    text = str(error.value)
    assert text.startswith(f"{path}:1:") and "\n" not in text
    return text


def test_good_record_in_json_and_yaml(tmp_path: Path) -> None:
    path = tmp_path / "approval"
    lines = [f"{key}: {json.dumps(value)}  # why\n" for key, value in GOOD.items()]
    for text in (json.dumps(GOOD, indent=2), "".join(lines)):
        path.write_text(text)
        record, document = read_approval(path)
        assert record.model_dump(mode="json") == GOOD
        assert document.place(("stages",)).file == str(path)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"approved_bi": "Ada"}, "approved_bi: unknown key; did you mean "),
        ({"report": None}, "report: is required but missing"),
        ({"stages": []}, "stages: must be a list, each one of C1, C2, C3, got []"),
        ({"stages": ["C4"]}, "stages[0]: must be one of C1, C2, C3, got 'C4'; the nearest is "),
        ({"stages": ["OFF"]}, "stages[0]: must be one of C1, C2, C3, got 'OFF'"),
        ({"approved_by": " "}, "approved_by: must be a text that is not blank"),
        ({"date": "2026-02-30"}, "date: must be a day such as 2026-01-31, got '2026-02-30'"),
        ({"date": "20260131"}, "date: must be a day such as 2026-01-31"),
        ({"date": 2026}, "date: must be a day such as 2026-01-31, got 2026"),
    ],
)
def test_fault_is_one_line(tmp_path: Path, changes: dict[str, object], reason: str) -> None:
    assert f": {reason}" in fault_of(tmp_path, **changes)


def test_list_is_no_record(tmp_path: Path) -> None:
    path = tmp_path / "approval"
    path.write_text("- C1\n")
    with pytest.raises(ConfigError, match="must be a mapping"):
        read_approval(path)
