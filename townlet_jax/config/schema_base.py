"""What every part of the configuration schema is made of: sections and a few kinds of values.

Sections are strict: no coercion but int to float, no unknown keys, no change after loading. What
YAML writes in several ways is made one here, before validation.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from townlet_jax.config.errors import Path

MAX_TICK = 2**30 - 1
"""Ticks and tick counts stay below 2^30, so that a sum of two fits int32."""
LARGE = 10**9
"""Bound of numbers that the specification leaves open above; keeps float32 finite."""


class Section(BaseModel):
    """A mapping of the file; attribute names are its keys."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, serialize_by_alias=True
    )

    def rules(self) -> Iterator[tuple[Path, str]]:
        """Yields (path inside the section, fault) for each broken rule between its keys."""
        yield from ()

    @model_validator(mode="after")
    def _check_rules(self) -> Self:
        broken = list(self.rules())
        if broken:
            raise PydanticCustomError("rules", "rules are broken", {"broken": broken})
        return self


def _switch(value: Any) -> Any:
    """Reads on, off, yes and no, in any case, as a bool."""
    words = {"on": True, "yes": True, "true": True, "off": False, "no": False, "false": False}
    return words.get(value.lower(), value) if isinstance(value, str) else value


def _on_off(value: Any) -> Any:
    """Reads a switch as the text `on` or `off`."""
    value = _switch(value)
    return ("on" if value else "off") if isinstance(value, bool) else value


def _stage(value: Any) -> Any:
    """Reads every spelling of off as `OFF`."""
    return "OFF" if _switch(value) is False else value


def _off(value: Any) -> Any:
    """Reads every spelling of off as `off`."""
    return "off" if _switch(value) is False else value


def _trim(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _span(value: Any) -> Any:
    """Reads a number, [lo, hi] or {min, max} as a pair."""
    if isinstance(value, dict) and value.keys() == {"min", "max"}:
        return value["min"], value["max"]
    return (value, value) if isinstance(value, int | float) else value


def _ordered(value: tuple[Any, Any]) -> tuple[Any, Any]:
    if value[0] > value[1]:
        raise PydanticCustomError("order", "the second bound is below the first")
    return value


Flag = Annotated[bool, BeforeValidator(_switch), Field(json_schema_extra={"says": "on or off"})]
OnOff = Annotated[Literal["on", "off"], BeforeValidator(_on_off)]
TieStage = Annotated[Literal["OFF", "A", "B", "C1", "C2", "C3"], BeforeValidator(_stage)]
RewardStage = Annotated[Literal["OFF", "C1", "C2", "C3"], BeforeValidator(_stage)]
CuriosityPhase = Annotated[Literal["phase_A", "off"], BeforeValidator(_off)]

Name = Annotated[
    str,
    BeforeValidator(_trim),
    Field(min_length=1, json_schema_extra={"says": "a text that is not blank"}),
]
Ticks = Annotated[int, Field(ge=0, le=MAX_TICK)]
Unit = Annotated[float, Field(ge=0, le=1)]
"""A share, level or probability."""
Signed = Annotated[float, Field(ge=-1, le=1)]
"""A trait or a tie value."""
Amount = Annotated[float, Field(ge=0, le=LARGE)]
"""A number that may not be negative."""
Money = Annotated[float, Field(ge=0, le=10)]
"""A wage [money/tick] or a penalty [money]."""

Cell = Annotated[
    tuple[Annotated[int, Field(ge=0, le=63)], Annotated[int, Field(ge=0, le=63)]],
    Field(strict=False, json_schema_extra={"says": "[x, y], two ints in 0...63"}),
]

span_rules = (BeforeValidator(_span), AfterValidator(_ordered))
SPAN = "a number, [lo, hi] or {min, max} with lo <= hi"
TickSpan = Annotated[
    tuple[Ticks, Ticks],
    *span_rules,
    Field(strict=False, json_schema_extra={"says": SPAN + f", ints in 0...{MAX_TICK}"}),
]
UnitSpan = Annotated[
    tuple[Unit, Unit],
    *span_rules,
    Field(strict=False, json_schema_extra={"says": SPAN + " in 0...1"}),
]
AmountSpan = Annotated[
    tuple[Amount, Amount],
    *span_rules,
    Field(strict=False, json_schema_extra={"says": SPAN + ", not negative"}),
]
