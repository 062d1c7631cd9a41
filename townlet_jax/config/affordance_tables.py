"""Tables of affordances, prices and stock. World text §5.1, §5.3, §5.4, §10."""

import dataclasses

import numpy as np

from townlet_jax.config import clauses
from townlet_jax.config.errors import suggest
from townlet_jax.config.layout import Flag
from townlet_jax.config.leaves import Tables
from townlet_jax.config.limits import (
    MAX_AFFORDANCES,
    MAX_PRICE_KEYS,
    MAX_STOCK_KINDS,
    MAX_TYPES,
)
from townlet_jax.config.manifest import AffordanceEntry, Manifest
from townlet_jax.config.objects import Objects
from townlet_jax.config.report import Report
from townlet_jax.config.schema import Config
from townlet_jax.config.schema_world import DEFAULT_PRICES
from townlet_jax.config.shape import NUM_NEEDS
from townlet_jax.masked import NONE

EFFECTS = ("hunger", "hygiene", "energy", "money")
UNLIMITED = 2**30
"""Stock maximum of a kind for which none is given [units]."""


@dataclasses.dataclass(frozen=True)
class Prices:
    """The price table: keys by row, base by key [money], key by affordance (None = free)."""

    keys: list[str]
    base: dict[str, float]
    of_affordance: dict[str, str | None]


def build_prices(config: Config, manifest: Manifest, report: Report) -> Prices:
    """Resolves every price key and its base price.

    A configured base wins over a negative money effect, that over the default.

    Args:
      config: the configuration.
      manifest: its manifest.
      report: receives faults, and notes where two sources of a base disagree.
    """
    given = config.economy.prices
    about_manifest = report.within(manifest.document)
    of_affordance = {a.id: a.price_key(given) for a in manifest.affordances.values()}
    base = {**DEFAULT_PRICES, **given}
    by_effect: dict[str, float] = {}
    for entry in manifest.affordances.values():
        key, money = of_affordance[entry.id], -entry.effects.money
        if key is None or money <= 0:
            continue
        in_force = given.get(key, by_effect.get(key, money))
        if in_force != money:
            source = "economy.prices" if key in given else "an affordance above"
            fault = (
                f"a price of {money:g} for {key!r}, but {source} says {in_force:g}, which is used"
            )
            about_manifest.note((manifest.index[entry.id], "effects", "money"), fault)
        base[key] = by_effect[key] = in_force
    used = [key for key in of_affordance.values() if key is not None]
    keys = list(dict.fromkeys([*DEFAULT_PRICES, *used]))
    for key in given:
        if key not in keys:
            fault = f"nothing has the price {key!r}; {suggest(key, keys)}"
            report.note(("economy", "prices", key), fault, at_key=True)
    if len(keys) > MAX_PRICE_KEYS:
        about_manifest.error(
            (), f"{len(keys)} price keys ({', '.join(keys)}), at most {MAX_PRICE_KEYS}"
        )
    return Prices(keys, {key: base[key] for key in keys}, of_affordance)


def stock_kinds(manifest: Manifest, objects: Objects, report: Report) -> list[str]:
    """Lists the stock kinds: those of affordances, then those of objects, in file order."""
    about_manifest = report.within(manifest.document)
    kinds: dict[str, None] = {}
    for entry in manifest.affordances.values():
        kinds.update(dict.fromkeys((*entry.stock.start, *entry.stock.finish)))
    for thing in objects.things:
        kinds.update(dict.fromkeys((*thing.spec.stock, *thing.spec.restock, *thing.spec.stock_max)))
    for entry in manifest.affordances.values():
        for clause in entry.clauses():
            if clause.kind is not None and clause.kind not in kinds:
                fault = f"no object stocks {clause.kind!r}; {suggest(clause.kind, kinds)}"
                about_manifest.error((manifest.index[entry.id], "preconds"), fault)
    if len(kinds) > MAX_STOCK_KINDS:
        names = ", ".join(kinds)
        report.error(
            ("scenario", "objects"),
            f"{len(kinds)} kinds of stock ({names}), at most {MAX_STOCK_KINDS}",
        )
    return list(kinds)


def stock_tables(config: Config, objects: Objects, kinds: list[str], size: int) -> Tables:
    """Adds the stock of all objects of a venue.

    Args:
      config: the configuration.
      objects: all objects.
      kinds: names of the stock kinds.
      size: rows of the tables, one per venue.

    Returns:
      The arrays of `StockLayout`.
    """
    initial, restock, given = np.zeros((3, MAX_STOCK_KINDS, size), np.int64)
    is_given = np.zeros((MAX_STOCK_KINDS, size), bool)
    for thing in objects.things:
        venue = objects.venues.index(thing.venue)
        spec = thing.spec
        for table, amounts in (
            (initial, spec.stock),
            (restock, spec.restock),
            (given, spec.stock_max),
        ):
            for kind, amount in amounts.items():
                table[kinds.index(kind), venue] += amount
        for kind in spec.stock_max:
            is_given[kinds.index(kind), venue] = True
    replenish = config.economy.stove_stock_replenish
    if replenish is not None and "raw_ingredients" in kinds:
        for thing in objects.things:
            if thing.spec.type == "stove":
                raw, venue = kinds.index("raw_ingredients"), objects.venues.index(thing.venue)
                restock[raw, venue] = replenish
    index = {
        name: np.int32(kinds.index(name) if name in kinds else NONE)
        for name in ("meals", "raw_ingredients", "cafe_meals")
    }
    maximum = np.where(is_given, given, UNLIMITED)
    return {"initial": initial, "restock": restock, "maximum": maximum, **index}


def affordance_tables(
    manifest: Manifest, objects: Objects, prices: Prices, kinds: list[str], num_objects: int
) -> Tables:
    """Writes affordances as numbers.

    Returns:
      The arrays of `AffordanceLayout`; rows are affordances in file order.
    """
    size = MAX_AFFORDANCES
    tables = {
        "rate": np.zeros((size, NUM_NEEDS + 1), np.float32),
        "duration": np.ones(size, np.int32),
        "types": np.zeros((size, MAX_TYPES), bool),
        "rows": np.zeros((size, num_objects), bool),
        "price": np.full(size, NONE, np.int32),
        "stock_start": np.zeros((size, MAX_STOCK_KINDS), np.int32),
        "stock_finish": np.zeros((size, MAX_STOCK_KINDS), np.int32),
        "flags": np.zeros((size, len(Flag)), bool),
        "clause_attribute": np.full((size, clauses.MAX_CLAUSES), NONE, np.int32),
        "clause_kind": np.full((size, clauses.MAX_CLAUSES), NONE, np.int32),
        "clause_operator": np.zeros((size, clauses.MAX_CLAUSES), np.int32),
        "clause_constant": np.zeros((size, clauses.MAX_CLAUSES), np.float32),
    }
    for f, entry in enumerate(manifest.affordances.values()):
        _fill(tables, f, entry, objects, kinds)
        key = prices.of_affordance[entry.id]
        tables["price"][f] = NONE if key is None else prices.keys.index(key)
    return tables


def _fill(
    tables: Tables, f: int, entry: AffordanceEntry, objects: Objects, kinds: list[str]
) -> None:
    """Fills row `f` of every table but the prices."""
    effects = [getattr(entry.effects, name) for name in EFFECTS]
    effects[NUM_NEEDS] = max(effects[NUM_NEEDS], 0.0)  # a negative one is a price
    tables["rate"][f] = np.array(effects) / entry.duration
    tables["duration"][f] = entry.duration
    offering = [k for k, name in enumerate(objects.types) if name in entry.object_type]
    tables["types"][f, offering] = True
    tables["rows"][f, : len(objects.rows)] = np.isin(objects.type, offering)
    for table, change in (("stock_start", entry.stock.start), ("stock_finish", entry.stock.finish)):
        for kind, amount in change.items():
            tables[table][f, kinds.index(kind)] = amount
    for name in entry.flags:
        tables["flags"][f, Flag[name.upper()]] = True
    for c, clause in enumerate(entry.clauses()):
        columns = ("clause_attribute", "clause_kind", "clause_operator", "clause_constant")
        for column, value in zip(columns, clauses.compiled(clause, kinds), strict=True):
            tables[column][f, c] = value


def check_affordances(manifest: Manifest, objects: Objects, report: Report) -> None:
    """Reports too many affordances, and notes those that no object of the town offers."""
    about_manifest = report.within(manifest.document)
    entries = list(manifest.affordances.values())
    if len(entries) > MAX_AFFORDANCES:
        path = (manifest.index[entries[MAX_AFFORDANCES].id],)
        about_manifest.error(
            path, f"{len(entries)} affordances, at most {MAX_AFFORDANCES} are allowed"
        )
    idle = [entry for entry in entries if not set(entry.object_type) & set(objects.types)]
    if idle and objects.types:
        names = ", ".join(entry.id for entry in idle)
        about_manifest.note((manifest.index[idle[0].id],), f"no object of this town offers {names}")
