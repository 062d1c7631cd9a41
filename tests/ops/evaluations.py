"""Made-up evaluations: no town is run for them."""

import dataclasses
from types import SimpleNamespace

import numpy as np

from townlet_jax.ops.kpi_days import FIGURES
from townlet_jax.state import Relationships
from townlet_jax.state.relationships import TieDrop
from townlet_jax.town.metrics import DayKpi
from townlet_jax.train.evaluate import Diary, Evaluation

FIRST_SEED = 10_000
WINDOW = 5
"""[tick] of a decision."""


def made_up(town, num_towns=4, num_days=3, seed=0):
    """Makes an evaluation whose figures are random and lie where they may lie."""
    rng = np.random.default_rng(seed)
    num_agents, num_actions = town.shape.num_agents, len(town.names.actions)
    length = int(town.params.time.ticks_per_day)

    def real(*shape):
        return rng.random(shape, np.float32)

    daily = {name: real(num_towns, num_days) for name in FIGURES}
    living = np.full((num_towns, num_days, 24), num_agents * length // 24, np.int32)
    low = rng.integers(0, living[..., None] + 1, (num_towns, num_days, 24, 3)).astype(np.int32)
    terms = rng.normal(size=(num_towns, num_days, 11)).astype(np.float32)
    diary = Diary(
        days=DayKpi(**daily, has_data=np.ones((num_towns, num_days, len(FIGURES)), bool)),
        terms=terms,
        living=living,
        needs=real(num_towns, num_days, 24, 3) * living[..., None],
        low_needs=low,
        options=rng.integers(1, 9, (num_towns, 24, num_actions)).astype(np.int32),
        returns=real(num_towns, num_agents),
        is_first_life=np.ones((num_towns, num_agents), bool),
        day_reward=np.zeros((num_towns, num_agents), np.float32),
        fitness=real(num_towns, num_days),
        tenure_late=real(num_towns, 2),
    )
    ticks = np.arange(0, num_days * length, WINDOW, dtype=np.int32)
    watched = {
        "tick": ticks,
        "action": rng.integers(0, num_actions, (len(ticks), num_agents)).astype(np.int32),
        "level": real(len(ticks), num_agents, 3),
        "is_alive": np.ones((len(ticks), num_agents), bool),
    }
    agents = SimpleNamespace(
        is_alive=np.ones(num_agents, bool),
        generation=np.zeros(num_agents, np.int32),
        job=np.zeros(num_agents, np.int32),
    )
    seeds = tuple(range(FIRST_SEED, FIRST_SEED + num_towns))
    last = SimpleNamespace(agents=agents)
    return Evaluation(num_days, seeds, diary, _ties(rng, num_towns, num_agents), watched, last)


def changed(evaluation, **leaves):
    """Puts other arrays into the diary; those of single days go by the names of the figures."""
    days = {name: leaves.pop(name) for name in list(leaves) if name in (*FIGURES, "has_data")}
    diary = evaluation.diary
    arrays = {name: np.asarray(value) for name, value in days.items()}
    diary = diary.replace(days=diary.days.replace(**arrays))
    diary = diary.replace(**{name: np.asarray(value) for name, value in leaves.items()})
    return dataclasses.replace(evaluation, diary=diary)


def without(evaluation, name, where=np.s_[:]):
    """Takes the cases of a figure away, on some days of some towns."""
    has_data = evaluation.diary.days.has_data.copy()
    has_data[..., FIGURES.index(name)][where] = False
    figure = np.where(has_data[..., FIGURES.index(name)], getattr(evaluation.diary.days, name), 0)
    return changed(evaluation, has_data=has_data, **{name: figure})


def _ties(rng, num_towns, num_agents):
    shape = (num_towns, num_agents, num_agents)
    is_tie = rng.random(shape) < 0.7
    is_tie[:, np.arange(num_agents), np.arange(num_agents)] = False
    real = {
        name: np.where(is_tie, rng.uniform(low, 1, shape), 0).astype(np.float32)
        for name, low in (("trust", -0.2), ("familiarity", 0), ("rivalry", 0))
    }
    counts = {
        name: np.zeros((num_towns, num_agents, len(TieDrop)), np.int32)
        for name in ("evictions_window", "evictions_previous", "evictions_today")
    }
    ticks = {
        name: np.zeros(shape, np.int32)
        for name in ("formed_tick", "last_event_tick", "last_chat_tick")
    }
    return Relationships(
        **real, **counts, **ticks, is_tie=is_tie,
        tie_ticks_today=np.zeros(num_towns, np.int32), churn_rate=np.zeros(num_towns, np.float32),
    )  # fmt: skip
