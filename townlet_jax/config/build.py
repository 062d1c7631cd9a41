"""Turns a configuration into what a town needs: its shape, numbers, tables and names."""

import hashlib
import json
import os
from collections.abc import Sequence

import numpy as np

from townlet_jax.config import calibration, ways
from townlet_jax.config import layout as tables
from townlet_jax.config.affordance_tables import (
    Prices,
    affordance_tables,
    build_prices,
    check_affordances,
    stock_kinds,
    stock_tables,
)
from townlet_jax.config.errors import UnsupportedObservationError
from townlet_jax.config.ground import entry_cells, find, read_ground
from townlet_jax.config.layout_tables import action_rows, entry_table, object_tables, use_types
from townlet_jax.config.leaves import Tables, group
from townlet_jax.config.limits import MAX_PRICE_KEYS, NUM_PROFILES
from townlet_jax.config.manifest import Manifest, read_manifest
from townlet_jax.config.map_file import WALL
from townlet_jax.config.objects import Objects, build_objects
from townlet_jax.config.observation_layout import MAX_SIZE, observation_layout
from townlet_jax.config.observation_tables import observation_tables
from townlet_jax.config.reading import Reading, config_seed, read_marked
from townlet_jax.config.report import Report
from townlet_jax.config.residents import halton, resident_tables, tie_tables
from townlet_jax.config.schedules import Compiler, schedule_tables
from townlet_jax.config.schema import Config
from townlet_jax.config.schema_derived import social_slots
from townlet_jax.config.shape import NUM_OPTIONS, TownShape
from townlet_jax.config.town import Names, Town
from townlet_jax.config.town_params import town_params
from townlet_jax.config.ways import Cell, Targets
from townlet_jax.config.work_tables import job_tables, perturbation_tables

OPTIONS = ("rest", "get_fed", "get_clean", "sleep", "go_to_work", "socialise", "cook")
PRIMITIVES = ("wait", "move_north", "move_east", "move_south", "move_west", "chat", "leave")
MIN_AGENTS = 8
"""Slots of a town that does not say how many it wants."""


def load(path: str | os.PathLike[str], overrides: Sequence[str] = (), strict: bool = False) -> Town:
    """Reads a configuration file and builds its town.

    Args:
      path: YAML file.
      overrides: `path=value` each, values in YAML, applied in order.
      strict: whether doubtful values are refused.

    Raises:
      ConfigError: lists the problems of configuration, manifest and map with file:line:column.
    """
    return build(read_marked(path, overrides, strict), os.fspath(path), strict)


def build(reading: Reading, path: str = "", strict: bool = False) -> Town:
    """Builds a town from a configuration that was read.

    Args:
      reading: configuration, notes and document.
      path: the configuration file as named.
      strict: whether doubtful values are refused.

    Returns:
      The town; its leaves live on the default device.

    Raises:
      ConfigError: as `load`.
    """
    config = reading.config
    report = Report(reading.document, strict, notes=list(reading.notes))
    key = ("affordances", "affordances_file")
    file = find(config.affordances.affordances_file, key, report.document)
    manifest = read_manifest(file, prices=config.economy.prices)
    tiles, map_hash = read_ground(config, report)
    entry = entry_cells(config, tiles, report)
    objects = build_objects(config, manifest, tiles != WALL, entry, report)
    prices = build_prices(config, manifest, report)
    kinds = stock_kinds(manifest, objects, report)
    check_affordances(manifest, objects, report)
    _check_sizes(config, report)
    report.check()
    names = _names(config, manifest, objects, prices, kinds)
    layout = _layout(config, manifest, objects, prices, kinds, tiles, entry, report)
    budgets = _budgets(config, manifest, objects, prices, layout["jobs"])
    calibration.check(budgets, config, report)
    shape = _shape(config, names, layout)
    _check_observation(shape, report)
    layout["observations"] = observation_tables(shape, tiles, layout["objects"], prices.keys)
    return Town(
        path=path,
        config=config,
        shape=shape,
        params=town_params(config, prices.base),
        layout=_as_layout(layout),
        names=names,
        manifest=manifest,
        notes=tuple(report.notes),
        seed=config_seed(config),
        config_id=config.config_id,
        identity=identity(config, manifest.sha256, map_hash),
        budgets=budgets,
    )


def _check_sizes(config: Config, report: Report) -> None:
    """Reports what does not fit the residents' slots and the profile tables."""
    num_slots = config.embedding_allocator.max_slots
    if num_slots < num_agents(config):
        fault = f"must be at least the {num_agents(config)} agent slots, got {num_slots}"
        report.error(("embedding_allocator", "max_slots"), fault)
    profiles = config.personalities.profiles
    if len(profiles) > NUM_PROFILES:
        fault = (
            f"{len(profiles)} profiles, at most {NUM_PROFILES} are allowed ({', '.join(profiles)})"
        )
        report.error(("personalities", "profiles"), fault)


def _check_observation(shape: TownShape, report: Report) -> None:
    """Refuses observations that are too large."""
    spec = observation_layout(shape)
    if spec.size > MAX_SIZE:
        slots = shape.top_friends + shape.top_rivals
        message = (
            f"an observation of {spec.size} numbers (map {spec.size - spec.num_features}, features "
            f"{spec.num_features}), at most {MAX_SIZE}; {slots} slots take {shape.embed_dim + 5} "
            "each"
        )
        path = ("observations_config", "social_snippet")
        raise UnsupportedObservationError([report.document.problem(path, message)])


def num_agents(config: Config) -> int:
    """Returns A, the agent slots."""
    given = len(config.scenario.agents)
    return config.world.max_agents or max(MIN_AGENTS, given)


def _num_objects(config: Config, objects: Objects) -> int:
    """Returns O, the object rows; a town without objects has one padding row."""
    return config.world.max_objects or max(1, len(objects.rows))


def _layout(
    config: Config,
    manifest: Manifest,
    objects: Objects,
    prices: Prices,
    kinds: list[str],
    tiles: np.ndarray,
    entry: list[Cell],
    report: Report,
) -> dict[str, Tables]:
    """Returns the arrays of every part of `TownLayout` by name."""
    slots, size, is_walkable = num_agents(config), _num_objects(config, objects), tiles != WALL
    targets = Targets([*objects.interact, *[None] * (size - len(objects.rows))])
    affordances = affordance_tables(manifest, objects, prices, kinds, size)
    jobs = job_tables(config, objects, affordances, is_walkable, targets, report)
    compiler = Compiler(config, manifest, objects, is_walkable, targets, report)
    schedules = schedule_tables(config, compiler, slots, report)
    residents = _residents(config, is_walkable, entry, report)
    perturbations = perturbation_tables(config, objects, prices.keys, slots, report)
    report.check()
    for home in residents["home"][residents["is_resident"]]:
        targets.index((int(home[0]), int(home[1])))
    direction, distance = ways.tables(is_walkable, targets.cells)
    is_primitive = config.world.action_level == "primitive"
    types = use_types(manifest, objects) if is_primitive else []
    return {
        "map": {
            "tiles": tiles,
            "direction": direction,
            "distance": distance,
            "entry": entry_table(entry),
        },
        "objects": object_tables(manifest, objects, size),
        "affordances": affordances,
        "stock": stock_tables(config, objects, kinds, size),
        "prices": {
            "rent": np.int32(prices.keys.index("rent")),
            "is_price": np.arange(MAX_PRICE_KEYS) < len(prices.keys),
        },
        "jobs": jobs,
        "perturbations": perturbations,
        "actions": {"rows": action_rows(types, objects, size)},
        "schedules": schedules,
        "residents": residents,
    }


def _residents(
    config: Config, is_walkable: np.ndarray, entry: list[Cell], report: Report
) -> Tables:
    """Returns the arrays of `ResidentLayout`."""
    return {
        **resident_tables(config, is_walkable, entry, num_agents(config), report),
        **tie_tables(config, num_agents(config), report),
        "is_fairness_on": config.queue_fairness.enabled,
        "is_mortality_on": config.features.systems.lifecycle == "on",
        "halton": halton(),
    }


def _as_layout(parts: dict[str, Tables]) -> tables.TownLayout:
    return tables.TownLayout(
        map=group(tables.MapLayout, **parts["map"]),
        objects=group(tables.ObjectLayout, **parts["objects"]),
        affordances=group(tables.AffordanceLayout, **parts["affordances"]),
        stock=group(tables.StockLayout, **parts["stock"]),
        prices=group(tables.PriceLayout, **parts["prices"]),
        jobs=group(tables.JobLayout, **parts["jobs"]),
        perturbations=group(tables.PerturbationLayout, **parts["perturbations"]),
        actions=group(tables.ActionLayout, **parts["actions"]),
        schedules=group(tables.ScheduleLayout, **parts["schedules"]),
        residents=group(tables.ResidentLayout, **parts["residents"]),
        observations=group(tables.ObservationLayout, **parts["observations"]),
    )


def _shape(config: Config, names: Names, layout: dict[str, Tables]) -> TownShape:
    height, width, num_targets = layout["map"]["direction"].shape
    num_objects, num_offers = layout["objects"]["offers"].shape
    snippet = config.observations_config.social_snippet
    top_friends, top_rivals = social_slots(config)
    return TownShape(
        num_agents=len(names.agents),
        num_objects=num_objects,
        num_targets=num_targets,
        width=width,
        height=height,
        schedule_length=layout["schedules"]["rows"].shape[1],
        num_actions=NUM_OPTIONS if config.world.action_level == "option" else len(names.actions),
        action_level=config.world.action_level,
        tick_order=config.world.tick_order,
        max_edges=config.relationships.max_edges,
        attendance_window=config.employment.attendance_window,
        num_slots=config.embedding_allocator.max_slots,
        num_ops=config.console.max_ops_per_tick,
        num_offers=num_offers,
        observation=config.features.systems.observations,
        local_window=config.observations_config.hybrid.local_window,
        top_friends=top_friends,
        top_rivals=top_rivals,
        embed_dim=snippet.embed_dim,
        embed_seed=snippet.embed_seed,
        include_aggregates=snippet.include_aggregates,
    )


def _names(
    config: Config, manifest: Manifest, objects: Objects, prices: Prices, kinds: list[str]
) -> Names:
    given = [agent.id for agent in config.scenario.agents]
    vacant = [f"resident_{a}" for a in range(len(given), num_agents(config))]
    uses = [f"use_{name}" for name in use_types(manifest, objects)]
    is_option = config.world.action_level == "option"
    return Names(
        agents=(*given, *vacant),
        objects=tuple(objects.rows),
        types=tuple(objects.types),
        venues=tuple(objects.venues),
        affordances=tuple(manifest.affordances),
        stock_kinds=tuple(kinds),
        price_keys=tuple(prices.keys),
        jobs=tuple(config.jobs),
        perturbations=tuple(config.perturbations.events),
        profiles=tuple(config.personalities.profiles),
        actions=OPTIONS if is_option else (*PRIMITIVES, *uses),
        hooks={
            name: {moment: getattr(entry.hooks, moment) for moment in ("before", "after", "fail")}
            for name, entry in manifest.affordances.items()
        },
    )


def _budgets(
    config: Config, manifest: Manifest, objects: Objects, prices: Prices, jobs: Tables
) -> dict[str, "calibration.Budget | str"]:
    offered = {
        name: entry
        for name, entry in manifest.affordances.items()
        if set(entry.object_type) & set(objects.types)
    }
    ids = list(manifest.affordances)
    sites = [ids[f] if f >= 0 else None for f in jobs["affordance"][: len(config.jobs)]]
    return calibration.budgets(config, offered, prices, dict(zip(config.jobs, sites, strict=True)))


def identity(config: Config, *hashes: str) -> str:
    """Returns the SHA-256 of a configuration and of the files it names, hexadecimal.

    How snapshots are kept is left out: no town can tell.
    """
    text = json.dumps(
        [config.model_dump(mode="json", exclude={"snapshot"}), *hashes], sort_keys=True
    )
    return hashlib.sha256(text.encode()).hexdigest()
