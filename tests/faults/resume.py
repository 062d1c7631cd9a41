"""Saves towns at random ticks, brings them back, and compares the end with an uninterrupted life.

    python tests/faults/resume.py --trials 50

Every second trial has 64 towns; some are resumed by a new process, on one device instead of two.
Prints one JSON object; status 1 if a state hash differs.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import jax

from launch.flags import set_host_devices
from townlet_jax.config import Town, dump, load
from townlet_jax.env import batch
from townlet_jax.ops.host import fetch, state_hash, town_hashes
from townlet_jax.snapshots import leaves, store, towns

ROOT = Path(__file__).parents[2]
NUM_TOWNS = (1, 64)
PROCESS_EVERY = 10
"""One trial of so many is resumed by the script in a process of its own."""


def main() -> int:
    """Runs the trials."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--ticks", type=int, default=1440)
    parser.add_argument("--config", default="configs/town.yaml")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    set_host_devices(2)
    rng = random.Random(args.seed)
    town = load(args.config)
    wanted = {n: hash_of(lived(town, n, args.ticks)) for n in NUM_TOWNS[: args.trials]}
    faults, num_busy, num_processes = [], 0, 0
    for trial in range(args.trials):
        num_towns, tick = NUM_TOWNS[trial % 2], rng.randrange(1, args.ticks)
        is_process = trial % PROCESS_EVERY == 0
        with tempfile.TemporaryDirectory() as folder:
            alive = lived(town, num_towns, tick)
            num_busy += is_busy(alive)
            root = Path(folder)
            save(town, alive, root, num_towns, tick)
            if is_process:
                num_processes += 1
                found = resumed_by_process(args.config, root, args.ticks)
            else:
                step, _ = store.newest(root)
                rest = towns.load(town, step.path).state
                found = hash_of(batch.advance(town, "scripted", rest, args.ticks - tick))
        if found != wanted[num_towns]:
            faults.append(f"trial {trial}: {num_towns} towns, saved at tick {tick}")
    counts = {"trials": args.trials, "mid_use_and_queue": num_busy, "by_process": num_processes}
    print(json.dumps(counts | {"devices": jax.device_count(), "faults": faults}))
    return 1 if faults else 0


def lived(town: Town, num_towns: int, num_ticks: int) -> batch.Towns:
    """Runs fresh towns."""
    return batch.advance(town, "scripted", batch.start(town, town.seed, num_towns), num_ticks)


def hash_of(alive: batch.Towns) -> str:
    """Returns the hash that a report would show."""
    return state_hash(town_hashes(fetch(alive.state)))


def is_busy(alive: batch.Towns) -> bool:
    """Tells whether somebody uses something while somebody waits for it or is at work."""
    state = jax.device_get((alive.state.use.obj, alive.state.queues.waiting_for))
    is_using, is_waiting = (x >= 0 for x in state)
    return bool(is_using.any() and is_waiting.any())


def save(town: Town, alive: batch.Towns, root: Path, num_towns: int, tick: int) -> None:
    """Saves towns as a run does."""
    run = {"policy": "scripted", "seed": town.seed, "num_towns": num_towns, "num_ticks": tick}
    content = leaves.to_host(alive)
    about = towns.describe(town, content, run | {"days": [], "events_bytes": None})
    place = store.Store(root)
    place.save(tick, leaves.writer(dump(town.config), content, about))
    place.close()


def resumed_by_process(config: str, root: Path, num_ticks: int) -> str:
    """Resumes with the script and returns the state hash of its report."""
    command = [sys.executable, "launch/run_simulation.py", config, "--resume", "--json"]
    command += [f"--snapshot-dir={root}", f"--tick-limit={num_ticks}"]
    done = subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=600
    )
    return str(json.loads(done.stdout)["state_hash"])


if __name__ == "__main__":
    sys.exit(main())
