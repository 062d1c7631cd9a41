"""Trains learners of a small world in a process of its own and writes digests of what came of them.

    python -m tests.distributed.runs alone FILE 1 8      on so many of eight devices
    python -m tests.distributed.runs lanes FILE          four lanes, on one device and on four
    python -m tests.distributed.runs shared FILE PORT ID      as one of two processes, for ever

Programs are compiled as users have them; with the quick options of other tests nothing is promised.
"""

import hashlib
import json
import sys
from pathlib import Path

import jax
import numpy as np

from townlet_jax.ops.cluster import Cluster, place_of
from townlet_jax.snapshots import leaves
from townlet_jax.train import lanes, processes

SEED = 3
LOST = 75


def sizes(**others):
    """Returns a world and the sizes of a learner.

    Imported late, because the world makes arrays and processes must have joined before.
    """
    from tests.train.noise import Noise, noise_shape

    given = {
        "num_towns": 32, "num_groups": 8, "num_mini_batches": 4, "num_steps": 8,
        "updates_per_chunk": 3, "feature_hidden": 64, "gru_hidden": 64,
    }  # fmt: skip
    return Noise(), noise_shape(Noise(), **{**given, **others})


def numbers(num_lanes):
    """Returns the numbers of the world and of learners."""
    from tests.train.conftest import params_with
    from tests.train.noise import NUMBERS

    return NUMBERS, lanes.stack_params([params_with()] * num_lanes)


class Run:
    """A run of a single lane, chunk by chunk."""

    def __init__(self, content=None):
        """Begins anew, or goes on with what `content` returned."""
        self.place, given = sizes(), numbers(1)
        self.given = lanes.place_numbers(self.place[1], 1, *given)
        if content is None:
            self.learner = lanes.start(*self.place, [SEED], *given)
        else:
            forms = lanes.forms(*self.place, 1, *given)
            self.learner = lanes.place(self.place[1], leaves.from_host(forms, content))

    def chunk(self):
        """Does three updates; returns digests by name."""
        self.learner, metrics = lanes.train(*self.place, self.learner, *self.given)
        return digests({**self.content(), **processes.to_host(metrics)})

    def content(self):
        return leaves.to_host(self.learner)


def digests(arrays):
    """Returns a digest of each array by its name, and one of the weights."""
    given = {n: hashlib.sha256(np.asarray(x).tobytes()).hexdigest() for n, x in arrays.items()}
    weights = "".join(given[name] for name in sorted(given) if name.startswith("params."))
    return given | {"weights": hashlib.sha256(weights.encode()).hexdigest()}


def on(devices):
    """Spreads whatever comes over so many devices."""
    lanes.most_devices = lambda *_: devices


def alone(numbers_of_devices):
    """Returns digests of the first chunk by number of devices, and of a second one.

    The last number is eight.

    The second one is `8`: all on eight devices; `8-1`: saved there, loaded on a single one.
    """
    first, second = {}, {}
    for devices in numbers_of_devices:
        on(devices)
        run = Run()
        first[devices] = run.chunk()
    saved = run.content()
    second["8"] = run.chunk()
    on(1)
    second["8-1"] = Run(saved).chunk()
    return {"first": first, "second": second}


def four_lanes():
    """Returns digests of the integers of four lanes by number of devices."""
    found = {}
    place, given = sizes(num_towns=8, num_groups=1, updates_per_chunk=1), numbers(4)
    for devices in (1, 4):
        on(devices)
        learner = lanes.start(*place, [1, 2, 3, 4], *given)
        placed = lanes.place_numbers(place[1], 4, *given)
        learner, _ = lanes.train(*place, learner, *placed)
        content = leaves.to_host(learner)
        found[devices] = digests(
            {n: x for n, x in content.items() if not np.issubdtype(x.dtype, np.floating)}
        )
    return found


def lost(how):
    print(how, flush=True)
    return LOST


def write(path, found):
    draft = Path(f"{path}.draft")
    draft.write_text(json.dumps(found))
    draft.rename(path)


def main(kind, path, *args):
    if kind == "alone":
        write(path, alone([int(devices) for devices in args]))
    elif kind == "lanes":
        write(path, four_lanes())
    else:
        port, process = args
        cluster = Cluster(place_of(f"localhost:{port}", 2, int(process)), lost)
        run = Run()
        write(path, run.chunk())
        try:
            while True:
                run.chunk()
        except jax.errors.JaxRuntimeError:
            cluster.check_loss()
            raise


if __name__ == "__main__":
    main(*sys.argv[1:])
