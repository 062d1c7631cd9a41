"""A relay of connections that hides the end of the other side.

`jax.distributed` ends a process with a stack trace the moment its connection to process 0 breaks.
The watch of `peers.py` says in one line what happened, if it comes first; behind a relay it does,
because nobody else hears of it before the heartbeats of jax have failed for long.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable


class Relay:
    """Passes on what connects to a port of this host.

    Attributes:
      port: of this host, on which it listens.
    """

    def __init__(self, target: tuple[str, int], patience: float):
        """Listens, in threads of its own that end with the process.

        Args:
          target: host and port that connections are passed on to.
          patience: how long to wait until the target listens [s].

        Raises:
          OSError: no port is free.
        """
        self._target, self._patience = target, patience
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        _in_thread(self._accept)

    def _accept(self) -> None:
        while True:
            near, _ = self._server.accept()
            _in_thread(self._join, near)

    def _join(self, near: socket.socket) -> None:
        """Connects to the target and passes on what comes from this side, until it ends."""
        until = time.monotonic() + self._patience
        while True:
            try:
                far = socket.create_connection(self._target, timeout=10.0)
                break
            except OSError:
                if time.monotonic() > until:
                    near.close()
                    return
                time.sleep(0.1)
        far.settimeout(None)
        _in_thread(_pump, far, near)
        _pump(near, far)
        for end in (near, far):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Passes on what comes, in one direction; leaves both open at the end."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)


def _in_thread(call: Callable[..., None], *args: socket.socket) -> None:
    threading.Thread(target=call, args=args, daemon=True).start()
