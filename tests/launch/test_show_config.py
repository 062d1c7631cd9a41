"""`show_config`: the output is a configuration of its own; bad input is one line."""

from pathlib import Path

import pytest

from tests.launch.scripts import launch
from townlet_jax.config import load


def test_output_gives_the_same_town(tmp_path: Path) -> None:
    path = tmp_path / "out.yaml"
    override = "queue_fairness.cooldown_ticks=30"
    result = launch("show_config", "configs/tiny.yaml", "--set", override, "--output", str(path))
    assert (result.returncode, result.stdout) == (0, f"wrote {path}\n")
    assert all(line.startswith("note: ") for line in result.stderr.splitlines())
    shown, asked = load(path), load("configs/tiny.yaml", [override])
    assert shown.config == asked.config
    assert shown.config.queue_fairness.cooldown_ticks == 30


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ([], "name a configuration"),
        (["configs/tiny.yaml", "--set", "chat.range_tils=3"], "did you mean 'range_tiles'?"),
        (["configs/tiny.yaml", "--output", "no/such/out.yaml"], "No such file"),
    ],
)
def test_bad_input_is_one_line(args: list[str], reason: str) -> None:
    result = launch("show_config", *args)
    assert (result.returncode, result.stdout) == (2, "")
    assert reason in result.stderr
    assert len(result.stderr.splitlines()) == 1
