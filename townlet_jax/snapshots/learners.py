"""Saves learners and brings them back, bit for bit: networks, optimisers, towns, random streams."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np

from townlet_jax.config import Town
from townlet_jax.snapshots import leaves, loading, towns
from townlet_jax.snapshots.errors import SnapshotError
from townlet_jax.snapshots.leaves import Leaves
from townlet_jax.snapshots.loading import Restored
from townlet_jax.snapshots.metadata import Metadata
from townlet_jax.snapshots.policies import policy_hash
from townlet_jax.train import lanes, processes
from townlet_jax.train.config import train_params, train_shape, training_numbers
from townlet_jax.train.town_world import TownWorld
from townlet_jax.train.types import LearnerState

POLICY_PARTS = ("params.", "value_stats.")
"""What a policy consists of; the rest is the run that it comes from."""


def describe(
    town: Town, content: Leaves, run: dict[str, Any], migrations: loading.Audit = ()
) -> Metadata:
    """Returns the metadata of a snapshot of learners.

    Args:
      town: their configuration.
      content: from `leaves.to_host`, `[L, ...]`.
      run: JSON values that a resumed run goes on with; `num_learners` among them.
      migrations: what was applied to them so far.
    """
    about = towns.describe(
        town, {"state.clock.tick": content["num_updates"], **content}, run, migrations
    )
    hashes = [
        policy_hash(_policy(content, lane), about.layout_hash, about.actions)
        for lane in range(len(content["num_updates"]))
    ]
    given = about.identity["policy_hash"]
    own = hashes[0] if len(hashes) == 1 else None
    return dataclasses.replace(
        about,
        kind="training",
        identity=about.identity | {"policy_hash": given or own},
        run=about.run | {"policy_hashes": hashes},
        table=about.table[1:],
    )


def load(town: Town, path: Path) -> Restored[LearnerState]:
    """Verifies a snapshot and brings its learners back, see `loading.load`."""
    return loading.load(town, path, "training", restore)


def restore(town: Town, content: Leaves, about: Metadata) -> LearnerState:
    """Puts learners on the devices; their number may differ from that at the time of saving.

    Raises:
      SnapshotError: they have another form than those of this configuration, or a number is not
        finite.
    """
    wanted = _forms(town, about.num_rows)
    try:
        learner = leaves.from_host(wanted, content)
    except SnapshotError as error:
        raise SnapshotError(
            f"{error}; sizes of a run cannot change (training.init_from takes the policy alone)"
        ) from None
    leaves.check_finite(content, about)
    return lanes.place(train_shape(town), learner)


def adopt(learner: LearnerState, content: Leaves) -> LearnerState:
    """Gives fresh learners the policies of others: network and statistics of values.

    Args:
      learner: `[L, ...]`, freshly made.
      content: of a snapshot with L learners, or with a single one for all.

    Raises:
      SnapshotError: the networks have another form; names the first leaf.
    """
    given = {name: x for name, x in content.items() if name.startswith(POLICY_PARTS)}
    rows = lanes.num_lanes(learner)
    given = {
        name: np.repeat(x, rows, axis=0) if x.shape[0] == 1 else x for name, x in given.items()
    }
    own = {"params": learner.params, "value_stats": learner.value_stats}
    forms = jax.eval_shape(lambda tree: tree, own)
    try:
        adopted = leaves.from_host(forms, given)
    except SnapshotError as error:
        raise SnapshotError(f"the policy does not fit: {error}") from None
    placed = jax.tree.map(lambda new, old: processes.put(new, old.sharding), adopted, own)
    return learner.replace(**placed)


def _policy(content: Leaves, lane: int) -> Leaves:
    """Takes the network of one lane."""
    return {name: x[lane] for name, x in content.items() if name.startswith("params.")}


def _forms(town: Town, num_learners: int) -> LearnerState:
    params = lanes.stack_params([train_params(town.config)] * num_learners)
    world, shape = TownWorld(town.shape), train_shape(town)
    return lanes.forms(world, shape, num_learners, training_numbers(town), params)
