"""Other names of keys, in files of other times; every value is moved to its canonical key."""

from townlet_jax.config.document import Document
from townlet_jax.config.errors import Path, Problem, dotted, show

ALIASES = (
    ("observations", "observations_config"),
    ("observations_config.hybrid.time_ticks_per_day", "time.ticks_per_day"),
    ("conflict.rivalry.max_edges", "relationships.max_edges"),
    ("conflict.rivalry.eviction_threshold", "relationships.eviction_threshold"),
    ("relationships.decay_per_tick.trust", "relationships.trust_decay"),
    ("relationships.decay_per_tick.familiarity", "relationships.familiarity_decay"),
    ("relationships.deltas.queue_conflict.rivalry", "conflict.rivalry.increment_per_conflict"),
    ("economy.meal_cost", "economy.prices.meal"),
    ("economy.ingredients_cost", "economy.prices.ingredients"),
    ("lifecycle.respawn_delay_ticks", "lifecycle.spawn_delay_ticks"),
    ("perturbations.events.*.probability_per_day", "perturbations.events.*.prob_per_day"),
    ("perturbations.events.*.duration_min", "perturbations.events.*.duration"),
    ("perturbations.events.*.magnitude_range", "perturbations.events.*.magnitude"),
    ("scenario.objects.*.object_type", "scenario.objects.*.type"),
)
"""(alias, canonical key); `*` is any key or index, the same on both sides."""


def normalise(document: Document) -> list[Problem]:
    """Moves every aliased value to its canonical key, in place.

    Returns:
      One problem for each value that is given under both names and differs.
    """
    problems: list[Problem] = []
    for alias, canonical in ALIASES:
        parts = alias.split(".")
        for path in document.matches(alias):
            stars = iter(key for key, part in zip(path, parts, strict=True) if part == "*")
            target = tuple(next(stars) if part == "*" else part for part in canonical.split("."))
            problems += _move(document, path, target)
    return problems


def alias_names(section: Path) -> list[str]:
    """Returns the alias keys that are valid inside a section."""
    return [
        key
        for parent, dot, key in (alias.rpartition(".") for alias, _ in ALIASES)
        if len(parts := parent.split(".") if dot else []) == len(section)
        and all(part in ("*", name) for part, name in zip(parts, section, strict=True))
    ]


def _move(document: Document, source: Path, target: Path) -> list[Problem]:
    parent = document.data
    for part in target[:-1]:
        if isinstance(parent, dict):
            parent = parent.setdefault(part, {})
        elif isinstance(parent, list):
            parent = parent[int(part)]
    problems: list[Problem] = []
    if not isinstance(parent, dict):
        pass  # the schema refuses what stands in the place of a section
    elif target[-1] not in parent:
        document.graft(target, document, source)
    else:
        old, new = parent[target[-1]], document.get(source)
        if isinstance(old, dict) and isinstance(new, dict):
            for key in list(new):
                problems += _move(document, (*source, key), (*target, key))
            if not new:
                return problems
        elif not (old == new or [old, old] == new or [new, new] == old):
            name, line = dotted(target), document.mark(target)[0]
            message = f"{show(new)} differs from {name} ({show(old)}, line {line}); give only one"
            problems.append(document.problem(source, message))
    document.remove(source)
    return problems
