"""A town that passes by as text."""

import io

import pytest

from townlet_jax.ops.scene import scene
from townlet_jax.ops.stories import Story
from townlet_jax.ops.terminal import console
from townlet_jax.ops.text_frames import frame, moments


@pytest.mark.parametrize(
    ("num_ticks", "num_frames", "expected"),
    [(10, 2, [5, 10]), (10, 3, [3, 6, 10]), (3, 24, [1, 2, 3]), (1440, 1, [1440])],
)
def test_moments(num_ticks: int, num_frames: int, expected: list[int]) -> None:
    assert moments(num_ticks, num_frames) == expected


def test_frame(tiny, newborn, labels) -> None:
    stories = [Story(t, "talk", "chat_success", f"Talk {t}", (0, 1)) for t in range(8)]
    stories.append(Story(8, "daily", "affordance_start", "Ada started sleeping", (0,)))
    out = io.StringIO()
    console(out).print(frame(scene(tiny, newborn), stories, labels))
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert lines[0] == "tiny  day 1 00:00 (tick 0)"
    assert lines[2].startswith("· · · ") and lines[2].endswith("just arrived")
    assert "  … 2 more" in lines and "  day 1 00:07  Talk 7" in lines
    assert not any("sleeping" in line or "Talk 1" in line for line in lines)


def test_narrow_screen(tiny, newborn, labels) -> None:
    out = io.StringIO()
    console(out).print(frame(scene(tiny, newborn), [], labels, columns=60))
    assert out.getvalue().splitlines()[2].rstrip().count("·") == 12
