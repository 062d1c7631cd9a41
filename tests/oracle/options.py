"""Option controllers: one pure function from (state, option) to an intent (world §6.3)."""

from tests.oracle import affordances, chat, queues, utilities
from tests.oracle.intents import CHAT, MOVE, NOTHING, RELEASE, USE
from tests.oracle.movement import cell_of, cheb, direction, distance, is_occupied
from tests.oracle.perturbations import meet_target
from tests.oracle.twin import NONE, STEPS
from townlet_jax.config.layout import Flag, Role

REST, GET_FED, GET_CLEAN, SLEEP, GO_TO_WORK, SOCIALISE, COOK = range(7)
STAY = 4
NEAR_TILES = 2
"""How close a resident comes to a meet or a social place."""
OWN_ROLES = {
    GET_FED: (Role.FRIDGE, Role.CAFE_TABLE, Role.STOVE),
    GET_CLEAN: (Role.SHOWER,),
    SLEEP: (Role.BED,),
    COOK: (Role.STOVE,),
}


def _stock(town, o: int, kind: int) -> int:
    return (
        0
        if kind == NONE
        else int(town.state.economy.stock[kind, int(town.layout.objects.venue[o])])
    )


def _rows(town, a: int, role: int, kind: int | None = None, is_paid: bool = True) -> list[int]:
    """Lists rows of a role whose stock kind is there and that a resident can pay."""
    f = int(town.layout.objects.role_affordance[role])
    if f == NONE or (is_paid and town.state.agents.wallet[a] < affordances.cost(town, f)):
        return []
    rows = [o for o in range(town.num_objects) if town.layout.objects.is_role[role, o]]
    return [o for o in rows if kind is None or _stock(town, o, kind) >= 1]


def candidates(town, a: int, option: int) -> dict[int, tuple[int, int]]:
    """Lists the rows that serve an option: row -> (affordance, bias in tiles)."""
    stock, role_affordance = town.layout.stock, town.layout.objects.role_affordance

    def found(role: int, rows: list[int], bias: int = 0) -> dict[int, tuple[int, int]]:
        return {o: (int(role_affordance[role]), bias) for o in rows}

    if option == GET_FED:
        fridges = _rows(town, a, Role.FRIDGE, stock.meals)
        tables = _rows(town, a, Role.CAFE_TABLE, stock.cafe_meals)
        bias = town.params.behavior.eat_out_bias_tiles
        food = found(Role.FRIDGE, fridges) | found(Role.CAFE_TABLE, tables, bias)
        return food or candidates(town, a, COOK)
    if option == GET_CLEAN:
        return found(Role.SHOWER, _rows(town, a, Role.SHOWER))
    if option == SLEEP:
        return found(Role.BED, _rows(town, a, Role.BED, is_paid=False))
    if option == COOK:
        return found(Role.STOVE, _rows(town, a, Role.STOVE, stock.raw_ingredients))
    return {}


def owns_run(town, a: int, option: int) -> bool:
    """Tells whether what a resident runs belongs to an option."""
    if not affordances.is_running(town, a):
        return False
    if option == GO_TO_WORK:
        return affordances.runs_flag(town, a, Flag.WORK)
    roles = OWN_ROLES.get(option, ())
    return any(town.layout.objects.is_role[role, int(town.state.use.obj[a])] for role in roles)


def step_towards(town, a: int, target: int) -> tuple[int, int, int]:
    """Takes the next step to a target; steps aside if somebody was in the way."""
    code = direction(town, a, target)
    if code == STAY:
        return NOTHING
    if town.state.agents.blocked_moves[a] > 0:
        x, y = cell_of(town, a)
        here = distance(town, a, target)
        for other, (dx, dy) in enumerate(STEPS):
            u, v = x + dx, y + dy
            if other == code or not (0 <= u < town.shape.width and 0 <= v < town.shape.height):
                continue
            is_closer = int(town.layout.map.distance[v, u, target]) == here - 1
            if is_closer and not is_occupied(town, u, v):
                return (MOVE, other, NONE)
    return (MOVE, code, NONE)


def best_row(town, a: int, rows: dict[int, tuple[int, int]]) -> int:
    """Chooses among candidate rows: the one it holds, else the cheapest to reach and wait for."""
    usable = [
        o for o in rows if not queues.is_cooling(town, a, o) and utilities.is_working(town, o)
    ]
    if not usable:
        return NONE
    held = queues.held_row(town, a)
    if held in usable:
        return held

    def score(o: int) -> tuple[int, int]:
        detour = town.params.behavior.queue_detour_tiles * queues.load(town, a, o)
        bonus = int(town.state.queues.waiting_for[a] == o)
        return (distance(town, a, o) + detour + rows[o][1] - bonus, o)

    return min(usable, key=score)


def go_use(town, a: int, rows: dict[int, tuple[int, int]]) -> tuple[int, int, int]:
    """Goes to the best of some rows and uses it."""
    o = best_row(town, a, rows)
    if o == NONE:
        return NOTHING
    use = (USE, o, rows[o][0])
    if town.layout.objects.is_virtual[o] or town.state.queues.holder[o] == a:
        return use if queues.in_start_range(town, a, o) else step_towards(town, a, o)
    return use if queues.in_request_range(town, a, o) else step_towards(town, a, o)


def _go_to_work(town, a: int) -> tuple[int, int, int]:
    job, p, jobs = int(town.state.agents.job[a]), town.params.employment, town.layout.jobs
    if job == NONE or town.tick_of_day > int(p.end[job]):
        return NOTHING
    if town.state.employment.closed_day[a] == town.day:
        return NOTHING
    site, target = int(jobs.site[job]), int(jobs.target[job])
    if site != NONE:
        if not queues.in_start_range(town, a, site):
            return step_towards(town, a, target)
        if town.tick_of_day >= int(p.start[job]):
            return (USE, site, int(jobs.affordance[job]))
        return NOTHING
    if target != NONE and cheb(town, a, jobs.location[job]) > p.presence_range:
        return step_towards(town, a, target)
    return NOTHING


def _socialise(town, a: int) -> tuple[int, int, int]:
    if chat.has_partner(town, a):
        return (CHAT, NONE, NONE)
    place = meet_target(town, a)
    if place == NONE:
        social = [o for o in range(town.num_objects) if town.layout.objects.is_social_place[o]]
        place = min(social, key=lambda o: (distance(town, a, o), o), default=NONE)
    if place == NONE or cheb(town, a, town.layout.objects.interact[place]) <= NEAR_TILES:
        return NOTHING
    return step_towards(town, a, place)


def control(town, a: int, option: int) -> tuple[int, int, int]:
    """Turns an option into this tick's intent."""
    if affordances.is_running(town, a):
        job = int(town.state.agents.job[a])
        is_work = affordances.runs_flag(town, a, Flag.WORK) and job != NONE
        if is_work and town.tick_of_day > int(town.params.employment.end[job]):
            return (RELEASE, NONE, NONE)
        blocks_chat = affordances.runs_flag(town, a, Flag.BLOCKS_CHAT)
        if option == SOCIALISE and not blocks_chat and chat.has_partner(town, a):
            return (CHAT, NONE, NONE)
        if option in (REST, SOCIALISE) or owns_run(town, a, option):
            return NOTHING
        return (RELEASE, NONE, NONE)
    if option in (GET_FED, GET_CLEAN, SLEEP, COOK):
        return go_use(town, a, candidates(town, a, option))
    if option == GO_TO_WORK:
        return _go_to_work(town, a)
    if option == SOCIALISE:
        return _socialise(town, a)
    return NOTHING
