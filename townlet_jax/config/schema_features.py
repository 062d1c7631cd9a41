"""Schema of the gates that switch whole parts of the town. Defaults of social text §12."""

from typing import Literal

from townlet_jax.config.schema_base import (
    CuriosityPhase,
    Flag,
    OnOff,
    RewardStage,
    Section,
    TieStage,
)


class Stages(Section):
    """Which tie channels move and are seen; which social rewards are paid."""

    relationships: TieStage = "B"
    social_rewards: RewardStage = "OFF"


class Systems(Section):
    """Initial mortality, and the observation variant."""

    lifecycle: OnOff = "on"
    observations: Literal["hybrid", "full", "compact"] = "hybrid"


class TrainingFeatures(Section):
    """Accepted, no effect."""

    curiosity: CuriosityPhase = "phase_A"


class ConsoleFeatures(Section):
    """Whether the console may change the town."""

    mode: Literal["viewer", "admin"] = "viewer"


class BehaviorFeatures(Section):
    """Gates of profile effects on avoidance and on needs and rewards."""

    personality_profiles: Flag = False
    reward_multipliers: Flag = False


class ObservationFeatures(Section):
    """Accepted, no effect: traits are always observed."""

    personality_channels: Flag = False


class Features(Section):
    """Gates of whole parts of the town."""

    stages: Stages = Stages()
    systems: Systems = Systems()
    training: TrainingFeatures = TrainingFeatures()
    console: ConsoleFeatures = ConsoleFeatures()
    behavior: BehaviorFeatures = BehaviorFeatures()
    observations: ObservationFeatures = ObservationFeatures()
    relationship_modifiers: Flag = False
    seed_relationships: Flag = False
