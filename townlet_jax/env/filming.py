"""A camera for one town: how it stands after every tick, and what happened in it.

`batch.watch` keeps events alone; a film keeps the states too. It knows nothing of policies: whoever
has a function that lives one tick of one town can film it. The built-in policies are one example, a
trained network is another:

    def live_one(carry, params, layout):
        ...                                # choose actions, step the town, remember what is needed
        return carry, state, events        # the town after the tick, and what happened in it

    for states, events in film(live_one, carry, params, layout, num_ticks):
        recorder.add(states, events)
"""

from collections.abc import Callable, Iterator
from typing import TypeVar

import jax
from jax import lax

from townlet_jax.config.layout import TownLayout
from townlet_jax.config.params import TownParams
from townlet_jax.config.town import Town
from townlet_jax.env import batch
from townlet_jax.state import TownState
from townlet_jax.state.events import TickEvents

Carry = TypeVar("Carry")
LiveOne = Callable[[Carry, TownParams, TownLayout], tuple[Carry, TownState, TickEvents]]
"""`(carry, params, layout) -> (carry, state, events)`: lives one tick of one town; no town axis.

The carry is any tree of arrays whose shapes and types stay as they are; it is returned changed. The
town is in it, and with it whatever a policy remembers from tick to tick. Weights belong in the
carry too: what a function merely closes over becomes a constant of the compiled program.
"""

CHUNK = 240
"""Ticks that are compiled into one program and brought to the host together."""


def built_in(town: Town, policy: str, seed: int) -> tuple[LiveOne[batch.Towns], batch.Towns]:
    """Returns how a fresh town lives under a built-in policy, and its carry before the first tick.

    Args:
      town: a loaded configuration.
      policy: name in `POLICIES`.
      seed: of the town.
    """

    def live_one(
        towns: batch.Towns, params: TownParams, layout: TownLayout
    ) -> tuple[batch.Towns, TownState, TickEvents]:
        towns, events = batch.live(town.shape, policy, towns, params, layout)
        return towns, towns.state, events

    return live_one, jax.tree.map(lambda leaf: leaf[0], batch.start(town, seed, 1))


def camera(
    live_one: LiveOne[Carry],
) -> Callable[[Carry, TownParams, TownLayout], tuple[Carry, TownState, TickEvents]]:
    """Compiles `CHUNK` ticks of a town.

    Args:
      live_one: lives one tick.

    Returns:
      `(carry, params, layout) -> (carry, states, events)`. States and events have a leading axis
      `[T]`; random keys are uint32 data. The buffers of the carry stay with the caller.
    """

    def run(
        carry: Carry, params: TownParams, layout: TownLayout
    ) -> tuple[Carry, TownState, TickEvents]:
        def body(carry: Carry, _: None) -> tuple[Carry, tuple[TownState, TickEvents]]:
            carry, state, events = live_one(carry, params, layout)
            keys = jax.random.key_data(state.clock.stream_keys)
            state = state.replace(clock=state.clock.replace(stream_keys=keys))
            return carry, (state, events)

        carry, (states, events) = lax.scan(body, carry, length=CHUNK)
        return carry, states, events

    return jax.jit(run, compiler_options=batch.compiler_options(1))


def film(
    live_one: LiveOne[Carry],
    carry: Carry,
    params: TownParams,
    layout: TownLayout,
    num_ticks: int,
) -> Iterator[tuple[TownState, TickEvents]]:
    """Lives a town and yields chunk by chunk what there is to see. One compile per call.

    Args:
      live_one: lives one tick.
      carry: what it starts from; not given up.
      params, layout: the town's numbers and tables.
      num_ticks: [tick] to live.

    Yields:
      states, events: on the host, numpy leaves `[T, ...]`, T at most `CHUNK`; the state of an index
      is that after the tick of which the events tell.
    """
    run = camera(live_one)
    for done in range(0, num_ticks, CHUNK):
        carry, states, events = run(carry, params, layout)
        length = min(CHUNK, num_ticks - done)
        chunk = jax.device_get((states, events))
        yield jax.tree.map(lambda leaf, length=length: leaf[:length], chunk)
