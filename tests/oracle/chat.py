"""Conversations: who talks to whom, and how it goes (social §6)."""

from tests.oracle import affordances
from tests.oracle.intents import CHAT
from tests.oracle.movement import cell_of, cheb
from tests.oracle.twin import NONE, clip32, f32, rounded32
from townlet_jax.config.layout import Flag
from townlet_jax.state import ExitReason


def avoid_threshold(town, a: int):
    """Returns the rivalry from which a resident avoids another."""
    p, profile = town.params.relationships, int(town.state.agents.profile[a])
    if p.has_profile_tolerance and profile != NONE:
        return min(p.max_rivalry, f32(p.avoid_threshold * p.profile_tolerance[profile]))
    return p.avoid_threshold


def _is_around(town, a: int) -> bool:
    agents, reason = town.state.agents, town.state.lifecycle.exit_reason[a]
    return bool(agents.is_alive[a] and not agents.is_leaving[a] and reason != ExitReason.FAINT)


def is_eligible(town, a: int, b: int) -> bool:
    """Tells whether two residents may talk to each other now."""
    p, ties = town.params.chat, town.state.relationships
    if a == b or not _is_around(town, a) or not _is_around(town, b):
        return False
    if cheb(town, a, cell_of(town, b)) > p.range_tiles:
        return False
    if town.tick - int(ties.last_chat_tick[a, b]) < p.pair_cooldown_ticks:
        return False
    if ties.rivalry[a, b] >= avoid_threshold(town, a):
        return False
    if ties.rivalry[b, a] >= avoid_threshold(town, b):
        return False
    for x in (a, b):
        if affordances.runs_flag(town, x, Flag.BLOCKS_CHAT):
            return False
    if any(affordances.runs_flag(town, x, Flag.WORK) for x in (a, b)):
        venue = affordances.venue_in_use(town, a)
        return venue != NONE and venue == affordances.venue_in_use(town, b)
    return True


def has_partner(town, a: int) -> bool:
    """Tells whether a resident could talk to somebody now."""
    return any(is_eligible(town, a, b) for b in range(town.num_agents))


def _proposals(town, intents) -> dict[int, int]:
    """Finds whom everybody that wants to talk would talk to."""
    proposals = {}
    for a in range(town.num_agents):
        kind, target, _ = intents[a]
        if kind != CHAT:
            continue
        partners = [b for b in range(town.num_agents) if is_eligible(town, a, b)]
        if target == NONE and partners:
            proposals[a] = min(
                partners,
                key=lambda b: (cheb(town, a, cell_of(town, b)), int(town.draws.priority[b])),
            )
        elif target in partners:
            proposals[a] = target
    return proposals


def _quality(town, s: int, b: int):
    p, ties, traits = town.params.chat, town.state.relationships, town.state.agents.traits
    bond = rounded32(p.quality_tie_gain * f32(ties.trust[s, b] + ties.familiarity[s, b]))
    charm = rounded32(p.quality_extroversion_gain * f32(traits[s, 0] + traits[b, 0]))
    luck = f32(f32(2) * town.draws.u_chat_quality[s] - f32(1))
    noise = rounded32(p.quality_noise * luck)
    return clip32(f32(f32(p.base_quality + bond) + charm) + noise, 0, 1)


def _success_prob(town, s: int, b: int):
    """Returns the chance of a conversation; the view of the listener decides."""
    p, ties = town.params.chat, town.state.relationships
    trust = f32(1) + rounded32(p.trust_gain * ties.trust[b, s])
    familiarity = f32(1) + rounded32(p.familiarity_gain * ties.familiarity[b, s])
    return clip32(f32(p.base_success * trust) * familiarity, 0, 1)


def talk(town, intents, did) -> None:
    """Pairs residents and holds their conversations."""
    proposals, events = _proposals(town, intents), town.events.chat
    forced = {x for a, b, _ in town.forced_chats for x in (a, b)}
    proposals = {s: b for s, b in proposals.items() if s not in forced and b not in forced}
    claim = {}
    for s, b in proposals.items():
        for x in (s, b):
            claim[x] = min(claim.get(x, 2**31), int(town.draws.priority[s]))
    chats = [(a, b, True, quality) for a, b, quality in town.forced_chats]
    for s, b in proposals.items():
        if claim[s] == claim[b] == town.draws.priority[s]:
            is_success = bool(town.draws.u_chat_success[s] < _success_prob(town, s, b))
            chats.append((s, b, is_success, _quality(town, s, b)))
    for s, b, is_success, quality in chats:
        town.state.relationships.last_chat_tick[s, b] = town.tick
        town.state.relationships.last_chat_tick[b, s] = town.tick
        events.listener[s], events.is_success[s], events.quality[s] = b, is_success, quality
    for a in range(town.num_agents):
        if intents[a][0] == CHAT:
            did[a] = events.is_success[a]
