"""Runs a hand-made town for some ticks."""

from types import SimpleNamespace

import numpy as np

from tests.oracle import towns, twin
from tests.oracle.step import step


def ops_rows(shape, rows) -> np.ndarray:
    """Pads admin rows to int32 [Q, 8]."""
    out = np.zeros((shape.num_ops, 8), np.int32)
    for q, row in enumerate(rows):
        out[q, : len(row)] = row
    return out


def run(town, ticks: int, actions=None, ops=None, draws=None) -> SimpleNamespace:
    """Steps a town and keeps every state and every event.

    Args:
      town: result of `towns.build`; its state is replaced by the last one.
      ticks: number of ticks.
      actions: int list `[A]` played on every tick, a function of (tick, state), or None = wait.
      ops: admin rows by tick.
      draws: namespace used on every tick, a function of the tick, or None = quiet draws.

    Returns:
      Namespace with `events[tick]` and `states[tick]`, the state after that tick.
    """
    params, layout = twin.plain(town.params), twin.plain(town.layout)
    out = SimpleNamespace(events={}, states={})
    for _ in range(ticks):
        tick = town.state.clock.tick
        action = actions(tick, town.state) if callable(actions) else actions
        action = np.zeros(town.shape.num_agents, np.int32) if action is None else action
        rows = ops_rows(town.shape, (ops or {}).get(tick, ()))
        draw = draws(tick) if callable(draws) else draws or towns.quiet_draws(town.shape)
        town.state, events = step(town.shape, town.state, action, rows, draw, params, layout)
        out.events[tick], out.states[tick] = events, town.state
    return out


def ticks_where(events: dict, test) -> list[int]:
    """Lists the ticks whose events pass a test."""
    return [tick for tick, event in events.items() if test(event)]
