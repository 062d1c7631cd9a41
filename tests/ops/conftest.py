"""A made-up town of three slots and four object rows, and the tiny town before its first tick."""

import jax
import numpy as np
import pytest

from townlet_jax.config import load
from townlet_jax.config.town import Names, Town
from townlet_jax.masked import NONE
from townlet_jax.ops.host import fetch
from townlet_jax.ops.labels import Labels
from townlet_jax.state import TownState
from townlet_jax.state.events import (
    AffordanceEvents,
    ChatEvents,
    ConflictEvents,
    EconomyEvents,
    EmploymentEvents,
    LifecycleEvents,
    PerturbationEvents,
    QueueRecords,
    RelationshipEvents,
    TickEvents,
)
from townlet_jax.town.init import init

A, O, K, S, R, Q, N = 3, 4, 2, 2, 3, 4, 3  # noqa: E741


@pytest.fixture(scope="session")
def labels() -> Labels:
    names = Names(
        agents=("ada", "ben", "cleo"),
        objects=("beds.0", "beds.1", "shower", "fridge"),
        types=("bed", "fridge", "shower"),
        venues=("beds", "shower", "kitchen"),
        affordances=("use_shower", "eat_meal", "rest_sleep"),
        stock_kinds=("meals", "raw_ingredients"),
        price_keys=("meal", "shower", "rent"),
        jobs=("clerk",),
        perturbations=("heat", "dark"),
        profiles=(),
        actions=("rest", "get_fed", "get_clean", "sleep", "go_to_work", "socialise", "cook"),
        hooks={},
    )
    return Labels(
        names=names,
        ticks_per_day=1440,
        durations=(20, 15, 120),
        kinds=("price_spike", "blackout"),
    )


def _none(*shape: int) -> np.ndarray:
    return np.full(shape, NONE, np.int32)


def _zero(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.int32)


def _off(*shape: int) -> np.ndarray:
    return np.zeros(shape, bool)


def _real(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def _quiet(t: int) -> TickEvents:
    def rows() -> QueueRecords:
        return QueueRecords(_off(t, O), _none(t, O), _none(t, O), _zero(t, O), _real(t, O))

    return TickEvents(
        ghost_stepped=_off(t, A),
        level_before=_real(t, A, N),
        op_ok=np.ones((t, Q), bool),
        num_refused_requests=_zero(t),
        affordances=AffordanceEvents(
            started=_none(t, A),
            started_obj=_none(t, A),
            finished=_none(t, A),
            finished_obj=_none(t, A),
            failed=_none(t, 5, A),
            failed_affordance=_none(t, 5, A),
            failed_obj=_none(t, 5, A),
            shared_meal=_off(t, A, A),
            meal_obj=_none(t, A),
        ),
        conflicts=rows(),
        handovers=rows(),
        economy=EconomyEvents(_zero(t, O, S), _off(t, A), _off(t, A), _off(t, R)),
        employment=EmploymentEvents(
            late_start=_none(t, A),
            absent=_off(t, A),
            departed=_off(t, A),
            shift_closed=_off(t, A),
            shift_closed_late=_off(t, A),
            helped=_off(t, A, A),
            took=_off(t, A, A),
            exit_pending=_off(t, A),
            exit_requested=_off(t, A),
            exit_deferred=_off(t, A),
            exit_processed=_off(t, A),
            exit_overflow=_zero(t),
            wage_paid=_real(t, A),
            wage_withheld=_real(t, A),
            first_presence=_none(t, A),
        ),
        lifecycle=LifecycleEvents(_zero(t, A), _off(t, A), _off(t, A), _off(t, A), _off(t, A)),
        perturbations=PerturbationEvents(
            _off(t, K), _off(t, K), _off(t, K), *(_none(t, K) for _ in range(6))
        ),
        chat=ChatEvents(_none(t, A), _off(t, A), _real(t, A)),
        relationships=RelationshipEvents(_zero(t, A, 4), _real(t, A), _real(t, A)),
        conflict=ConflictEvents(_off(t, A), _none(t, A)),
    )


@pytest.fixture(scope="session")
def quiet():
    """Returns a function that makes the events of `t` ticks in which nothing happens."""
    return _quiet


@pytest.fixture(scope="session")
def tiny() -> Town:
    return load("configs/tiny.yaml")


@pytest.fixture(scope="session")
def _born(tiny: Town) -> TownState:
    start = jax.jit(init, static_argnums=0)
    return fetch(start(tiny.shape, jax.random.key(0), tiny.params, tiny.layout))


@pytest.fixture
def newborn(_born: TownState) -> TownState:
    """The tiny town at tick 0, on the host; a test may change its arrays."""
    return jax.tree.map(lambda leaf: np.array(leaf), _born)
