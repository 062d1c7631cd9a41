"""Declarations of a hand-made town and the layout tables they become."""

import dataclasses

import numpy as np

from tests.oracle.defaults import PRICES
from tests.oracle.twin import NONE
from townlet_jax import grid
from townlet_jax.config import layout as tables

UNLIMITED = 2**30
KINDS = ("meals", "raw_ingredients", "cafe_meals")
TYPES = ("bed", "cafe_table", "counter", "fridge", "shower", "stove", "bench")
INTENTS = (
    "wait",
    "move",
    "request",
    "start",
    "blocked",
    "release",
    "chat",
    "use",
    "request_blocked",
)
_A = tables.Attribute
_EQ = tables.Operator.EQ


@dataclasses.dataclass(frozen=True)
class Affordance:
    """A row of the table of §5.3; clauses are (attribute, kind, operator, constant)."""

    type: str
    ticks: int
    effects: tuple[float, float, float]
    price: str | None = None
    start: dict = dataclasses.field(default_factory=dict)
    finish: dict = dataclasses.field(default_factory=dict)
    flags: tuple[int, ...] = ()
    clauses: tuple = ()


_MEAL, _QUIET, _WORK = tables.Flag.MEAL, tables.Flag.BLOCKS_CHAT, tables.Flag.WORK
_POWER = (_A.POWER_ON, NONE, _EQ, 1)
AFFORDANCES = {
    "use_shower": Affordance(
        "shower", 20, (0, 0.5, -0.02), "shower", flags=(_QUIET,),
        clauses=((_A.OCCUPIED, NONE, _EQ, 0), _POWER, (_A.WATER_ON, NONE, _EQ, 1)),
    ),
    "eat_meal": Affordance(
        "fridge", 15, (0.45, 0, 0.02), "meal", {"meals": -1}, flags=(_MEAL,),
        clauses=((_A.STOCK, 0, tables.Operator.GE, 1),),
    ),
    "cook_meal": Affordance(
        "stove", 30, (0.05, 0, -0.03), "ingredients", {"raw_ingredients": -1}, {"meals": 2},
        clauses=(_POWER,),
    ),
    "rest_sleep": Affordance("bed", 120, (0, 0, 0.3), flags=(_QUIET,)),
    "eat_out": Affordance(
        "cafe_table", 20, (0.5, 0, 0.03), "cafe_meal", {"cafe_meals": -1}, flags=(_MEAL,)
    ),
    "work_shift": Affordance(
        "counter", 60, (0, -0.02, -0.03), flags=(_WORK,),
        clauses=((_A.IS_OWN_SITE, NONE, _EQ, 1), (_A.IN_SHIFT_WINDOW, NONE, _EQ, 1)),
    ),
}  # fmt: skip
NAMES = tuple(AFFORDANCES)


@dataclasses.dataclass
class Thing:
    """An object of a town; each seat is a row."""

    id: str
    type: str
    position: tuple[int, int]
    seats: int = 1
    venue: str | None = None
    stock: dict = dataclasses.field(default_factory=dict)
    restock: dict = dataclasses.field(default_factory=dict)
    maximum: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Job:
    """A job; location None = anywhere."""

    start: int
    end: int
    wage: float = 0.024
    penalty: float = 0.1
    location: tuple[int, int] | None = None


@dataclasses.dataclass
class Resident:
    """A resident; a schedule is a list of (kind, target, affordance, repeat), fields optional."""

    position: tuple[int, int]
    needs: tuple[float, float, float] = (0.7, 0.7, 0.7)
    wallet: float = 2.0
    job: int = NONE
    traits: tuple[float, float, float] = (0, 0, 0)
    profile: int = NONE
    schedule: list | None = None


@dataclasses.dataclass
class Spec:
    """A perturbation; location is an object row."""

    kind: int
    prob: float = 0.0
    cooldown: int = 0
    ticks: tuple[int, int] = (1, 1)
    magnitude: tuple[float, float] = (1, 1)
    prices: tuple[str, ...] = ()
    location: int = NONE
    is_top_rivals: bool = True
    participants: int = 2


def seats_of(things) -> list[tuple[str, Thing]]:
    rows = []
    for thing in things:
        if thing.seats == 1:
            rows.append((thing.id, thing))
        else:
            rows.extend((f"{thing.id}.{seat}", thing) for seat in range(thing.seats))
    return rows


def object_layout(rows, o) -> tables.ObjectLayout:
    virtual = ("counter", "bench")
    requires = {"stove": (1, 0), "shower": (1, 1)}
    roles = ("fridge", "cafe_table", "shower", "bed", "stove")
    venues = list(dict.fromkeys(thing.venue or thing.id for _, thing in rows))
    out = tables.ObjectLayout(
        is_object=np.zeros(o, bool),
        type=np.full(o, NONE, np.int32),
        venue=np.full(o, NONE, np.int32),
        position=np.zeros((o, 2), np.int32),
        interact=np.zeros((o, 2), np.int32),
        is_virtual=np.zeros(o, bool),
        is_social_place=np.zeros(o, bool),
        requires=np.zeros((o, 2), bool),
        cooldown_override=np.full(o, NONE, np.int32),
        offers=np.full((o, 1), NONE, np.int32),
        is_role=np.zeros((5, o), bool),
        role_affordance=np.full(5, NONE, np.int32),
        serves=np.zeros((3, o), bool),
    )
    for row, (_, thing) in enumerate(rows):
        out.is_object[row] = True
        out.type[row] = TYPES.index(thing.type)
        out.venue[row] = venues.index(thing.venue or thing.id)
        out.position[row] = out.interact[row] = thing.position
        out.is_virtual[row] = thing.type in virtual
        out.is_social_place[row] = thing.type == "bench"
        out.requires[row] = requires.get(thing.type, (0, 0))
        out.cooldown_override[row] = 0 if thing.type == "bed" else NONE
        offered = [f for f, name in enumerate(NAMES) if AFFORDANCES[name].type == thing.type]
        out.offers[row, : len(offered)] = offered
        for f in offered:
            for n in range(3):
                out.serves[n, row] |= AFFORDANCES[NAMES[f]].effects[n] >= 0.1
        out.is_role[:, row] = [role == thing.type for role in roles]
    for role, name in enumerate(roles):
        out.role_affordance[role] = [AFFORDANCES[x].type for x in NAMES].index(name)
    return out


def affordance_layout(objects, o, f, num_types, s) -> tables.AffordanceLayout:
    out = tables.AffordanceLayout(
        rate=np.zeros((f, 4), np.float32),
        duration=np.ones(f, np.int32),
        types=np.zeros((f, num_types), bool),
        rows=np.zeros((f, o), bool),
        price=np.full(f, NONE, np.int32),
        stock_start=np.zeros((f, s), np.int32),
        stock_finish=np.zeros((f, s), np.int32),
        flags=np.zeros((f, 3), bool),
        clause_attribute=np.full((f, 4), NONE, np.int32),
        clause_kind=np.full((f, 4), NONE, np.int32),
        clause_operator=np.zeros((f, 4), np.int32),
        clause_constant=np.zeros((f, 4), np.float32),
    )
    for row, name in enumerate(NAMES):
        a = AFFORDANCES[name]
        out.rate[row, :3] = np.array(a.effects) / a.ticks
        out.duration[row] = a.ticks
        out.types[row, TYPES.index(a.type)] = True
        out.rows[row] = objects.type == TYPES.index(a.type)
        out.price[row] = list(PRICES).index(a.price) if a.price else NONE
        for kind, units in a.start.items():
            out.stock_start[row, KINDS.index(kind)] = units
        for kind, units in a.finish.items():
            out.stock_finish[row, KINDS.index(kind)] = units
        out.flags[row, list(a.flags)] = True
        for c, clause in enumerate(a.clauses):
            (
                out.clause_attribute[row, c], out.clause_kind[row, c],
                out.clause_operator[row, c], out.clause_constant[row, c],
            ) = clause  # fmt: skip
    return out


def stock_layout(rows, objects, o, s) -> tables.StockLayout:
    out = tables.StockLayout(
        initial=np.zeros((s, o), np.int32),
        restock=np.zeros((s, o), np.int32),
        maximum=np.full((s, o), UNLIMITED, np.int32),
        meals=np.int32(0),
        raw_ingredients=np.int32(1),
        cafe_meals=np.int32(2),
    )
    seen = set()
    for row, (_, thing) in enumerate(rows):
        if thing.id in seen:
            continue
        seen.add(thing.id)
        for name, table in (("stock", out.initial), ("restock", out.restock)):
            for kind, units in getattr(thing, name).items():
                table[KINDS.index(kind), objects.venue[row]] += units
        for kind, units in thing.maximum.items():
            out.maximum[KINDS.index(kind), objects.venue[row]] = units
    return out


def schedule_layout(residents, rows, targets, a, length) -> tables.ScheduleLayout:
    ids = [name for name, _ in rows]
    out = tables.ScheduleLayout(
        has_schedule=np.zeros(a, bool),
        length=np.ones(a, np.int32),
        rows=np.full((a, length, 3), NONE, np.int32),
    )
    for slot, resident in enumerate(residents):
        if resident.schedule is None:
            continue
        out.has_schedule[slot] = True
        played = expand(resident.schedule)
        out.length[slot] = len(played)
        for row, (kind, target, affordance) in enumerate(played):
            if kind == "move":
                target = targets.index(target)
            elif isinstance(target, str):
                target = ids.index(target)
            f = NAMES.index(affordance) if affordance else NONE
            out.rows[slot, row] = (INTENTS.index(kind), NONE if target is None else target, f)
    return out


def expand(schedule) -> list[tuple]:
    """Writes repeated rows out: (kind, target, affordance)."""
    played = []
    for kind, target, affordance, repeat in (
        list(row) + [None] * (4 - len(row)) for row in schedule
    ):
        played.extend([(kind, target, affordance)] * (repeat or 1))
    return played


def map_layout(tiles, targets, entry, g) -> tables.MapLayout:
    height, width = tiles.shape
    is_walkable = tiles != 1
    out = tables.MapLayout(
        tiles=tiles,
        direction=np.full((height, width, g), grid.STAY, np.int8),
        distance=np.full((height, width, g), grid.UNREACHABLE, np.int16),
        entry=np.full((4, 2), NONE, np.int32),
    )
    for row, target in enumerate(targets):
        out.direction[:, :, row], out.distance[:, :, row] = grid.tables(is_walkable, target)
    out.entry[: len(entry)] = entry
    return out


def job_layout(jobs, rows, objects, targets, num_jobs) -> tables.JobLayout:
    out = tables.JobLayout(
        num_jobs=np.int32(len(jobs)),
        site=np.full(num_jobs, NONE, np.int32),
        location=np.full((num_jobs, 2), NONE, np.int32),
        target=np.full(num_jobs, NONE, np.int32),
        affordance=np.full(num_jobs, NONE, np.int32),
    )
    for j, job in enumerate(jobs):
        if job.location is None:
            continue
        out.location[j] = job.location
        sites = [
            row
            for row, (_, thing) in enumerate(rows)
            if thing.position == job.location and thing.type == "counter"
        ]
        out.target[j] = targets.index(job.location)
        if sites:
            out.site[j] = out.target[j] = sites[0]
            out.affordance[j] = NAMES.index("work_shift")
    return out


def perturbation_layout(specs, num_specs, num_prices) -> tables.PerturbationLayout:
    out = tables.PerturbationLayout(
        kind=np.full(num_specs, NONE, np.int32),
        price_targets=np.zeros((num_specs, num_prices), bool),
        location=np.full(num_specs, NONE, np.int32),
        is_top_rivals=np.zeros(num_specs, bool),
        max_participants=np.full(num_specs, 2, np.int32),
    )
    for p, spec in enumerate(specs):
        out.kind[p], out.location[p] = spec.kind, spec.location
        out.is_top_rivals[p], out.max_participants[p] = spec.is_top_rivals, spec.participants
        out.price_targets[p, [list(PRICES).index(name) for name in spec.prices]] = True
    return out


def resident_layout(residents, a) -> tables.ResidentLayout:
    def halton(n: int, base: int) -> float:
        value, share = 0.0, 1.0 / base
        while n:
            value, n, share = value + (n % base) * share, n // base, share / base
        return value

    n = len(residents)
    out = tables.ResidentLayout(
        is_resident=np.arange(a) < n,
        is_random_needs=np.zeros(a, bool),
        position=np.zeros((a, 2), np.int32),
        home=np.zeros((a, 2), np.int32),
        needs=np.zeros((a, 3), np.float32),
        wallet=np.zeros(a, np.float32),
        job=np.full(a, NONE, np.int32),
        traits=np.zeros((a, 3), np.float32),
        is_random_traits=np.zeros(a, bool),
        profile=np.full(a, NONE, np.int32),
        is_tie=np.zeros((a, a), bool),
        trust=np.zeros((a, a), np.float32),
        familiarity=np.zeros((a, a), np.float32),
        rivalry=np.zeros((a, a), np.float32),
        is_fairness_on=np.bool_(True),
        is_mortality_on=np.bool_(True),
        halton=np.array(
            [[halton(i + 1, base) for base in (2, 3, 5)] for i in range(64)], np.float32
        ),
    )
    for slot, r in enumerate(residents):
        out.position[slot] = out.home[slot] = r.position
        out.needs[slot], out.wallet[slot], out.job[slot] = r.needs, r.wallet, r.job
        out.traits[slot], out.profile[slot] = r.traits, r.profile
    return out
