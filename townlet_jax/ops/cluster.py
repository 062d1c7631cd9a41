"""Several processes, on one host or on many, that run one program with `jax.distributed`."""

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax

from townlet_jax.ops.peers import PeerError, Peers
from townlet_jax.ops.relay import Relay
from townlet_jax.train import processes

SLURM_PORTS = 61440
"""First of the ports that jobs of SLURM use, two for each; above those that systems hand out."""
JOIN_SECONDS = 300
"""How long a process waits for the others at the start [s]."""


@dataclass(frozen=True)
class Place:
    """The place of a process among P.

    Attributes:
      host, port: where process 0 is reached; the port after it is used as well.
      num_processes: P. process_id: in [0, P).
    """

    host: str
    port: int
    num_processes: int
    process_id: int


def place_of(coordinator: str, num_processes: int, process_id: int) -> Place:
    """Makes a place of what a user says.

    Args:
      coordinator: `HOST:PORT` of process 0.
      num_processes: P. process_id: of this one.

    Raises:
      PeerError: they do not fit together.
    """
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65535:
        raise PeerError(f"{coordinator!r} is not HOST:PORT with a port below 65535")
    if not 0 <= process_id < num_processes:
        raise PeerError(f"process {process_id} is not one of 0 to {num_processes - 1}")
    return Place(host.strip("[]"), int(port), num_processes, process_id)


def place_in_slurm(environ: Mapping[str, str] = os.environ) -> Place | None:
    """Returns the place that `srun` gave this process, None if it started no others beside it."""
    names = ("SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_NTASKS", "SLURM_PROCID")
    if any(name not in environ for name in names):
        return None
    job, nodes, number, own = (environ[name] for name in names)
    if int(number) < 2:
        return None
    # node7 · node7,node9 · node[007-012,020]
    first = re.match(r"([^,\[]+)(?:\[([^,\-\]]+))?", nodes)
    if first is None:
        return None
    port = SLURM_PORTS + 2 * (int(job) % 2047)
    return Place(first[1] + (first[2] or ""), port, int(number), int(own))


class Cluster:
    """This process as one of several; without a place, a run of its own."""

    def __init__(self, place: Place | None, lost: Callable[[str], int]):
        """Joins the other processes; call it before anything else of jax.

        If one of them is lost, this process ends at once.

        Args:
          place: of this process; None = there are no others.
          lost: told, from a thread, which process is lost and how; returns the exit status.

        Raises:
          PeerError: the others did not come.
        """
        self._peers: Peers | None = None
        self._tell = lost
        if place is None:
            return
        _keep_stdout()
        number, own = place.num_processes, place.process_id
        address = (place.host, place.port + 1)
        self._peers = Peers(address, number, own, self._lost, JOIN_SECONDS)
        if "JAX_CPU_COLLECTIVES_IMPLEMENTATION" not in os.environ:
            jax.config.update("jax_cpu_collectives_implementation", "gloo")
        # Collectives of two programs that run at once on a CPU would wait for each other.
        jax.config.update("jax_cpu_enable_async_dispatch", False)
        coordinator = f"[{place.host}]" if ":" in place.host else place.host
        coordinator = f"{coordinator}:{place.port}"
        if own > 0:
            relay = Relay((place.host, place.port), JOIN_SECONDS)
            coordinator = f"127.0.0.1:{relay.port}"
        jax.distributed.initialize(coordinator, number, own)
        processes.meet_by(self._peers.meet)

    @property
    def is_shared(self) -> bool:
        """Whether there are other processes."""
        return self._peers is not None

    def check_loss(self) -> None:
        """Ends the process if an error was the loss of another one; returns if it was not."""
        if self._peers is not None:
            self._peers.wait()

    def leave(self) -> None:
        """Parts from the others once all have done the same work."""
        if self._peers is not None:
            self._peers.meet()
            jax.distributed.shutdown()
            self._peers.close()
            self._peers = None

    def abandon(self, status: int) -> None:
        """Ends the process if it has not left the others, who are told; else does nothing."""
        if self._peers is not None:
            self._peers.close(status)
            _end(status)

    def _lost(self, how: str) -> None:
        _end(self._tell(how))


def _keep_stdout() -> None:
    """Keeps stdout for what this program prints: gloo tells there of every connection."""
    sys.stdout.flush()
    own = os.dup(1)
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 1)
    sys.stdout = os.fdopen(own, "w")


def _end(status: int) -> None:
    """Ends the process at once: whatever would be waited for at the exit never comes."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
