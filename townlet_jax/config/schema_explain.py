"""Says in plain words, with file, line and column, what pydantic found wrong with a document."""

import functools
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from townlet_jax.config.document import Document
from townlet_jax.config.errors import Path, Problem, nearest, show, suggest
from townlet_jax.config.schema_aliases import alias_names

Schema = dict[str, Any]


def explain(
    error: ValidationError, model: type[BaseModel], document: Document, root: Path = ()
) -> list[Problem]:
    """Returns one problem per faulty place.

    Args:
      error: what `model.model_validate` raised.
      model: the model that the data was validated against.
      document: where the data is from.
      root: path of the validated data in the document.
    """
    found: dict[Path, list[Problem]] = {}
    for item in error.errors(include_url=False):
        path, rest = _locate(document, root, item["loc"])
        if item["type"] == "rules":
            for below, message in item["ctx"]["broken"]:
                found.setdefault((*path, *below), []).append(
                    document.problem((*path, *below), message)
                )
            continue
        if item["type"] == "missing" and isinstance(document.get(path), dict):
            problem = document.problem((*path, rest), "is required but missing")
            path = (*path, rest)
        elif item["type"] == "extra_forbidden":
            names = _names(model, path[len(root) : -1]) + alias_names(path[:-1])
            others = [name for name in names if name != path[-1]]
            problem = document.problem(path, f"unknown key; {suggest(path[-1], others)}", True)
        else:
            problem = document.problem(path, _refuse(model, path[len(root) :], document.get(path)))
        found.setdefault(path, [problem])
    # A union reports its other members at the enclosing place as well.
    inner = {path[:end] for path in found for end in range(len(path))}
    return [p for path, problems in found.items() if path not in inner for p in problems]


def _locate(document: Document, root: Path, loc: Path) -> tuple[Path, Any]:
    """Returns the part of a pydantic location that is in the data, and the last part that is not.

    Members of unions and what validators made of a value are not in the data.
    """
    path, rest = root, None
    value = document.get(root)
    for part in loc:
        inside = part in value if isinstance(value, dict) else isinstance(value, list)
        if inside and (isinstance(value, dict) or isinstance(part, int) and part < len(value)):
            value = value[part]
            path = (*path, part)
        else:
            rest = part
    return path, rest


def _refuse(model: type[BaseModel], path: Path, value: Any) -> str:
    schemas = list(_at(_schema(model), model, path))
    allowed = " or ".join(dict.fromkeys(describe(schema, model) for schema in schemas))
    message = f"must be {allowed or 'another value'}, got {show(value)}"
    words = [word for schema in schemas for word in _words(schema, model)]
    if isinstance(value, str) and words:
        message += f"; the nearest is {nearest(value, words)!r}"
    return message


def _names(model: type[BaseModel], path: Path) -> list[str]:
    return [key for s in _at(_schema(model), model, path) for key in s.get("properties", {})]


@functools.cache
def _schema(model: type[BaseModel]) -> Schema:
    return model.model_json_schema()


def _options(schema: Schema, model: type[BaseModel]) -> Iterator[Schema]:
    """Yields the members of a union, references resolved."""
    if "says" not in schema and "$ref" in schema:
        schema = _schema(model)["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    if "says" in schema or "anyOf" not in schema:
        yield schema
    else:
        for member in schema["anyOf"]:
            yield from _options(member, model)


def _at(schema: Schema, model: type[BaseModel], path: Path) -> Iterator[Schema]:
    """Yields the schemas that may describe the value at a path."""
    if not path:
        yield from _options(schema, model)
        return
    part, rest = path[0], path[1:]
    plain = {key: value for key, value in schema.items() if key != "says"}
    for option in _options(plain, model):
        child: Schema | None = None
        if isinstance(part, str):
            extra = option.get("additionalProperties")
            child = option.get("properties", {}).get(part, extra)
        elif "prefixItems" in option:
            child = option["prefixItems"][min(part, len(option["prefixItems"]) - 1)]
        else:
            child = option.get("items")
        if isinstance(child, dict):
            yield from _at(child, model, rest)


def _words(schema: Schema, model: type[BaseModel]) -> list[str]:
    return [word for word in schema.get("enum", [schema.get("const")]) if isinstance(word, str)]


def describe(schema: Schema, model: type[BaseModel]) -> str:
    """Returns what a JSON schema allows, in a few words."""
    if "says" in schema:
        return str(schema["says"])
    if words := _words(schema, model):
        return "one of " + ", ".join(words) if len(words) > 1 else words[0]
    kind = schema.get("type", "")
    if kind in ("integer", "number"):
        return ("an int" if kind == "integer" else "a number") + _bounds(schema)
    if kind == "array":
        length = schema.get("maxItems", "")
        members = schema.get("prefixItems", [schema.get("items", {})])
        inner = " or ".join(describe(s, model) for s in _options(members[0], model))
        limit = f" of at most {length}" if length else ""
        return f"a list{limit}, each {inner}"
    return {
        "object": "a mapping",
        "string": "a text",
        "boolean": "true or false",
        "null": "null",
    }.get(kind, "any value")


def _bounds(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f" in {low:g}...{high:g}" if isinstance(low, float) else f" in {low}...{high}"
    parts = [
        f" {sign} {bound}"
        for sign, bound in ((">", above), (">=", low), ("<", below), ("<=", high))
        if bound is not None
    ]
    return " and".join(parts)
