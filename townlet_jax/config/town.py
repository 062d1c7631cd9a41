"""`Town`: everything that is known about a town before its first tick."""

import dataclasses

from townlet_jax.config.calibration import Budget
from townlet_jax.config.errors import Note
from townlet_jax.config.layout import TownLayout
from townlet_jax.config.manifest import Manifest
from townlet_jax.config.params import TownParams
from townlet_jax.config.schema import Config
from townlet_jax.config.shape import TownShape


@dataclasses.dataclass(frozen=True)
class Names:
    """What the rows of the tables are called.

    Attributes:
      agents: slots; one without a resident in the file is `resident_<slot>`.
      objects: rows; a seat is `<id>.<n>`. types, venues: of objects.
      affordances, stock_kinds, price_keys, jobs, perturbations, profiles: rows of their tables,
        padding left out.
      actions: by action code.
      hooks: labels by affordance and moment (`before`, `after`, `fail`).
    """

    agents: tuple[str, ...]
    objects: tuple[str, ...]
    types: tuple[str, ...]
    venues: tuple[str, ...]
    affordances: tuple[str, ...]
    stock_kinds: tuple[str, ...]
    price_keys: tuple[str, ...]
    jobs: tuple[str, ...]
    perturbations: tuple[str, ...]
    profiles: tuple[str, ...]
    actions: tuple[str, ...]
    hooks: dict[str, dict[str, tuple[str, ...]]]


@dataclasses.dataclass(frozen=True)
class Town:
    """A town that is ready to start.

    Attributes:
      path: the configuration file as named.
      config: the configuration, derived values filled in.
      shape, params, layout: what the step takes; all leaves are strongly typed arrays.
      names: what the rows are called.
      manifest: the affordance manifest.
      notes: what is doubtful, and what the loader chose.
      seed: in 0...2^31 - 1.
      config_id: as given.
      identity: SHA-256 of configuration, manifest and map, hexadecimal.
      budgets: daily budget by job (world text §A.1), or why there is none.
    """

    path: str
    config: Config
    shape: TownShape
    params: TownParams
    layout: TownLayout
    names: Names
    manifest: Manifest
    notes: tuple[Note, ...]
    seed: int
    config_id: str
    identity: str
    budgets: dict[str, "Budget | str"]
