"""Schema of ties, chats and personalities. Defaults of social text §12."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from townlet_jax.config.errors import Path, suggest
from townlet_jax.config.schema_base import (
    Amount,
    Name,
    Section,
    Signed,
    Unit,
)


class Rivalry(Section):
    """Growth [1/intensity], fading [level/tick], bounds [level] and boosts of grudges."""

    ghost_step_boost: float = Field(default=1.5, ge=0, le=5)
    handover_boost: float = Field(default=0.4, ge=0, le=5)
    queue_length_boost: float = Field(default=0.25, ge=0, le=2)
    increment_per_conflict: Unit = 0.15
    decay_per_tick: Unit = 1e-4
    min_value: Signed = 0.0
    max_value: Signed = 1.0
    avoid_threshold: Signed = 0.7

    def rules(self) -> Iterator[tuple[Path, str]]:
        low, high, avoid = self.min_value, self.max_value, self.avoid_threshold
        if low > high:
            yield ("max_value",), f"must be at least min_value ({low}), got {high}"
        elif not low <= avoid <= high:
            bounds = f"{low}...{high} (min_value...max_value)"
            yield ("avoid_threshold",), f"must be in {bounds}, got {avoid}"


class Conflict(Section):
    """Grudges, and how long [tick] an avoidance counts only once."""

    rivalry: Rivalry = Rivalry()
    avoid_cooldown_ticks: int = Field(default=120, ge=1, le=100_000)


class Chat(Section):
    """Who may talk [tile, tick], whether it goes well, and how well."""

    range_tiles: int = Field(default=2, ge=1, le=8)
    pair_cooldown_ticks: int = Field(default=60, ge=0, le=1440)
    base_success: Unit = 0.7
    trust_gain: Unit = 0.3
    familiarity_gain: Unit = 0.2
    base_quality: Unit = 0.6
    quality_tie_gain: Unit = 0.1
    quality_extroversion_gain: Unit = 0.05
    quality_noise: Unit = 0.2


class Delta(Section):
    """What one event adds to a tie [level]."""

    trust: Signed = 0.0
    familiarity: Signed = 0.0
    rivalry: Signed = 0.0


class ConflictDelta(Section):
    """As `Delta`; the rivalry is `conflict.rivalry.increment_per_conflict`."""

    trust: Signed = 0.0
    familiarity: Signed = 0.0


def _merged(default: BaseModel) -> BeforeValidator:
    """Lets a mapping override single keys of a default that differs from its model's."""
    values = default.model_dump()
    return BeforeValidator(lambda value: {**values, **value} if isinstance(value, dict) else value)


_CHAT_SUCCESS = Delta(trust=0.05, familiarity=0.1)
_CHAT_FAILURE = Delta(familiarity=-0.05, rivalry=0.05)
_QUEUE_POLITE = Delta(trust=0.05, familiarity=0.05, rivalry=-0.05)
_SHARED_MEAL = Delta(trust=0.1, familiarity=0.25)
_HELP_RECEIVED = Delta(trust=0.2, familiarity=0.1, rivalry=-0.1)
_HELP_GIVEN = Delta(familiarity=0.05)
_SHIFT_TAKEN = Delta(trust=-0.1, rivalry=0.3)


class Deltas(Section):
    """The row table of social text §3."""

    chat_success: Annotated[Delta, _merged(_CHAT_SUCCESS)] = _CHAT_SUCCESS
    chat_failure: Annotated[Delta, _merged(_CHAT_FAILURE)] = _CHAT_FAILURE
    queue_polite: Annotated[Delta, _merged(_QUEUE_POLITE)] = _QUEUE_POLITE
    queue_conflict: ConflictDelta = ConflictDelta()
    shared_meal: Annotated[Delta, _merged(_SHARED_MEAL)] = _SHARED_MEAL
    help_received: Annotated[Delta, _merged(_HELP_RECEIVED)] = _HELP_RECEIVED
    help_given: Annotated[Delta, _merged(_HELP_GIVEN)] = _HELP_GIVEN
    shift_taken: Annotated[Delta, _merged(_SHIFT_TAKEN)] = _SHIFT_TAKEN


class Modifiers(Section):
    """Strength of the personality rules of social text §2.2."""

    forgiveness: Unit = 0.5
    ambition: Unit = 0.3
    extroversion: Unit = 0.02
    forgiveness_decay: Unit = 0.5


class Relationships(Section):
    """The tie store: capacity [ties], fading [share/tick], churn [tick, 1/day, day].

    A null `effective_capacity` is `max_edges`.
    """

    max_edges: int = Field(default=6, ge=1, le=32)
    effective_capacity: Annotated[int, Field(ge=0, le=32)] | None = None
    reserve_rivals: int = Field(default=0, ge=0, le=32)
    trust_decay: Unit = 2.4e-4
    familiarity_decay: Unit = 1.2e-4
    eviction_threshold: Unit = 0.01
    churn_window_ticks: int = Field(default=600, ge=1, le=100_000)
    churn_alert_rate: float = Field(default=0.2, ge=0, le=10)
    churn_warmup_days: int = Field(default=2, ge=0, le=30)
    deltas: Deltas = Deltas()
    modifiers: Modifiers = Modifiers()

    def rules(self) -> Iterator[tuple[Path, str]]:
        for key in ("effective_capacity", "reserve_rivals"):
            value = getattr(self, key)
            if value is not None and value > self.max_edges:
                yield (key,), f"must be in 0...{self.max_edges} (max_edges), got {value}"


Factor = Annotated[float, Field(ge=0.1, le=10)]


class ProfileTraits(Section):
    """Extroversion, forgiveness and ambition of a profile."""

    extroversion: Signed = 0.0
    forgiveness: Signed = 0.0
    ambition: Signed = 0.0


class NeedFactors(Section):
    """Factors on the decay of needs."""

    hunger: Factor = 1.0
    hygiene: Factor = 1.0
    energy: Factor = 1.0


class RewardFactors(Section):
    """Factors on groups of reward terms."""

    social: Factor = 1.0
    employment: Factor = 1.0
    survival: Factor = 1.0


class BehaviourFactors(Section):
    """Factors that scripted policies and avoidance read."""

    chat_preference: Factor = 1.0
    work_affinity: Factor = 1.0
    conflict_tolerance: Factor = 1.0


def _named(value: Any) -> Any:
    """Reads three numbers as named traits."""
    if isinstance(value, list) and len(value) == 3:
        return dict(zip(ProfileTraits.model_fields, value, strict=True))
    return value


class Profile(Section):
    """A named personality."""

    traits: Annotated[
        ProfileTraits,
        BeforeValidator(_named),
        Field(json_schema_extra={"says": "a mapping of traits, or three numbers in -1...1"}),
    ] = ProfileTraits()
    need: NeedFactors = NeedFactors()
    reward: RewardFactors = RewardFactors()
    behaviour: BehaviourFactors = BehaviourFactors()


def _profile(traits: tuple[float, float, float], **factors: Section) -> Profile:
    e, f, m = traits
    named = ProfileTraits(extroversion=e, forgiveness=f, ambition=m)
    return Profile.model_validate({"traits": named, **factors})


PROFILES = {
    "balanced": Profile(),
    "socialite": _profile(
        (0.6, 0.1, -0.1),
        need=NeedFactors(hygiene=1.1),
        reward=RewardFactors(social=1.2),
        behaviour=BehaviourFactors(chat_preference=1.3),
    ),
    "industrious": _profile(
        (-0.2, -0.1, 0.5),
        need=NeedFactors(energy=0.9),
        reward=RewardFactors(employment=1.25),
        behaviour=BehaviourFactors(work_affinity=1.4),
    ),
    "stoic": _profile(
        (-0.3, 0.5, -0.2),
        need=NeedFactors(hunger=0.95),
        reward=RewardFactors(survival=1.1),
        behaviour=BehaviourFactors(conflict_tolerance=1.4),
    ),
}
"""The built-in profiles, in the order of their rows; a file adds to them or replaces them."""


def _with_profiles(value: Any) -> Any:
    return {**PROFILES, **value} if isinstance(value, dict) else value


class Personalities(Section):
    """How residents without a personality get one.

    Attributes:
      distribution: weight by profile. overrides: profile by resident.
      sampling: null = halton unless a distribution is given.
      spread: half width of free traits.
    """

    distribution: dict[Name, Amount] | None = None
    overrides: dict[Name, Name] = {}
    sampling: Literal["halton", "profile"] | None = None
    spread: Unit = 0.6
    profiles: Annotated[dict[Name, Profile], BeforeValidator(_with_profiles)] = PROFILES

    def rules(self) -> Iterator[tuple[Path, str]]:
        for key, name in (
            *((("distribution", name), name) for name in self.distribution or {}),
            *((("overrides", agent), name) for agent, name in self.overrides.items()),
        ):
            if name not in self.profiles:
                yield key, f"unknown profile {name!r}; {suggest(name, self.profiles)}"
        if self.distribution is not None and sum(self.distribution.values()) <= 0:
            yield ("distribution",), "needs at least one weight above 0"
