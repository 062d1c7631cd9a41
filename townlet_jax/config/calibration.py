"""Asks whether a resident can pay for a life here, and whether a day is long enough. World §A.1."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from townlet_jax.config.affordance_tables import Prices
from townlet_jax.config.manifest import AffordanceEntry
from townlet_jax.config.report import Report
from townlet_jax.config.residents import NEEDS
from townlet_jax.config.schema import Config
from townlet_jax.config.schema_world import Job

MAX_TIME_SHARE = 0.8
MIN_INCOME_RATIO = 1.1
_ROUNDS = 1000
_MANY = 1e6
"""Runs per day beyond which a demand counts as one that cannot be met."""


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a day of a resident takes.

    Attributes:
      uses: runs per day by affordance.
      time_share: share of the day spent on needs and work.
      cost: [money/day], rent included. income: [money/day].
    """

    uses: dict[str, float]
    time_share: float
    cost: float
    income: float

    @property
    def income_ratio(self) -> float:
        """Income by cost; infinite where life is free."""
        return self.income / self.cost if self.cost > 0 else float("inf")


@dataclasses.dataclass(frozen=True)
class _Way:
    """A way to serve a need: runs of affordances that go together, such as a meal and its cooking.

    Attributes:
      runs: runs by affordance. effect: float64 `[N]`. price: [money]. ticks: [tick].
    """

    runs: dict[str, float]
    effect: np.ndarray
    price: float
    ticks: float


def budget(
    config: Config,
    affordances: Mapping[str, AffordanceEntry],
    prices: Prices,
    job: Job,
    work: AffordanceEntry | None,
) -> Budget | str:
    """Computes the daily budget of a resident with a job.

    Every need is served by its cheapest way; what a way consumes is produced where the town can.

    Args:
      config: the configuration.
      affordances: those that an object of the town offers.
      prices: the price table.
      job: the job.
      work: affordance of the job's site, None without a site.

    Returns:
      The budget, or why there is none.
    """
    shift = job.end_tick - job.start_tick + 1 if job.end_tick is not None else 1
    demand = np.array([getattr(config.rewards.decay_rates, name) for name in NEEDS])
    demand = demand * config.time.ticks_per_day
    if work is not None:
        demand = demand - _effect(work) / work.duration * shift
    primary = _primary([_way(entry, affordances, prices) for entry in affordances.values()])
    for n, name in enumerate(NEEDS):
        if n not in primary and demand[n] > 0:
            return f"nothing restores {name}"
    runs = _solved(list(primary), [primary[n] for n in primary], demand)
    if runs is None:
        return "no mix of affordances covers all needs"
    chosen = list(zip(primary.values(), runs, strict=True))
    uses: dict[str, float] = {}
    for way, count in chosen:
        for name, share in way.runs.items():
            uses[name] = uses.get(name, 0.0) + float(count * share)
    ticks = sum(count * way.ticks for way, count in chosen) + shift
    cost = sum(count * way.price for way, count in chosen) + prices.base["rent"]
    share = ticks / config.time.ticks_per_day
    return Budget(uses, float(share), float(cost), job.wage_rate * shift)


def _primary(ways: list[_Way]) -> dict[int, _Way]:
    """Returns the cheapest way to serve each need, by need; of equally cheap ones the shortest."""
    primary = {}
    for n in range(len(NEEDS)):
        able = [
            (way.price / way.effect[n], way.ticks, i)
            for i, way in enumerate(ways)
            if way.effect[n] > 0
        ]
        if able:
            primary[n] = ways[min(able)[-1]]
    return primary


def _effect(entry: AffordanceEntry) -> np.ndarray:
    return np.array([getattr(entry.effects, name) for name in NEEDS])


def _way(
    entry: AffordanceEntry, affordances: Mapping[str, AffordanceEntry], prices: Prices
) -> _Way:
    """Adds to an affordance what it takes to produce the stock it consumes."""

    def price(name: str) -> float:
        key = prices.of_affordance[name]
        return 0.0 if key is None else prices.base[key]

    runs = {entry.id: 1.0}
    for kind, amount in entry.stock.start.items():
        makers = [other for other in affordances.values() if other.stock.finish.get(kind, 0) > 0]
        if makers and amount < 0 and entry not in makers:
            maker = min(makers, key=lambda other: price(other.id) / other.stock.finish[kind])
            runs[maker.id] = runs.get(maker.id, 0.0) - amount / maker.stock.finish[kind]
    return _Way(
        runs,
        sum(
            (share * _effect(affordances[name]) for name, share in runs.items()),
            np.zeros(len(NEEDS)),
        ),
        sum(share * price(name) for name, share in runs.items()),
        sum(share * affordances[name].duration for name, share in runs.items()),
    )


def _solved(needs: list[int], ways: list[_Way], demand: np.ndarray) -> np.ndarray | None:
    """Returns the least runs per day of each way that meet every demand; None if they never settle.

    Where each need has a way of its own that the others do not make idle, all come out even.
    """
    runs = np.zeros(len(ways))
    effects = np.array([way.effect for way in ways]).reshape(len(ways), len(NEEDS))
    for _ in range(_ROUNDS):
        before = runs.copy()
        for i, n in enumerate(needs):
            rest = demand[n] - runs @ effects[:, n] + runs[i] * effects[i, n]
            runs[i] = max(0.0, rest / effects[i, n])
        if not runs.sum() < _MANY:
            return None
        if np.abs(runs - before).max(initial=0.0) < 1e-12:
            return runs
    return None


def budgets(
    config: Config,
    affordances: Mapping[str, AffordanceEntry],
    prices: Prices,
    work: Mapping[str, str | None],
) -> dict[str, Budget | str]:
    """Returns the daily budget of a resident by job, or why there is none.

    Args:
      config: the configuration.
      affordances: those that an object of the town offers.
      prices: the price table.
      work: affordance of the site, by job; None without a site.
    """
    return {
        name: budget(config, affordances, prices, job, affordances.get(work[name] or ""))
        for name, job in config.jobs.items()
    }


def check(found: Mapping[str, Budget | str], config: Config, report: Report) -> None:
    """Notes each job that does not feed its resident; not for scenarios shorter than a day."""
    ticks = config.scenario.ticks
    if ticks is not None and ticks < config.time.ticks_per_day:
        return
    for name, budget in found.items():
        if isinstance(budget, str):
            report.note(("jobs", name), f"hard to live on: {budget}", at_key=True)
        elif budget.time_share > MAX_TIME_SHARE or budget.income_ratio < MIN_INCOME_RATIO:
            fault = (
                f"hard to live on: time share {budget.time_share:.2f} (at most {MAX_TIME_SHARE}), "
                f"income ratio {budget.income_ratio:.2f} (at least {MIN_INCOME_RATIO})"
            )
            report.note(("jobs", name), fault, at_key=True)
