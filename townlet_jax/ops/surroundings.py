"""What does not change while a town is watched: ground, places, names, jobs, words."""

from typing import Any

import numpy as np

from townlet_jax.config.layout import Flag, Role
from townlet_jax.config.town import Town
from townlet_jax.ops.census import MIN_RIVALRY, NEEDS
from townlet_jax.ops.labels import labels
from townlet_jax.ops.scene import Place, scene
from townlet_jax.ops.stories import CATEGORIES, activity, intention, shown
from townlet_jax.state import Status, TownState


def about(town: Town, state: TownState, policy: str, seed: int | None) -> dict[str, Any]:
    """Collects the part of a replay that does not change, as JSON values.

    Args:
      town: the loaded configuration.
      state: the town at any moment, numpy leaves without a town axis.
      policy: who acts for the residents, for a heading.
      seed: of the town, None = not known.

    Returns:
      title, description, policy, seed, ticks_per_day, ground (a string of tile kinds per row),
      places, rows (index of the place of each object row), residents (by slot; a newcomer adds
      `#` and its generation), marks, jobs, actions and affordances (with words), needs,
      perturbations, statuses, categories, min_rivalry.
    """
    drawn = scene(town, state)
    names, days = town.names, labels(town)
    index = {place.name: i for i, place in enumerate(drawn.places)}
    rows = [index[name.partition(".")[0]] for name in names.objects]
    return {
        "title": drawn.title,
        "description": town.config.scenario.description or "",
        "policy": policy,
        "seed": seed,
        "ticks_per_day": days.ticks_per_day,
        "ground": ["".join(str(tile) for tile in row) for row in drawn.ground.tolist()],
        "places": [_place(town, place, rows.index(i)) for i, place in enumerate(drawn.places)],
        "rows": rows,
        "residents": [{"name": name, "shown": shown(name)} for name in names.agents],
        "jobs": _jobs(town),
        "actions": [{"name": name, "words": intention(name)} for name in names.actions],
        "affordances": [{"name": name, "words": activity(name)} for name in names.affordances],
        "needs": list(NEEDS),
        "perturbations": [
            {"name": name, "kind": kind}
            for name, kind in zip(names.perturbations, days.kinds, strict=True)
        ],
        "statuses": [status.name.lower() for status in Status],
        "categories": list(CATEGORIES),
        "min_rivalry": MIN_RIVALRY,
    }


def _place(town: Town, place: Place, row: int) -> dict[str, Any]:
    """Describes a place; its purpose tells how to picture it."""
    objects, x, y = town.layout.objects, *place.position
    roles = np.asarray(objects.is_role)[:, row]
    does_work = np.asarray(town.layout.affordances.flags)[:, Flag.WORK].astype(bool)
    is_offered = np.asarray(town.layout.affordances.rows)[:, row].astype(bool)
    purpose = None
    if roles.any():
        purpose = Role(int(roles.argmax())).name.lower()
    elif (does_work & is_offered).any():
        purpose = "work"
    elif bool(objects.is_social_place[row]):
        purpose = "social"
    return {
        "name": place.name,
        "shown": shown(place.name),
        "type": place.type,
        "letter": place.letter,
        "purpose": purpose,
        "x": x,
        "y": y,
        "seats": place.seats,
    }


def _jobs(town: Town) -> list[dict[str, Any]]:
    """Describes the jobs: name, first and last tick of the day."""
    hours = town.params.employment
    return [
        {"name": name, "shown": shown(name), "start": int(start), "end": int(end)}
        for name, start, end in zip(town.names.jobs, hours.start, hours.end, strict=False)
    ]
