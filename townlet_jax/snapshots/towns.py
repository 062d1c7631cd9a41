"""Saves towns and brings them back, bit for bit."""

from pathlib import Path
from typing import Any

from townlet_jax.config import Town
from townlet_jax.config.observation_layout import observation_layout
from townlet_jax.env import batch
from townlet_jax.snapshots import leaves, loading, metadata
from townlet_jax.snapshots.leaves import Leaves
from townlet_jax.snapshots.loading import Restored
from townlet_jax.snapshots.metadata import SCHEMA_VERSION, Metadata

RestoredTowns = Restored[batch.Towns]


def describe(
    town: Town,
    content: Leaves,
    run: dict[str, Any],
    migrations: tuple[dict[str, Any], ...] = (),
) -> Metadata:
    """Returns the metadata of a snapshot of towns.

    Args:
      town: their configuration.
      content: from `leaves.to_host`.
      run: JSON values that a resumed run goes on with.
      migrations: what was applied to them so far.
    """
    given = town.config.snapshot.identity
    variant = given.observation_variant
    return Metadata(
        schema_version=SCHEMA_VERSION,
        kind="simulation",
        tick=int(content["state.clock.tick"][0]),
        config_id=town.config_id,
        config_hash=town.identity,
        identity={
            "policy_hash": given.policy_hash,
            "policy_artifact": given.policy_artifact,
            "observation_variant": town.shape.observation if variant == "infer" else variant,
            "anneal_ratio": given.anneal_ratio,
        },
        layout_hash=observation_layout(town.shape).layout_hash,
        actions=town.names.actions,
        agents=town.names.agents,
        run=run,
        migrations=migrations,
        versions=metadata.versions(),
        table=leaves.table(content),
    )


def load(town: Town, path: Path) -> RestoredTowns:
    """Verifies a snapshot and brings its towns back, see `loading.load`."""
    return loading.load(town, path, "simulation", restore)


def restore(town: Town, content: Leaves, about: Metadata) -> batch.Towns:
    """Puts towns on the devices.

    Raises:
      SnapshotError: they have another form than those of this configuration, or a number is not
        finite.
    """
    num_towns = len(content["state.clock.tick"]) if "state.clock.tick" in content else 1
    towns = leaves.from_host(batch.forms(town, num_towns), content)
    leaves.check_finite(content, about)
    return batch.place(towns)
