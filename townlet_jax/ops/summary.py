"""The figures of a run as one plain object, fit for JSON."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from townlet_jax.config.town import Town
from townlet_jax.ops.census import census
from townlet_jax.ops.host import state_hash, town_at, town_hashes
from townlet_jax.state import Total, TownState
from townlet_jax.town.metrics import Kpi

CHARTER = {
    "self_sufficiency": (0.70, "at least"),
    "tenure_days": (3.0, "at least"),
    "lateness_rate": (0.15, "below"),
    "relationship_coverage": (0.60, "at least"),
}
"""What a town should reach, and on which side of the figure."""


@dataclasses.dataclass(frozen=True)
class Run:
    """What was run, and how fast.

    Attributes:
      policy: name of the policy. seed: of town 0. num_towns: E.
      num_ticks: [tick] done per town, by earlier processes too; num_lived_ticks: by this one.
      limit: [tick] asked for.
      run_seconds, compile_seconds: [s]; the first without the second.
    """

    policy: str
    seed: int
    num_towns: int
    num_ticks: int
    num_lived_ticks: int
    limit: int
    run_seconds: float
    compile_seconds: float

    @property
    def is_partial(self) -> bool:
        """Whether the run ended early."""
        return self.num_ticks < self.limit

    @property
    def ticks_per_second(self) -> float:
        """Town-ticks per second [1/s], compiling left out."""
        return self.num_towns * self.num_lived_ticks / max(self.run_seconds, 1e-9)


def summarise(town: Town, towns: TownState, kpi: Kpi, run: Run) -> dict[str, object]:
    """Collects the figures of a run.

    Args:
      town: the loaded configuration.
      towns: `[E]` fetched towns at the end.
      kpi: charter figures, float32 `[E]` each.
      run: what was run.

    Returns:
      Plain data. `totals` are sums over all towns, `kpi` means over towns, `residents` those of
      town 0; `per_town_mean` (several towns only) are the totals divided by their number.
    """
    hashes = town_hashes(towns)
    total = totals(np.asarray(towns.metrics.totals))
    means = {} if run.num_towns == 1 else {"per_town_mean": per_town_mean(total, run.num_towns)}
    return {
        "config_id": town.config_id,
        "config": town.path,
        "identity": town.identity,
        "seed": run.seed,
        "policy": run.policy,
        "action_level": town.shape.action_level,
        "towns": run.num_towns,
        "ticks": run.num_ticks,
        "partial": run.is_partial,
        "ticks_per_second": round(run.ticks_per_second, 1),
        "run_seconds": round(run.run_seconds, 3),
        "compile_seconds": round(run.compile_seconds, 3),
        "state_hash": state_hash(hashes),
        "town_0_hash": hashes[0],
        "totals": total,
        **means,
        "kpi": {name: round(float(np.mean(getattr(kpi, name))), 6) for name in CHARTER},
        "residents": [resident.as_record() for resident in census(town, town_at(towns, 0))],
        "notes": [str(note) for note in town.notes],
    }


def totals(counts: np.ndarray) -> dict[str, object]:
    """Names the run counters and adds them over towns.

    Args:
      counts: int32 `[E, 15]`, by `Total`.
    """
    count = np.asarray(counts, np.int64).sum(axis=0).tolist()
    num_chats = count[Total.CHAT_SUCCESS]
    quality = count[Total.CHAT_QUALITY_1024THS] / 1024 / num_chats if num_chats else 0.0
    return {
        "queue_conflict_events": count[Total.CONFLICTS],
        "queue_conflict_intensity_sum": count[Total.INTENSITY_QUARTERS] / 4,
        "shared_meal_events": count[Total.SHARED_MEALS],
        "late_help_events": count[Total.HELPED],
        "shift_takeover_events": count[Total.TOOK],
        "chat_success_events": num_chats,
        "chat_failure_events": count[Total.CHAT_FAILURE],
        "chat_quality_mean": round(quality, 6),
        "exits": {
            "faint": count[Total.EXIT_FAINT],
            "eviction": count[Total.EXIT_EVICTION],
            "employment_exit": count[Total.EXIT_EMPLOYMENT],
            "killed": count[Total.EXIT_KILLED],
            "manual_approve": count[Total.EXIT_APPROVED],
        },
        "arrivals": count[Total.ARRIVALS],
        "ghost_moves": count[Total.GHOST_MOVES],
    }


def per_town_mean(total: Mapping[str, object], num_towns: int) -> dict[str, object]:
    """Divides totals by the number of towns; means stay as they are."""

    def mean(name: str, value: object) -> object:
        if isinstance(value, Mapping):
            return {inner: mean(inner, part) for inner, part in value.items()}
        if name.endswith("_mean") or not isinstance(value, int | float):
            return value
        return round(value / num_towns, 6)

    return {name: mean(name, value) for name, value in total.items()}


def verdict(name: str, value: float, num_days: float) -> str:
    """Says how a KPI stands: `met`, `not met`, or `too early` for a run too short to tell."""
    target, side = CHARTER[name]
    if num_days < (target if name == "tenure_days" else 1.0):
        return "too early"
    is_met = value >= target if side == "at least" else value < target
    return "met" if is_met else "not met"
