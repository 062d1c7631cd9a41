"""What every phase of a tick is given beside the state."""

import dataclasses

from townlet_jax.config.layout import TownLayout
from townlet_jax.config.params import TownParams
from townlet_jax.config.shape import TownShape
from townlet_jax.state.clock import Now
from townlet_jax.town.draws import Draws


@dataclasses.dataclass(frozen=True)
class Tick:
    """The constants of one tick; exists only while the step is traced.

    Attributes:
      shape: static sizes.
      now: the moment.
      draws: random draws of this tick, the priority among them.
      params, layout: the town's numbers and tables.
    """

    shape: TownShape
    now: Now
    draws: Draws
    params: TownParams
    layout: TownLayout
