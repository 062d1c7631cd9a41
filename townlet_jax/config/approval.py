"""Approval records: which social reward stages may be switched on in a town, and who says so."""

import datetime
import os
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from townlet_jax.config.document import Document
from townlet_jax.config.errors import ConfigError, show
from townlet_jax.config.schema_base import Name, Section
from townlet_jax.config.schema_explain import explain
from townlet_jax.config.yaml_reader import read


def _day(value: str) -> str:
    try:
        is_day = datetime.date.fromisoformat(value).isoformat() == value
    except ValueError:
        is_day = False
    if not is_day:
        raise PydanticCustomError("day", "no day")
    return value


class Approval(Section):
    """What was decided after a soak.

    Attributes:
      config_id: of the configuration that was soaked; the record is good for no other.
      stages: that may be in force there.
      approved_by: a person. report: where the report of the soak is, or its text.
    """

    config_id: Name
    stages: Annotated[tuple[Literal["C1", "C2", "C3"], ...], Field(strict=False, min_length=1)]
    approved_by: Name
    date: Annotated[
        str, AfterValidator(_day), Field(json_schema_extra={"says": "a day such as 2026-01-31"})
    ]
    report: Name


def read_approval(path: str | os.PathLike[str]) -> tuple[Approval, Document]:
    """Reads a record, YAML or JSON.

    Returns:
      The record, and the document, which knows where each value stands.

    Raises:
      ConfigError: one line per fault.
    """
    document = read(path)
    if not isinstance(document.data, dict):
        message = f"must be a mapping, got {show(document.data)}"
        raise ConfigError([document.problem((), message)])
    try:
        return Approval.model_validate(document.data), document
    except ValidationError as error:
        problems = explain(error, Approval, document)
    raise ConfigError(sorted(problems, key=lambda p: (p.line, p.column)))
