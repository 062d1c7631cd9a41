"""Who lives in a fresh town, and what they feel for each other. World §18.1, social text §4."""

import numpy as np

from townlet_jax.config.errors import Path
from townlet_jax.config.leaves import Tables
from townlet_jax.config.limits import MAX_JOBS
from townlet_jax.config.objects import standing_fault
from townlet_jax.config.report import Report
from townlet_jax.config.schema import Config
from townlet_jax.config.schema_scenario import ScenarioAgent
from townlet_jax.config.schema_social import Profile
from townlet_jax.config.shape import NUM_NEEDS
from townlet_jax.config.ways import Cell
from townlet_jax.masked import NONE

NEEDS = ("hunger", "hygiene", "energy")
TRAITS = ("extroversion", "forgiveness", "ambition")
CHANNELS = ("trust", "familiarity", "rivalry")
NUM_HALTON = 4096
"""Newcomers before the sequence of their traits starts again."""


def resident_tables(
    config: Config, is_walkable: np.ndarray, entry: list[Cell], num_agents: int, report: Report
) -> Tables:
    """Settles the residents of the file in the first slots.

    Args:
      config: the configuration.
      is_walkable: bool `[H, W]`.
      entry: cells for residents without a position.
      num_agents: A.
      report: receives faults, and notes on what the loader chose.

    Returns:
      The arrays of `ResidentLayout` but for the ties, the gates and the Halton sequence.
    """
    agents = config.scenario.agents
    jobs = list(config.jobs)[:MAX_JOBS]
    tables = {
        "is_resident": np.arange(num_agents) < len(agents),
        "is_random_needs": np.zeros(num_agents, bool),
        "position": np.zeros((num_agents, 2), np.int32),
        "home": np.zeros((num_agents, 2), np.int32),
        "needs": np.full((num_agents, NUM_NEEDS), 0.5, np.float32),
        "wallet": np.zeros(num_agents, np.float32),
        "job": np.full(num_agents, NONE, np.int32),
        "traits": np.zeros((num_agents, len(TRAITS)), np.float32),
        "is_random_traits": np.arange(num_agents) >= len(agents),
        "profile": np.full(num_agents, NONE, np.int32),
    }
    cells = start_cells(agents, is_walkable, entry, report)
    for a, agent in enumerate(agents):
        tables["position"][a] = cells[a]
        tables["home"][a] = _home(agent, a, cells[a], is_walkable, report)
        tables["wallet"][a] = agent.wallet
        if agent.needs == "random":
            tables["is_random_needs"][a] = True
        else:
            tables["needs"][a] = [getattr(agent.needs, name) for name in NEEDS]
        given = agent.job if agent.job in jobs else None
        if jobs:
            tables["job"][a] = a % len(jobs) if given is None else jobs.index(given)
        _give_personality(tables, a, agent, config)
    return tables


def start_cells(
    agents: tuple[ScenarioAgent, ...], is_walkable: np.ndarray, entry: list[Cell], report: Report
) -> list[Cell]:
    """Returns the start cell of every resident; those without one get free cells, entries first."""
    taken: dict[Cell, int] = {}
    for a, agent in enumerate(agents):
        if agent.position is None:
            continue
        cell, path = agent.position, ("scenario", "agents", a, "position")
        fault = standing_fault(is_walkable, cell)
        if fault is not None:
            report.error(path, fault)
        elif cell in taken:
            other = agents[taken[cell]].id
            fault = f"[{cell[0]}, {cell[1]}] is where {other!r} starts; one resident per cell"
            report.error(path, fault)
        taken.setdefault(cell, a)
    ground = [(int(x), int(y)) for y, x in np.argwhere(is_walkable)]
    free = [cell for cell in dict.fromkeys([*entry, *ground]) if cell not in taken]
    cells = []
    for a, agent in enumerate(agents):
        if agent.position is not None:
            cells.append(agent.position)
        elif free:
            x, y = free.pop(0)
            fault = f"resident {agent.id!r} has no position; starts at [{x}, {y}]"
            report.note(("scenario", "agents", a), fault)
            cells.append((x, y))
        else:
            fault = f"no free cell is left for resident {agent.id!r}"
            report.error(("scenario", "agents", a), fault)
            cells.append((0, 0))
    return cells


def _home(
    agent: ScenarioAgent, a: int, start: Cell, is_walkable: np.ndarray, report: Report
) -> Cell:
    if agent.home is None:
        return start
    fault = standing_fault(is_walkable, agent.home)
    if fault is not None:
        report.error(("scenario", "agents", a, "home"), fault)
    return agent.home


def profile_traits(profile: Profile) -> list[float]:
    """Returns extroversion, forgiveness and ambition of a profile."""
    return [getattr(profile.traits, name) for name in TRAITS]


def _give_personality(tables: Tables, a: int, agent: ScenarioAgent, config: Config) -> None:
    """Writes the traits of slot `a`; an override wins over the resident's own personality."""
    profiles = config.personalities.profiles
    chosen = config.personalities.overrides.get(agent.id, agent.personality)
    if chosen is None:
        tables["is_random_traits"][a] = True
    elif isinstance(chosen, str):
        if chosen in profiles:
            tables["profile"][a] = list(profiles).index(chosen)
            tables["traits"][a] = profile_traits(profiles[chosen])
    else:
        tables["traits"][a] = chosen


def tie_tables(config: Config, num_agents: int, report: Report) -> Tables:
    """Writes the initial ties, as many as every resident has room for.

    Returns:
      is_tie: bool `[A, A]`; trust, familiarity, rivalry: float32 `[A, A]`.
    """
    values = np.zeros((len(CHANNELS), num_agents, num_agents), np.float32)
    slots = {agent.id: a for a, agent in enumerate(config.scenario.agents)}
    ties = config.world.initial_relationships
    path: Path = ("world", "initial_relationships")
    if ties and not config.features.seed_relationships:
        report.note(path, "has no effect: features.seed_relationships is off", at_key=True)
        ties = ()
    rivalry = config.conflict.rivalry
    for tie in ties:
        if tie.a not in slots or tie.b not in slots:
            continue  # reported when the file was read
        for a, b in ((tie.a, tie.b), (tie.b, tie.a))[: 2 if tie.symmetric else 1]:
            given = [tie.trust, tie.familiarity, tie.rivalry]
            if given[2]:
                given[2] = min(max(given[2], rivalry.min_value), rivalry.max_value)
            values[:, slots[a], slots[b]] = given
    is_tie = (values != 0).any(axis=0)
    capacity = config.relationships.effective_capacity or 0
    kept = kept_ties(values, is_tie, capacity, config.relationships.reserve_rivals)
    dropped = int((is_tie & ~kept).sum())
    if dropped:
        fault = f"{dropped} ties fall out at the start: every resident has room for {capacity}"
        report.note(path, fault, at_key=True)
    values[:, ~kept] = 0
    return {"is_tie": kept, **dict(zip(CHANNELS, values, strict=True))}


def kept_ties(values: np.ndarray, is_tie: np.ndarray, capacity: int, reserve: int) -> np.ndarray:
    """Tells which ties every resident keeps (step 4 of the tie step, all formed at tick 0).

    Args:
      values: float32 `[3, A, A]`, trust, familiarity, rivalry.
      is_tie: bool `[A, A]`.
      capacity: [ties] per resident. reserve: [ties] of these for the largest rivals.

    Returns:
      bool `[A, A]`.
    """
    strength = np.abs(values).sum(axis=0)
    kept = np.zeros_like(is_tie)
    for a, partners in enumerate(is_tie):
        all_of_them = [int(b) for b in np.flatnonzero(partners)]
        rivals = [(-float(values[2, a, b]), b) for b in all_of_them if values[2, a, b] > 0]
        first = [b for _, b in sorted(rivals)][: min(reserve, capacity)]
        others = [(-float(strength[a, b]), b) for b in all_of_them if b not in first]
        kept[a, (first + [b for _, b in sorted(others)])[:capacity]] = True
    return kept


def halton() -> np.ndarray:
    """Returns float32 `[4096, 3]`, radical inverses of 1..4096 in bases 2, 3 and 5."""
    table = np.zeros((NUM_HALTON, 3))
    for column, base in enumerate((2, 3, 5)):
        rest, share = np.arange(1, NUM_HALTON + 1), 1.0
        while rest.any():
            share /= base
            table[:, column] += share * (rest % base)
            rest = rest // base
    return table.astype(np.float32)
