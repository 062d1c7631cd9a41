"""The reward of one resident for one tick, in plain Python and double precision."""

from types import SimpleNamespace

import jax
import numpy as np

FAINT, KILLED = 1, 4


def expected(rewards, state, events, params):
    """Rewards every resident of one town.

    Returns:
      One namespace each: terms, the eleven columns of the breakdown; day_total; has_fainted;
      causes, whether the clip of the tick, the budget and the guard took effect; margin, how far
      these decisions are from falling otherwise.
    """
    tick = int(state.clock.tick) - 1
    args = (rewards, state.replace(clock=None), events, params)
    args = [jax.tree.map(np.asarray, x) for x in args]
    return [_resident(a, tick, *args) for a in range(len(args[0].day_total))]


def _resident(a, tick, rewards, state, events, params):
    r, lives = params.rewards, events.lifecycle
    reason, exited = int(state.lifecycle.exit_reason[a]), int(lives.exited[a])
    collapsed, spawned = bool(lives.collapsed[a]), bool(lives.spawned[a])
    was_down = bool(rewards.has_fainted[a]) and not spawned and reason != 0
    is_down = was_down or (reason == FAINT and not collapsed)
    scored = bool(state.agents.is_alive[a]) and not is_down
    terms = _raw(a, state, events, params) if scored else [0.0] * 8
    penalty = 0.0
    if scored and collapsed:
        penalty = float(r.faint_penalty)
    elif scored and exited not in (0, FAINT, KILLED):
        penalty = float(r.eviction_penalty)

    raw = sum(terms)
    window = int(r.no_positive_within_death_ticks)
    start = max(1, int(params.lifecycle.collapse_ticks) - window + 1)
    is_close = window > 0 and int(state.needs.low_hunger_ticks[a]) >= start
    guard = scored and (reason != 0 or is_close)
    g = min(raw, 0.0) if guard else raw
    limit, budget = float(r.clip_per_tick), float(r.clip_per_episode)
    c = min(max(g, -limit), limit)
    is_new_day = tick % int(params.time.ticks_per_day) == 0
    total = 0.0 if spawned or is_new_day else float(rewards.day_total[a])
    is_spent = scored and abs(total + c) > budget
    b = min(max(total + c, -budget), budget) - total if is_spent else c
    margins = [abs(abs(g) - limit), abs(abs(total + c) - budget)]
    return SimpleNamespace(
        terms=[*terms, penalty, b - raw, b + penalty],
        day_total=0.0 if collapsed or exited else total + b,
        has_fainted=bool(state.agents.is_alive[a]) and reason == FAINT,
        causes=[scored and abs(g) > limit, is_spent, guard and raw > 0],
        margin=min([*margins, abs(raw)] if guard else margins),
    )


def _raw(a, state, events, params):
    r, work, ties = params.rewards, events.employment, events.relationships
    weights = [float(w) for w in r.need_weights]
    after = [1 - float(x) for x in state.needs.level[a]]
    before = [1 - float(x) for x in events.level_before[a]]
    scale = float(r.shaping_scale)
    phi_before = -scale * sum(w * d for w, d in zip(weights, before, strict=True))
    phi_after = -scale * sum(w * d for w, d in zip(weights, after, strict=True))
    if events.lifecycle.collapsed[a] or events.lifecycle.exited[a]:
        phi_after = 0.0
    misery = sum(w * d * d for w, d in zip(weights, after, strict=True))
    shaping = float(r.discount) * phi_after - phi_before if r.use_potential else 0.0
    wage = float(r.wage_weight) * (float(work.wage_paid[a]) - float(work.wage_withheld[a]))

    job, delay = int(state.agents.job[a]), int(work.first_presence[a])
    punctual = 0.0
    if 0 <= delay <= int(params.employment.grace_ticks):
        length = int(params.employment.end[job]) - int(params.employment.start[job]) + 1
        punctual = float(r.punctuality_bonus) * (length - delay) / length

    trust, familiarity = float(ties.settled_trust[a]), float(ties.settled_familiarity[a])
    stage, c1 = int(r.social_stage), 0.0
    if stage >= 1 and max(after) <= float(r.override_deficit):
        worth = float(r.c1_chat_base) + float(r.c1_coeff_trust) * trust
        c1 = _quality(a, events.chat) * (worth + float(r.c1_coeff_fam) * familiarity)
    c2 = float(r.c2_avoid_conflict) if stage >= 2 and events.conflict.avoided[a] else 0.0
    c3 = c1 * float(r.c3_quality_gain) * (trust + familiarity) / 2 if stage == 3 else 0.0

    social, employment, survival = _factors(a, state, params)
    return [
        _biased(float(r.survival_tick), survival),
        -float(r.homeostasis_scale) * misery,
        shaping,
        _biased(wage, employment),
        _biased(punctual, employment),
        *(_biased(term, social) for term in (c1, c2, c3)),
    ]


def _quality(a, chat):
    for speaker, listener in enumerate(chat.listener):
        if listener >= 0 and chat.is_success[speaker] and a in (speaker, listener):
            return float(chat.quality[speaker])
    return 0.0


def _factors(a, state, params):
    profile = int(state.agents.profile[a])
    if not params.rewards.has_bias or profile < 0:
        return 1.0, 1.0, 1.0
    return [float(k) for k in params.rewards.profile_bias[profile, :, 0]]


def _biased(x, factor):
    return x * factor if x >= 0 else x / factor
