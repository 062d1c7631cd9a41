"""Trained policies, read from the snapshots of a run."""

import hashlib
import os
from pathlib import Path

import jax
import numpy as np

from townlet_jax.config import Town, read_config
from townlet_jax.config.observation_layout import observation_layout, require_layout
from townlet_jax.snapshots import leaves, metadata, store
from townlet_jax.snapshots.errors import SnapshotError
from townlet_jax.train.config import train_params, train_shape
from townlet_jax.train.network import init_params
from townlet_jax.train.policy import TrainedPolicy

BEST, LAST = "best", "snapshots"
"""Folders of a run: the snapshot that was evaluated best, and the latest ones."""


def find(path: str | os.PathLike[str]) -> Path:
    """Finds the snapshot that a path stands for.

    Args:
      path: a run (its best snapshot, else its latest), a folder of snapshots, or a snapshot.

    Raises:
      SnapshotError: there is none.
      CorruptSnapshotError: it is not what was once sealed.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise SnapshotError(f"{path}: no such run or snapshot")
    for folder in (path / BEST, path / LAST, path):
        if folder.is_dir() and any(store.folders(folder)):
            return store.newest(folder)[0].path
    if (path / metadata.METADATA).is_file():
        store.check(path)
        return path
    raise SnapshotError(f"{path}: holds no snapshot of a training run")


def config_file(path: str | os.PathLike[str]) -> Path:
    """Returns the file with the configuration that a run was trained with."""
    return find(path) / metadata.CONFIG


def load(path: str | os.PathLike[str], town: Town) -> list[TrainedPolicy]:
    """Loads the policies of a run, one per lane, for a town that may differ from that of the run.

    Args:
      path: see `find`.
      town: whose residents they are to decide for.

    Raises:
      UnsupportedObservationError: they read other observations.
      SnapshotError: it is no run, or the network has another form or other actions.
    """
    step = find(path)
    about = metadata.read(step)
    if about.kind != "training":
        raise SnapshotError(f"{step}: is of a {about.kind}, not of a training run")
    spec = observation_layout(town.shape)
    require_layout(spec, about.layout_hash, str(step))
    if about.actions != town.names.actions:
        raise SnapshotError(f"{step}: its actions are {', '.join(about.actions)}")
    content = leaves.read(step, about)
    leaves.check_finite(content, about)
    config, _ = read_config(step / metadata.CONFIG)
    shape, numbers = train_shape(town, config), train_params(config)
    params = {name: x for name, x in content.items() if name.startswith("params.")}
    forms = jax.eval_shape(lambda: {"params": init_params(shape, jax.random.key(0))})
    many = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct((about.num_rows, *x.shape), x.dtype), forms
    )
    try:
        nets = leaves.from_host(many, params)["params"]
    except SnapshotError as error:
        raise SnapshotError(f"{step}: the network does not fit ({error})") from None
    seeds, stages = about.run["seeds"], about.run["stages"]
    return [
        TrainedPolicy(
            name=f"{path} seed {seed}" if len(seeds) > 1 else str(path),
            path=step,
            seed=seed,
            stage=stages[lane],
            num_updates=about.tick,
            shape=shape,
            params=jax.tree.map(lambda x, lane=lane: x[lane], nets),
            numbers=numbers,
            policy_hash=policy_hash(
                {name: x[lane] for name, x in params.items()}, about.layout_hash, about.actions
            ),
        )
        for lane, seed in enumerate(seeds)
    ]


def choose(found: list[TrainedPolicy], lane: int) -> TrainedPolicy:
    """Takes the policy of one lane.

    Raises:
      SnapshotError: there are not so many.
    """
    if not 0 <= lane < len(found):
        path, number = found[0].path, len(found)
        raise SnapshotError(f"{path}: lane must be in 0...{number - 1}, got {lane}")
    return found[lane]


def policy_hash(
    params: dict[str, np.ndarray], layout_hash: str, actions: tuple[str, ...]
) -> str:
    """Fingerprints a policy.

    Args:
      params: of one network by name.
      layout_hash: of the observations that it reads.
      actions: names by action code.

    Returns:
      SHA-256, hexadecimal.
    """
    digest = hashlib.sha256()
    for name in sorted(params):
        x = np.ascontiguousarray(params[name])
        digest.update(f"{name} {x.dtype} {list(x.shape)}\n".encode())
        digest.update(x.tobytes())
    digest.update(f"{layout_hash}\n{' '.join(actions)}\n".encode())
    return digest.hexdigest()
