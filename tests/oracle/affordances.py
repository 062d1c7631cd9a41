"""Starting, running and ending affordances (world §5.5, §8)."""

from tests.oracle import queues, utilities
from tests.oracle.economy import price, put_stock
from tests.oracle.intents import RELEASE, START, USE
from tests.oracle.twin import NONE, clip32, f32
from townlet_jax.config.layout import Attribute, Flag, Operator, Utility
from townlet_jax.state.events import FailReason, FailSource

MONEY = 3


def is_running(town, a: int) -> bool:
    """Tells whether a resident runs an affordance."""
    return town.state.use.affordance[a] != NONE


def runs_flag(town, a: int, flag: int) -> bool:
    """Tells whether a resident runs an affordance with a flag."""
    return is_running(town, a) and bool(
        town.layout.affordances.flags[int(town.state.use.affordance[a]), flag]
    )


def venue_in_use(town, a: int) -> int:
    """Returns the venue where a resident runs an affordance, or NONE."""
    return (
        int(town.layout.objects.venue[int(town.state.use.obj[a])]) if is_running(town, a) else NONE
    )


def _record_failure(town, source: int, a: int, reason: int, f: int, o: int) -> None:
    events = town.events.affordances
    events.failed[source, a] = reason
    events.failed_affordance[source, a], events.failed_obj[source, a] = f, o


def _clear(town, a: int) -> None:
    use = town.state.use
    use.obj[a] = use.affordance[a] = NONE
    use.remaining_ticks[a], use.paid[a] = 0, 0


def stop(town, a: int, reason: int, source: int, is_refunded: bool) -> None:
    """Ends a run early and frees its row."""
    use, agents = town.state.use, town.state.agents
    f, o, left = int(use.affordance[a]), int(use.obj[a]), int(use.remaining_ticks[a])
    _record_failure(town, source, a, reason, f, o)
    if is_refunded:
        duration = int(town.layout.affordances.duration[f])
        back = f32(use.paid[a] * f32(left)) / f32(duration)
        agents.wallet[a] = agents.wallet[a] + back
        for kind in range(town.shape.num_stock_kinds):
            taken = max(0, -int(town.layout.affordances.stock_start[f, kind]))
            units = (2 * taken * left + duration) // (2 * duration)
            put_stock(town, int(town.layout.objects.venue[o]), kind, units)
    if town.state.queues.holder[o] == a:
        town.state.queues.holder[o] = NONE
    _clear(town, a)


def release(town, intents, did) -> None:
    """Abandons runs, gives up objects, leaves queues."""
    for a in range(town.num_agents):
        if intents[a][0] != RELEASE:
            continue
        did[a] = is_running(town, a)
        if is_running(town, a):
            stop(town, a, FailReason.ABANDONED, FailSource.RELEASE, is_refunded=False)
        did[a] |= queues.leave(town, a)


def _attribute(town, a: int, o: int, attribute: int, kind: int):
    """Reads what a precondition clause tests, as a number."""
    state, layout = town.state, town.layout
    job = int(state.agents.job[a])
    if attribute == Attribute.OCCUPIED:
        return int(state.queues.holder[o]) not in (NONE, a)
    if attribute == Attribute.POWER_ON:
        return utilities.is_on(town, Utility.POWER)
    if attribute == Attribute.WATER_ON:
        return utilities.is_on(town, Utility.WATER)
    if attribute == Attribute.STOCK:
        return 0 if kind == NONE else state.economy.stock[kind, int(layout.objects.venue[o])]
    if attribute == Attribute.WALLET:
        return state.agents.wallet[a]
    if attribute in (Attribute.HUNGER, Attribute.HYGIENE, Attribute.ENERGY):
        return state.needs.level[a, attribute - Attribute.HUNGER]
    if attribute == Attribute.QUEUE_LENGTH:
        return sum(state.queues.waiting_for[b] == o for b in range(town.num_agents))
    if attribute == Attribute.TICK_OF_DAY:
        return town.tick_of_day
    if attribute == Attribute.DAY:
        return town.day
    if attribute == Attribute.IS_OWN_SITE:
        return job != NONE and int(layout.jobs.site[job]) == o
    assert attribute == Attribute.IN_SHIFT_WINDOW
    if job == NONE or state.employment.closed_day[a] == town.day:
        return False
    p = town.params.employment
    return int(p.start[job]) <= town.tick_of_day <= int(p.end[job])


def _compare(left, operator: int, right) -> bool:
    left, right = f32(left), f32(right)
    return bool(
        {
            Operator.EQ: left == right,
            Operator.NE: left != right,
            Operator.LT: left < right,
            Operator.LE: left <= right,
            Operator.GT: left > right,
            Operator.GE: left >= right,
        }[Operator(operator)]
    )


def _clauses_pass(town, a: int, o: int, f: int, is_occupied_ignored: bool) -> bool:
    layout = town.layout.affordances
    for c in range(layout.clause_attribute.shape[1]):
        attribute = int(layout.clause_attribute[f, c])
        if attribute == NONE or (attribute == Attribute.OCCUPIED and is_occupied_ignored):
            continue
        value = _attribute(town, a, o, attribute, int(layout.clause_kind[f, c]))
        if not _compare(value, int(layout.clause_operator[f, c]), layout.clause_constant[f, c]):
            return False
    return True


def _consumption(town, f: int) -> list[int]:
    kinds = range(town.shape.num_stock_kinds)
    return [max(0, -int(town.layout.affordances.stock_start[f, kind])) for kind in kinds]


def _fits_stock(town, o: int, amounts: list[int]) -> bool:
    stock = town.state.economy.stock[:, int(town.layout.objects.venue[o])]
    return all(amount <= int(stock[kind]) for kind, amount in enumerate(amounts))


def cost(town, f: int):
    """Returns what an affordance costs now."""
    return price(town, int(town.layout.affordances.price[f]))


def why_not(town, a: int, o: int, f: int, is_occupied_ignored: bool = False) -> int:
    """Tests a start on its own, without rivals for the stock.

    Returns:
      First `FailReason` that applies, NONE if the start succeeds.
    """
    requires = town.layout.objects.requires[o]
    if not town.layout.affordances.rows[f, o]:
        return FailReason.TYPE_MISMATCH
    if requires[Utility.POWER] and not utilities.is_on(town, Utility.POWER):
        return FailReason.POWER_OFF
    if requires[Utility.WATER] and not utilities.is_on(town, Utility.WATER):
        return FailReason.WATER_OFF
    if not _clauses_pass(town, a, o, f, is_occupied_ignored):
        return FailReason.PRECONDITION_FAILED
    if town.state.agents.wallet[a] < cost(town, f):
        return FailReason.INSUFFICIENT_FUNDS
    if not _fits_stock(town, o, _consumption(town, f)):
        return FailReason.INSUFFICIENT_STOCK
    return NONE


def _considered(town, intents) -> dict[int, tuple[int, int]]:
    """Finds who tries to start what where."""
    tries = {}
    for a in range(town.num_agents):
        kind, o, f = intents[a]
        if kind not in (START, USE) or not queues.is_row(town, o) or f == NONE:
            continue
        has_row = town.layout.objects.is_virtual[o] or town.state.queues.holder[o] == a
        if has_row and not is_running(town, a) and queues.in_start_range(town, a, o):
            tries[a] = (o, f)
    return tries


def _reasons(town, tries) -> dict[int, int]:
    """Tests all starts of the tick; residents compete for the stock of a venue by priority."""
    reasons = {a: why_not(town, a, o, f) for a, (o, f) in tries.items()}
    venues = {a: int(town.layout.objects.venue[o]) for a, (o, _) in tries.items()}
    passes = {}
    for a, (o, f) in tries.items():
        if reasons[a] not in (NONE, FailReason.INSUFFICIENT_STOCK):
            continue
        amounts = _consumption(town, f)
        for b, (_, g) in tries.items():
            is_before = town.draws.priority[b] < town.draws.priority[a]
            passed = reasons[b] in (NONE, FailReason.INSUFFICIENT_STOCK)
            if venues[b] == venues[a] and is_before and passed:
                amounts = [x + y for x, y in zip(amounts, _consumption(town, g), strict=True)]
        passes[a] = _fits_stock(town, o, amounts)
    for a, does_pass in passes.items():
        reasons[a] = NONE if does_pass else FailReason.INSUFFICIENT_STOCK
    return reasons


def start(town, intents, did) -> None:
    """Starts affordances on held and on virtual rows."""
    tries = _considered(town, intents)
    reasons = _reasons(town, tries)
    costs = {a: cost(town, f) for a, (_, f) in tries.items()}
    for a, (o, f) in tries.items():
        if reasons[a] != NONE:
            _record_failure(town, FailSource.START, a, reasons[a], f, o)
            if town.state.queues.holder[o] == a:
                town.state.queues.holder[o] = NONE
            continue
        use, agents = town.state.use, town.state.agents
        use.obj[a], use.affordance[a], use.paid[a] = o, f, costs[a]
        use.remaining_ticks[a] = town.layout.affordances.duration[f]
        agents.wallet[a] = agents.wallet[a] - costs[a]
        for kind in range(town.shape.num_stock_kinds):
            change = int(town.layout.affordances.stock_start[f, kind])
            put_stock(town, int(town.layout.objects.venue[o]), kind, change)
        town.events.affordances.started[a], town.events.affordances.started_obj[a] = f, o
        did[a] = True


def progress(town) -> list[int]:
    """Advances every run by one tick.

    Returns:
      Per resident the row where it progressed a work affordance, NONE elsewhere.
    """
    use, level, agents = town.state.use, town.state.needs.level, town.state.agents
    work_row = [NONE] * town.num_agents
    for a in range(town.num_agents):
        if not is_running(town, a):
            continue
        rate = town.layout.affordances.rate[int(use.affordance[a])]
        for n in range(3):
            level[a, n] = clip32(level[a, n] + rate[n], 0, 1)
        agents.wallet[a] = agents.wallet[a] + rate[MONEY]
        use.remaining_ticks[a] -= 1
        if runs_flag(town, a, Flag.WORK):
            work_row[a] = int(use.obj[a])
            job = int(agents.job[a])
            if job != NONE and town.tick_of_day == int(town.params.employment.end[job]):
                use.remaining_ticks[a] = 0
    return work_row


def share_meals(town) -> None:
    """Notes who eats together: at one venue, at least one of the two having started this tick."""
    events = town.events.affordances
    eaters = [a for a in range(town.num_agents) if runs_flag(town, a, Flag.MEAL)]
    for a in eaters:
        events.meal_obj[a] = town.state.use.obj[a]
        for b in eaters:
            is_new = events.started[a] != NONE or events.started[b] != NONE
            if a != b and is_new and venue_in_use(town, a) == venue_in_use(town, b):
                events.shared_meal[a, b] = True


def _next_in_line(town, finisher: int, line: list[int]) -> int:
    """Chooses who is served next: the first, or the second if a much better friend."""
    p, ties = town.params.queues, town.state.relationships
    if not p.has_friend_promotion or len(line) < 2:
        return line[0]

    def liking(b: int):
        return f32(
            f32(ties.trust[finisher, b] + ties.familiarity[finisher, b]) - ties.rivalry[finisher, b]
        )

    is_promoted = f32(liking(line[1]) - liking(line[0])) > p.friend_promotion_margin
    return line[1] if is_promoted else line[0]


def _set_cooldown(town, a: int, o: int) -> None:
    objects, q = town.layout.objects, town.state.queues
    override = int(objects.cooldown_override[o])
    ticks = override if override != NONE else town.params.queues.cooldown_ticks
    for row in range(town.num_objects):
        if objects.venue[row] == objects.venue[o] and objects.type[row] == objects.type[o]:
            q.cooldown_until[row, a] = town.tick + ticks


def finish(town) -> None:
    """Ends the runs that are complete and hands their rows over."""
    use, q = town.state.use, town.state.queues
    done = [
        a for a in range(town.num_agents) if is_running(town, a) and use.remaining_ticks[a] == 0
    ]
    change = {}
    for a in done:
        f, o = int(use.affordance[a]), int(use.obj[a])
        for kind in range(town.shape.num_stock_kinds):
            place = (int(town.layout.objects.venue[o]), kind)
            units = int(town.layout.affordances.stock_finish[f, kind])
            change[place] = change.get(place, 0) + units
        town.events.affordances.finished[a], town.events.affordances.finished_obj[a] = f, o
        _clear(town, a)
        if town.layout.objects.is_virtual[o]:
            continue
        _set_cooldown(town, a, o)
        q.holder[o] = NONE
        line = queues.waiters(town, o)
        if line:
            rival = _next_in_line(town, a, line)
            boost = town.params.queues.handover_boost
            queues.record(town, town.events.handovers, o, a, rival, len(line), boost)
            queues.give(town, o, rival)
    for (venue, kind), units in change.items():
        put_stock(town, venue, kind, units)
