"""Eight residents and what happens between them: builders shared by the tests of ties.

Every tick has the same shapes, so that whatever is compiled is shared.
"""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np

from tests.oracle import relationships as twin_ties
from tests.oracle import twin
from tests.oracle.defaults import default_params
from tests.oracle.events import empty_events
from townlet_jax.config.shape import TownShape
from townlet_jax.env.batch import compiler_options
from townlet_jax.masked import NONE
from townlet_jax.rules import relationships as rule
from townlet_jax.rules import tie_deltas
from townlet_jax.state.clock import Now
from townlet_jax.state.events import ChatEvents, QueueRecords
from townlet_jax.state.relationships import Relationships, empty_relationships

DAY = 1440
SLOTS, ROWS, MAX_EDGES = 8, 4, 6
QUICK = {**compiler_options(num_towns=1), "xla_backend_optimization_level": "0"}
"""Compiles in half the time; the tests run few ticks."""
SHAPE = TownShape(num_agents=SLOTS, num_objects=ROWS, max_edges=MAX_EDGES)
FLAT = jnp.zeros((SLOTS, 3), jnp.float32)
"""Traits of residents without any."""
ALL = jnp.ones(SLOTS, bool)
NO_LOSSES = jnp.zeros(SLOTS, jnp.int32)
NOBODY = jnp.full(SLOTS, NONE, jnp.int32)
_DEFAULTS = jax.tree.map(jnp.asarray, default_params())


def at(tick, ticks_per_day=DAY):
    tick = jnp.asarray(tick, jnp.int32)
    return Now(tick=tick, tick_of_day=tick % ticks_per_day, day=tick // ticks_per_day)


def numbers(group, **changes):
    """Makes the default numbers of a group, changed; values take the dtype of the default."""
    fields = getattr(_DEFAULTS, group)
    typed = {name: jnp.asarray(v, getattr(fields, name).dtype) for name, v in changes.items()}
    return fields.replace(**typed)


def params(**changes):
    return numbers("relationships", **changes)


def still(**changes):
    """Numbers without decay."""
    return params(**(dict(trust_decay=0, familiarity_decay=0, rivalry_decay=0) | changes))


def ties(*entries):
    """Makes ties from (holder, partner, trust, familiarity, rivalry, formed_tick = 0)."""
    twin_of = twin.plain(empty_relationships(SHAPE))
    for a, b, trust, familiarity, rivalry, *formed in entries:
        twin_of.trust[a, b], twin_of.familiarity[a, b] = trust, familiarity
        twin_of.rivalry[a, b], twin_of.is_tie[a, b] = rivalry, True
        twin_of.formed_tick[a, b] = twin_of.last_event_tick[a, b] = formed[0] if formed else 0
    return jax.tree.map(jnp.asarray, twin.to_arrays(twin_of, Relationships))


def events(chats=(), handovers=(), conflicts=(), meals=(), helped=(), took=()):
    """Makes the twin of a tick's events.

    Args:
      chats: (speaker, listener, quality), quality None = a failure.
      handovers: (actor, rival); conflicts: (actor, rival, intensity).
      meals: (a, b); helped, took: (late or absent resident, co-worker).
    """
    e = empty_events(SHAPE)
    for speaker, listener, quality in chats:
        e.chat.listener[speaker], e.chat.is_success[speaker] = listener, quality is not None
        e.chat.quality[speaker] = 0.5 if quality is None else quality
    for records, entries in ((e.handovers, handovers), (e.conflicts, conflicts)):
        for row, (actor, rival, *intensity) in enumerate(entries):
            records.is_set[row], records.actor[row], records.rival[row] = True, actor, rival
            records.intensity[row] = intensity[0] if intensity else 0.4
    for a, b in meals:
        e.affordances.shared_meal[a, b] = e.affordances.shared_meal[b, a] = True
    for name, pairs in (("helped", helped), ("took", took)):
        for a, b in pairs:
            getattr(e.employment, name)[a, b] = True
    return e


def inputs(e):
    """Turns the twin of events into what `tie_deltas.deltas` takes before `is_alive`."""
    rows = (twin.to_arrays(x, QueueRecords) for x in (e.handovers, e.conflicts))
    masks = (e.affordances.shared_meal, e.employment.helped, e.employment.took)
    return jax.tree.map(np.asarray, (twin.to_arrays(e.chat, ChatEvents), *rows, *masks))


def live(relationships, happened, tick, numbers, traits=FLAT, removed=None):
    """Lives one tick of the ties; `happened` as made by `inputs`."""
    removed = NO_LOSSES if removed is None else removed
    delta = tie_deltas.deltas(*happened, ALL, traits, numbers)
    return rule.step(
        relationships,
        delta,
        happened[0].listener,
        removed,
        traits,
        at(tick),
        jnp.int32(DAY),
        numbers,
        MAX_EDGES,
    )


_live_jit = jax.jit(live, compiler_options=QUICK)


def live_jit(relationships, happened, tick, numbers, traits=FLAT, removed=None):
    """Does what `live` does, compiled once."""
    removed = NO_LOSSES if removed is None else removed
    return _live_jit(relationships, happened, jnp.int32(tick), numbers, traits, removed)


def lives(relationships, ticks, start, numbers, traits=FLAT):
    """Lives ticks made by `events`; yields tick, the ties after it and its events, as numpy."""
    for tick, happened in enumerate(ticks, start):
        relationships, happened = live_jit(relationships, inputs(happened), tick, numbers, traits)
        yield tick, jax.device_get(relationships), jax.device_get(happened)


def tape(*ticks):
    """Stacks the `inputs` of ticks."""
    return jax.tree.map(lambda *x: np.stack(x), *(inputs(e) for e in ticks))


def row(tree, i):
    """Takes one town out of a batch."""
    return jax.tree.map(lambda x: x[i], tree)


def random_ticks(seed, num_ticks, is_kind=False, residents=SLOTS):
    """Draws ticks full of events among the first residents; a kind one has no helps and no taken
    shifts.
    """
    rng = np.random.default_rng(seed)

    def pairs(share):
        order = rng.permutation(residents)
        return [tuple(map(int, p)) for p in order.reshape(-1, 2) if rng.random() < share]

    def tick():
        return events(
            chats=[(a, b, rng.choice([None, rng.random()], p=[0.3, 0.7])) for a, b in pairs(0.3)],
            handovers=pairs(0.2),
            conflicts=[(a, b, float(rng.choice([1.5, 1.75, 3.3]))) for a, b in pairs(0.15)],
            meals=pairs(0.1),
            helped=[] if is_kind else pairs(0.05),
            took=[] if is_kind else pairs(0.05),
        )

    return [tick() for _ in range(num_ticks)]


def random_traits(seed):
    traits = np.random.default_rng([seed, 1]).uniform(-1, 1, (SLOTS, 3))
    return jnp.asarray(traits, jnp.float32)


def twin_town(numbers, traits):
    """Makes the part of the oracle's town that its tie step reads."""
    agents = SimpleNamespace(
        is_alive=np.ones(SLOTS, bool), is_leaving=np.zeros(SLOTS, bool), traits=np.array(traits)
    )
    return SimpleNamespace(
        shape=SHAPE,
        num_agents=SLOTS,
        num_objects=ROWS,
        params=SimpleNamespace(
            relationships=twin.plain(numbers), time=SimpleNamespace(ticks_per_day=DAY)
        ),
        state=SimpleNamespace(relationships=twin.plain(empty_relationships(SHAPE)), agents=agents),
    )


def live_twin(town, happened, tick):
    """Lets the oracle live one tick."""
    town.tick, town.tick_of_day, town.events = tick, tick % DAY, happened
    twin_ties.step(town)
