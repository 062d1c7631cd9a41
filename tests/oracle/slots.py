"""Embedding slots (world §12.3)."""

from tests.oracle.twin import LONG_AGO, NONE, f32


def release(town, a: int) -> None:
    """Gives the embedding slot of a leaver back."""
    slots = town.state.slots
    if slots.slot[a] != NONE:
        slots.released_tick[int(slots.slot[a])] = town.tick
    slots.slot[a] = NONE


def allocate(town, newcomers: list[int]) -> None:
    """Gives newcomers embedding slots: unused ones, then cool ones, then by force."""
    slots, p = town.state.slots, town.params.slots
    taken, forced = {int(e) for e in slots.slot}, []
    free = [e for e in range(town.shape.num_slots) if e not in taken]

    def is_forced(e: int) -> bool:
        released = int(slots.released_tick[e])
        return released != LONG_AGO and town.tick - released < p.cooldown_ticks

    free.sort(key=lambda e: (is_forced(e), int(slots.released_tick[e]), e))
    for a, e in zip(newcomers, free, strict=False):
        slots.slot[a] = e
        slots.num_allocated += 1
        if is_forced(e):
            slots.num_forced += 1
            forced.append(a)
    threshold = p.reuse_warning_threshold
    for a in forced:
        share = f32(f32(slots.num_forced) / f32(slots.num_allocated))
        town.events.lifecycle.slot_forced[a] = threshold > 0 and share > threshold
