"""Schema of the town itself: map, clock, queues, money, work, lives. Defaults of world text §19."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from townlet_jax.config.errors import Path
from townlet_jax.config.schema_base import (
    SPAN,
    Cell,
    Flag,
    Money,
    Name,
    Section,
    Signed,
    Unit,
    UnitSpan,
    span_rules,
)

DEFAULT_PRICES = {"meal": 0.4, "ingredients": 0.15, "shower": 0.2, "cafe_meal": 0.6, "rent": 1.0}
"""Base prices [money] of keys that neither the file nor an affordance prices."""
PRICE_GROUPS = {
    "grocer": ("meal", "ingredients"),
    "cafe": ("cafe_meal",),
    "market": ("meal", "ingredients", "cafe_meal", "shower"),
}
"""Built-in groups of price keys; the group `global` (all but rent) depends on the manifest."""


class Time(Section):
    """The clock; `ticks_per_day` [tick] drives every daily rule."""

    ticks_per_day: int = Field(default=1440, ge=24, le=100_000)


class InitialRelationship(Section):
    """A tie a -> b written at construction (both ways if symmetric)."""

    a: Name
    b: Name
    trust: Signed = 0.0
    familiarity: Signed = 0.0
    rivalry: Signed = 0.0
    symmetric: Flag = False


GridSize = Annotated[
    tuple[Annotated[int, Field(ge=4, le=64)], Annotated[int, Field(ge=4, le=64)]],
    Field(strict=False, json_schema_extra={"says": "[W, H], two ints in 4...64"}),
]


class World(Section):
    """The ground and who decides on it.

    Attributes:
      grid_size: [W, H] [tile]; 24 x 24 without a map, else null = as the map.
      map: text file of the map; null = floor.
      entry: cells where residents arrive; null = first four walkable border cells.
      max_agents: A; null = max(8, residents given). max_objects: null = rows given.
      initial_relationships: used when `features.seed_relationships` is on.
      weather_seed: accepted, no effect.
    """

    grid_size: GridSize | None = None
    map: Name | None = None
    entry: Annotated[tuple[Cell, ...], Field(strict=False, min_length=1, max_length=4)] | None = (
        None
    )
    tick_order: Literal["random", "slot"] = "random"
    action_level: Literal["primitive", "option"] = "option"
    require_range: Flag = True
    max_agents: Annotated[int, Field(ge=1, le=64)] | None = None
    max_objects: Annotated[int, Field(ge=1, le=32)] | None = None
    initial_relationships: Annotated[tuple[InitialRelationship, ...], Field(strict=False)] = ()
    weather_seed: Any = None

    def rules(self) -> Iterator[tuple[Path, str]]:
        seen: set[tuple[str, str]] = set()
        for row, tie in enumerate(self.initial_relationships):
            path = ("initial_relationships", row)
            pairs = [(tie.a, tie.b), (tie.b, tie.a)] if tie.symmetric else [(tie.a, tie.b)]
            if tie.a == tie.b:
                yield (*path, "b"), f"must be another resident than a, got {tie.b!r}"
            elif not seen.isdisjoint(pairs):
                yield path, f"the tie {tie.a} -> {tie.b} is given twice"
            seen.update(pairs)


class Movement(Section):
    """Blocked attempts before two residents pass through each other; 0 = never."""

    ghost_step_after: int = Field(default=3, ge=0, le=100)


class Queue(Section):
    """From how far away [tile] an object may be requested and started."""

    range_tiles: int = Field(default=2, ge=1, le=8)
    start_range_tiles: int = Field(default=1, ge=0, le=8)


class QueueFairness(Section):
    """Cooldown [tick], ghost step [ticks + hits], priority of those who waited [1/tick]."""

    enabled: Flag = True
    cooldown_ticks: int = Field(default=60, ge=0, le=600)
    ghost_step_after: int = Field(default=3, ge=0, le=100)
    age_priority_weight: Unit = 0.1
    min_hold_ticks: int = Field(default=-1, ge=-1, le=1440)
    friend_promotion: Flag = False
    friend_promotion_margin: float = Field(default=0.25, ge=0, le=4)


def _whole(value: Any) -> Any:
    """Reads a float without a fraction as an int: older files give all of economy as floats."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _grouped(value: Any) -> Any:
    return {**PRICE_GROUPS, **value} if isinstance(value, dict) else value


class Economy(Section):
    """Prices [money], wages [money/tick], restocking.

    Attributes:
      prices: base prices that the file sets; see `DEFAULT_PRICES` for the rest.
      price_groups: names for several keys, as targets of price spikes.
      wage_income: wage of jobs whose own is 0.
      stove_stock_replenish: raw ingredients per day of every stove's venue; null = its restock.
      restock_tick: [tick of day].
      cook_energy_cost, cook_hygiene_cost: accepted, no effect.
    """

    prices: dict[Name, Annotated[float, Field(ge=0, le=100)]] = {}
    price_groups: Annotated[
        dict[Name, Annotated[tuple[Name, ...], Field(strict=False)]], BeforeValidator(_grouped)
    ] = PRICE_GROUPS
    wage_income: Money = 0.024
    stove_stock_replenish: Annotated[int, Field(ge=0, le=1000), BeforeValidator(_whole)] | None = (
        None
    )
    restock_tick: int = Field(default=300, ge=0, le=100_000)
    cook_energy_cost: Any = None
    cook_hygiene_cost: Any = None


class Job(Section):
    """A daily shift: inclusive ticks of day, wage [money/tick], penalty [money], place of work.

    A null `end_tick` is the start; a `wage_rate` of 0 is `economy.wage_income`.
    """

    start_tick: int = Field(default=0, ge=0, le=100_000)
    end_tick: Annotated[int, Field(ge=0, le=100_000)] | None = None
    wage_rate: Money = 0.0
    lateness_penalty: Money = 0.0
    location: Cell | None = None

    def rules(self) -> Iterator[tuple[Path, str]]:
        if self.end_tick is not None and self.end_tick < self.start_tick:
            yield (
                ("end_tick",),
                f"must be at least start_tick ({self.start_tick}), got {self.end_tick}",
            )


DEFAULT_JOBS = {
    "grocer": Job(
        start_tick=180, end_tick=360, wage_rate=0.02, lateness_penalty=0.1, location=(0, 0)
    ),
    "barista": Job(
        start_tick=400, end_tick=560, wage_rate=0.025, lateness_penalty=0.12, location=(1, 0)
    ),
}
"""Jobs of a file without `jobs` and without a map."""


class Behavior(Section):
    """Thresholds [level] and detours [tile] of scripted residents and of the option controller."""

    hunger_threshold: Unit = 0.6
    hygiene_threshold: Unit = 0.55
    energy_threshold: Unit = 0.55
    job_arrival_buffer: int = Field(default=20, ge=0, le=600)
    queue_detour_tiles: int = Field(default=15, ge=0, le=200)
    eat_out_bias_tiles: int = Field(default=10, ge=0, le=200)


class Employment(Section):
    """Lateness and absence [tick], their price [money], and how a job is lost."""

    grace_ticks: int = Field(default=5, ge=0, le=120)
    absent_cutoff: int = Field(default=30, ge=0, le=600)
    absence_slack: int = Field(default=20, ge=0, le=600)
    late_tick_penalty: Unit = 0.005
    absence_penalty: float = Field(default=0.2, ge=0, le=5)
    max_absent_shifts: int = Field(default=3, ge=0, le=7)
    attendance_window: int = Field(default=3, ge=1, le=14)
    daily_exit_cap: int = Field(default=2, ge=0, le=50)
    exit_queue_limit: int = Field(default=8, ge=0, le=100)
    exit_review_window: int = Field(default=1440, ge=1, le=100_000)
    enforce_job_loop: Flag = True
    presence_range: int = Field(default=1, ge=0, le=8)
    narration: dict[str, Any] = {}


class Collapse(Section):
    """Hunger at or below `hunger_level` for `ticks` [tick] ends a life."""

    hunger_level: Unit = 0.03
    ticks: int = Field(default=30, ge=1, le=1440)


class Eviction(Section):
    """Unpaid days before notice, and the share of a rent that still averts it."""

    days_unpaid: int = Field(default=2, ge=1, le=30)
    recovery_share: Unit = 0.5


class Arrival(Section):
    """Wallet [rents] and range of needs [level] of a newcomer."""

    wallet_rents: float = Field(default=1.5, ge=0, le=100)
    needs: UnitSpan = (0.6, 0.9)


def _at_least_one(value: tuple[int, int]) -> tuple[int, int]:
    return max(1, value[0]), max(1, value[1])


DelaySpan = Annotated[
    tuple[Annotated[int, Field(ge=0, le=100_000)], Annotated[int, Field(ge=0, le=100_000)]],
    *span_rules,
    AfterValidator(_at_least_one),
    Field(strict=False, json_schema_extra={"says": SPAN + ", ints in 1...100000"}),
]


class Lifecycle(Section):
    """Who leaves, how often [1/day, tick], and when the slot is taken again [tick]."""

    max_exits_per_day: int = Field(default=2, ge=0, le=64)
    exit_cooldown_ticks: int = Field(default=120, ge=0, le=1440)
    spawn_delay_ticks: DelaySpan = (5, 20)
    collapse: Collapse = Collapse()
    eviction: Eviction = Eviction()
    arrival: Arrival = Arrival()
    suppress_during_city_events: Flag = True


class EmbeddingAllocator(Section):
    """Reuse of identity slots; the threshold is the share of forced reuses that warns."""

    cooldown_ticks: int = Field(default=2000, ge=0, le=10_000)
    max_slots: int = Field(default=64, ge=1, le=256)
    reuse_warning_threshold: float = Field(default=0.05, ge=0, le=0.5)
    log_forced_reuse: Flag = True


class Affordances(Section):
    """The manifest of objects and affordances; `runtime` is accepted without effect."""

    affordances_file: Name = "configs/affordances/core.yaml"
    runtime: dict[str, Any] = {}


class Console(Section):
    """Q: admin rows per tick."""

    max_ops_per_tick: int = Field(default=8, ge=1, le=32)
