"""Default numbers of world §19 and of the social text, as numpy leaves."""

import numpy as np

from townlet_jax.config import params as numbers

PRICES = {"meal": 0.4, "ingredients": 0.15, "shower": 0.2, "cafe_meal": 0.6, "rent": 1.0}
BIAS = ((1, 1, 1), (1.2, 1, 1), (1, 1.25, 1), (1, 1, 1.1))
"""Factors per profile on social, employment and survival terms."""
PROFILES = ((0, 0, 0), (0.6, 0.1, -0.1), (-0.2, -0.1, 0.5), (-0.3, 0.5, -0.2))


def default_params(jobs=(), specs=(), num_jobs=8, num_specs=8, num_prices=8) -> numbers.TownParams:
    """Makes the default numbers of §19 and of the social text, as numpy leaves."""
    f, i, b = np.float32, np.int32, np.bool_

    def column(values, size, dtype, fill=0):
        out = np.full((size, *np.shape(fill)), fill, dtype)
        for row, value in enumerate(values):
            out[row] = value
        return out

    deltas = [
        [0.05, 0.10, 0], [0, -0.05, 0.05], [0.05, 0.05, -0.05], [0, 0, 0.15],
        [0.10, 0.25, 0], [0.20, 0.10, -0.10], [0, 0.05, 0], [-0.10, 0, 0.30],
    ]  # fmt: skip
    multiplier = [[1, 1, 1], [1, 1.1, 1], [1, 1, 0.9], [0.95, 1, 1]]
    return numbers.TownParams(
        time=numbers.TimeParams(ticks_per_day=i(1440)),
        movement=numbers.MovementParams(ghost_step_after=i(3)),
        queues=numbers.QueueParams(
            require_range=b(True), range_tiles=i(2), start_range_tiles=i(1), cooldown_ticks=i(60),
            ghost_step_after=i(3), age_weight=i(102), min_hold_ticks=i(-1),
            has_friend_promotion=b(False), friend_promotion_margin=f(0.25),
            ghost_step_boost=f(1.5), handover_boost=f(0.4), queue_length_boost=f(0.25),
        ),
        needs=numbers.NeedsParams(
            decay=np.array([0.0014, 0.0010, 0.0008], f), has_multipliers=b(False),
            profile_multiplier=np.array(multiplier, f),
        ),
        economy=numbers.EconomyParams(
            price_base=column(PRICES.values(), num_prices, f), restock_tick=i(300),
            days_unpaid=i(2), recovery_share=f(0.5),
        ),
        employment=numbers.EmploymentParams(
            start=column([j.start for j in jobs], num_jobs, i),
            end=column([j.end for j in jobs], num_jobs, i),
            wage=column([j.wage for j in jobs], num_jobs, f),
            lateness_penalty=column([j.penalty for j in jobs], num_jobs, f),
            arrival_buffer=i(20), grace_ticks=i(5), absent_cutoff=i(30), absence_slack=i(20),
            late_tick_penalty=f(0.005), absence_penalty=f(0.2), max_absent_shifts=i(3),
            daily_exit_cap=i(2), exit_queue_limit=i(8), exit_review_window=i(1440),
            enforce_job_loop=b(True), presence_range=i(1),
        ),
        lifecycle=numbers.LifecycleParams(
            max_exits_per_day=i(2), exit_cooldown_ticks=i(120), spawn_delay=np.array([5, 20], i),
            collapse_hunger=f(0.03), collapse_ticks=i(30), arrival_wallet_rents=f(1.5),
            arrival_needs=np.array([0.6, 0.9], f), suppress_during_city_events=b(True),
            is_halton=b(True), trait_spread=f(0.6),
            profile_cumulative=np.array([0.25, 0.5, 0.75, 1], f),
            profile_traits=np.array(PROFILES, f),
        ),
        slots=numbers.SlotParams(cooldown_ticks=i(2000), reuse_warning_threshold=f(0.05)),
        perturbations=numbers.PerturbationParams(
            max_concurrent_events=i(1), global_cooldown_ticks=i(0), per_agent_cooldown_ticks=i(0),
            grace_window_ticks=i(60), window_ticks=i(1440), max_events_per_window=i(1),
            prob_per_day=column([s.prob for s in specs], num_specs, f),
            cooldown_ticks=column([s.cooldown for s in specs], num_specs, i),
            duration=column([s.ticks for s in specs], num_specs, i, [1, 1]),
            magnitude=column([s.magnitude for s in specs], num_specs, f, [1, 1]),
        ),
        chat=numbers.ChatParams(
            range_tiles=i(2), pair_cooldown_ticks=i(60), base_success=f(0.7), trust_gain=f(0.3),
            familiarity_gain=f(0.2), base_quality=f(0.6), quality_tie_gain=f(0.1),
            quality_extroversion_gain=f(0.05), quality_noise=f(0.2),
        ),
        relationships=numbers.RelationshipParams(
            stage=i(2), effective_capacity=i(6), reserve_rivals=i(0), trust_decay=f(2.4e-4),
            familiarity_decay=f(1.2e-4), rivalry_decay=f(1e-4), eviction_threshold=f(0.01),
            churn_window_ticks=i(600), churn_alert_rate=f(0.2), churn_warmup_days=i(2),
            deltas=np.array(deltas, f), min_rivalry=f(0),
            max_rivalry=f(1), avoid_threshold=f(0.7), has_modifiers=b(False),
            forgiveness=f(0.5), ambition=f(0.3), extroversion=f(0.02), forgiveness_decay=f(0.5),
            has_profile_tolerance=b(False), profile_tolerance=np.array([1, 1, 1, 1.4], f),
        ),
        behavior=numbers.BehaviorParams(
            thresholds=np.array([0.6, 0.55, 0.55], f), queue_detour_tiles=i(15),
            eat_out_bias_tiles=i(10), decide_every=i(5),
        ),
        avoidance=numbers.AvoidanceParams(cooldown_ticks=i(120), override_deficit=f(0.85)),
        kpi=numbers.KpiParams(
            need_floor=f(0.3), tie_threshold=f(0.3), afi_return=f(0.4), afi_needs=f(0.3),
            afi_job=f(0.3), afi_violations=f(0.2),
        ),
        rewards=numbers.RewardParams(
            need_weights=np.array([1, 0.6, 0.8], f), survival_tick=f(0.025),
            homeostasis_scale=f(0.008), wage_weight=f(0.4), punctuality_bonus=f(0.25),
            faint_penalty=f(-1), eviction_penalty=f(-2), social_stage=i(0),
            c1_chat_base=f(0.01), c1_coeff_trust=f(0.3), c1_coeff_fam=f(0.2),
            c2_avoid_conflict=f(0.005), c3_quality_gain=f(0.25), override_deficit=f(0.85),
            use_potential=b(True), shaping_scale=f(0.5), discount=f(0.999),
            clip_per_tick=f(1), clip_per_episode=f(100), no_positive_within_death_ticks=i(30),
            has_bias=b(False),
            profile_bias=np.stack([BIAS, 1 / np.array(BIAS)], axis=-1).astype(f),
        ),
    )  # fmt: skip
