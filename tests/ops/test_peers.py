"""The watch over processes, each a thread here: sockets alone, no jax."""

import queue
import socket
import threading
import time

import pytest

from tests.distributed.conftest import free_port
from townlet_jax.ops import peers
from townlet_jax.ops.peers import PeerError, Peers

LIMIT_S = 20


@pytest.fixture
def group(monkeypatch):
    """Returns a function that makes the watches of P processes, and what each is told."""
    monkeypatch.setattr(peers, "BEAT_SECONDS", 0.1)
    made = []

    def group(number):
        port, told = free_port(), [queue.Queue() for _ in range(number)]
        found = [None] * number

        def join(i):
            found[i] = Peers(("localhost", port), number, i, told[i].put, LIMIT_S)

        threads = [threading.Thread(target=join, args=(i,)) for i in reversed(range(number))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT_S)
        made.extend(found)
        return found, told

    yield group
    for one in made:
        one.close()


def cut(one):
    """Ends the connections of a process as its death would."""
    one._is_over.set()
    one._thread.join(LIMIT_S)
    one._shut()


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_all_others_hear_of_a_death(group, gone):
    found, told = group(3)
    cut(found[gone])
    for i in {0, 1, 2} - {gone}:
        assert told[i].get(timeout=LIMIT_S) == f"process {gone} has died"


def test_silence_is_told(group, monkeypatch):
    monkeypatch.setattr(peers, "SILENCE_SECONDS", 1.0)
    found, told = group(3)
    found[2]._send_all = lambda line: None
    for i in (0, 1):
        assert told[i].get(timeout=LIMIT_S).startswith("process 2 has not answered for")


def test_an_early_end_is_told_with_its_status(group):
    found, told = group(2)
    found[1].close(2)
    assert told[0].get(timeout=LIMIT_S) == "process 1 has ended with status 2"


def test_nothing_is_told_of_a_run_that_is_over(group):
    found, told = group(3)
    for one in found:
        one.close()
    time.sleep(0.3)
    assert all(q.empty() for q in told)


def test_processes_meet(group):
    """Nobody goes on before the last has come, however often."""
    found, _ = group(3)
    order = queue.Queue()

    def walk(i):
        for step in range(3):
            time.sleep(0.05 * ((i + step) % 3))
            order.put(step)
            found[i].meet()

    threads = [threading.Thread(target=walk, args=(i,), daemon=True) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    assert [order.get_nowait() for _ in range(9)] == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_strangers_are_turned_away(group):
    """Somebody who scans ports, and talks first, is no process of the run."""
    port = free_port()
    found = []
    join = threading.Thread(
        target=lambda: found.append(Peers(("localhost", port), 2, 0, print, LIMIT_S))
    )
    join.start()
    until = time.monotonic() + LIMIT_S
    while True:
        try:
            stranger = socket.create_connection(("localhost", port))
            break
        except OSError:
            assert time.monotonic() < until
    with stranger:
        stranger.sendall(b"GET / HTTP/1.1\n")
        other = Peers(("localhost", port), 2, 1, print, LIMIT_S)
    join.join(LIMIT_S)
    for one in (*found, other):
        one.close()
    assert len(found) == 1


@pytest.mark.parametrize(
    ("own", "reason"), [(0, "process 1, 2 of 3 did not come"), (1, "localhost:")]
)
def test_who_does_not_come_is_named(own, reason):
    with pytest.raises(PeerError, match=reason):
        Peers(("localhost", free_port()), 3, own, print, patience=0.3)
