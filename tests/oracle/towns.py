"""Small towns made by hand with numpy, for tests that need no configuration file."""

from types import SimpleNamespace

import jax
import numpy as np

from tests.oracle import twin
from tests.oracle.defaults import PRICES, default_params
from tests.oracle.tables import (
    NAMES,
    TYPES,
    affordance_layout,
    expand,
    job_layout,
    map_layout,
    object_layout,
    perturbation_layout,
    resident_layout,
    schedule_layout,
    seats_of,
    stock_layout,
)
from townlet_jax.config import layout as tables
from townlet_jax.config.observation_tables import observation_tables
from townlet_jax.config.shape import FIRST_USE_ACTION, NUM_OPTIONS, TownShape
from townlet_jax.state import empty


def build(
    residents, things=(), jobs=(), specs=(), tiles=None, entry=((0, 0), (0, 1)), slots=None,
    level="option", size=(24, 24), ties=(), **tweaks,
) -> SimpleNamespace:  # fmt: skip
    """Builds a small town.

    Args:
      residents, things, jobs, specs: `Resident`, `Thing`, `Job`, `Spec`; residents fill slots.
      tiles: lines of text with `#` for walls, None = floor of the given size (width, height).
      entry: cells of newcomers. slots: number of agent slots, None = number of residents.
      level: action level. ties: (a, b, trust, familiarity, rivalry) rows, written as they are.
      **tweaks: parameters by `group__field`, for example `queues__ghost_step_after=1`.

    Returns:
      Namespace with shape, state (twin at tick 0), params, layout (dataclasses of numpy arrays) and
      `id`, the row of each object name.
    """
    if tiles is None:
        tiles = np.zeros((size[1], size[0]), np.int8)
    else:
        tiles = np.array([[int(c == "#") for c in line] for line in tiles], np.int8)
    rows = seats_of(things)
    a, o = slots or len(residents), max(1, len(rows))
    places = [job.location for job in jobs if job.location]
    plays = [expand(r.schedule or []) for r in residents]
    places += [target for played in plays for kind, target, _ in played if kind == "move"]
    targets = [thing.position for _, thing in rows]
    targets += [cell for cell in dict.fromkeys(places) if cell not in targets]
    length = max([1, *(len(played) for played in plays)])
    used = sorted({thing.type for thing in things} - {"bench"})
    shape = TownShape(
        num_agents=a, num_objects=o, num_targets=max(1, len(targets), o), width=tiles.shape[1],
        height=tiles.shape[0], schedule_length=length, action_level=level, tick_order="slot",
        num_actions=NUM_OPTIONS if level == "option" else FIRST_USE_ACTION + len(used),
        num_affordances=len(NAMES), num_types=len(TYPES), num_stock_kinds=4, num_price_keys=8,
        num_jobs=max(1, len(jobs)), num_specs=max(1, len(specs)),
    )  # fmt: skip
    objects = object_layout(rows, o)
    is_used = [[objects.type[row] == TYPES.index(name) for row in range(o)] for name in used]
    is_used = np.array(is_used if level == "primitive" and used else np.zeros((0, o)), bool)
    layout = tables.TownLayout(
        map=map_layout(tiles, targets, entry, shape.num_targets),
        objects=objects,
        affordances=affordance_layout(objects, o, len(NAMES), len(TYPES), 4),
        stock=stock_layout(rows, objects, o, 4),
        prices=tables.PriceLayout(
            rent=np.int32(list(PRICES).index("rent")), is_price=np.arange(8) < len(PRICES)
        ),
        jobs=job_layout(jobs, rows, objects, targets, shape.num_jobs),
        perturbations=perturbation_layout(specs, shape.num_specs, 8),
        actions=tables.ActionLayout(rows=is_used),
        schedules=schedule_layout(residents, rows, targets, a, length),
        residents=resident_layout(residents, a),
        observations=tables.ObservationLayout(
            **observation_tables(shape, tiles, vars(objects), list(PRICES))
        ),
    )
    params = default_params(jobs, specs, shape.num_jobs, shape.num_specs)
    for path, value in tweaks.items():
        group, field = path.split("__")
        old = getattr(getattr(params, group), field)
        new = np.asarray(value, old.dtype)
        assert new.shape == np.shape(old), path
        params = params.replace(**{group: getattr(params, group).replace(**{field: new})})
    state = initial_state(shape, params, layout)
    for x, y, *values in ties:
        state.relationships.is_tie[x, y] = True
        state.relationships.formed_tick[x, y] = state.relationships.last_event_tick[x, y] = 0
        for name, value in zip(("trust", "familiarity", "rivalry"), values, strict=True):
            getattr(state.relationships, name)[x, y] = value
    ids = {name: row for row, (name, _) in enumerate(rows)}
    return SimpleNamespace(shape=shape, state=state, params=params, layout=layout, id=ids)


def initial_state(shape, params, layout) -> SimpleNamespace:
    """Places the residents of a layout into an empty town: a twin at tick 0."""
    state = twin.from_state(empty(shape, jax.random.key(0)))
    r = layout.residents
    n = int(r.is_resident.sum())
    state.agents.is_alive[:] = r.is_resident
    state.agents.position[:], state.agents.home[:] = r.position, r.home
    state.agents.job[:], state.agents.wallet[:] = r.job, r.wallet
    state.agents.traits[:], state.agents.profile[:] = r.traits, r.profile
    state.needs.level[:] = r.needs
    state.economy.stock[:] = layout.stock.initial
    state.economy.price_base[:] = params.economy.price_base
    state.slots.slot[:n] = np.arange(n)
    state.slots.num_allocated = n
    state.lifecycle.num_arrivals = n
    return state


def quiet_draws(shape) -> SimpleNamespace:
    """Makes draws in slot order with all uniforms at one half and all bits zero."""
    a, p = shape.num_agents, shape.num_specs
    half = np.float32(0.5)
    return SimpleNamespace(
        priority=np.arange(a, dtype=np.int32),
        u_chat_success=np.full(a, half, np.float32),
        u_chat_quality=np.full(a, half, np.float32),
        bits_arrival_delay=np.zeros(a, np.uint32),
        u_arrival_needs=np.full((a, 3), half, np.float32),
        personality_shift=np.zeros(3, np.float32),
        u_perturbation_roll=np.full(p, half, np.float32),
        bits_perturbation_ticks=np.zeros(p, np.uint32),
        u_perturbation_magnitude=np.full(p, half, np.float32),
        bits_meet=np.zeros(a, np.uint32),
    )


def random_draws(shape, rng: np.random.Generator) -> SimpleNamespace:
    """Draws a tick's random numbers; `tick_order: slot` keeps the slots in order."""
    a, p = shape.num_agents, shape.num_specs
    order = np.arange(a) if shape.tick_order == "slot" else rng.permutation(a)

    def uniform(*size: int) -> np.ndarray:
        return rng.random(size, dtype=np.float32)

    def bits(*size: int) -> np.ndarray:
        return rng.integers(0, 2**32, size, dtype=np.uint32)

    return SimpleNamespace(
        priority=np.argsort(order).astype(np.int32),
        u_chat_success=uniform(a),
        u_chat_quality=uniform(a),
        bits_arrival_delay=bits(a),
        u_arrival_needs=uniform(a, 3),
        personality_shift=uniform(3),
        u_perturbation_roll=uniform(p),
        bits_perturbation_ticks=bits(p),
        u_perturbation_magnitude=uniform(p),
        bits_meet=bits(a),
    )
