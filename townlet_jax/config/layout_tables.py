"""Tables of objects, of entry cells and of actions, as arrays. World text §5.2, §6.2."""

import numpy as np

from townlet_jax.config.affordance_tables import EFFECTS
from townlet_jax.config.layout import Role, Utility
from townlet_jax.config.leaves import Tables
from townlet_jax.config.limits import MAX_ENTRY
from townlet_jax.config.manifest import Manifest
from townlet_jax.config.objects import Objects
from townlet_jax.config.shape import NUM_NEEDS
from townlet_jax.config.ways import Cell
from townlet_jax.masked import NONE

NOTICEABLE = 0.10
"""[level] Effect of one run on a need from which an object is said to serve it."""


def object_tables(manifest: Manifest, objects: Objects, size: int) -> Tables:
    """Writes objects as numbers.

    Args:
      manifest: the manifest.
      objects: all objects.
      size: O.

    Returns:
      The arrays of `ObjectLayout`.
    """
    num_rows = len(objects.rows)
    traits = [objects.traits[objects.types[kind]] for kind in objects.type]
    kind, venue = _column(objects.type, size), _column(objects.venue, size)
    is_object = np.arange(size) < num_rows
    requires = np.zeros((size, len(Utility)), bool)
    for row, trait in enumerate(traits):
        requires[row, list(trait.requires)] = True
    names = [objects.types[k] for k in objects.type]
    offered = [_offered(manifest, name) for name in names]
    offers = np.full((size, max([1, *map(len, offered)])), NONE, np.int32)
    for row, own in enumerate(offered):
        offers[row, : len(own)] = own
    roles = [role.name.lower() for role in Role]
    is_role = np.zeros((len(Role), size), bool)
    is_role[:, :num_rows] = [[name == role for name in names] for role in roles]
    return {
        "is_object": is_object,
        "type": kind,
        "venue": venue,
        "position": _cells(objects.position, size, 0),
        "interact": _cells(objects.interact, size, 0),
        "is_virtual": _column([trait.is_virtual for trait in traits], size, False, bool),
        "is_social_place": _column([trait.is_social_place for trait in traits], size, False, bool),
        "requires": requires,
        "cooldown_override": _column([trait.cooldown_ticks for trait in traits], size),
        "offers": offers,
        "is_role": is_role,
        "role_affordance": np.array([min(_offered(manifest, r), default=NONE) for r in roles]),
        "serves": _serves(manifest, names, size),
    }


def _serves(manifest: Manifest, names: list[str], size: int) -> np.ndarray:
    """Returns bool `[N, O]`, rows of a type that raises the need by `NOTICEABLE` in one run."""
    serves = np.zeros((NUM_NEEDS, size), bool)
    for entry in manifest.affordances.values():
        for n, need in enumerate(EFFECTS[:NUM_NEEDS]):
            if getattr(entry.effects, need) >= NOTICEABLE:
                serves[n, : len(names)] |= np.isin(names, entry.object_type)
    return serves


def _offered(manifest: Manifest, name: str) -> list[int]:
    """Returns the affordances of an object type in ascending order."""
    entries = manifest.affordances.values()
    return [f for f, entry in enumerate(entries) if name in entry.object_type]


def _column(values: list, size: int, fill: int = NONE, dtype: type = np.int32) -> np.ndarray:
    column: np.ndarray = np.full(size, fill, dtype)
    column[: len(values)] = values
    return column


def _cells(cells: list[Cell], size: int, fill: int) -> np.ndarray:
    table = np.full((size, 2), fill, np.int32)
    table[: len(cells)] = np.reshape(cells, (-1, 2))
    return table


def entry_table(cells: list[Cell]) -> np.ndarray:
    """Returns int32 `[4, 2]`, the cells where newcomers appear."""
    return _cells(cells, MAX_ENTRY, NONE)


def use_types(manifest: Manifest, objects: Objects) -> list[str]:
    """Lists the types of the primitive 'use type k' actions: those with a row and an affordance."""
    offered = {name for entry in manifest.affordances.values() for name in entry.object_type}
    return [name for name in objects.types if name in offered]


def action_rows(types: list[str], objects: Objects, size: int) -> np.ndarray:
    """Returns bool `[k, O]`, rows of the type of each 'use' action."""
    rows = np.zeros((len(types), size), bool)
    for k, name in enumerate(types):
        rows[k, : len(objects.rows)] = [objects.types[kind] == name for kind in objects.type]
    return rows
