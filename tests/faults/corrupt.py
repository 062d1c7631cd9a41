"""Damages snapshots at random, and looks whether every damage is refused with one clear line.

    python tests/faults/corrupt.py --trials 2000

Bits are flipped, files are cut, deleted, swapped, emptied, lengthened or replaced by those of
another snapshot. Prints one JSON object; status 1 if one went unnoticed or raised anything else.
"""

import argparse
import collections
import contextlib
import io
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.faults.sample import towns
from townlet_jax.snapshots import cli, store
from townlet_jax.snapshots.errors import CorruptSnapshotError

VERBS = ("show", "identity", "config", "tree", "verify", "ls")


def main() -> int:
    """Runs the trials."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    refused: collections.Counter[str] = collections.Counter()
    faults: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        steps = [step.path for step in store.steps(towns(Path(folder)))]
        whole = Path(folder, "whole", steps[-1].name)
        for trial in range(args.trials):
            shutil.copytree(steps[-1], whole)
            damage = rng.choice(DAMAGES)
            name = damage.__name__
            damage(whole, steps[-2], rng)
            if contents(whole) != contents(steps[-1]):
                refused[name] += 1
                faults += [f"trial {trial}, {name}: {fault}" for fault in look(whole)]
            shutil.rmtree(whole.parent)
    report = {"trials": args.trials, "refused": dict(refused), "faults": faults[:10]}
    print(json.dumps(report))
    return 1 if faults else 0


def look(step: Path) -> list[str]:
    """Tells what is wrong with how a damaged snapshot is met."""
    faults = []
    try:
        store.check(step)
        faults.append("went unnoticed")
    except CorruptSnapshotError as error:
        if "\n" in str(error):
            faults.append(f"more than one line: {error}")
    except Exception as error:
        faults.append(f"{type(error).__name__}: {error}")
    for verb in VERBS:
        path = step.parent if verb == "ls" else step
        out, err = io.StringIO(), io.StringIO()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                status = cli.main([verb, str(path)])
        except Exception as error:
            faults.append(f"{verb} raised {type(error).__name__}: {error}")
            continue
        if status not in (cli.DONE, cli.USAGE, cli.CORRUPT) or len(err.getvalue().splitlines()) > 1:
            faults.append(f"{verb} ended with {status}: {err.getvalue()}")
    return faults


def contents(step: Path) -> dict[str, bytes]:
    """Reads every file of a snapshot."""
    return {str(p.relative_to(step)): p.read_bytes() for p in step.rglob("*") if p.is_file()}


def files(step: Path) -> list[Path]:
    return sorted(path for path in step.rglob("*") if path.is_file())


def flip(step: Path, other: Path, rng: random.Random) -> None:
    path = rng.choice([path for path in files(step) if path.stat().st_size])
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 1, 1, 8])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def cut(step: Path, other: Path, rng: random.Random) -> None:
    path = rng.choice([path for path in files(step) if path.stat().st_size])
    path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)])


def delete(step: Path, other: Path, rng: random.Random) -> None:
    rng.choice(files(step)).unlink()


def swap(step: Path, other: Path, rng: random.Random) -> None:
    one, two = rng.sample(files(step), 2)
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def lengthen(step: Path, other: Path, rng: random.Random) -> None:
    with rng.choice(files(step)).open("ab") as file:
        file.write(rng.randbytes(rng.randrange(1, 100)))


def clear(step: Path, other: Path, rng: random.Random) -> None:
    path = rng.choice([path for path in files(step) if path.stat().st_size])
    path.write_bytes(bytes(path.stat().st_size))


def add(step: Path, other: Path, rng: random.Random) -> None:
    (rng.choice(files(step)).parent / "extra").write_bytes(rng.randbytes(10))


def link(step: Path, other: Path, rng: random.Random) -> None:
    path = rng.choice(files(step))
    copy = step.parent / "outside"
    copy.write_bytes(path.read_bytes() + b" ")
    path.unlink()
    path.symlink_to(copy)


def replace(step: Path, other: Path, rng: random.Random) -> None:
    path = rng.choice(files(step))
    source = other / path.relative_to(step)
    path.write_bytes(
        source.read_bytes() if source.is_file() else rng.choice(files(other)).read_bytes()
    )


def replace_all(step: Path, other: Path, rng: random.Random) -> None:
    shutil.rmtree(step)
    shutil.copytree(other, step)


def nest(step: Path, other: Path, rng: random.Random) -> None:
    path = rng.choice([path for path in files(step) if path.suffix == ".json"])
    path.write_text("[" * 100_000)


DAMAGES: tuple[Callable[[Path, Path, random.Random], None], ...] = (
    *(flip,) * 4, cut, delete, swap, lengthen, clear, add, link, replace, replace_all, nest
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
