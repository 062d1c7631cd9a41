"""A town at one moment as a few lines of text, for watching it go by."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from townlet_jax.ops.labels import Labels
from townlet_jax.ops.scene import Scene
from townlet_jax.ops.stories import Story
from townlet_jax.ops.terminal import PLAIN_WIDTH
from townlet_jax.ops.text_map import people, queues, town_map

STORIES = 6
"""Stories told under a picture."""
PEOPLE_WIDTH = 48
"""Columns of the list of residents beside the map."""


def moments(num_ticks: int, num_frames: int) -> list[int]:
    """Returns evenly spaced moments of a film, the last one its end [tick] lived."""
    number = min(num_frames, num_ticks)
    return [(i + 1) * num_ticks // number for i in range(number)]


def frame(
    scene: Scene, stories: Sequence[Story], labels: Labels, columns: int = PLAIN_WIDTH
) -> Group:
    """Returns the map with the residents beside it, queues, and the latest stories.

    Args:
      scene: the town at this moment.
      stories: what happened since the last picture, oldest first.
      labels: names.
      columns: of the screen.
    """
    width = 2 * scene.ground.shape[1]
    parts: list[RenderableType] = [
        Text(f"{scene.title}  {scene.moment} (tick {scene.tick})", style="bold"),
        Text(),
    ]
    if width + PEOPLE_WIDTH <= columns:
        beside = Table.grid(padding=(0, 3))
        beside.add_column(no_wrap=True)
        beside.add_row(town_map(scene, columns), people(scene))
        parts.append(beside)
    else:
        parts += [town_map(scene, columns), Text(), people(scene)]
    parts += [Text(line) for line in [*queues(scene), "", *_latest(stories, labels)]]
    return Group(*parts, Text())


def _latest(stories: Sequence[Story], labels: Labels) -> Iterator[str]:
    """Yields the last few stories; what everybody does every day is left out."""
    told = [story for story in stories if story.category != "daily"]
    if len(told) > STORIES:
        yield f"  … {len(told) - STORIES} more"
    for story in told[-STORIES:]:
        yield f"  {labels.moment(story.tick)}  {story.text}"
