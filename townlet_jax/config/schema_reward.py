"""Schema of rewards, observations and KPIs. Defaults of social text §12."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from townlet_jax.config.errors import Path
from townlet_jax.config.schema_base import Flag, Section, Unit


class NeedsWeights(Section):
    """w_n of the homeostasis and shaping terms."""

    hunger: float = Field(default=1.0, ge=0, le=2)
    hygiene: float = Field(default=0.6, ge=0, le=2)
    energy: float = Field(default=0.8, ge=0, le=2)


class DecayRates(Section):
    """Loss of satisfaction [1/tick]."""

    hunger: Unit = 0.0014
    hygiene: Unit = 0.001
    energy: Unit = 0.0008


class SocialRewards(Section):
    """Terms of stages C1 to C3 [reward]; `override_deficit` [level] silences them."""

    C1_chat_base: float = Field(default=0.01, ge=0, le=0.05)
    C1_coeff_trust: Unit = 0.3
    C1_coeff_fam: Unit = 0.2
    C2_avoid_conflict: float = Field(default=0.005, ge=0, le=0.02)
    C3_quality_gain: Unit = 0.25
    override_deficit: Unit = 0.85


class Clip(Section):
    """Bounds per tick [reward] and per day [reward/day]; guard before death [tick]."""

    clip_per_tick: float = Field(default=1.0, ge=0.01, le=1)
    clip_per_episode: float = Field(default=100.0, ge=1, le=200)
    no_positive_within_death_ticks: int = Field(default=30, ge=0, le=200)


class Rewards(Section):
    """What a tick of living is worth; units as in social text §12."""

    needs_weights: NeedsWeights = NeedsWeights()
    decay_rates: DecayRates = DecayRates()
    survival_tick: float = Field(default=0.025, ge=0, le=0.1)
    homeostasis_scale: Unit = 0.008
    wage_weight: float = Field(default=0.4, ge=0, le=10)
    wage_rate: float = Field(default=0.01, ge=0, le=0.05)
    punctuality_bonus: Unit = 0.25
    faint_penalty: float = Field(default=-1.0, ge=-5, le=0)
    eviction_penalty: float = Field(default=-2.0, ge=-5, le=0)
    social: SocialRewards = SocialRewards()
    clip: Clip = Clip()


class Shaping(Section):
    """Potential shaping; a null `discount` [1/tick] is `ppo.gamma`."""

    use_potential: Flag = True
    shaping_scale: float = Field(default=0.5, ge=0, le=10)
    discount: Annotated[float, Field(ge=0.9, le=1)] | None = None


class Curiosity(Section):
    """Accepted, no effect; free extras."""

    model_config = ConfigDict(extra="allow")

    phase_A_weight: float = Field(default=0.02, ge=0, le=0.1)  # noqa: N815
    decay_by_milestone: Literal["M2", "never"] = "M2"


class Hybrid(Section):
    """The map window [tile]; `include_targets` is accepted without effect."""

    local_window: Annotated[
        int,
        Field(ge=3, le=11, json_schema_extra={"says": "an odd int in 3...11"}),
    ] = 11
    include_targets: Any = None

    def rules(self) -> Iterator[tuple[Path, str]]:
        if self.local_window % 2 == 0:
            yield ("local_window",), f"must be an odd int in 3...11, got {self.local_window}"


Slots = Annotated[int, Field(ge=0, le=8)] | Literal["auto"]


class SocialSnippet(Section):
    """The social block: slots, and the embedding of identities.

    `auto` slots are 2 from relationship stage B on, else 0.
    """

    top_friends: Slots = "auto"
    top_rivals: Slots = "auto"
    embed_dim: int = Field(default=8, ge=1, le=32)
    embed_seed: int = Field(default=3025, ge=0, le=2**63)
    include_aggregates: Flag = True


class ObservationsConfig(Section):
    """What residents see; `compact` is accepted without effect."""

    hybrid: Hybrid = Hybrid()
    social_snippet: SocialSnippet = SocialSnippet()
    compact: dict[str, Any] = {}


class Afi(Section):
    """Weights of agent fitness, an analysis figure; `return` is a keyword, hence `return_`."""

    return_: Unit = Field(default=0.4, alias="return")
    needs: Unit = 0.3
    job: Unit = 0.3
    violations: Unit = 0.2


class Kpi(Section):
    """Floors [level] of the KPIs."""

    need_floor: Unit = 0.3
    tie_threshold: Unit = 0.3
    afi: Afi = Afi()
