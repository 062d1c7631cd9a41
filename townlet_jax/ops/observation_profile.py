"""What observations hold and what they cost, by variant."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from rich.table import Table

from townlet_jax.config import Town, UnsupportedObservationError, load
from townlet_jax.config.layout import TownLayout
from townlet_jax.config.observation_layout import ObservationSpec, observation_layout
from townlet_jax.config.params import TownParams
from townlet_jax.env import batch
from townlet_jax.masked import computed_once
from townlet_jax.state import TownState
from townlet_jax.town.observe import Observation, observe
from townlet_jax.town.step import step

VARIANTS = ("hybrid", "full", "compact")
RUNS = 7
"""Times that each figure is measured; the median counts."""
WARM_UP_TICKS = 200


def load_variants(
    path: str, overrides: Sequence[str], strict: bool
) -> tuple[dict[str, Town], dict[str, str]]:
    """Loads a configuration once for each variant of observations.

    Returns:
      The towns by variant; why there is none, by variant that is too large.

    Raises:
      ConfigError: as `load`, but for a variant that is too large.
    """
    towns: dict[str, Town] = {}
    refused: dict[str, str] = {}
    for name in VARIANTS:
        override = f"features.systems.observations={name}"
        try:
            towns[name] = load(path, [*overrides, override], strict)
        except UnsupportedObservationError as error:
            refused[name] = str(error)
    return towns, refused


def describe(town: Town) -> dict[str, Any]:
    """Returns sizes, names and bytes of the observations of a town; a row of the report."""
    spec, num_agents = observation_layout(town.shape), town.shape.num_agents
    map_size = spec.size - spec.num_features
    num_bytes = map_size + 4 * spec.num_features + town.shape.num_actions + 3
    return {
        "variant": spec.variant,
        "level": spec.level,
        "window": spec.window,
        "map_shape": list(spec.map_shape),
        "feature_dim": spec.num_features,
        "size": spec.size,
        "bytes_per_resident": num_bytes,
        "bytes_per_town": num_bytes * num_agents,
        "layout_hash": spec.layout_hash,
        "blocks": {block.name: [block.start, block.stop] for block in spec.blocks},
        "channel_names": [channel.name for channel in spec.channels],
        "feature_names": list(spec.names),
    }


def measure(towns: dict[str, Town], num_towns: int, num_ticks: int) -> dict[str, float]:
    """Measures the step and the observations of each variant on one core.

    All are run in turn, so that noise disturbs them alike.

    Args:
      towns: by variant.
      num_towns: E, towns side by side. num_ticks: ticks per run.

    Returns:
      Microseconds per town and tick, medians: `step` and one entry per variant.
    """
    first = next(iter(towns.values()))
    stepper = _Looper(first, _step_of(first), batch.start(first, first.seed, num_towns).state)
    stepper.run(WARM_UP_TICKS)
    runs = {"step": stepper.run}
    for name, town in towns.items():
        # Variants differ in what is seen, not in the state; loops give up the buffers they get.
        state = jax.tree.map(jnp.copy, stepper.carry)
        runs[name] = _Looper(town, _look_of(town), (state, _blank(town, num_towns))).run
    for run in runs.values():
        run(1)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(RUNS):
        for name, run in runs.items():
            start = time.perf_counter()
            run(num_ticks)
            seconds[name].append(time.perf_counter() - start)
    share = 1e6 / (num_towns * num_ticks)
    return {name: statistics.median(values) * share for name, values in seconds.items()}


class _Looper:
    """A compiled loop on one core and what it carries from tick to tick, leading axis `[E]`."""

    def __init__(self, town: Town, live: Callable[..., Any], carry: Any):
        num_towns = jax.tree.leaves(carry)[0].shape[0]
        self._loop = batch.loop(live, 1, num_towns)
        self._tables = (town.params, town.layout)
        self.carry = carry

    def run(self, num_ticks: int) -> None:
        """Lives ticks and waits for the end."""
        self.carry = self._loop(self.carry, jnp.int32(num_ticks), *self._tables)
        jax.block_until_ready(self.carry)


def _step_of(town: Town) -> Callable[..., TownState]:
    """Makes the step alone: everybody holds on to an action of its own."""
    codes = jnp.arange(town.shape.num_agents, dtype=jnp.int32) % town.shape.num_actions

    def live(state: TownState, params: TownParams, layout: TownLayout) -> TownState:
        return step(town.shape, state, codes, None, params, layout)[0]

    return live


def _look_of(town: Town) -> Callable[..., tuple[TownState, Observation]]:
    """Makes the observation of the same state over and over."""

    def look(
        carry: tuple[TownState, Observation], params: TownParams, layout: TownLayout
    ) -> tuple[TownState, Observation]:
        state, _ = carry
        seen = observe(town.shape, state, state.agents.is_alive, params, layout)
        # Otherwise a compiler would see that nothing changes and look only once.
        return computed_once((state, seen))

    return look


def _blank(town: Town, num_towns: int) -> Observation:
    """Makes room for the observations of a batch."""
    spec, a = observation_layout(town.shape), town.shape.num_agents
    mask = jnp.zeros((num_towns, a), bool)
    return Observation(
        map=jnp.zeros((num_towns, a, *spec.map_shape), jnp.uint8),
        features=jnp.zeros((num_towns, a, spec.num_features), jnp.float32),
        action_mask=jnp.zeros((num_towns, a, town.shape.num_actions), bool),
        is_alive=mask,
        can_act=jnp.copy(mask),
        ctx_reset=jnp.copy(mask),
    )


def size_table(rows: Sequence[dict[str, Any]], step_us: float | None) -> Table:
    """Returns sizes and costs as a table.

    Args:
      rows: made by `describe`, with `us_per_town_tick` and `ratio_to_step` where measured.
      step_us: microseconds of a step, None if nothing was measured.
    """
    caption = None if step_us is None else f"a step takes {step_us:.2f} us per town and tick"
    table = Table(caption=caption, caption_justify="left")
    for column in ("variant", "map", "features", "size", "bytes/town", "us/town-tick", "of a step"):
        table.add_column(column, justify="left" if column == "variant" else "right")
    for row in rows:
        cost = row.get("us_per_town_tick")
        table.add_row(
            row["variant"],
            " x ".join(map(str, row["map_shape"])) if row["channel_names"] else "none",
            str(row["feature_dim"]),
            str(row["size"]),
            str(row["bytes_per_town"]),
            "-" if cost is None else f"{cost:.2f}",
            "-" if cost is None else f"{row['ratio_to_step']:.0%}",
        )
    return table


def name_lines(spec: ObservationSpec) -> list[str]:
    """Returns one line per channel and per feature: its place and its name."""
    lines = [f"map {c.start:3}  {c.name}" for c in spec.channels]
    return lines + [f"{f.start:7}  {f.name}" for f in spec.features]
