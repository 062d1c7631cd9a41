"""Whether a snapshot may be loaded into a configuration, and what must be done to it before."""

import dataclasses
import importlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import yaml

from townlet_jax.config.schema_ops import Snapshot
from townlet_jax.config.town import Town
from townlet_jax.snapshots.errors import SnapshotError
from townlet_jax.snapshots.metadata import SCHEMA_VERSION, Metadata
from townlet_jax.snapshots.records import Leaf, compare

HOST_ONLY = ("snapshot",)
"""Sections that no town can tell: a snapshot may be resumed with others."""
MAX_SHOWN = 4
Handler = Callable[["Content"], "Content"]


@dataclasses.dataclass(frozen=True)
class Content:
    """What a migration handler is given and returns.

    Attributes:
      config_id: the handler changes it to the one it migrates to.
      leaves: arrays `[E, ...]` of the towns by name, such as `state.needs.level`.
      run: what a resumed run goes on with.
    """

    config_id: str
    leaves: dict[str, np.ndarray]
    run: dict[str, Any]


def check_schema(metadata: Metadata, snapshot: Snapshot) -> None:
    """Refuses a format newer than this code, unless the configuration allows it.

    Raises:
      SnapshotError: names both versions and the key that allows it.
    """
    if metadata.schema_version > SCHEMA_VERSION and not snapshot.guardrails.allow_downgrade:
        raise SnapshotError(
            f"schema_version is {metadata.schema_version}, this version reads up to "
            f"{SCHEMA_VERSION}; snapshot.guardrails.allow_downgrade tries it all the same"
        )


def handlers(metadata: Metadata, town: Town) -> list[tuple[str, str]]:
    """Finds the migrations that lead from a snapshot to a configuration.

    A chain ends at the id of the configuration. With `snapshot.migrations.allow_minor`, ids that
    differ in their last number alone, such as `town_v1.2` and `town_v1.3`, count as the same.

    Returns:
      (old id, `module:function`) of the first one; the id that it gives decides about the next.

    Raises:
      SnapshotError: no handler is named for the id of the snapshot.
    """
    known = town.config.snapshot.migrations
    old, new = metadata.config_id, town.config_id
    if old == new or (known.allow_minor and _major(old) == _major(new)):
        return []
    if old not in known.handlers:
        raise SnapshotError(
            f"config_id is {old}, the configuration is {new}; snapshot.migrations.handlers has no "
            f"handler for {old}"
            + (f" (only for {', '.join(known.handlers)})" if known.handlers else "")
        )
    return [(old, known.handlers[old])]


def migrate(
    content: Content, metadata: Metadata, town: Town
) -> tuple[Content, list[tuple[str, str, str]]]:
    """Applies migrations until a snapshot has the id of a configuration.

    Returns:
      The result; (old id, new id, handler) of each step.

    Raises:
      SnapshotError: a handler is missing, cannot be loaded, fails, or leads nowhere.
    """
    applied: list[tuple[str, str, str]] = []
    while chain := handlers(dataclasses.replace(metadata, config_id=content.config_id), town):
        old, name = chain[0]
        if any(old == step[0] for step in applied):
            raise SnapshotError(f"migrations go round in circles at {old}")
        handler = _load(name)
        try:
            content = handler(content)
        except Exception as error:  # the operator's own code
            raise SnapshotError(
                f"migration {name} failed: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(content, Content) or content.config_id == old:
            raise SnapshotError(f"migration {name} must return a Content with another config_id")
        applied.append((old, content.config_id, name))
    return content, applied


def check_config(metadata: Metadata, text: str, town: Town, current: str) -> bool:
    """Compares configurations.

    Args:
      metadata: of the snapshot.
      text: resolved configuration of the snapshot, YAML.
      town: the configuration to load into.
      current: the same, YAML.

    Returns:
      Whether they are the same; if not, the load is to be marked.

    Raises:
      SnapshotError: they differ, and `snapshot.guardrails.require_exact_config` holds.
    """
    if metadata.config_hash == town.identity:
        return True
    if town.config.snapshot.guardrails.require_exact_config:
        changed = list(config_changes(text, current))
        shown = "; ".join(changed[:MAX_SHOWN]) or "the affordance manifest or the map differs"
        more = f" and {len(changed) - MAX_SHOWN} more" if len(changed) > MAX_SHOWN else ""
        raise SnapshotError(
            f"configuration differs: {shown}{more} "
            "(snapshot.guardrails.require_exact_config=false loads it all the same)"
        )
    return False


def check_forms(found: tuple[Leaf, ...], wanted: tuple[Leaf, ...]) -> None:
    """Refuses towns of another form, see `records.compare`."""
    compare(found, wanted)


def config_changes(old: str, new: str) -> Iterator[str]:
    """Yields `key: value in the snapshot, value now` for every value that differs."""
    before, after = (dict(_values(yaml.safe_load(text))) for text in (old, new))
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key) and key.split(".")[0] not in HOST_ONLY:
            yield f"{key} is {before.get(key)} in the snapshot and {after.get(key)} now"


def _values(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(tree, dict) and tree:
        for key, value in tree.items():
            yield from _values(value, f"{path}.{key}" if path else str(key))
    elif isinstance(tree, list) and tree:
        for index, value in enumerate(tree):
            yield from _values(value, f"{path}[{index}]")
    else:
        yield path, tree


def _major(config_id: str) -> str:
    """Cuts the last number off an id."""
    return re.sub(r"\d+$", "", config_id)


def _load(name: str) -> Handler:
    """Imports a handler that the operator's configuration names."""
    module, _, function = name.partition(":")
    try:
        handler = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise SnapshotError(f"migration {name}: cannot be loaded ({error})") from None
    if not callable(handler):
        raise SnapshotError(f"migration {name}: is no function")
    return handler
