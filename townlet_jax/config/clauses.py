"""Preconditions of affordances: `name op constant`. World text §5.5."""

import dataclasses
import math
import operator
import re
from collections.abc import Callable, Sequence

from townlet_jax.config.errors import show, suggest
from townlet_jax.config.layout import Attribute, Operator
from townlet_jax.masked import NONE

MAX_CLAUSES = 4
"""Clauses per affordance."""

_OPERATORS: dict[str, tuple[Operator, Callable[[float, float], bool]]] = {
    "==": (Operator.EQ, operator.eq),
    "!=": (Operator.NE, operator.ne),
    "<=": (Operator.LE, operator.le),
    ">=": (Operator.GE, operator.ge),
    "<": (Operator.LT, operator.lt),
    ">": (Operator.GT, operator.gt),
}
_PLAIN = {a.name.lower(): a for a in Attribute if a != Attribute.STOCK}
_NEEDS = {f"needs.{name}": _PLAIN[name] for name in ("hunger", "hygiene", "energy")}
_NAMES = {**_PLAIN, **_NEEDS}
_MEAL = "meal_available"
NAMES = (*_NAMES, _MEAL)
"""Names a clause may test, besides `stock.<kind>`."""

_FORM = re.compile(r"\s*([A-Za-z_][\w.\-]*)\s*(==|!=|<=|>=|<|>)\s*(\S+)\s*\Z")


@dataclasses.dataclass(frozen=True)
class Clause:
    """One comparison.

    Attributes:
      name: what is tested. kind: stock kind it reads, None for anything else.
      operator: key of the comparison, such as `>=`.
      constant: number; true and false are 1 and 0.
    """

    name: str
    kind: str | None
    operator: str
    constant: float


def parse(text: str) -> Clause:
    """Reads one clause.

    Raises:
      ValueError: with a message for the user, if the text names something unknown or has
        another form.
    """
    match = _FORM.match(text)
    if match is None:
        raise ValueError(
            f"must read 'name op constant' with op one of == != < <= > >=, got {show(text)}"
        )
    name, symbol, constant = match.groups()
    stock, _, kind = name.partition(".")
    if stock == "stock" and kind:
        return Clause(name, kind, symbol, _constant(constant))
    if name not in NAMES:
        raise ValueError(
            f"unknown precondition name {name!r}; {suggest(name, (*NAMES, 'stock.<kind>'))}"
        )
    return Clause(name, "meals" if name == _MEAL else None, symbol, _constant(constant))


def _constant(text: str) -> float:
    if text in ("true", "false"):
        return float(text == "true")
    try:
        value = float(text) if re.match(r"[-+.\d]", text) and "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if not abs(value) <= 1e9:
        raise ValueError(f"a constant is a number, true or false, got {show(text)}")
    return value


def compiled(clause: Clause, kinds: Sequence[str]) -> tuple[int, int, int, float]:
    """Returns a clause as numbers.

    Args:
      clause: the clause.
      kinds: names of the stock kinds; the clause's kind is among them.

    Returns:
      (attribute, stock kind or NONE, operator, constant). `meal_available` becomes a test of the
      stock of meals.
    """
    code, compare = _OPERATORS[clause.operator]
    if clause.name != _MEAL:
        kind = NONE if clause.kind is None else kinds.index(clause.kind)
        attribute = Attribute.STOCK if clause.kind is not None else _NAMES[clause.name]
        return attribute, kind, code, clause.constant
    is_without, is_with = (compare(value, clause.constant) for value in (0.0, 1.0))
    if is_with == is_without:  # always or never true
        return Attribute.STOCK, kinds.index("meals"), Operator.GE, 0.0 if is_with else float(2**30)
    code = Operator.GE if is_with else Operator.LT
    return Attribute.STOCK, kinds.index("meals"), code, 1.0
