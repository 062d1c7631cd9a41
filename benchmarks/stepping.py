"""Town-ticks per second: the step alone, under policies, with rewards and with observations."""

import dataclasses
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.machine import copy_bandwidth
from launch.flags import set_cpu_defaults, set_host_devices

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "town.yaml"
STRAW_MAN = 340_000
"""Town-ticks per second of a sketch with simplified rules and no events, 8 residents, 2 cores."""
TICKS, RUNS = 100, 5


@dataclasses.dataclass(frozen=True)
class Case:
    """What is run.

    Attributes:
      towns, residents: numbers.
      observation: variant, or none.
      has_rewards: whether rewards are computed.
      policy: who acts; with `held`, everybody holds on to an option of its own.
    """

    towns: int = 1024
    residents: int = 8
    observation: str = "none"
    has_rewards: bool = False
    policy: str = "held"


BASE = Case()
CASES = (
    BASE,
    dataclasses.replace(BASE, has_rewards=True),
    *(dataclasses.replace(BASE, policy=policy) for policy in ("idle", "random", "scripted")),
    *(
        Case(observation=variant, has_rewards=True, towns=towns)
        for variant in ("hybrid", "full", "compact")
        for towns in (1024, 1, 64, 4096)
    ),
    *(dataclasses.replace(BASE, towns=towns) for towns in (1, 64, 4096)),
    Case(towns=256, residents=32),
    Case(towns=64, residents=64),
)
QUICK = (
    *CASES[:2],
    *(Case(observation=variant, has_rewards=True) for variant in ("hybrid", "full", "compact")),
    Case(towns=256, residents=32),
)


def measure(is_quick: bool) -> dict[str, object]:
    """Runs all cases in turn and returns one row for each, with what they say together."""
    set_cpu_defaults()
    num_cores = os.cpu_count() or 1
    set_host_devices(num_cores)
    import jax

    cases = QUICK if is_quick else CASES
    runs = {case: _runner(case) for case in cases}
    for run, _ in runs.values():
        run(10)
    rates: dict[Case, list[float]] = {case: [] for case in cases}
    for _ in range(RUNS):
        for case, (run, _) in runs.items():
            start = time.perf_counter()
            run(TICKS)
            rates[case].append(case.towns * TICKS / (time.perf_counter() - start))
    median = {case: statistics.median(values) for case, values in rates.items()}
    bandwidth = copy_bandwidth(num_cores)
    rows = [
        {
            "benchmark": "stepping",
            **dataclasses.asdict(case),
            "town_ticks_per_second": round(median[case]),
            "spread": [round(min(rates[case])), round(max(rates[case]))],
            "agent_steps_per_second": round(median[case] * case.residents),
            "bytes_per_town_tick": num_bytes,
            "share_of_bandwidth": round(median[case] * num_bytes / bandwidth, 4),
        }
        for case, (_, num_bytes) in runs.items()
    ]
    return {
        "backend": jax.default_backend(),
        "devices": jax.device_count(),
        "copy_bandwidth_bytes_per_second": round(bandwidth),
        "ratios": _ratios(median),
        "rows": rows,
    }


def _ratios(median: dict[Case, float]) -> dict[str, float]:
    """What the aims are stated in."""
    base = median[BASE]
    ratios = {
        "step_over_straw_man": base / STRAW_MAN,
        "cost_of_rewards": base / median[dataclasses.replace(BASE, has_rewards=True)] - 1,
        "cost_per_resident_32_over_8": base * 8 / (median[Case(towns=256, residents=32)] * 32),
    }
    for variant in ("hybrid", "full", "compact"):
        ratios[f"{variant}_over_step"] = median[Case(observation=variant, has_rewards=True)] / base
    return {name: round(value, 3) for name, value in ratios.items()}


def _runner(case: Case) -> tuple[Callable[[int], None], int]:
    """Returns what lives so many ticks of a case, and the bytes that a tick must at least move.

    These are the state, read and written, and what is observed, written once.
    """
    import jax
    import jax.numpy as jnp

    from townlet_jax.config import load
    from townlet_jax.env import batch

    settings = [f"world.max_agents={case.residents}"]
    if case.observation != "none":
        settings.append(f"features.systems.observations={case.observation}")
    town = load(CONFIG, settings)
    towns = batch.start(town, 0, case.towns)
    num_bytes = 2 * batch.state_bytes(towns) // case.towns
    if case.policy != "held":

        def live_on(num_ticks: int) -> None:
            nonlocal towns
            towns = jax.block_until_ready(batch.advance(town, case.policy, towns, num_ticks))

        return live_on, num_bytes

    live_one, carry = _held(case, town, towns.state)
    num_devices = batch.most_devices(case.towns)
    loop = batch.loop(live_one, num_devices, case.towns // num_devices)
    num_bytes += sum(x.nbytes for x in jax.tree.leaves(carry[2:])) // case.towns

    def run(num_ticks: int) -> None:
        nonlocal carry
        carry = loop(carry, jnp.int32(num_ticks), town.params, town.layout)
        jax.block_until_ready(carry)

    return run, num_bytes


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
