"""Admin rows (world §14)."""

from tests.oracle import affordances, lifecycle, perturbations, queues, relationships, slots
from tests.oracle.movement import is_occupied, is_walkable
from tests.oracle.twin import NEVER, NONE, clip32, f32, rounded32
from townlet_jax.config.layout import Flag, PerturbationKind
from townlet_jax.state import ExitReason
from townlet_jax.state.events import FailReason, FailSource

UNIT = 10_000


def _lives(town, a: int) -> bool:
    return 0 <= a < town.num_agents and bool(town.state.agents.is_alive[a])


def _is_open(town, x: int, y: int) -> bool:
    return is_walkable(town, x, y) and not is_occupied(town, x, y)


def _spawn(town, slot, x, y, job, *_) -> bool:
    vacant = [a for a in range(town.num_agents) if not town.state.agents.is_alive[a]]
    if slot == NONE and vacant:
        slot = vacant[0]
    if slot not in vacant or not _is_open(town, x, y):
        return False
    if job != NONE and not 0 <= job < town.layout.jobs.num_jobs:
        return False
    lifecycle.place(town, slot, (x, y), job)
    slots.allocate(town, [slot])
    return True


def _flag(town, a: int, reason: int) -> None:
    life = town.state.lifecycle
    life.exit_reason[a], life.flagged_tick[a] = reason, town.tick


def _kill(town, a, *_) -> bool:
    if not _lives(town, a):
        return False
    _flag(town, a, ExitReason.KILLED)
    return True


def _teleport(town, a, x, y, *_) -> bool:
    if not _lives(town, a) or not _is_open(town, x, y):
        return False
    if affordances.is_running(town, a):
        source = FailSource.COLLAPSE_OR_REMOVAL
        affordances.stop(town, a, FailReason.REMOVED, source, is_refunded=False)
    queues.leave(town, a)
    town.state.agents.position[a] = (x, y)
    town.events.lifecycle.context_reset[a] = True
    return True


def _set_need(town, a, need, value, *_) -> bool:
    if not _lives(town, a) or not 0 <= need < 3 or not 0 <= value <= UNIT:
        return False
    town.state.needs.level[a, need] = f32(value) / f32(UNIT)
    return True


def _set_price(town, key, value, *_) -> bool:
    if (
        not 0 <= key < town.shape.num_price_keys
        or not town.layout.prices.is_price[key]
        or value < 0
    ):
        return False
    town.state.economy.price_base[key] = f32(value) / f32(UNIT)
    town.events.economy.price_changed[key] = True
    return True


def _force_chat(town, a, b, quality, *_) -> bool:
    talking = {x for chat in town.forced_chats for x in chat[:2]}
    if a == b or not _lives(town, a) or not _lives(town, b) or {a, b} & talking:
        return False
    if affordances.runs_flag(town, b, Flag.BLOCKS_CHAT):
        return False
    town.forced_chats.append((a, b, clip32(f32(quality) / f32(UNIT), 0, 1)))
    return True


def _arrange_meet(town, a, b, location, ticks, *_) -> bool:
    kinds = [int(kind) for kind in town.layout.perturbations.kind]
    if PerturbationKind.ARRANGED_MEET not in kinds:
        return False
    spec = kinds.index(PerturbationKind.ARRANGED_MEET)
    return perturbations.trigger(town, spec, 0, ticks, -1, a, b, location)


def _set_rel(town, a, b, channel, value, *_) -> bool:
    if a == b or not _lives(town, a) or not _lives(town, b) or not 0 <= channel < 3:
        return False
    relationships.write(town, a, b, channel, f32(value) / f32(UNIT))
    return True


def _approve(town, a, *_) -> bool:
    if not _lives(town, a) or town.state.agents.job[a] == NONE:
        return False
    _flag(town, a, ExitReason.MANUAL_APPROVE)
    town.state.employment.is_exit_approved[a] = True
    town.state.employment.pending_tick[a] = NEVER
    town.events.employment.exit_requested[a] = True
    return True


def _defer(town, a, *_) -> bool:
    e = town.state.employment
    if not 0 <= a < town.num_agents or e.pending_tick[a] == NEVER:
        return False
    e.pending_tick[a], e.absence_bits[a] = NEVER, 0
    town.events.employment.exit_deferred[a] = True
    return True


def _trigger(town, *args) -> bool:
    return perturbations.trigger(town, *args)


def _cancel(town, event_id, *_) -> bool:
    return perturbations.cancel(town, event_id)


def _pairs(town, a: int, b: int) -> list[tuple[int, int]] | None:
    """Lists the existing ties between a resident and another or all; None if one is missing."""
    if not _lives(town, a) or (b != NONE and not _lives(town, b)):
        return None
    others = range(town.num_agents) if b == NONE else [b]
    both = [pair for x in others for pair in ((a, x), (x, a)) if x != a]
    return [pair for pair in both if town.state.relationships.is_tie[pair]]


def _rivalry_decay(town, a, b, ticks, *_) -> bool:
    pairs = _pairs(town, a, b)
    loss = rounded32(f32(max(0, ticks)) * town.params.relationships.rivalry_decay)
    for x, y in pairs or ():
        relationships.fade_rivalry(town, x, y, loss)
    return pairs is not None


def _rivalry_reset(town, a, b, *_) -> bool:
    pairs = _pairs(town, a, b)
    for x, y in pairs or ():
        town.state.relationships.rivalry[x, y] = relationships.clamp(town, 2, 0)
    return pairs is not None


def _set_fairness(town, value, *_) -> bool:
    town.state.queues.is_fairness_on = value != 0
    return True


def _set_mortality(town, value, *_) -> bool:
    life = town.state.lifecycle
    life.is_mortality_on = value != 0
    for a in range(town.num_agents):
        if value == 0 and life.exit_reason[a] in (ExitReason.FAINT, ExitReason.EVICTION):
            life.exit_reason[a], life.flagged_tick[a] = ExitReason.NONE, NEVER
    return True


_OPS = {
    1: _spawn,
    2: _kill,
    3: _teleport,
    4: _set_need,
    5: _set_price,
    6: _force_chat,
    7: _arrange_meet,
    8: _set_rel,
    9: _approve,
    10: _defer,
    11: _trigger,
    12: _cancel,
    13: _rivalry_decay,
    14: _rivalry_reset,
    15: _set_fairness,
    16: _set_mortality,
}


def apply(town, ops) -> None:
    """Carries admin rows out in their order.

    Args:
      town: the town.
      ops: int32 `[Q, 8]` or None.
    """
    for row, (code, *args) in enumerate(ops.tolist() if ops is not None else ()):
        if code != 0:
            town.events.op_ok[row] = code in _OPS and _OPS[code](town, *args)
