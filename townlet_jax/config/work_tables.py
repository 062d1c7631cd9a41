"""Tables of jobs and of perturbations. World text §11, §13."""

import numpy as np

from townlet_jax.config.errors import Path, suggest
from townlet_jax.config.layout import Flag, PerturbationKind
from townlet_jax.config.leaves import Tables
from townlet_jax.config.limits import MAX_JOBS, MAX_PRICE_KEYS, MAX_SPECS
from townlet_jax.config.objects import Objects, standing_fault
from townlet_jax.config.report import Report
from townlet_jax.config.schema import Config
from townlet_jax.config.schema_scenario import PerturbationEvent
from townlet_jax.config.ways import Targets
from townlet_jax.masked import NONE

GLOBAL = "global"
"""Group of all price keys but the rent."""


def job_tables(
    config: Config,
    objects: Objects,
    affordances: Tables,
    is_walkable: np.ndarray,
    targets: Targets,
    report: Report,
) -> Tables:
    """Finds where each job is done.

    Args:
      config: the configuration.
      objects: all objects.
      affordances: arrays of `AffordanceLayout`.
      is_walkable: bool `[H, W]`.
      targets: gets a row for each location without an object.
      report: receives faults.

    Returns:
      The arrays of `JobLayout`.
    """
    if len(config.jobs) > MAX_JOBS:
        report.error(("jobs",), f"{len(config.jobs)} jobs, at most {MAX_JOBS} are allowed")
    site, target, affordance = np.full((3, MAX_JOBS), NONE, np.int32)
    location = np.full((MAX_JOBS, 2), NONE, np.int32)
    does_work = affordances["rows"] & affordances["flags"][:, Flag.WORK, None]  # [F, O]
    places = [
        cell if does_work[:, row].any() else None for row, cell in enumerate(objects.position)
    ]
    for j, (name, job) in enumerate(list(config.jobs.items())[:MAX_JOBS]):
        if job.location is None:
            continue
        fault = standing_fault(is_walkable, job.location)
        if fault is not None:
            report.error(("jobs", name, "location"), fault)
            continue
        location[j] = job.location
        if job.location in places:
            site[j] = target[j] = row = places.index(job.location)
            affordance[j] = does_work[:, row].argmax()
        else:
            target[j] = targets.index(job.location)
    num_jobs = np.int32(min(len(config.jobs), MAX_JOBS))
    return {
        "num_jobs": num_jobs,
        "site": site,
        "location": location,
        "target": target,
        "affordance": affordance,
    }


def perturbation_tables(
    config: Config, objects: Objects, price_keys: list[str], num_agents: int, report: Report
) -> Tables:
    """Resolves what each perturbation spec is about.

    Args:
      config: the configuration.
      objects: all objects.
      price_keys: rows of the price table.
      num_agents: A.
      report: receives faults, and a doubt for each meet whose place does not exist; it is disabled.

    Returns:
      The arrays of `PerturbationLayout`.
    """
    specs = config.perturbations.events
    path = ("perturbations", "events")
    if len(specs) > MAX_SPECS:
        report.error(path, f"{len(specs)} perturbations, at most {MAX_SPECS} are allowed")
    tables = {
        "kind": np.full(MAX_SPECS, NONE, np.int32),
        "price_targets": np.zeros((MAX_SPECS, MAX_PRICE_KEYS), bool),
        "location": np.full(MAX_SPECS, NONE, np.int32),
        "is_top_rivals": np.zeros(MAX_SPECS, bool),
        "max_participants": np.full(MAX_SPECS, 2, np.int32),
    }
    groups = _price_groups(config, price_keys, report)
    for p, (name, spec) in enumerate(list(specs.items())[:MAX_SPECS]):
        kind = PerturbationKind[spec.kind.upper()]
        tables["kind"][p] = kind
        tables["is_top_rivals"][p] = spec.target == "top_rivals"
        tables["max_participants"][p] = spec.max_participants
        keys = _targeted(spec, (*path, name), price_keys, groups, report)
        if kind == PerturbationKind.PRICE_SPIKE:
            tables["price_targets"][p, [price_keys.index(key) for key in keys]] = True
        if kind == PerturbationKind.ARRANGED_MEET:
            tables["location"][p] = _meeting_row(spec, (*path, name), objects, report)
            if tables["location"][p] == NONE:
                tables["kind"][p] = NONE
        if spec.max_participants > num_agents and "max_participants" in spec.model_fields_set:
            fault = f"must be in 2...{num_agents} (the agent slots), got {spec.max_participants}"
            report.error((*path, name, "max_participants"), fault)
    return tables


def _targeted(
    spec: PerturbationEvent,
    path: Path,
    price_keys: list[str],
    groups: dict[str, list[str]],
    report: Report,
) -> list[str]:
    """Returns the price keys that the targets of a spec name."""
    found: list[str] = []
    for i, target in enumerate(spec.targets or (GLOBAL,)):
        if target not in groups and target not in price_keys:
            nearest = suggest(target, [*groups, *price_keys])
            fault = f"unknown price key or group {target!r}; {nearest}"
            report.error((*path, "targets", i), fault)
        else:
            found += groups.get(target, [target])
    return found


def _meeting_row(spec: PerturbationEvent, path: Path, objects: Objects, report: Report) -> int:
    """Returns the object row where a meet takes place, NONE if there is no such place."""
    row = _place(objects, spec.location)
    if row == NONE:
        known = [*objects.row_of, *objects.venues, *objects.types]
        fault = f"no object, venue or object type {spec.location!r}, so it is disabled"
        report.doubt((*path, "location"), f"{fault}; {suggest(spec.location, known)}")
    return row


def _place(objects: Objects, name: str) -> int:
    """Returns the row of an object, else of a venue, else of a type; NONE if it is none of them."""
    if name in objects.row_of:
        return objects.row_of[name]
    row = objects.first_row(objects.venues, objects.venue, name)
    return row if row != NONE else objects.first_row(objects.types, objects.type, name)


def _price_groups(config: Config, price_keys: list[str], report: Report) -> dict[str, list[str]]:
    """Returns the price keys of every group, and reports keys that do not exist."""
    groups = {GLOBAL: [key for key in price_keys if key != "rent"]}
    for name, keys in config.economy.price_groups.items():
        for i, key in enumerate(keys):
            if key not in price_keys:
                fault = f"unknown price key {key!r}; {suggest(key, price_keys)}"
                report.error(("economy", "price_groups", name, i), fault)
        groups[name] = [key for key in keys if key in price_keys]
    return groups
