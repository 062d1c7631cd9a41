"""Reads a configuration file into a `Config`, and writes a `Config` back as YAML."""

import hashlib
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError

from townlet_jax.config import overlay, reward_notes, schema_derived
from townlet_jax.config.document import Document
from townlet_jax.config.errors import (
    ConfigError,
    Note,
    Path,
    Problem,
    UnsupportedObservationError,
    suggest,
)
from townlet_jax.config.schema import Config
from townlet_jax.config.schema_base import Section
from townlet_jax.config.schema_explain import explain
from townlet_jax.config.schema_rules import RULES
from townlet_jax.config.schema_world import DEFAULT_JOBS, Economy
from townlet_jax.config.yaml_reader import SCALARS


class Reading(NamedTuple):
    """A configuration, what is worth saying about it, and where each value was written."""

    config: Config
    notes: list[Note]
    document: Document


def read_config(
    path: str | os.PathLike[str], overrides: Sequence[str] = (), strict: bool = False
) -> tuple[Config, list[Note]]:
    """Reads a configuration file.

    Args:
      path: YAML file; what it `extends` and includes is read too.
      overrides: `path=value` each, values in YAML, applied in order.
      strict: unknown top-level keys are errors, not notes.

    Returns:
      The configuration with all values filled in that need no other file, and notes.

    Raises:
      ConfigError: lists every problem of the file with file, line and column.
      UnsupportedObservationError: a `ConfigError`; social slots are asked for at a relationship
        stage below B.
    """
    reading = read_marked(path, overrides, strict)
    return reading.config, reading.notes


def read_marked(
    path: str | os.PathLike[str], overrides: Sequence[str] = (), strict: bool = False
) -> Reading:
    """As `read_config`, with the document, whose marks serve later checks against other files."""
    document, problems = overlay.load(path, overrides)
    return interpret(document, strict, problems)


def interpret(document: Document, strict: bool = False, known: Sequence[Problem] = ()) -> Reading:
    """Validates a document whose keys are canonical. Raises as `read_config` does.

    Args:
      document: loses its unknown top-level keys.
      strict: as in `read_config`.
      known: problems found earlier, reported with the rest.
    """
    problems, notes = _unknown_keys(document, strict)
    problems += known
    data = document.data
    if "jobs" not in data and not _has_default_jobs(data):
        data = {**data, "jobs": {}}
    config, invalid = Config.model_construct(), frozenset[str]()
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        problems += explain(error, Config, document)
        invalid = frozenset(str(item["loc"][0]) for item in error.errors())
        valid = {key: value for key, value in data.items() if key not in invalid}
        config = Config.model_validate({"config_id": "invalid", **valid})
    for rule, sections in RULES:
        if not sections & invalid:
            problems += [document.problem(path, message) for path, message in rule(config)]
    kind: type[ConfigError] = ConfigError
    unsupported = schema_derived.unsupported_slots(config)
    if unsupported is not None and "features" not in invalid:
        stage = config.features.stages.relationships
        message = f"social slots need features.stages.relationships B or higher, got {stage}"
        problems.append(document.problem(unsupported, message))
        kind = UnsupportedObservationError
    if problems:
        raise kind(sorted(problems, key=lambda p: (p.file, p.line, p.column)))
    notes += schema_derived.notes(config, document)
    notes += reward_notes.notes(config, document)
    return Reading(schema_derived.resolve(config), notes, document)


def _unknown_keys(document: Document, strict: bool) -> tuple[list[Problem], list[Note]]:
    """Takes out the unknown keys that only deserve a note: at the top, and in `economy`."""
    problems: list[Problem] = []
    notes: list[Note] = []
    places: list[tuple[Path, type[Section]]] = [((), Config)]
    if isinstance(document.data.get("economy"), dict):
        places.append((("economy",), Economy))
    for section, model in places:
        names = list(model.model_fields)
        for key in [key for key in document.get(section) if key not in names]:
            path = (*section, key)
            is_override = document.place(path).file == overlay.SET
            message = f"unknown key; {suggest(key, names)}"
            if is_override or (strict and not section):
                problems.append(document.problem(path, message, True))
            else:
                notes.append(document.note(path, f"has no effect: {message}", True))
            document.remove(path)
    return problems, notes


def _has_default_jobs(data: dict[str, Any]) -> bool:
    """Tells whether a town without `jobs` has the default ones: on bare floor, in a long day."""
    world, time = data.get("world"), data.get("time")
    ticks = time.get("ticks_per_day") if isinstance(time, dict) else None
    has_map = isinstance(world, dict) and world.get("map") is not None
    last = max(job.end_tick or 0 for job in DEFAULT_JOBS.values())
    is_short = isinstance(ticks, int) and ticks - 2 < last
    return not has_map and not is_short


def dump(config: Config) -> str:
    """Returns the configuration as YAML; reading it gives an equal configuration.

    Keys without effect are left out where they have their default.
    """
    document = Document("dump", config.model_dump(mode="json"))
    default = Document("default", Config(config_id="default").model_dump(mode="json"))
    for pattern in (*schema_derived.NO_EFFECT, "rewards.wage_rate"):
        for path in default.matches(pattern):
            if document.get(path) == default.get(path):
                document.remove(path)
    return yaml.dump(
        document.data,
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=None,
        allow_unicode=True,
        width=100,
    )


class _Dumper(yaml.SafeDumper):
    """Quotes whatever this or any other YAML reader could take for something but text."""

    yaml_implicit_resolvers = {
        key: list(resolvers) for key, resolvers in yaml.SafeDumper.yaml_implicit_resolvers.items()
    }

    def ignore_aliases(self, data: Any) -> bool:
        """Writes every value out in full."""
        return True


for _name, _pattern in SCALARS.items():
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", _pattern, None)


def config_seed(config: Config) -> int:
    """Returns `seed`, or one derived from the `config_id` by SHA-256, in 0...2^31 - 1."""
    if config.seed is not None:
        return config.seed
    digest = hashlib.sha256(config.config_id.encode()).digest()
    return int.from_bytes(digest[:4], "big") & 0x7FFFFFFF
