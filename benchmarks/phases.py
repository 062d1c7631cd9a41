"""Where a tick goes: each phase compiled alone, on what it is given in towns that are lived in.

For each phase: kernels, operations and bytes as the compiler counts them, the bytes that must move
(what it is given and what it changes, once), the time that these would take at the copy bandwidth,
and the time that was measured. A phase alone reads and writes memory that within a tick stays in
the caches, so the phases together take longer than the tick.
"""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.machine import copy_bandwidth
from benchmarks.timing import in_turn
from launch.flags import set_cpu_defaults, set_host_devices

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "town.yaml"
TOWNS, AGE, RUNS = 1024, 600, 30
PHASES = (
    ("draws", "draw"), ("intents", "intend"), ("P1 day", "phases.turn_day"),
    ("P2 arrivals", "population.renew"), ("P4 perturbations", "phases.perturb"),
    ("P5 act", "using.act"), ("P6 queues", "using.keep_queues"),
    ("P7 objects", "using.work_objects"), ("P8 needs", "phases.wear"),
    ("P9 work", "phases.employ"), ("P10 ties", "phases.bond"), ("P11 exits", "phases.leave"),
    ("P12 avoidance", "conflicts.avoid"), ("events", "gather"), ("metrics", "metrics.count"),
)  # fmt: skip
"""What `town.step` calls, by name; P3, admin rows, does nothing without any."""
KERNELS = ("fusion", "call", "while", "sort", "dot", "reduce", "scatter", "gather", "copy")
"""Instructions of a compiled program that take a kernel each."""


@dataclasses.dataclass(frozen=True)
class Part:
    """A phase alone.

    Attributes:
      call: its function. spec: for each argument what it is: `shape`, `params`, `layout`, `tick` or
        `own`.
      given: for `own` and `tick`, leaves `[E, ...]`.
    """

    call: Callable[..., Any]
    spec: tuple[str, ...]
    given: list[Any]


def measure(is_quick: bool) -> dict[str, Any]:
    """Captures what each phase is given in one tick, then times the phases in turn, on one core."""
    set_cpu_defaults()
    set_host_devices(1)
    import jax

    from townlet_jax.config import load
    from townlet_jax.env import batch

    town = load(CONFIG, ["features.systems.observations=hybrid"])
    towns = batch.advance(town, "scripted", batch.start(town, 0, TOWNS), AGE)
    parts = _capture(town, towns)
    numbers = (town.params, town.layout)
    compiled = {name: _compile(town.shape, part, numbers) for name, part in parts.items()}

    def run(name: str) -> Any:
        return jax.block_until_ready(compiled[name](parts[name].given, numbers))

    moved = {name: _bytes(part.given) + _bytes(run(name)) for name, part in parts.items()}
    timings = in_turn(
        {name: functools.partial(run, name) for name in parts}, 5 if is_quick else RUNS
    )
    bandwidth = copy_bandwidth(1)
    rows = [
        {
            "benchmark": "phases",
            "phase": name,
            "towns": TOWNS,
            **_costs(compiled[name]),
            "bytes_per_town": moved[name] // TOWNS,
            "bound_ns_per_town": round(1e9 * moved[name] / TOWNS / bandwidth),
            "ns_per_town": round(1e9 * timing.seconds / TOWNS),
            "spread": [round(1e9 * x / TOWNS) for x in (timing.low, timing.high)],
        }
        for name, timing in timings.items()
    ]
    return {"cores_used": 1, "copy_bytes_per_second_of_a_core": round(bandwidth), "rows": rows}


def _capture(town: Any, towns: Any) -> dict[str, Part]:
    """Runs one tick of all towns with listeners in place of the phases."""
    import jax
    import jax.numpy as jnp

    from townlet_jax.state.rewards import empty_rewards
    from townlet_jax.town import step
    from townlet_jax.town.decide import decide
    from townlet_jax.town.observe import observe
    from townlet_jax.town.policies import POLICIES
    from townlet_jax.town.reward import reward
    from townlet_jax.town.tick import Tick

    shape = town.shape
    calls: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {}

    def kind(x: Any) -> str:
        known = {id(shape): "shape", id(town.params): "params", id(town.layout): "layout"}
        return "tick" if isinstance(x, Tick) else known.get(id(x), "own")

    def one(towns: Any, rewards: Any) -> dict[str, Any]:
        heard: dict[str, Any] = {}

        def listen(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
            def heard_call(*args: Any) -> Any:
                spec = tuple(kind(x) for x in args)
                own = [x for x, is_a in zip(args, spec, strict=True) if is_a in ("own", "tick")]
                heard[name] = [(x.now, x.draws) if isinstance(x, Tick) else x for x in own]
                calls[name] = (call, spec)
                return call(*args)

            return heard_call

        choose = functools.partial(decide, shape, POLICIES["scripted"])
        given = (towns.decision, towns.state, town.params, town.layout)
        _, action = listen("policy", choose)(*given)
        former = []
        for name, path in PHASES:
            owner, _, own = path.rpartition(".")
            module = getattr(step, owner) if owner else step
            former.append((module, own, getattr(module, own)))
            setattr(module, own, listen(name, getattr(module, own)))
        try:
            state, events = step.step(shape, towns.state, action, None, town.params, town.layout)
        finally:
            for module, own, call in former:
                setattr(module, own, call)
        listen("reward", reward)(rewards, state, events, town.params)
        reset = events.lifecycle.context_reset
        listen("observation", observe)(shape, state, reset, town.params, town.layout)
        return heard

    rewards = jax.tree.map(lambda x: jnp.stack([x] * TOWNS), empty_rewards(shape))
    heard = jax.jit(jax.vmap(one), compiler_options=_options())(towns, rewards)
    return {name: Part(*calls[name], heard[name]) for name in heard}


def _compile(shape: Any, part: Part, numbers: Any) -> Any:
    """Compiles a phase for all towns."""
    import jax

    from townlet_jax.town.tick import Tick

    def alone(given: list[Any], numbers: tuple[Any, Any]) -> Any:
        params, layout = numbers
        known, rest = {"shape": shape, "params": params, "layout": layout}, iter(given)
        args = []
        for is_a in part.spec:
            own = known[is_a] if is_a in known else next(rest)
            args.append(Tick(shape, *own, params, layout) if is_a == "tick" else own)
        known_leaves = set(map(id, jax.tree.leaves((given, numbers))))
        # What a phase leaves as it was stays where it is within a tick; here it would be copied.
        return [x for x in jax.tree.leaves(part.call(*args)) if id(x) not in known_leaves]

    many = jax.jit(jax.vmap(alone, in_axes=(0, None)), compiler_options=_options())
    return many.lower(part.given, numbers).compile()


def _options() -> Any:
    from townlet_jax.env.batch import compiler_options

    return compiler_options(TOWNS)


def _costs(compiled: Any) -> dict[str, int]:
    """Returns what the compiler says of a program, per town, and its kernels."""
    found = compiled.cost_analysis()
    entry = compiled.as_text().split("ENTRY ")[-1]
    kernels = sum(entry.count(f" {kind}(") for kind in KERNELS)
    return {
        "kernels": kernels,
        "operations_per_town": round(found.get("flops", 0) / TOWNS),
        "bytes_accessed_per_town": round(found.get("bytes accessed", 0) / TOWNS),
    }


def _bytes(tree: Any) -> int:
    """Returns the bytes of arrays; a key counts as two words."""
    import jax

    leaves = jax.tree.leaves(tree)
    return sum(x.size * (8 if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)
                         else x.dtype.itemsize) for x in leaves)  # fmt: skip
