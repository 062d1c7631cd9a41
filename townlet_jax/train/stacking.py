"""Numbers of many settings side by side: only leaves that differ get an axis."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding

from townlet_jax.config.town import Town
from townlet_jax.train import lanes
from townlet_jax.train.config import train_params, train_shape, training_numbers
from townlet_jax.train.evaluate import free
from townlet_jax.train.lanes import Axes


@dataclasses.dataclass(frozen=True)
class Stack:
    """Numbers of S settings.

    Attributes:
      tree: numpy arrays, `[S, ...]` where `axes` says so.
      axes: one flag per leaf.
    """

    tree: Any
    axes: Axes

    def take(self, rows: Sequence[int], mesh: Mesh) -> Any:
        """Puts the numbers of lanes on the devices.

        Args:
          rows: setting of each lane, L of them.
          mesh: over which lanes are split.

        Returns:
          The tree, `[L, ...]` where there is an axis; other leaves are shared by all lanes.
        """
        index = np.array(rows)
        leaves, structure = jax.tree.flatten(self.tree)
        own = [
            jax.device_put(x[index] if has else x, NamedSharding(mesh, lanes.spec(has)))
            for x, has in zip(leaves, self.axes, strict=True)
        ]
        return jax.tree.unflatten(structure, own)


def stack(base: Any, trees: Iterable[Any]) -> Stack:
    """Puts the numbers of settings side by side.

    Args:
      base: numbers without any setting; a leaf that no setting changes stays as it is there.
      trees: of the settings, S of them, taken in one by one; all have the same structure, shapes
        and types.
    """
    own = [np.asarray(x) for x in jax.tree.leaves(base)]
    rows = [_differing(own, tree) for tree in trees]
    axes = tuple(any(row[i] is not own[i] for row in rows) for i in range(len(own)))
    leaves = [
        np.stack([row[i] for row in rows]) if has_axis else own[i]
        for i, has_axis in enumerate(axes)
    ]
    return Stack(jax.tree.unflatten(jax.tree.structure(base), leaves), axes)


def _differing(own: list[np.ndarray], tree: Any) -> list[np.ndarray]:
    """Returns the leaves of a tree; for those that are equal the very arrays of `own`.

    Of thousands of settings, copies of all that they have in common would fill the memory.
    """
    found = [np.asarray(x) for x in jax.tree.leaves(tree)]
    return [y if _same(x, y) else x for x, y in zip(found, own, strict=True)]


def simulated(town: Town) -> Any:
    """Returns what a lane reads that lives under a built-in policy: numbers of town and learner."""
    return (town.params, town.layout), free(train_params(town.config))


def evaluated(town: Town) -> Any:
    """Returns what a lane reads that lives under a network, in the unmodified town."""
    return (town.params, town.layout), train_params(town.config)


def trained(town: Town) -> Any:
    """Returns what a lane reads that is trained; overrides of training hold."""
    return training_numbers(town), train_params(town.config)


def sizes(town: Town) -> dict[str, Any]:
    """Returns what decides the programs of a sweep, by name.

    Raises:
      ConfigError: the configuration cannot be trained with.
    """
    return {
        **dataclasses.asdict(town.shape),
        **dataclasses.asdict(train_shape(town)),
        "the length of a day": int(town.params.time.ticks_per_day),
        "what exists": town.names,
        "who lives there": np.asarray(town.layout.residents.is_resident).tolist(),
    }


def _same(x: np.ndarray, y: np.ndarray) -> bool:
    if (x.shape, x.dtype) != (y.shape, y.dtype):
        raise ValueError(f"{x.dtype} {x.shape} and {y.dtype} {y.shape} are of different programs")
    return np.array_equal(x, y)
