"""Kills a process that saves snapshots at random moments, and looks at what is left each time.

    python tests/faults/kill_during_save.py --kills 200

A listed snapshot must be intact, none that was reported saved may be missing unless retention took
it, and the newest must give back its towns bit for bit. Prints one JSON object; status 1 if not.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from orbax.checkpoint import v1 as ocp

from tests.faults.sample import Sample, samples, towns
from townlet_jax.snapshots import arrays, metadata, store
from townlet_jax.snapshots.errors import CorruptSnapshotError

RETAIN = 3
LONGEST_S = 1.0
"""Longest time to live; a save takes about a tenth of it."""


def main() -> int:
    """Runs the trials."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    assert ocp is not None  # imported before the forks, which so start at once
    rng = random.Random(args.seed)
    counts = {"kills": 0, "saved": 0, "listed": 0, "unsealed": 0, "binned": 0}
    with tempfile.TemporaryDirectory() as folder:
        given = samples(towns(Path(folder)))
        root, log = Path(folder, "root"), Path(folder, "saved")
        log.touch()
        for _ in range(args.kills):
            live(root, log, given, rng.uniform(0, LONGEST_S))
            faults = look(root, log, given, counts)
            counts["kills"] += 1
            if faults:
                print(json.dumps(counts | {"faults": faults}))
                return 1
    print(json.dumps(counts | {"faults": []}))
    return 0


def live(root: Path, log: Path, given: list[Sample], seconds: float) -> None:
    """Lets a process save one snapshot after the other, and kills it."""
    child = os.fork()
    if child == 0:
        try:
            save(root, log, given)
        finally:
            os._exit(1)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def save(root: Path, log: Path, given: list[Sample]) -> None:
    """Saves for ever; notes the tick of each snapshot once it is saved."""
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    place = store.Store(root, RETAIN)
    found = store.steps(root)
    tick = found[-1].tick if found else 0
    with log.open("a") as file:
        while True:
            tick += 1
            sample = given[tick % len(given)]
            place.save(tick, lambda path, sample=sample, tick=tick: sample.fill(path, tick))
            file.write(f"{tick}\n")
            file.flush()
            os.fsync(file.fileno())


def look(root: Path, log: Path, given: list[Sample], counts: dict[str, int]) -> list[str]:
    """Tells what is wrong with what a killed process left."""
    if not root.is_dir():
        return []
    found = store.steps(root)
    faults = []
    for step in found:
        try:
            store.check(step.path)
        except CorruptSnapshotError as error:
            faults.append(str(error))
    listed = {step.tick for step in found}
    saved = [int(line) for line in log.read_text().split()]
    newest = max(listed, default=0)
    for tick in saved[-RETAIN:]:
        if tick not in listed and tick > newest - RETAIN:
            faults.append(f"tick {tick} was saved and is not listed")
    if saved and newest < saved[-1]:
        faults.append(f"newest is {newest}, {saved[-1]} was saved")
    if found and not faults and not is_restored(found[-1], given):
        faults.append(f"{found[-1].path} gives other towns back")
    counts["saved"], counts["listed"] = len(saved), counts["listed"] + len(found)
    counts["unsealed"] += any(path.name.startswith(".new-") for path in root.iterdir())
    counts["binned"] += (root / ".bin").is_dir()
    return faults


def is_restored(step: store.Step, given: list[Sample]) -> bool:
    """Reads the towns back in a process of its own and compares every byte."""
    child = os.fork()
    if child == 0:
        try:
            sample = given[step.tick % len(given)]
            about = metadata.read(step.path)
            form = {"towns": ("uint8", sample.rows.shape)}
            rows = arrays.read(step.path / arrays.FOLDER, form)["towns"]
            os._exit(0 if (rows == sample.rows).all() and about.tick == step.tick else 1)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


if __name__ == "__main__":
    sys.exit(main())
