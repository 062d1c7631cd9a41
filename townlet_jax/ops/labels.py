"""Names and small tables by which the host side turns array indices into text."""

import dataclasses

import numpy as np

from townlet_jax.config.layout import PerturbationKind
from townlet_jax.config.town import Names, Town
from townlet_jax.masked import NONE


@dataclasses.dataclass(frozen=True)
class Labels:
    """What the indices in states and events mean.

    Attributes:
      names: what the rows of the tables are called.
      ticks_per_day: [tick].
      durations: ticks of each affordance.
      kinds: kind of each perturbation, None for one that is disabled.
    """

    names: Names
    ticks_per_day: int
    durations: tuple[int, ...]
    kinds: tuple[str | None, ...]

    def moment(self, tick: int) -> str:
        """Returns `day 1 08:02`; a day of other than 1440 ticks is stretched to 24 hours."""
        day, tick_of_day = divmod(tick, self.ticks_per_day)
        minute = tick_of_day * 1440 // self.ticks_per_day
        return f"day {day + 1} {minute // 60:02}:{minute % 60:02}"


def labels(town: Town) -> Labels:
    """Collects the labels of a loaded town."""
    durations = np.asarray(town.layout.affordances.duration)
    kinds = np.asarray(town.layout.perturbations.kind)
    return Labels(
        names=town.names,
        ticks_per_day=int(town.params.time.ticks_per_day),
        durations=tuple(int(n) for n in durations[: len(town.names.affordances)]),
        kinds=tuple(
            None if kind == NONE else PerturbationKind(kind).name.lower()
            for kind in kinds[: len(town.names.perturbations)].tolist()
        ),
    )


def resident_name(slot_name: str, generation: int) -> str:
    """Returns the name of a resident; newcomers carry the number of their slot's generation."""
    return slot_name if generation == 0 else f"{slot_name}#{generation}"
