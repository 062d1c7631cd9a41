"""Values that follow from other keys, filled in after validation; notes on keys that lie idle."""

from typing import Any, TypeVar

from townlet_jax.config.document import Document
from townlet_jax.config.errors import Note, Path, suggest
from townlet_jax.config.schema import Config
from townlet_jax.config.schema_base import Section

S = TypeVar("S", bound=Section)

EPISODE_TICKS = 4320
DEFAULT_GRID = (24, 24)
DEFAULT_ENTROPY_END = 0.003
NO_EFFECT = (
    "world.weather_seed",
    "economy.cook_energy_cost",
    "economy.cook_hygiene_cost",
    "affordances.runtime",
    "curiosity",
    "features.training.curiosity",
    "features.observations.personality_channels",
    "observations_config.hybrid.include_targets",
    "observations_config.compact",
    "runtime",
    "scenario.agents.*.schedule.*.quality",
)
"""Keys that are accepted without effect; said once each."""
_BY_KIND = {
    "magnitude": "price_spike",
    "targets": "price_spike",
    "target": "arranged_meet",
    "location": "arranged_meet",
    "max_participants": "arranged_meet",
}


def has_social_view(config: Config) -> bool:
    """Tells whether the relationship stage lets residents see their ties (B or higher)."""
    return config.features.stages.relationships not in ("OFF", "A")


def social_slots(config: Config) -> tuple[int, int]:
    """Returns the number of friend slots and of rival slots of the social block."""
    snippet = config.observations_config.social_snippet
    default = 2 if has_social_view(config) else 0
    friends = default if snippet.top_friends == "auto" else snippet.top_friends
    rivals = default if snippet.top_rivals == "auto" else snippet.top_rivals
    return friends, rivals


def decision_ticks(config: Config) -> int:
    """Returns k, the ticks per decision [tick]."""
    return config.policy.decide_every if config.world.action_level == "option" else 1


def rollout_ticks(config: Config) -> int:
    """Returns k * T, the ticks of one rollout [tick]."""
    k, training = decision_ticks(config), config.training
    if training.rollout_ticks is None:
        return k * training.num_steps
    return -(-training.rollout_ticks // k) * k


def resolve(config: Config) -> Config:
    """Returns the configuration with every value filled in that other keys decide.

    What depends on other files (map, manifest) stays null. `model_fields_set` is kept.
    """
    social = config.observations_config
    friends, rivals = social_slots(config)
    snippet = _with(
        social.social_snippet,
        top_friends=friends,
        top_rivals=rivals,
        include_aggregates=social.social_snippet.include_aggregates and friends + rivals > 0,
    )
    ties, training = config.relationships, config.training
    capacity = ties.max_edges if ties.effective_capacity is None else ties.effective_capacity
    episode = training.episode_ticks or max(EPISODE_TICKS, rollout_ticks(config))
    discount = config.shaping.discount
    last_tick = config.time.ticks_per_day - 1
    grid = config.world.grid_size or (None if config.world.map else DEFAULT_GRID)
    return _with(
        config,
        observations_config=_with(social, social_snippet=snippet),
        relationships=_with(ties, effective_capacity=capacity),
        training=_with(training, episode_ticks=episode),
        shaping=_with(config.shaping, discount=config.ppo.gamma if discount is None else discount),
        economy=_with(config.economy, restock_tick=min(config.economy.restock_tick, last_tick)),
        world=_with(config.world, grid_size=grid),
        ppo=_with(config.ppo, entropy_coef_end=_entropy_end(config)),
        personalities=_with(config.personalities, **_sampling(config)),
        jobs=_jobs(config),
        perturbations=_with(config.perturbations, events=_events(config)),
    )


def _with(section: S, **changes: Any) -> S:
    values = {name: getattr(section, name) for name in type(section).model_fields}
    return section.model_construct(set(section.model_fields_set), **{**values, **changes})


def _entropy_end(config: Config) -> float:
    ppo = config.ppo
    if ppo.entropy_coef_end is not None:
        return ppo.entropy_coef_end
    return ppo.entropy_coef if "entropy_coef" in ppo.model_fields_set else DEFAULT_ENTROPY_END


def _sampling(config: Config) -> dict[str, Any]:
    distribution, sampling = config.personalities.distribution, config.personalities.sampling
    if sampling is None:
        sampling = "halton" if distribution is None else "profile"
    if sampling == "profile" and distribution is None:
        distribution = {"balanced": 1.0}
    return {"sampling": sampling, "distribution": distribution}


def _jobs(config: Config) -> dict[str, Any]:
    return {
        name: _with(
            job,
            end_tick=job.start_tick if job.end_tick is None else job.end_tick,
            wage_rate=job.wage_rate or config.economy.wage_income,
        )
        for name, job in config.jobs.items()
    }


def _events(config: Config) -> dict[str, Any]:
    utility = {"blackout": "power", "outage": "water"}
    return {
        name: _with(event, utility=utility.get(event.kind))
        for name, event in config.perturbations.events.items()
    }


def notes(config: Config, document: Document) -> list[Note]:
    """Returns notes on keys that are given but do nothing, and on views that are switched off."""
    found = []
    for pattern in NO_EFFECT:
        given = [p for p in document.matches(pattern) if document.get(p) not in (None, {})]
        if given:
            found.append(document.note(given[0], "is accepted but has no effect", True))
    if document.matches("rewards.wage_rate") and config.rewards.wage_rate > 0:
        message = "only 0 (no wage term) has an effect; see rewards.wage_weight"
        found.append(document.note(("rewards", "wage_rate"), message, True))
    if not has_social_view(config) and "auto" in _slot_keys(config):
        stage = config.features.stages.relationships
        message = f"at stage {stage} no ties are seen: the social block is left out"
        found.append(document.note(("features", "stages", "relationships"), message, True))
    for name, event in config.perturbations.events.items():
        for key, kind in _BY_KIND.items():
            default = type(event).model_fields[key].default
            if getattr(event, key) != default and event.kind != kind:
                path: Path = ("perturbations", "events", name, key)
                found.append(document.note(path, f"has no effect for kind {event.kind}", True))
    residents = [agent.id for agent in config.scenario.agents]
    for name in config.personalities.overrides:
        if residents and name not in residents:
            message = f"no such resident at the start; {suggest(name, residents)}"
            found.append(document.note(("personalities", "overrides", name), message, True))
    return found


def unsupported_slots(config: Config) -> Path | None:
    """Returns the place of social slots asked for at a stage that shows no ties."""
    if not has_social_view(config):
        for key, value in zip(("top_friends", "top_rivals"), _slot_keys(config), strict=True):
            if value not in ("auto", 0):
                return ("observations_config", "social_snippet", key)
    return None


def _slot_keys(config: Config) -> tuple[int | str, int | str]:
    snippet = config.observations_config.social_snippet
    return snippet.top_friends, snippet.top_rivals
