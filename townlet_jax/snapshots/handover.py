"""Snapshots that are put aside: releases for promotion, bundles for incidents. No jax."""

import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from townlet_jax.snapshots import inspection, metadata, seal, store
from townlet_jax.snapshots.errors import CorruptSnapshotError, SnapshotError

STAMP = "%Y%m%dT%H%M%SZ"
SNAPSHOT, LOGS, TIMELINE = "snapshot", "logs", "timeline.jsonl"
Record = dict[str, Any]


def release(path: Path, root: Path, now: datetime | None = None) -> Record:
    """Copies a snapshot to where releases are kept, under the time of day (UTC).

    Args:
      path: a snapshot, or a folder whose newest one is meant; it stays where it is.
      root: folder of releases; made if need be.
      now: None = the present.

    Returns:
      `path` of the copy, `policy_hash`, `tick`.

    Raises:
      SnapshotError: it names no policy, or a release of this second is there already.
      CorruptSnapshotError: it is not what was once sealed.
    """
    step = inspection.find(path)
    store.check(step)
    about = metadata.read(step)
    policy = about.identity.get("policy_hash")
    if not policy:
        raise SnapshotError(
            f"{step}: has no policy_hash, which a release must carry; set "
            "snapshot.identity.policy_hash"
        )
    target = root / (now or datetime.now(UTC)).strftime(STAMP)
    root.mkdir(parents=True, exist_ok=True)
    if target.exists():
        raise SnapshotError(f"{target}: is there already")
    draft = root / f"{seal.NEW}{target.name}"
    shutil.rmtree(draft, ignore_errors=True)
    try:
        shutil.copytree(step, draft)
        seal.verify(draft)
        seal.sync_all(draft)
        seal.publish(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return {"path": str(target), "policy_hash": policy, "tick": about.tick}


def bundle(root: Path, output: Path, logs: Sequence[Path] = ()) -> Record:
    """Collects what an incident report needs: the newest intact snapshot, logs, a timeline.

    Args:
      root: folder of snapshots, or of a training run.
      output: folder to make; sealed at the end.
      logs: files of the process, such as its stderr.

    Returns:
      `path`, `snapshot` (None if none is intact), `logs`, `corrupt` (why newer ones were passed
      over).

    Raises:
      SnapshotError: `output` is there already, or `root` is not.
      OSError: a log cannot be read.
    """
    if output.exists():
        raise SnapshotError(f"{output}: is there already")
    if not root.is_dir():
        raise SnapshotError(f"{root}: no such folder")
    places = [place for place in (root / "snapshots", root) if place.is_dir()]
    steps = [step for place in places for step in store.folders(place)]
    newest, passed = _newest(steps)
    own = sorted(path for path in root.glob("*.jsonl*") if path.is_file())
    files = [*own, *logs]
    (output / LOGS).mkdir(parents=True)
    for number, file in enumerate(files):
        shutil.copy2(file, output / LOGS / f"{number:02d}-{file.name}")
    if newest is not None:
        shutil.copytree(newest.path, output / SNAPSHOT)
    lines = sorted(_timeline(steps, files, passed), key=lambda line: line["time"])
    seal.write(output / TIMELINE, "".join(json.dumps(line) + "\n" for line in lines))
    seal.seal(output)
    return {
        "path": str(output),
        "snapshot": None if newest is None else str(newest.path),
        "logs": [str(file) for file in files],
        "corrupt": passed,
    }


def _newest(steps: Sequence[store.Step]) -> tuple[store.Step | None, list[str]]:
    """Finds the newest intact snapshot, and why newer ones are none."""
    passed: list[str] = []
    for step in sorted(steps, key=lambda step: step.tick, reverse=True):
        try:
            store.check(step.path)
        except CorruptSnapshotError as error:
            passed.append(str(error))
            continue
        return step, passed
    return None, passed


def _timeline(
    steps: Sequence[store.Step], files: Sequence[Path], passed: Sequence[str]
) -> list[Record]:
    """Lists what happened and when, as far as files tell."""
    lines = []
    for step in steps:
        about = step.path / metadata.METADATA
        if about.is_file():
            lines.append(_line(about, f"snapshot of tick {step.tick}", str(step.path)))
    for file in files:
        with file.open("rb") as open_file:
            tail = open_file.read()[-4000:].decode(errors="replace").splitlines()
        lines.append(_line(file, "last line written", tail[-1] if tail else ""))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    lines += [{"time": now, "what": "found corrupt", "detail": why} for why in passed]
    return [*lines, {"time": now, "what": "bundle made", "detail": json.dumps(metadata.versions())}]


def _line(file: Path, what: str, detail: str) -> Record:
    moment = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    return {"time": moment.isoformat(timespec="seconds"), "what": what, "detail": detail}
