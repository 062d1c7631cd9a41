"""Agent-steps per second beside other environments: python benchmarks/peers.py [--json] [--quick].

Steps random policies in the town, with compact and with hybrid observations, and in environments
of JaxMARL, Jumanji, XLand-MiniGrid and SocialJax, as far as they are installed. What is not is
named with the reason and skipped. `pip install 'townlet-jax[peers]'` installs all but SocialJax,
which no package index has; its environments have the interface of JaxMARL.

All are run alike. There are equally many environments of each. They are split over all devices of
the process; on a CPU every core is one, and no operation has threads of its own. One compiled loop
lives all steps and gives up its carry to itself: state, observation, reward and ends, so that an
observation is computed in every step. Every environment has a key, from which its random actions
and its luck follow, and is reset automatically in the way its library does it. Actions are legal
ones where an observation says what is legal, otherwise any. Compiling comes before the clock. Runs
take turns, so that noise disturbs all alike.

What can be compared: what it costs to step these environments on this machine, in this sitting. An
agent-step is a step of an environment times its agents, vacant slots of a town included. Some
programs keep one core busy where others keep all, for reasons of the compiler; agent-steps per
second of processor time are fair to both.

What can not: worlds. A tick of a town is needs, jobs, queues, ties and talk of eight residents, a
step of a particle world is a little arithmetic, and XLand-MiniGrid comes with an empty list of
rules. Observations differ as much; rows name their size. No rate says how many steps a policy needs
to learn, or what training costs. The town is compiled with the options that its documentation asks
for, the others without any. STORM of JaxMARL is left out: on two cores, four environments of it, in
a `vmap` of nothing else, take .4 s for a step.
"""

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import copy_bandwidth
from benchmarks.timing import Timing, in_turn
from benchmarks.worlds import OWN, PEERS, Peer, SkippedError, compiled, imported, installed_version
from launch.flags import set_cpu_defaults, set_host_devices

ENVIRONMENTS, RUNS, SECONDS = 1024, 5, 1.0
"""Environments of each kind; runs of each; how long a run is about to last [s]."""
QUICK_RUNS, QUICK_SECONDS = 3, 0.3


def main(args: Sequence[str] | None = None) -> int:
    """Runs the benchmark and prints a table or a JSON object."""
    parser = _Parser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--quick", action="store_true", help="one environment of each, shorter runs"
    )
    arguments = parser.parse_args(args)
    with _libraries_on_stderr():
        found = measure(arguments.quick)
    if arguments.json:
        print(json.dumps(found))
    else:
        show(found)
    return 0


@contextlib.contextmanager
def _libraries_on_stderr() -> Iterator[None]:
    """Sends to stderr what libraries print, some of them past `sys.stdout`: it would spoil JSON."""
    sys.stdout.flush()
    own = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(own, 1)
        os.close(own)


def measure(is_quick: bool) -> dict[str, Any]:
    """Runs all environments in turn and returns one row for each, and what was skipped."""
    set_cpu_defaults()
    set_host_devices(os.cpu_count() or 1)
    import jax

    runs, about, skipped = {}, {}, []
    for library, peer in PEERS.items():
        for name in peer.environments[: 1 if is_quick else None]:
            try:
                runs[library, name], about[library, name] = prepare(peer, name, ENVIRONMENTS)
            except SkippedError as reason:
                skipped.append({"library": library, "environment": name, "reason": str(reason)})
    seconds, repeats = (QUICK_SECONDS, QUICK_RUNS) if is_quick else (SECONDS, RUNS)
    steps = {case: _steps_within(run, seconds) for case, run in runs.items()}
    timings = in_turn({case: lambda case=case: runs[case](steps[case]) for case in runs}, repeats)
    return {
        "backend": jax.default_backend(),
        "devices": jax.local_device_count(),
        "cores": os.cpu_count() or 1,
        "jax": version("jax"),
        "copy_bytes_per_second": round(copy_bandwidth(os.cpu_count() or 1)),
        "rows": [row(*case, about[case], steps[case], timings[case]) for case in runs],
        "skipped": skipped,
    }


def row(
    library: str, environment: str, about: dict[str, Any], steps: int, timing: Timing
) -> dict[str, Any]:
    """Returns what is printed of an environment.

    Args:
      library, environment: names.
      about: from `prepare`.
      steps: of each environment in a run.
      timing: of the runs.
    """
    work = about["environments"] * about["agents"] * steps
    rates = timing.rates(work)
    return {
        "benchmark": "peers",
        "library": library,
        "environment": environment,
        **about,
        "steps": steps,
        "agent_steps_per_second": rates["per_second"],
        "spread": rates["spread"],
        "agent_steps_per_cpu_second": round(work / timing.cpu_seconds),
        "environment_steps_per_second": round(rates["per_second"] / about["agents"]),
        "seconds": round(timing.seconds, 4),
        "cpu_seconds": rates["cpu_seconds"],
    }


def prepare(peer: Peer, name: str, num_environments: int) -> tuple[Callable[[int], None], dict]:
    """Compiles an environment and lives one step.

    Args:
      peer: the library.
      name: of the environment.
      num_environments: E.

    Returns:
      What lives so many steps of all, and what is known of them before.

    Raises:
      SkippedError: the library is not installed, or this environment does not run.
    """
    module = imported(peer)
    try:
        start = time.perf_counter()
        world = peer.world(module, name)
        run, observation = compiled(world, num_environments)
        run(1)
    except Exception as error:
        if peer.module == OWN:
            raise
        line = (str(error).splitlines() or [""])[0]
        raise SkippedError(f"{type(error).__name__}: {line}") from error
    import jax

    leaves = jax.tree.leaves(observation)
    return run, {
        "version": installed_version(peer),
        "environments": num_environments,
        "agents": world.agents,
        "observation_size": round(sum(x.size for x in leaves) / world.agents),
        "observation_bytes": round(sum(x.size * x.dtype.itemsize for x in leaves) / world.agents),
        "first_call_seconds": round(time.perf_counter() - start, 1),
    }


def _steps_within(run: Callable[[int], None], seconds: float) -> int:
    """Returns how many steps take about so long, by the faster of the last two tries."""
    steps, took = 1, [0.0]
    while min(took) < seconds / 4:
        steps, took = steps * 2, []
        for _ in range(2):
            start = time.perf_counter()
            run(steps)
            took.append(time.perf_counter() - start)
    return max(1, round(steps * seconds / min(took)))


def show(found: dict[str, Any]) -> None:
    """Prints what was measured, as a table, and what was skipped."""
    from rich.table import Table

    from townlet_jax.ops.terminal import console

    columns = ("Agents", "Numbers seen", "Agent-steps/s", "Least, most", "Per CPU second")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("Environment")
    for name in columns:
        table.add_column(name, justify="right")
    for line in found["rows"]:
        table.add_row(
            f"{line['library']} {line['version']}, {line['environment']}",
            str(line["agents"]),
            f"{line['observation_size']:,}",
            f"{line['agent_steps_per_second']:,}",
            ", ".join(f"{rate:,}" for rate in line["spread"]),
            f"{line['agent_steps_per_cpu_second']:,}",
        )
    out = console(sys.stdout)
    out.print(table)
    for line in found["skipped"]:
        out.print(f"skipped: {line['library']}, {line['environment']}: {line['reason']}")
    number = {line["environments"] for line in found["rows"]}
    out.print(
        f"{', '.join(map(str, number))} environments of each on {found['devices']} "
        f"{found['backend']} devices, jax {found['jax']}; "
        f"copies {found['copy_bytes_per_second'] / 1e9:.1f} GB/s"
    )


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with a command line."""

    def error(self, message: str) -> NoReturn:
        """Exits with status 2."""
        self.exit(2, f"{self.prog}: {message}\n")


if __name__ == "__main__":
    sys.exit(main())
