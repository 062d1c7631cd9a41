"""What residents see, in plain Python: one resident, one cell and one feature after the other.

`town` is a namespace made by `tests.oracle.twin.look`.
"""

import math

import numpy as np

from tests.oracle import affordances, chat, economy, movement, options, queues, utilities
from tests.oracle.twin import NONE, STEPS
from townlet_jax.config.layout import Role, Utility
from townlet_jax.config.observation_tables import PRICED

STAGE_B = 2
STATUS = ("pre", "await", "on_time", "late", "absent", "post", "await")
SIDES = ("north", "east", "south", "west")
OPTIONS = ("rest", "get_fed", "get_clean", "sleep", "go_to_work", "socialise", "cook")
PRIMITIVES = ("wait", *SIDES, "chat", "leave", "use")
ROLES = {"fridge": Role.FRIDGE, "stove": Role.STOVE, "bed": Role.BED, "shower": Role.SHOWER}


def residents(town):
    return [b for b in range(town.num_agents) if town.state.agents.is_alive[b]]


def rows(town):
    return [o for o in range(town.num_objects) if town.layout.objects.is_object[o]]


def near(town, a):
    """Lists the other residents in the window of a."""
    r, span = town.shape.local_window // 2, movement.cheb
    return [b for b in residents(town) if b != a and span(town, a, cell(town, b)) <= r]


def cell(town, a):
    return movement.cell_of(town, a)


def tiles(town, a, b):
    (x, y), (u, v) = cell(town, a), cell(town, b)
    return abs(x - u) + abs(y - v)


def local_map(town, a):
    """Paints the window of a: uint8 [w, w, 5]."""
    w = town.shape.local_window
    seen = np.zeros((w, w, 5), np.uint8)
    queue, objects = town.state.queues, town.layout.objects
    for i, j in np.ndindex(w, w):
        x, y = cell(town, a)[0] + j - w // 2, cell(town, a)[1] + i - w // 2
        here = [o for o in rows(town) if tuple(objects.interact[o]) == (x, y)]
        is_free = any(objects.is_virtual[o] or queue.holder[o] == NONE for o in here)
        is_wanted = any(queue.waiting_for[b] in here for b in range(town.num_agents))
        others = [b for b in residents(town) if b != a and cell(town, b) == (x, y)]
        own = {queues.held_row(town, a), int(town.state.use.obj[a])} & set(here)
        seen[i, j] = (
            not movement.is_walkable(town, x, y),
            min(3, len(others)),
            0 if not here else 1 if is_free else 3 if is_wanted else 2,
            2 if own else 1 if queue.waiting_for[a] in here else 0,
            1 + objects.type[here[0]] if here else 0,
        )
    return seen


def one_hot(prefix, names, chosen):
    return {f"{prefix}_{name}": float(name == chosen) for name in names}


def features(town, a, is_reset):
    """Computes every feature of every variant by name."""
    values = {}
    for part in (_self, _shift, _action, _queue, _neighbours, _targets, _company, _distilled):
        values |= part(town, a)
    values["ctx_reset_flag"] = float(is_reset)
    return values | _social(town, a)


def _self(town, a):
    s, tpd = town.state, town.params.time.ticks_per_day
    day = town.tick_of_day / tpd
    ring = s.employment.attendance[a]
    own = [b for b in range(town.num_agents) if s.relationships.is_tie[a, b]]
    grudges = [float(s.relationships.rivalry[a, b]) for b in own]
    avoid = chat.avoid_threshold(town, a)
    rises = []
    for key in ("meal", "ingredients", "cafe_meal"):
        row = town.layout.observations.prices[PRICED.index(key)]
        base = float(s.economy.price_base[row])
        if base > 0:
            rises.append(float(economy.price(town, row)) / base - 1)
    return {
        **dict(zip(("need_hunger", "need_hygiene", "need_energy"), s.needs.level[a], strict=True)),
        "wallet": math.tanh(s.agents.wallet[a] / 5),
        "lateness_counter": min(1, s.metrics.num_late_shifts[a] / 5),
        "on_shift": float(s.employment.last_present_tick[a] == town.tick - 1),
        "time_sin": math.sin(2 * math.pi * day),
        "time_cos": math.cos(2 * math.pi * day),
        "attendance_ratio": ring[:, 0].sum() / max(1, ring[:, 1].sum()),
        "wages_withheld": math.tanh(s.employment.wages_withheld[a] / 5),
        "embedding_slot_norm": s.slots.slot[a] / town.shape.num_slots,
        "episode_progress": day,
        "rivalry_max": max(grudges, default=0.0),
        "rivalry_avoid_count": sum(x >= avoid for x in grudges) / town.shape.max_edges,
        "personality_extroversion": s.agents.traits[a, 0],
        "personality_forgiveness": s.agents.traits[a, 1],
        "personality_ambition": s.agents.traits[a, 2],
        "power_on": float(utilities.is_on(town, Utility.POWER)),
        "water_on": float(utilities.is_on(town, Utility.WATER)),
        "price_level": min(1, max(-1, sum(rises) / max(1, len(rises)))),
    }


def _shift(town, a):
    job, p, tod = int(town.state.agents.job[a]), town.params.employment, town.tick_of_day
    if job == NONE:
        status, soon, left = "pre", 0, 0
    else:
        status = STATUS[town.state.employment.status[a]]
        start, end = int(p.start[job]), int(p.end[job])
        is_open = start <= tod <= end and town.state.employment.closed_day[a] != town.day
        wait = (start - tod) % town.params.time.ticks_per_day
        soon = 1 if is_open else max(0, 1 - wait / 240)
        left = (end - tod + 1) / (end - start + 1) if is_open else 0
    return {
        **one_hot("shift", STATUS[:6], status),
        "shift_soon": soon,
        "shift_left": left,
        "has_job": float(job != NONE),
    }


def _action(town, a):
    agents, use = town.state.agents, town.state.use
    names = OPTIONS if town.shape.action_level == "option" else PRIMITIVES
    last = int(agents.last_action[a])
    is_running = affordances.is_running(town, a)
    duration = town.layout.affordances.duration[use.affordance[a]] if is_running else 1
    return {
        **one_hot("last", names, names[min(last, 7)] if last >= 0 else None),
        "last_action_success": float(agents.did_last_action[a]),
        "last_action_duration": min(1, agents.last_action_ticks[a] / 60),
        "is_running": float(is_running),
        "run_left": use.remaining_ticks[a] / duration if is_running else 0,
    }


def _queue(town, a):
    q = town.state.queues
    row, place, waited = int(q.waiting_for[a]), 0, 0

    def key(b):
        ticks = min(town.tick - int(q.joined_tick[b]), queues.LONGEST_WAIT)
        return -1024 * ticks - town.params.queues.age_weight * int(q.waited_today_ticks[b])

    if row != NONE:
        line = [b for b in range(town.num_agents) if q.waiting_for[b] == row]
        place = 1 / (1 + sum(key(b) < key(a) for b in line))
        waited = min(1, (town.tick - int(q.joined_tick[a])) / 60)
    return {
        "reservation_active": float(queues.held_row(town, a) != NONE),
        "in_queue": float(row != NONE),
        "queue_place": place,
        "queue_wait": waited,
    }


def _neighbours(town, a):
    r = town.shape.local_window // 2
    seen = [o for o in rows(town) if movement.cheb(town, a, town.layout.objects.interact[o]) <= r]
    held = [o for o in seen if town.state.queues.holder[o] != NONE]
    spans = [movement.cheb(town, a, cell(town, b)) for b in near(town, a)]
    return {
        "neighbor_agent_ratio": min(1, len(spans) / 8),
        "neighbor_object_ratio": min(1, len(seen) / 16),
        "reserved_tile_ratio": len(held) / max(1, len(seen)),
        "nearest_agent_distance": min(spans, default=r) / r,
    }


def nearest(town, a, candidates):
    return min(candidates, key=lambda o: (movement.distance(town, a, o), o), default=NONE)


def is_usable(town, a, o):
    f = int(town.layout.objects.offers[o, 0])
    if queues.is_cooling(town, a, o) or not utilities.is_working(town, o):
        return False
    if f == NONE:
        return True
    stock = town.state.economy.stock[:, town.layout.objects.venue[o]]
    is_payable = affordances.cost(town, f) <= town.state.agents.wallet[a]
    return is_payable and bool(np.all(stock + town.layout.affordances.stock_start[f] >= 0))


def target_row(town, a, name):
    o = town.layout.objects
    mask = o.is_social_place if name == "social_place" else o.is_role[Role[name.upper()]]
    return nearest(town, a, [k for k in rows(town) if mask[k] and is_usable(town, a, k)])


def unit(town):
    return 1 / (town.shape.width + town.shape.height)


def triple(name, dx, dy, distance):
    return {f"target_{name}_dx": dx, f"target_{name}_dy": dy, f"target_{name}_dist": distance}


def _targets(town, a):
    found = {name: target_row(town, a, name) for name in (*ROLES, "cafe_table", "social_place")}
    job = int(town.state.agents.job[a])
    found["work"] = int(town.layout.jobs.target[job]) if job != NONE else NONE
    values = {}
    for name, target in found.items():
        step, far = (0, 0), 1
        if target != NONE:
            step = (*STEPS, (0, 0))[movement.direction(town, a, target)]
            far = min(1, movement.distance(town, a, target) * unit(town))
        values |= triple(name, *step, far)
    lowest = int(np.argmin(town.state.needs.level[a]))
    wanted = (options.GET_FED, options.GET_CLEAN, options.SLEEP)[lowest]
    goal = options.best_row(town, a, options.candidates(town, a, wanted))
    side = 4 if goal == NONE else movement.direction(town, a, goal)
    return values | one_hot("path_hint", SIDES, (*SIDES, None)[side])


def friends(town, a):
    """Lists friends, the best first."""
    ties = town.state.relationships
    if town.params.relationships.stage < STAGE_B:
        return []
    liked = {b: ties.trust[a, b] + ties.familiarity[a, b] for b in range(town.num_agents)}
    own = [b for b in liked if ties.is_tie[a, b] and liked[b] > 0]
    return sorted(own, key=lambda b: (-liked[b], ties.formed_tick[a, b], b))


def _company(town, a):
    others = [b for b in residents(town) if b != a]
    closest = sorted(others, key=lambda b: (tiles(town, a, b), b))
    values = {}
    for name, found in (("nearest_resident", closest), ("best_friend", friends(town, a))):
        if found:
            (x, y), (u, v) = cell(town, a), cell(town, found[0])
            length = math.hypot(u - x, v - y) or 1
            far = tiles(town, a, found[0]) * unit(town)
            values |= triple(name, (u - x) / length, (v - y) / length, far)
        else:
            values |= triple(name, 0, 0, 1)
    return values


def _distilled(town, a):
    q, ties, stock = town.state.queues, town.state.relationships, town.layout.stock
    avoid = chat.avoid_threshold(town, a)
    avoided = [
        b for b in residents(town) if ties.is_tie[a, b] and ties.rivalry[a, b] >= avoid
    ]  # fmt: skip
    mine = {queues.held_row(town, a), int(q.waiting_for[a])} - {NONE}
    values = {
        "rival_in_current_queue": any(
            {queues.held_row(town, b), int(q.waiting_for[b])} & mine for b in avoided
        ),
        "rival_near": any(b in avoided for b in near(town, a)),
        "friend_near": bool(friends(town, a)[:1]) and friends(town, a)[0] in near(town, a),
        "chat_available": chat.has_partner(town, a),
    }
    x, y = cell(town, a)
    for name, (dx, dy) in zip(SIDES, STEPS, strict=True):
        is_open = movement.is_walkable(town, x + dx, y + dy)
        values[f"blocked_{name}"] = not is_open or movement.is_occupied(town, x + dx, y + dy)
    for name in ("fridge", "shower", "bed", "cafe_table"):
        o = target_row(town, a, name)
        values[f"load_{name}"] = 1 if o == NONE else min(1, queues.load(town, a, o) / 4)
    for name, kind in (("fridge", stock.meals), ("stove", stock.raw_ingredients)):
        o = nearest(town, a, [k for k in rows(town) if town.layout.objects.is_role[ROLES[name], k]])
        units = 0
        if o != NONE and kind != NONE:
            units = town.state.economy.stock[kind, town.layout.objects.venue[o]]
        values[f"stock_{name}"] = min(1, units / 8)
    for name, row in zip(PRICED, town.layout.observations.prices, strict=True):
        values[f"can_pay_{name}"] = town.state.agents.wallet[a] >= economy.price(town, row)
    return {name: float(value) for name, value in values.items()}


def _slot(town, a, b, name):
    vector, ties = np.zeros(town.shape.embed_dim), town.state.relationships
    values = dict.fromkeys(("trust", "familiarity", "rivalry", "is_present", "distance"), 0.0)
    if b is not None:
        vector = town.layout.observations.embedding[town.state.slots.slot[b]]
        for channel in ("trust", "familiarity", "rivalry"):
            values[channel] = getattr(ties, channel)[a, b]
        values |= {"is_present": 1.0, "distance": tiles(town, a, b) * unit(town)}
    values = {f"e{j}": x for j, x in enumerate(vector)} | values
    return {f"social_{name}_{part}": value for part, value in values.items()}


def _social(town, a):
    ties, shape = town.state.relationships, town.shape
    is_shown = town.params.relationships.stage >= STAGE_B
    shown = friends(town, a)[: shape.top_friends]
    rivals = [b for b in range(town.num_agents) if ties.is_tie[a, b] and ties.rivalry[a, b] > 0]
    rivals = [b for b in rivals if b not in shown and is_shown]
    rivals.sort(key=lambda b: (-ties.rivalry[a, b], ties.formed_tick[a, b], b))
    values = {}
    for k in range(shape.top_friends):
        values |= _slot(town, a, shown[k] if k < len(shown) else None, f"friend{k}")
    for k in range(shape.top_rivals):
        values |= _slot(town, a, rivals[k] if k < len(rivals) else None, f"rival{k}")
    for channel in ("trust", "rivalry"):
        felt = [float(getattr(ties, channel)[a, b]) for b in near(town, a) if is_shown]
        values[f"social_{channel}_mean"] = sum(felt) / max(1, len(felt))
        values[f"social_{channel}_max"] = max(felt, default=0.0)
    return values
