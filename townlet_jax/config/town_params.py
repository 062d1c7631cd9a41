"""Fills `TownParams` from a configuration. World text §19, social text §12."""

from typing import Any

import numpy as np

from townlet_jax.config.leaves import group
from townlet_jax.config.limits import MAX_JOBS, MAX_PRICE_KEYS, MAX_SPECS, NUM_PROFILES
from townlet_jax.config.params import (
    AvoidanceParams,
    BehaviorParams,
    ChatParams,
    EconomyParams,
    EmploymentParams,
    KpiParams,
    LifecycleParams,
    MovementParams,
    NeedsParams,
    PerturbationParams,
    QueueParams,
    RelationshipParams,
    RewardParams,
    SlotParams,
    TimeParams,
    TownParams,
)
from townlet_jax.config.residents import CHANNELS, NEEDS, profile_traits
from townlet_jax.config.schema import Config

STAGES = ("OFF", "A", "B", "C1", "C2", "C3")
"""Relationship stages by code."""
REWARD_STAGES = ("OFF", "C1", "C2", "C3")
"""Social reward stages by code."""
DELTA_ROWS = (
    "chat_success", "chat_failure", "queue_polite", "queue_conflict", "shared_meal",
    "help_received", "help_given", "shift_taken",
)  # fmt: skip
"""What moves a tie, by row of the delta table."""


def town_params(config: Config, price_base: dict[str, float]) -> TownParams:
    """Returns every number that a rule reads.

    Args:
      config: the configuration, derived values filled in.
      price_base: base price by key, in the order of the price table [money].
    """
    chat = config.chat
    return TownParams(
        time=group(TimeParams, ticks_per_day=config.time.ticks_per_day),
        movement=group(MovementParams, ghost_step_after=config.movement.ghost_step_after),
        queues=_queues(config),
        needs=_needs(config),
        economy=group(
            EconomyParams,
            price_base=_padded(list(price_base.values()), MAX_PRICE_KEYS),
            restock_tick=config.economy.restock_tick,
            days_unpaid=config.lifecycle.eviction.days_unpaid,
            recovery_share=config.lifecycle.eviction.recovery_share,
        ),
        employment=_employment(config),
        lifecycle=_lifecycle(config),
        slots=group(
            SlotParams,
            cooldown_ticks=config.embedding_allocator.cooldown_ticks,
            reuse_warning_threshold=config.embedding_allocator.reuse_warning_threshold,
        ),
        perturbations=_perturbations(config),
        chat=group(ChatParams, **{name: getattr(chat, name) for name in type(chat).model_fields}),
        relationships=_relationships(config),
        avoidance=group(
            AvoidanceParams,
            cooldown_ticks=config.conflict.avoid_cooldown_ticks,
            override_deficit=config.rewards.social.override_deficit,
        ),
        behavior=_behavior(config),
        kpi=group(
            KpiParams,
            need_floor=config.kpi.need_floor,
            tie_threshold=config.kpi.tie_threshold,
            afi_return=config.kpi.afi.return_,
            afi_needs=config.kpi.afi.needs,
            afi_job=config.kpi.afi.job,
            afi_violations=config.kpi.afi.violations,
        ),
        rewards=_rewards(config),
    )


def _row(section: Any, names: list[str] | tuple[str, ...]) -> np.ndarray:
    return np.array([getattr(section, name) for name in names], np.float32)


def _padded(values: list, size: int, fill: Any = 0, dtype: type = np.float32) -> np.ndarray:
    """Returns the first `size` values, filled up; a value may be a row."""
    table: np.ndarray = np.full((size, *np.shape(fill)), fill, dtype)
    if values:
        table[: len(values)] = values[:size]
    return table


def _queues(config: Config) -> QueueParams:
    fairness, rivalry = config.queue_fairness, config.conflict.rivalry
    return group(
        QueueParams,
        require_range=config.world.require_range,
        range_tiles=config.queue.range_tiles,
        start_range_tiles=config.queue.start_range_tiles,
        cooldown_ticks=fairness.cooldown_ticks,
        ghost_step_after=fairness.ghost_step_after,
        age_weight=round(1024 * fairness.age_priority_weight),
        min_hold_ticks=fairness.min_hold_ticks,
        has_friend_promotion=fairness.friend_promotion,
        friend_promotion_margin=fairness.friend_promotion_margin,
        ghost_step_boost=rivalry.ghost_step_boost,
        handover_boost=rivalry.handover_boost,
        queue_length_boost=rivalry.queue_length_boost,
    )


def _behavior(config: Config) -> BehaviorParams:
    behavior, policy = config.behavior, config.policy
    return group(
        BehaviorParams,
        thresholds=_row(behavior, [f"{name}_threshold" for name in NEEDS]),
        queue_detour_tiles=behavior.queue_detour_tiles,
        eat_out_bias_tiles=behavior.eat_out_bias_tiles,
        decide_every=policy.decide_every,
    )


def _needs(config: Config) -> NeedsParams:
    profiles = list(config.personalities.profiles.values())
    return group(
        NeedsParams,
        decay=_row(config.rewards.decay_rates, NEEDS),
        has_multipliers=config.features.behavior.reward_multipliers,
        profile_multiplier=_padded(
            [_row(p.need, NEEDS) for p in profiles], NUM_PROFILES, (1, 1, 1)
        ),
    )


def _employment(config: Config) -> EmploymentParams:
    jobs, employment = list(config.jobs.values()), config.employment
    names = (
        "grace_ticks", "absent_cutoff", "absence_slack", "late_tick_penalty", "absence_penalty",
        "max_absent_shifts", "daily_exit_cap", "exit_queue_limit", "exit_review_window",
        "enforce_job_loop", "presence_range",
    )  # fmt: skip
    return group(
        EmploymentParams,
        start=_padded([job.start_tick for job in jobs], MAX_JOBS, dtype=np.int32),
        end=_padded([job.end_tick for job in jobs], MAX_JOBS, dtype=np.int32),
        wage=_padded([job.wage_rate for job in jobs], MAX_JOBS),
        lateness_penalty=_padded([job.lateness_penalty for job in jobs], MAX_JOBS),
        arrival_buffer=config.behavior.job_arrival_buffer,
        **{name: getattr(employment, name) for name in names},
    )


def _lifecycle(config: Config) -> LifecycleParams:
    lifecycle, personalities = config.lifecycle, config.personalities
    profiles = personalities.profiles
    given = personalities.distribution or {"balanced": 1.0}
    weights = np.array([given.get(name, 0.0) for name in profiles], np.float64)[:NUM_PROFILES]
    cumulative = np.cumsum(weights) / max(weights.sum(), 1e-30)
    cumulative[np.flatnonzero(weights)[-1:]] = 1.0
    return group(
        LifecycleParams,
        max_exits_per_day=lifecycle.max_exits_per_day,
        exit_cooldown_ticks=lifecycle.exit_cooldown_ticks,
        spawn_delay=np.array(lifecycle.spawn_delay_ticks),
        collapse_hunger=lifecycle.collapse.hunger_level,
        collapse_ticks=lifecycle.collapse.ticks,
        arrival_wallet_rents=lifecycle.arrival.wallet_rents,
        arrival_needs=np.array(lifecycle.arrival.needs),
        suppress_during_city_events=lifecycle.suppress_during_city_events,
        is_halton=personalities.sampling == "halton",
        trait_spread=personalities.spread,
        profile_cumulative=_padded(list(cumulative), NUM_PROFILES, 1.0),
        profile_traits=_padded(
            [profile_traits(p) for p in profiles.values()], NUM_PROFILES, (0, 0, 0)
        ),
    )


def _perturbations(config: Config) -> PerturbationParams:
    section = config.perturbations
    specs = list(section.events.values())
    names = (
        "max_concurrent_events", "global_cooldown_ticks", "per_agent_cooldown_ticks",
        "grace_window_ticks", "window_ticks", "max_events_per_window",
    )  # fmt: skip
    return group(
        PerturbationParams,
        prob_per_day=_padded([spec.prob_per_day for spec in specs], MAX_SPECS),
        cooldown_ticks=_padded([spec.cooldown_ticks for spec in specs], MAX_SPECS, dtype=np.int32),
        duration=_padded([spec.duration for spec in specs], MAX_SPECS, (1, 1), np.int32),
        magnitude=_padded([spec.magnitude for spec in specs], MAX_SPECS, (1, 1)),
        **{name: getattr(section, name) for name in names},
    )


def _relationships(config: Config) -> RelationshipParams:
    ties, rivalry, profiles = (
        config.relationships,
        config.conflict.rivalry,
        config.personalities.profiles,
    )
    rows = [getattr(ties.deltas, name) for name in DELTA_ROWS]
    deltas = np.array(
        [[getattr(row, channel, 0.0) for channel in CHANNELS] for row in rows], np.float32
    )
    deltas[DELTA_ROWS.index("queue_conflict"), CHANNELS.index("rivalry")] = (
        rivalry.increment_per_conflict
    )
    names = (
        "effective_capacity", "reserve_rivals", "trust_decay", "familiarity_decay",
        "eviction_threshold", "churn_window_ticks", "churn_alert_rate", "churn_warmup_days",
    )  # fmt: skip
    tolerance = [profile.behaviour.conflict_tolerance for profile in profiles.values()]
    return group(
        RelationshipParams,
        stage=STAGES.index(config.features.stages.relationships),
        rivalry_decay=rivalry.decay_per_tick,
        deltas=deltas,
        min_rivalry=rivalry.min_value,
        max_rivalry=rivalry.max_value,
        avoid_threshold=rivalry.avoid_threshold,
        has_modifiers=config.features.relationship_modifiers,
        has_profile_tolerance=config.features.behavior.personality_profiles,
        profile_tolerance=_padded(tolerance, NUM_PROFILES, 1.0),
        **{name: getattr(ties, name) for name in names},
        **{name: getattr(ties.modifiers, name) for name in type(ties.modifiers).model_fields},
    )


def _rewards(config: Config) -> RewardParams:
    rewards, clip, shaping = config.rewards, config.rewards.clip, config.shaping
    factors = [
        [p.reward.social, p.reward.employment, p.reward.survival]
        for p in config.personalities.profiles.values()
    ]
    bias = _padded(factors, NUM_PROFILES, (1, 1, 1), np.float64)
    names = (
        "survival_tick", "homeostasis_scale", "punctuality_bonus", "faint_penalty",
        "eviction_penalty",
    )  # fmt: skip
    clips = ("clip_per_tick", "clip_per_episode", "no_positive_within_death_ticks")
    return group(
        RewardParams,
        need_weights=_row(rewards.needs_weights, NEEDS),
        wage_weight=rewards.wage_weight if rewards.wage_rate > 0 else 0.0,
        social_stage=REWARD_STAGES.index(config.features.stages.social_rewards),
        use_potential=shaping.use_potential,
        shaping_scale=shaping.shaping_scale,
        discount=shaping.discount,
        has_bias=config.features.behavior.reward_multipliers,
        profile_bias=np.stack([bias, 1 / bias], axis=-1),
        **{name: getattr(rewards, name) for name in names},
        **{name: getattr(clip, name) for name in clips},
        **{name.lower(): value for name, value in dict(rewards.social).items()},
    )
