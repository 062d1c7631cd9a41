"""Rules between sections. Each yields (path, fault); rules inside one section live with it."""

from collections.abc import Callable, Iterator
from typing import Any

from pydantic import ValidationError

from townlet_jax.config.document import Document
from townlet_jax.config.errors import Path, suggest
from townlet_jax.config.schema import Config
from townlet_jax.config.schema_derived import decision_ticks, rollout_ticks, social_slots
from townlet_jax.config.schema_explain import explain

Fault = tuple[Path, str]


def shifts_fit_the_day(config: Config) -> Iterator[Fault]:
    """Shifts end at least two ticks before the day does."""
    last = config.time.ticks_per_day - 2
    for name, job in config.jobs.items():
        key = "start_tick" if job.end_tick is None else "end_tick"
        if getattr(job, key) > last:
            yield (
                ("jobs", name, key),
                f"must be at most {last} (time.ticks_per_day - 2), got {getattr(job, key)}",
            )


def restock_fits_the_day(config: Config) -> Iterator[Fault]:
    """The restock tick lies in the day."""
    tick, last = config.economy.restock_tick, config.time.ticks_per_day - 1
    if "restock_tick" in config.economy.model_fields_set and tick > last:
        path = ("economy", "restock_tick")
        yield path, f"must be in 0...{last} (time.ticks_per_day - 1), got {tick}"


def eviction_is_a_rivalry(config: Config) -> Iterator[Fault]:
    """The eviction threshold lies among the values a rivalry can take."""
    value, rivalry = config.relationships.eviction_threshold, config.conflict.rivalry
    given = "eviction_threshold" in config.relationships.model_fields_set
    if given and not rivalry.min_value <= value <= rivalry.max_value:
        bounds = f"{rivalry.min_value}...{rivalry.max_value} (min_value...max_value)"
        yield ("relationships", "eviction_threshold"), f"must be in {bounds}, got {value}"


def residents_are_known(config: Config) -> Iterator[Fault]:
    """Initial ties name residents of the scenario."""
    names = [agent.id for agent in config.scenario.agents]
    if not names and not config.features.seed_relationships:
        return
    for i, tie in enumerate(config.world.initial_relationships):
        for key in ("a", "b"):
            name = getattr(tie, key)
            if name not in names:
                path = ("world", "initial_relationships", i, key)
                yield path, f"unknown resident {name!r}; {suggest(name, names)}"


def residents_fit(config: Config) -> Iterator[Fault]:
    """There are slots for all residents given."""
    limit, given = config.world.max_agents, len(config.scenario.agents)
    if limit is not None and limit < given:
        yield ("world", "max_agents"), f"must be at least the {given} residents given, got {limit}"


def jobs_are_known(config: Config) -> Iterator[Fault]:
    """Residents have jobs that exist."""
    for i, agent in enumerate(config.scenario.agents):
        if agent.job is not None and agent.job not in config.jobs:
            fault = f"unknown job {agent.job!r}; {suggest(agent.job, config.jobs)}"
            yield ("scenario", "agents", i, "job"), fault


def personalities_are_known(config: Config) -> Iterator[Fault]:
    """Residents have profiles that exist."""
    profiles = config.personalities.profiles
    for i, agent in enumerate(config.scenario.agents):
        name = agent.personality
        if isinstance(name, str) and name not in profiles:
            fault = f"unknown profile {name!r}; {suggest(name, profiles)}"
            yield ("scenario", "agents", i, "personality"), fault


def slots_fit(config: Config) -> Iterator[Fault]:
    """The social snippet shows at most eight residents."""
    friends, rivals = social_slots(config)
    if friends + rivals > 8:
        snippet = config.observations_config.social_snippet
        key = "top_friends" if snippet.top_friends != "auto" else "top_rivals"
        path = ("observations_config", "social_snippet", key)
        yield path, f"top_friends + top_rivals must be at most 8, got {friends} + {rivals}"


def groups_divide_towns(config: Config) -> Iterator[Fault]:
    """Minibatch groups are of one size."""
    groups, towns = config.ppo.minibatch_groups, config.training.num_towns
    if towns % groups:
        yield ("ppo", "minibatch_groups"), f"must divide training.num_towns ({towns}), got {groups}"


def rollouts_fit(config: Config) -> Iterator[Fault]:
    """A rollout holds a decision, and an episode holds a rollout."""
    k, training = decision_ticks(config), config.training
    if training.rollout_ticks is not None and training.rollout_ticks < k:
        fault = f"must be in {k}...100000 (policy.decide_every), got {training.rollout_ticks}"
        yield ("training", "rollout_ticks"), fault
    elif training.episode_ticks is not None and training.episode_ticks < rollout_ticks(config):
        wanted = f"must be at least one rollout ({rollout_ticks(config)} ticks)"
        yield ("training", "episode_ticks"), f"{wanted}, got {training.episode_ticks}"


def town_overrides_are_valid(config: Config) -> Iterator[Fault]:
    """Overrides of the trained town are valid settings themselves."""
    for name, value in config.training.town_overrides.items():
        nested: Any = value
        for part in reversed(name.split(".")):
            nested = {part: nested}
        data = {"config_id": "override", **nested}
        try:
            Config.model_validate(data)
        except ValidationError as error:
            for problem in explain(error, Config, Document(name, data)):
                yield ("training", "town_overrides", name), problem.message


RULES: tuple[tuple[Callable[[Config], Iterator[Fault]], frozenset[str]], ...] = (
    (shifts_fit_the_day, frozenset({"jobs", "time"})),
    (restock_fits_the_day, frozenset({"economy", "time"})),
    (eviction_is_a_rivalry, frozenset({"relationships", "conflict"})),
    (residents_are_known, frozenset({"world", "scenario", "features"})),
    (residents_fit, frozenset({"world", "scenario"})),
    (jobs_are_known, frozenset({"jobs", "scenario"})),
    (personalities_are_known, frozenset({"personalities", "scenario"})),
    (slots_fit, frozenset({"observations_config", "features"})),
    (groups_divide_towns, frozenset({"ppo", "training"})),
    (rollouts_fit, frozenset({"training", "policy", "world"})),
    (town_overrides_are_valid, frozenset({"training"})),
)
"""Each rule with the sections it reads; it is asked only when all of them are valid."""
