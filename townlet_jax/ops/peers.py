"""A watch over the processes of a run: one that dies or stops answering ends the others.

Collective operations wait for ever for a process that is gone. So process 0 keeps a connection to
each of the others, apart from theirs, and every process sends a line every few seconds, from a
thread. Knows nothing of jax.
"""

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable

BEAT_SECONDS = 2.0
"""Between two lines of a process [s]."""
SILENCE_SECONDS = 30.0
"""After which a process counts as stuck [s]."""
_BEAT, _BYE, _LEFT, _LOST, _HERE, _GO = "beat", "bye", "left", "lost", "here", "go"


class PeerError(Exception):
    """The processes of a run did not find each other."""


class Peers:
    """The watch of one process."""

    def __init__(
        self,
        address: tuple[str, int],
        num_processes: int,
        process_id: int,
        tell: Callable[[str], None],
        patience: float = 300.0,
    ):
        """Waits until all processes are there, then watches them.

        Args:
          address: host and port where process 0 listens.
          num_processes: P. process_id: of this one, in [0, P).
          tell: called from the thread, once, when another process is lost; says which and how.
          patience: how long to wait for the others at the start [s].

        Raises:
          PeerError: they did not come, or process 0 cannot listen there.
        """
        self._tell, self._is_over = tell, threading.Event()
        self._sockets: dict[int, socket.socket] = {}
        self._is_hub, self._meeting = process_id == 0, 0
        self._met, self._changed = dict.fromkeys(range(num_processes), 0), threading.Condition()
        until = time.monotonic() + patience
        try:
            if process_id == 0:
                self._gather(address[1], num_processes, until)
            else:
                self._sockets[0] = _connect(address, process_id, until)
        except OSError as error:
            self._shut()
            place = f"{address[0]}:{address[1]}"
            raise PeerError(f"{place}: {error.strerror or error}") from None
        except PeerError:
            self._shut()
            raise
        self._thread = threading.Thread(target=self._watch, name="peers", daemon=True)
        self._thread.start()

    def close(self, status: int | None = None) -> None:
        """Ends the watch.

        Args:
          status: exit status of a process that ends before the run does; None = the run is over.
        """
        if self._is_over.is_set():
            return
        self._is_over.set()
        self._send_all(_BYE if status is None else f"{_LEFT} {status}")
        if threading.current_thread() is not self._thread:
            self._thread.join(2 * BEAT_SECONDS)
        self._shut()

    def meet(self) -> None:
        """Waits until every process has called this as often as this one."""
        self._meeting += 1
        if self._is_hub:
            self._await(lambda: min(self._met[i] for i in self._sockets) >= self._meeting)
            self._send_all(f"{_GO} {self._meeting}")
        else:
            self._send_all(f"{_HERE} {self._meeting}")
            self._await(lambda: self._met[0] >= self._meeting)

    def _await(self, is_there: Callable[[], bool]) -> None:
        with self._changed:
            self._changed.wait_for(is_there)

    def wait(self) -> None:
        """Gives the watch the time that it needs to find out that a process is lost."""
        self._is_over.wait(SILENCE_SECONDS + 2 * BEAT_SECONDS)

    def _gather(self, port: int, num_processes: int, until: float) -> None:
        """Waits for a connection of every other process."""
        with socket.create_server(("", port), backlog=num_processes) as server:
            while len(self._sockets) < num_processes - 1:
                server.settimeout(max(until - time.monotonic(), 0.01))
                try:
                    joined, _ = server.accept()
                except TimeoutError:
                    missing = sorted({*range(1, num_processes)} - self._sockets.keys())
                    names = ", ".join(map(str, missing))
                    raise PeerError(f"process {names} of {num_processes} did not come") from None
                joined.settimeout(max(until - time.monotonic(), 0.01))
                with contextlib.suppress(OSError, ValueError):  # some stranger
                    number = int(joined.recv(16).decode("ascii", "replace"))
                    if number in range(1, num_processes):
                        self._sockets[number] = joined
                        continue
                joined.close()
        self._send_all(_BEAT)

    def _watch(self) -> None:
        """Sends and receives until the run is over or a process is lost."""
        heard = dict.fromkeys(self._sockets, time.monotonic())
        rest = dict.fromkeys(self._sockets, "")
        sent = 0.0
        with selectors.DefaultSelector() as selector:
            for number, connection in self._sockets.items():
                selector.register(connection, selectors.EVENT_READ, number)
            while not self._is_over.is_set() and heard:
                for event, _ in selector.select(BEAT_SECONDS / 4):
                    number = event.data
                    text = _receive(self._sockets[number])
                    if text is None:
                        return self._lose(number, "has died")
                    *lines, rest[number] = (rest[number] + text).split("\n")
                    heard[number] = time.monotonic()
                    for line in lines:
                        word, _, more = line.partition(" ")
                        if word == _LOST:
                            lost, _, how = more.partition(" ")
                            return self._lose(int(lost), how)
                        if word == _LEFT:
                            # Most likely this process is about to end in the same way.
                            self._is_over.wait(1.0)
                            return self._lose(number, f"has ended with status {more}")
                        if word in (_HERE, _GO):
                            with self._changed:
                                self._met[number] = int(more)
                                self._changed.notify_all()
                        if word == _BYE:
                            selector.unregister(self._sockets[number])
                            del heard[number]
                now = time.monotonic()
                for number, last in heard.items():
                    if now - last > SILENCE_SECONDS:
                        return self._lose(number, f"has not answered for {now - last:.0f} s")
                if now - sent > BEAT_SECONDS:
                    sent = now
                    self._send_all(_BEAT)

    def _lose(self, number: int, how: str) -> None:
        """Tells this process, and through process 0 all others, that one is lost."""
        if self._is_over.is_set():
            return
        self._send_all(f"{_LOST} {number} {how}")
        self._tell(f"process {number} {how}")

    def _send_all(self, line: str) -> None:
        for connection in self._sockets.values():
            with contextlib.suppress(OSError):  # whoever is gone is found by reading
                connection.send(f"{line}\n".encode(), socket.MSG_DONTWAIT)

    def _shut(self) -> None:
        for connection in self._sockets.values():
            connection.close()


def _connect(address: tuple[str, int], process_id: int, until: float) -> socket.socket:
    """Connects to process 0, which may start later than this one."""
    while True:
        try:
            connection = socket.create_connection(address, timeout=10.0)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
            continue
        connection.sendall(str(process_id).encode())
        connection.settimeout(max(until - time.monotonic(), 0.01))
        try:
            greeting = connection.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            greeting = b""
        if not greeting:
            connection.close()
            raise PeerError("process 0 did not hear of all processes")
        return connection


def _receive(connection: socket.socket) -> str | None:
    """Returns what has come; None if the connection is gone."""
    try:
        data = connection.recv(4096)
    except OSError:
        return None
    return data.decode("ascii", "replace") or None
