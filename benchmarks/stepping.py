"""Town-ticks per second: the step alone, under policies, with rewards and with observations."""

import dataclasses
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.machine import copy_bandwidth, cores
from benchmarks.timing import Timing, in_turn
from launch.flags import set_cpu_defaults, set_host_devices

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "town.yaml"
MAP = CONFIG.parent / "maps" / "town_small.txt"
TICKS, TOWN_TICKS, RUNS = 100, 10_000, 5
"""A run lives so many ticks of all towns at least, and so many town-ticks."""


@dataclasses.dataclass(frozen=True)
class Case:
    """What is run.

    Attributes:
      towns, residents: numbers. grid: side of the map [tile]. capacity: ties of a resident.
      observation: variant, or none.
      has_rewards: whether rewards are computed.
      policy: who acts; with `held`, everybody holds on to an option of its own.
    """

    towns: int = 1024
    residents: int = 8
    grid: int = 24
    capacity: int = 6
    observation: str = "none"
    has_rewards: bool = False
    policy: str = "held"

    @property
    def ticks(self) -> int:
        """How many a run lives [tick]."""
        return max(TICKS, TOWN_TICKS // self.towns)


BASE = Case()
VARIANTS = ("hybrid", "full", "compact")
QUICK = (
    BASE,
    *(Case(observation=variant, has_rewards=True) for variant in VARIANTS),
    Case(towns=128, residents=64),
)
CASES = (
    *QUICK,
    Case(has_rewards=True),
    *(Case(policy=policy) for policy in ("idle", "random", "scripted")),
    Case(towns=1, policy="scripted"),
    *(Case(towns=towns) for towns in (1, 16, 128, 4096)),
    *(Case(towns=towns, observation="hybrid", has_rewards=True) for towns in (1, 16, 128, 4096)),
    Case(towns=512, residents=16),
    Case(towns=256, residents=32),
    *(Case(grid=grid) for grid in (48, 64)),
    *(Case(grid=grid, observation="hybrid", has_rewards=True) for grid in (48, 64)),
    *(Case(capacity=capacity) for capacity in (4, 16)),
)
LARGE = tuple(
    Case(towns=towns, observation=observation, has_rewards=observation != "none")
    for towns in (16_384, 65_536, 262_144)
    for observation in ("none", "hybrid", "compact")
)
"""Added where there is an accelerator, which a few thousand towns do not fill."""


def measure(is_quick: bool) -> dict[str, Any]:
    """Runs all cases in turn and returns one row for each, with what they say together."""
    set_cpu_defaults()
    set_host_devices(cores())

    import jax

    cases = QUICK if is_quick else CASES
    if not is_quick and jax.default_backend() != "cpu":
        cases += LARGE
    runs, compiled = {}, {}
    for case in cases:
        runs[case] = runner(case)
        start = time.perf_counter()
        runs[case][0](10)
        compiled[case] = time.perf_counter() - start
    timings = in_turn({case: lambda case=case: runs[case][0](case.ticks) for case in cases}, RUNS)
    bandwidth = copy_bandwidth(cores())
    rows = []
    for case, (_, num_bytes) in runs.items():
        rates = timings[case].rates(case.towns * case.ticks)
        per_second = rates.pop("per_second")
        rows.append(
            {
                "benchmark": "stepping",
                **dataclasses.asdict(case),
                "town_ticks_per_second": per_second,
                **rates,
                "agent_steps_per_second": per_second * case.residents,
                "first_call_seconds": round(compiled[case], 1),
                "bytes_per_town_tick": num_bytes,
                "share_of_bandwidth": round(per_second * num_bytes / bandwidth, 4),
            }
        )
    return {"ratios": _ratios(timings), "rows": rows}


def _ratios(timings: dict[Case, Timing]) -> dict[str, float]:
    """Returns what the aims are stated in, of medians of the same sitting."""
    cost = {case: timing.seconds / (case.towns * case.ticks) for case, timing in timings.items()}
    base = cost[BASE]
    ratios = {
        f"{variant}_over_step": base / cost[Case(observation=variant, has_rewards=True)]
        for variant in VARIANTS
    }
    if Case(has_rewards=True) in cost:
        ratios["cost_of_rewards"] = cost[Case(has_rewards=True)] / base - 1
    for case in cost:
        if case.residents != BASE.residents:
            name = f"cost_per_resident_{case.residents}_over_{BASE.residents}"
            ratios[name] = cost[case] / case.residents / (base / BASE.residents)
    return {name: round(value, 3) for name, value in ratios.items()}


def runner(case: Case) -> tuple[Callable[[int], None], int]:
    """Returns what lives so many ticks of a case, and the bytes that a tick must at least move.

    These are the state, read and written, and what is observed, written once.
    """
    import jax
    import jax.numpy as jnp

    from townlet_jax.env import batch

    if case.policy != "held":
        town = _load(case)
        towns = batch.start(town, 0, case.towns)
        num_bytes = 2 * batch.state_bytes(towns.state) // case.towns

        def live_on(num_ticks: int) -> None:
            nonlocal towns
            towns = jax.block_until_ready(batch.advance(town, case.policy, towns, num_ticks))

        return live_on, num_bytes

    loop, carry, numbers = loop_of(case, batch.most_devices(case.towns))
    num_bytes = 2 * batch.state_bytes(carry[0]) // case.towns
    num_bytes += sum(x.nbytes for x in jax.tree.leaves(carry[2:])) // case.towns

    def run(num_ticks: int) -> None:
        nonlocal carry
        carry = jax.block_until_ready(loop(carry, jnp.int32(num_ticks), *numbers))

    return run, num_bytes


def loop_of(case: Case, num_devices: int) -> tuple[Any, Any, Any]:
    """Returns a loop over ticks `(carry, num_ticks, params, layout) -> carry`, the carry that it
    begins with, and the pair of params and layout.

    Args:
      case: of the policy `held`. num_devices: over which its towns are split.
    """
    from townlet_jax.env import batch

    town = _load(case)
    live_one, carry = _held(case, town, batch.start(town, 0, case.towns).state)
    loop = batch.loop(live_one, num_devices, case.towns // num_devices)
    return loop, carry, (town.params, town.layout)


def _load(case: Case) -> Any:
    """Loads the standard town with the settings of a case."""
    from townlet_jax.config import load

    settings = [f"world.max_agents={case.residents}"]
    if case.capacity != BASE.capacity:
        settings.append(f"relationships.max_edges={case.capacity}")
    if case.observation != "none":
        settings.append(f"features.systems.observations={case.observation}")
    with tempfile.TemporaryDirectory() as folder:
        if case.grid != BASE.grid:
            settings.append(f"world.map={_wider_map(case.grid, Path(folder))}")
        return load(CONFIG, settings)


def _wider_map(side: int, folder: Path) -> Path:
    """Writes the map of the standard town with open ground to the right and below."""
    lines = MAP.read_text(encoding="utf-8").split()
    wider = [line.ljust(side, ".") for line in lines] + ["." * side] * (side - len(lines))
    path = folder / "map.txt"
    path.write_text("\n".join(wider) + "\n", encoding="utf-8")
    return path


def _held(case: Case, town, states):
    """Returns a tick of one town and the towns to begin with.

    They are (state, reward state, reward, observation), the latter empty where they are not asked
    for.
    """
    import jax
    import jax.numpy as jnp

    from townlet_jax.masked import computed_once
    from townlet_jax.state.rewards import empty_rewards
    from townlet_jax.town.observe import observe
    from townlet_jax.town.reward import reward
    from townlet_jax.town.step import step

    shape = town.shape
    actions = jnp.arange(shape.num_agents, dtype=jnp.int32) % shape.num_actions

    def live_one(carry, params, layout):
        state, rewards, earned, seen = carry
        state, events = computed_once(step(shape, state, actions, None, params, layout))
        if case.has_rewards:
            rewards, earned = computed_once(reward(rewards, state, events, params))
        if case.observation != "none":
            seen = observe(shape, state, events.lifecycle.context_reset, params, layout)
        return state, rewards, earned, seen

    one = jax.eval_shape(lambda towns: jax.tree.map(lambda x: x[0], towns), states)
    rewards = empty_rewards(shape)
    carry = jax.eval_shape(live_one, (one, rewards, None, None), town.params, town.layout)
    num_towns = states.clock.tick.shape[0]
    blank = jax.tree.map(lambda x: jnp.zeros((num_towns, *x.shape), x.dtype), carry[1:])
    return live_one, jax.device_put((states, *blank), states.clock.tick.sharding)
