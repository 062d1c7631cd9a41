"""From actions to intents (world §6.1, §6.2, §6.5)."""

from tests.oracle import affordances, options, queues
from tests.oracle.intents import CHAT, MOVE, NOTHING, RELEASE, USE, WAIT
from tests.oracle.masks import FIRST_USE, is_controlled, mask_of, offers
from tests.oracle.movement import cheb, direction
from tests.oracle.twin import NONE
from townlet_jax.config.layout import Flag


def has_schedule(town, a: int) -> bool:
    """Tells whether a resident plays a schedule; a newcomer does not inherit one."""
    return bool(town.layout.schedules.has_schedule[a]) and town.state.agents.generation[a] == 0


def _scheduled(town, a: int) -> tuple[int, int, int]:
    schedules = town.layout.schedules
    row = schedules.rows[a, town.tick % int(schedules.length[a])]
    kind, target, affordance = (int(x) for x in row)
    if kind != MOVE:
        return (kind, target, affordance)
    code = direction(town, a, target)
    return NOTHING if code == options.STAY else (MOVE, code, NONE)


def _use_type(town, a: int, type_rows) -> tuple[int, int, int] | None:
    """Chooses row and affordance of 'use type k'; None if no row is near."""
    near = [
        o for o in range(town.num_objects) if type_rows[o] and queues.in_request_range(town, a, o)
    ]
    if not near:
        return None
    held = queues.held_row(town, a)
    ready = [o for o in near if not queues.is_cooling(town, a, o)]

    def order(o: int) -> tuple[int, bool, int, int]:
        is_elsewhere = town.state.queues.waiting_for[a] != o
        return (
            queues.load(town, a, o),
            is_elsewhere,
            cheb(town, a, town.layout.objects.interact[o]),
            o,
        )

    row = held if held in near else min(ready, key=order, default=near[0])
    passing = [f for f in offers(town, row) if affordances.why_not(town, a, row, f, True) == NONE]
    return (USE, row, (passing or offers(town, row) or [NONE])[0])


def _primitive(town, a: int, code: int) -> tuple[int, int, int] | None:
    if code == 0:
        return NOTHING
    if code < 5:
        return (MOVE, code - 1, NONE)
    if code == 5:
        return (CHAT, NONE, NONE)
    if code == 6:
        return (RELEASE, NONE, NONE)
    return _use_type(town, a, town.layout.actions.rows[code - FIRST_USE])


def _filtered(town, a: int, intent) -> tuple[int, int, int] | None:
    """Takes away what a running resident cannot do."""
    if not affordances.is_running(town, a) or intent[0] in (WAIT, RELEASE):
        return intent
    may_talk = intent[0] == CHAT and not affordances.runs_flag(town, a, Flag.BLOCKS_CHAT)
    return intent if may_talk else None


def compile_intents(town, actions) -> tuple[list[tuple[int, int, int]], list[bool]]:
    """Turns actions into intents, from the state before the tick.

    Args:
      town: the town.
      actions: int32 `[A]`, codes of the action level in use.

    Returns:
      intents: (kind, target, affordance) per resident; did: whether the action has succeeded so
        far, which is true for a wait of one's own will.
    """
    is_primitive = town.shape.action_level == "primitive"
    mask = mask_of(town) if is_primitive else None
    intents, did = [], []
    for a in range(town.num_agents):
        code, intent = int(actions[a]), None
        if not is_controlled(town, a):
            intent = NOTHING
        elif has_schedule(town, a):
            intent = _filtered(town, a, _scheduled(town, a))
        elif 0 <= code < town.shape.num_actions:
            if not is_primitive:
                intent = _filtered(town, a, options.control(town, a, code))
            elif mask[a, code]:
                intent = _filtered(town, a, _primitive(town, a, code))
        intents.append(intent or NOTHING)
        did.append(intent is not None and intent[0] == WAIT)
    return intents, did


def remember(town, actions, could_act: list[bool], did: list[bool], plays: list[bool]) -> None:
    """Notes what everybody did last."""
    agents = town.state.agents
    for a in range(town.num_agents):
        is_new = town.events.lifecycle.spawned[a]
        agents.did_last_action[a] = agents.is_alive[a] and not is_new and did[a]
        if not agents.is_alive[a] or is_new or plays[a]:
            continue
        code = int(actions[a]) if could_act[a] else 0
        has_changed = agents.last_action[a] != code
        agents.last_action_ticks[a] = 0 if has_changed else agents.last_action_ticks[a] + 1
        agents.last_action[a] = code
