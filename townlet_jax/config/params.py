"""`TownParams`: every number that a rule reads. Traced, so changing a value never recompiles.

Each group mirrors one section of the configuration file and is what one rule receives. All leaves
are scalars unless an axis is given; gates are bool. Any leaf may carry a leading sweep axis outside
this package.
"""

import jax
from flax import struct


class TimeParams(struct.PyTreeNode):
    """The clock.

    Attributes:
      ticks_per_day: int32 [tick] in [24, 100000].
    """

    ticks_per_day: jax.Array


class MovementParams(struct.PyTreeNode):
    """Walking.

    Attributes:
      ghost_step_after: int32 [attempts]; 0 switches ghost steps off.
    """

    ghost_step_after: jax.Array


class QueueParams(struct.PyTreeNode):
    """Queues and fairness (`queue.*`, `queue_fairness.*`, `conflict.rivalry.*_boost`,
    `world.require_range`).

    Attributes:
      require_range: bool, whether distance matters for requests and starts.
      range_tiles, start_range_tiles: int32 [tile].
      cooldown_ticks: int32 [tick], default wait after a finish.
      ghost_step_after: int32 [ticks + hits]; 0 switches ghost steps off.
      age_weight: int32 [1/1024 tick per tick waited], `round(1024 * age_priority_weight)`.
      min_hold_ticks: int32 [tick]; -1: a running affordance is never evicted.
      has_friend_promotion: bool; friend_promotion_margin: float32 [level].
      ghost_step_boost, handover_boost, queue_length_boost: float32 [intensity].
    """

    require_range: jax.Array
    range_tiles: jax.Array
    start_range_tiles: jax.Array
    cooldown_ticks: jax.Array
    ghost_step_after: jax.Array
    age_weight: jax.Array
    min_hold_ticks: jax.Array
    has_friend_promotion: jax.Array
    friend_promotion_margin: jax.Array
    ghost_step_boost: jax.Array
    handover_boost: jax.Array
    queue_length_boost: jax.Array


class NeedsParams(struct.PyTreeNode):
    """Decay of needs (`rewards.decay_rates`, profile multipliers).

    Attributes:
      decay: float32 `[N]` [1/tick].
      has_multipliers: bool, gate `features.behavior.reward_multipliers`.
      profile_multiplier: float32 `[4, N]`, factor on decay per profile.
    """

    decay: jax.Array
    has_multipliers: jax.Array
    profile_multiplier: jax.Array


class EconomyParams(struct.PyTreeNode):
    """Money (`economy.*`, `lifecycle.eviction.*`).

    Attributes:
      price_base: float32 `[R]` [money], base prices a town starts with.
      restock_tick: int32 [tick of day].
      days_unpaid: int32 [day]; recovery_share: float32 [rents].
    """

    price_base: jax.Array
    restock_tick: jax.Array
    days_unpaid: jax.Array
    recovery_share: jax.Array


class EmploymentParams(struct.PyTreeNode):
    """Jobs and shifts (`jobs.*`, `employment.*`, `behavior.job_arrival_buffer`).

    Attributes:
      start, end: int32 `[J]` [tick of day], both inclusive.
      wage: float32 `[J]` [money/tick]; lateness_penalty: float32 `[J]` [money].
      arrival_buffer: int32 [tick] before the start.
      grace_ticks, absent_cutoff, absence_slack: int32 [tick].
      late_tick_penalty, absence_penalty: float32 [money].
      max_absent_shifts: int32 [shifts in 7 days], 0 = never an exit.
      daily_exit_cap: int32 [exits/day], exit_queue_limit: int32 [residents], 0 = none for both.
      exit_review_window: int32 [tick].
      enforce_job_loop: bool; presence_range: int32 [tile].
    """

    start: jax.Array
    end: jax.Array
    wage: jax.Array
    lateness_penalty: jax.Array
    arrival_buffer: jax.Array
    grace_ticks: jax.Array
    absent_cutoff: jax.Array
    absence_slack: jax.Array
    late_tick_penalty: jax.Array
    absence_penalty: jax.Array
    max_absent_shifts: jax.Array
    daily_exit_cap: jax.Array
    exit_queue_limit: jax.Array
    exit_review_window: jax.Array
    enforce_job_loop: jax.Array
    presence_range: jax.Array


class LifecycleParams(struct.PyTreeNode):
    """Exits, arrivals and personalities of newcomers (`lifecycle.*`, `personalities.*`).

    Attributes:
      max_exits_per_day: int32 [exits], 0 = none; exit_cooldown_ticks: int32 [tick].
      spawn_delay: int32 `[2]` [tick], inclusive range.
      collapse_hunger: float32 [level]; collapse_ticks: int32 [tick].
      arrival_wallet_rents: float32 [rents]; arrival_needs: float32 `[2]` [level], range.
      suppress_during_city_events: bool.
      is_halton: bool, traits from the Halton sequence instead of a profile; trait_spread: float32.
      profile_cumulative: float32 `[4]` in [0, 1], cumulative weights of the profiles.
      profile_traits: float32 `[4, 3]` in [-1, 1], extroversion, forgiveness, ambition.
    """

    max_exits_per_day: jax.Array
    exit_cooldown_ticks: jax.Array
    spawn_delay: jax.Array
    collapse_hunger: jax.Array
    collapse_ticks: jax.Array
    arrival_wallet_rents: jax.Array
    arrival_needs: jax.Array
    suppress_during_city_events: jax.Array
    is_halton: jax.Array
    trait_spread: jax.Array
    profile_cumulative: jax.Array
    profile_traits: jax.Array


class SlotParams(struct.PyTreeNode):
    """Embedding slots (`embedding_allocator.*`).

    Attributes:
      cooldown_ticks: int32 [tick]; reuse_warning_threshold: float32 [share], 0 disables the
        warning.
    """

    cooldown_ticks: jax.Array
    reuse_warning_threshold: jax.Array


class PerturbationParams(struct.PyTreeNode):
    """Perturbations (`perturbations.*`); P = specs, in file order.

    Attributes:
      max_concurrent_events: int32; global_cooldown_ticks, per_agent_cooldown_ticks,
        grace_window_ticks,
        window_ticks: int32 [tick]; max_events_per_window: int32 [starts per spec], 0 = none.
      prob_per_day: float32 `[P]` [1/day]; cooldown_ticks: int32 `[P]` [tick].
      duration: int32 `[P, 2]` [tick]; magnitude: float32 `[P, 2]` [factor]; both inclusive ranges.
    """

    max_concurrent_events: jax.Array
    global_cooldown_ticks: jax.Array
    per_agent_cooldown_ticks: jax.Array
    grace_window_ticks: jax.Array
    window_ticks: jax.Array
    max_events_per_window: jax.Array
    prob_per_day: jax.Array
    cooldown_ticks: jax.Array
    duration: jax.Array
    magnitude: jax.Array


class ChatParams(struct.PyTreeNode):
    """Conversations (`chat.*`).

    Attributes:
      range_tiles: int32 [tile]; pair_cooldown_ticks: int32 [tick].
      base_success, trust_gain, familiarity_gain: float32.
      base_quality, quality_tie_gain, quality_extroversion_gain, quality_noise: float32.
    """

    range_tiles: jax.Array
    pair_cooldown_ticks: jax.Array
    base_success: jax.Array
    trust_gain: jax.Array
    familiarity_gain: jax.Array
    base_quality: jax.Array
    quality_tie_gain: jax.Array
    quality_extroversion_gain: jax.Array
    quality_noise: jax.Array


class RelationshipParams(struct.PyTreeNode):
    """Ties (`relationships.*`, `conflict.rivalry.*`, `features.*`).

    Attributes:
      stage: int32, OFF 0, A 1, B 2, C1 3, C2 4, C3 5.
      effective_capacity, reserve_rivals: int32 [ties].
      trust_decay, familiarity_decay: float32 [share/tick]; rivalry_decay: float32 [level/tick].
      eviction_threshold: float32 [level]; churn_window_ticks: int32 [tick].
      churn_alert_rate: float32 [1/day]; churn_warmup_days: int32 [day] without an alert.
      deltas: float32 `[8, 3]` [level], rows of `TieEvent`, columns trust, familiarity, rivalry.
      min_rivalry, max_rivalry, avoid_threshold: float32 [level].
      has_modifiers: bool, gate `features.relationship_modifiers`.
      forgiveness, ambition, extroversion, forgiveness_decay: float32, strengths of the modifiers.
      has_profile_tolerance: bool, gate `features.behavior.personality_profiles`.
      profile_tolerance: float32 `[4]`, factor on the avoid threshold per profile.
    """

    stage: jax.Array
    effective_capacity: jax.Array
    reserve_rivals: jax.Array
    trust_decay: jax.Array
    familiarity_decay: jax.Array
    rivalry_decay: jax.Array
    eviction_threshold: jax.Array
    churn_window_ticks: jax.Array
    churn_alert_rate: jax.Array
    churn_warmup_days: jax.Array
    deltas: jax.Array
    min_rivalry: jax.Array
    max_rivalry: jax.Array
    avoid_threshold: jax.Array
    has_modifiers: jax.Array
    forgiveness: jax.Array
    ambition: jax.Array
    extroversion: jax.Array
    forgiveness_decay: jax.Array
    has_profile_tolerance: jax.Array
    profile_tolerance: jax.Array


class AvoidanceParams(struct.PyTreeNode):
    """Keeping away from queues (`conflict.avoid_cooldown_ticks`,
    `rewards.social.override_deficit`).

    Attributes:
      cooldown_ticks: int32 [tick] between two avoidances of a resident.
      override_deficit: float32 [level], a larger deficit of any need leaves no choice.
    """

    cooldown_ticks: jax.Array
    override_deficit: jax.Array


class BehaviorParams(struct.PyTreeNode):
    """What the option controllers and the scripted policy read (`behavior.*`, `policy.*`).

    Attributes:
      thresholds: float32 `[N]` [level], below which the script serves a need.
      queue_detour_tiles, eat_out_bias_tiles: int32 [tile].
      decide_every: int32 [tick], window of a decision.
    """

    thresholds: jax.Array
    queue_detour_tiles: jax.Array
    eat_out_bias_tiles: jax.Array
    decide_every: jax.Array


class KpiParams(struct.PyTreeNode):
    """Figures of the day and agent fitness (`kpi.*`).

    Attributes:
      need_floor, tie_threshold: float32 [level].
      afi_return, afi_needs, afi_job, afi_violations: float32, weights of agent fitness.
    """

    need_floor: jax.Array
    tie_threshold: jax.Array
    afi_return: jax.Array
    afi_needs: jax.Array
    afi_job: jax.Array
    afi_violations: jax.Array


class RewardParams(struct.PyTreeNode):
    """What a tick of living is worth (`rewards.*`, `shaping.*`, `features.stages.social_rewards`).

    Attributes:
      need_weights: float32 `[N]`, weight of each need in homeostasis and shaping.
      survival_tick, homeostasis_scale: float32 [reward/tick].
      wage_weight: float32 [reward/money], 0 where wages are not rewarded.
      punctuality_bonus: float32 [reward/shift].
      faint_penalty, eviction_penalty: float32 [reward] <= 0.
      social_stage: int32, OFF 0, C1 1, C2 2, C3 3.
      c1_chat_base: float32 [reward]; c1_coeff_trust, c1_coeff_fam: float32 [reward/level].
      c2_avoid_conflict: float32 [reward]; c3_quality_gain: float32 [1/level].
      override_deficit: float32 [level] of a need, beyond which chats are worth nothing.
      use_potential: bool; shaping_scale: float32 [reward]; discount: float32 per tick.
      clip_per_tick: float32 [reward]; clip_per_episode: float32 [reward/day].
      no_positive_within_death_ticks: int32 [tick], 0 = only the flagged are guarded.
      has_bias: bool, gate `features.behavior.reward_multipliers`.
      profile_bias: float32 `[4, 3, 2]`, factor per profile on social, employment and survival
        terms; the first on gains, the second, its inverse, on losses.
    """

    need_weights: jax.Array
    survival_tick: jax.Array
    homeostasis_scale: jax.Array
    wage_weight: jax.Array
    punctuality_bonus: jax.Array
    faint_penalty: jax.Array
    eviction_penalty: jax.Array
    social_stage: jax.Array
    c1_chat_base: jax.Array
    c1_coeff_trust: jax.Array
    c1_coeff_fam: jax.Array
    c2_avoid_conflict: jax.Array
    c3_quality_gain: jax.Array
    override_deficit: jax.Array
    use_potential: jax.Array
    shaping_scale: jax.Array
    discount: jax.Array
    clip_per_tick: jax.Array
    clip_per_episode: jax.Array
    no_positive_within_death_ticks: jax.Array
    has_bias: jax.Array
    profile_bias: jax.Array


class TownParams(struct.PyTreeNode):
    """All groups of a town's numbers."""

    time: TimeParams
    movement: MovementParams
    queues: QueueParams
    needs: NeedsParams
    economy: EconomyParams
    employment: EmploymentParams
    lifecycle: LifecycleParams
    slots: SlotParams
    perturbations: PerturbationParams
    chat: ChatParams
    relationships: RelationshipParams
    avoidance: AvoidanceParams
    behavior: BehaviorParams
    kpi: KpiParams
    rewards: RewardParams
