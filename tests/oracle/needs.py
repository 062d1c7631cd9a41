"""Decay of needs (world §9, social §2.3)."""

from tests.oracle.twin import NONE, f32, rounded32


def decay(town) -> None:
    """Lowers the needs of all residents and counts the ticks at the collapse level."""
    p, needs, agents = town.params.needs, town.state.needs, town.state.agents
    for a in range(town.num_agents):
        if not agents.is_alive[a]:
            needs.low_hunger_ticks[a] = 0
            continue
        profile = int(agents.profile[a])
        for n in range(3):
            loss = p.decay[n]
            if p.has_multipliers and profile != NONE:
                loss = rounded32(loss * p.profile_multiplier[profile, n])
            needs.level[a, n] = max(f32(0), f32(needs.level[a, n] - loss))
        is_low = needs.level[a, 0] <= town.params.lifecycle.collapse_hunger
        needs.low_hunger_ticks[a] = needs.low_hunger_ticks[a] + 1 if is_low else 0
