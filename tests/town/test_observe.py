"""Observations: worked examples, shapes, and what must hold of every observation."""

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.town.conftest import QUICK
from tests.town.observed_towns import Viewer, at_tick, busy, live, put, stacked, tie
from townlet_jax.config import load
from townlet_jax.config.observation_layout import observation_layout
from townlet_jax.masked import NONE
from townlet_jax.town.init import init
from townlet_jax.town.observe import observe

TOWN = Path(__file__).parents[2] / "configs" / "town.yaml"
SIDES = ("north", "east", "south", "west")
SHIFT = (480, 660)


@functools.cache
def small():
    """The standard town as compact observations show it: every feature there is."""
    return Viewer(TOWN, "features.systems.observations=compact")


@functools.cache
def fresh():
    """The standard town at noon, everybody far from everybody; numbers easy to read."""
    viewer = small()
    start = jax.jit(functools.partial(init, viewer.shape), compiler_options=QUICK)
    state = at_tick(start(jax.random.key(0), viewer.params, viewer.layout), 720)
    position = jnp.array([[4, 4], *[[23, y] for y in range(8, 22, 2)]], jnp.int32)
    return put(state, slice(None), agents__position=position, agents__wallet=2.0)


def seen(state, *names, resident=0, params=None):
    values = small().named(state, resident, params)
    return [round(values[name], 4) for name in names]


def triple(name):
    return [f"target_{name}_{part}" for part in ("dx", "dy", "dist")]


def test_money_and_time():
    """EX-OBS-1."""
    state = at_tick(fresh(), 360)
    assert seen(state, "wallet", "time_sin", "time_cos") == [0.3799, 1.0, 0.0]
    assert seen(state, "episode_progress") == [0.25]


def test_the_way_to_the_shower():
    """EX-OBS-2, and what makes a row no target."""
    assert seen(fresh(), *triple("shower")) == [1.0, 0.0, 0.5833]
    poor = put(fresh(), 0, agents__wallet=0.0)
    assert seen(poor, *triple("shower")) == [0.0, 0.0, 1.0]
    assert seen(poor, *triple("bed"))[2] < 0.2
    assert seen(poor, "load_shower", "load_bed") == [1.0, 0.0]
    near = small().town.names.objects.index("shower_1")
    cooling = put(fresh(), (near, 0), queues__cooldown_until=10_000)
    assert seen(cooling, *triple("shower"))[2] > 0.5833


def test_the_best_friend():
    """EX-OBS-3; nobody below stage B."""
    state = tie(put(fresh(), 1, agents__position=[7, 8]), 0, 1, trust=0.4, familiarity=0.3)
    assert seen(state, *triple("best_friend")) == [0.6, 0.8, 0.1458]
    assert seen(state, *triple("nearest_resident")) == [0.6, 0.8, 0.1458]
    assert seen(state, "friend_near", "neighbor_agent_ratio") == [1.0, 0.125]
    assert seen(state, *triple("best_friend"), resident=1) == [0.0, 0.0, 1.0]


def partner(state, name):
    """Returns the resident a slot of resident 0 shows, told by its embedding; None = padding."""
    values = small().named(state)
    vector = [values[f"social_{name}_e{j}"] for j in range(small().shape.embed_dim)]
    table = np.asarray(small().layout.observations.embedding)[np.asarray(state.slots.slot)]
    found = np.flatnonzero(np.all(np.isclose(table, vector), axis=1))
    is_present = values[f"social_{name}_is_present"]
    assert is_present == len(found)
    if not len(found):
        assert not any(v for n, v in values.items() if n.startswith(f"social_{name}_"))
    return int(found[0]) if len(found) else None


SLOTS = ("friend0", "friend1", "rival0", "rival1")


def test_friends_and_rivals():
    """EX-OBS-5 and EX-OBS-6."""
    state = tie(fresh(), 0, 1, 0.4, 0.3, 0.0)
    state = tie(tie(state, 0, 2, -0.1, 0.2, 0.5), 0, 3, rivalry=0.2)
    assert [partner(state, name) for name in SLOTS] == [1, 2, 3, None]
    names = [f"social_friend1_{part}" for part in ("trust", "familiarity", "rivalry", "distance")]
    assert seen(state, *names) == [-0.1, 0.2, 0.5, 0.5208]
    state = tie(tie(fresh(), 0, 2, -0.3, 0.1, 0.5), 0, 3, rivalry=0.2)
    assert [partner(state, name) for name in SLOTS] == [None, None, 2, 3]


def test_equal_ties_go_to_the_older_then_to_the_lower_slot():
    state = fresh()
    for other, formed in ((5, 10), (3, 20), (4, 10)):
        state = tie(state, 0, other, 0.25, 0.25, 0.5, formed)
    assert [partner(state, name) for name in SLOTS] == [4, 5, 3, None]


def test_aggregates():
    """EX-OBS-7: a friend and a stranger are near."""
    state = tie(put(fresh(), slice(1, 3), agents__position=[6, 5]), 0, 1, trust=0.4)
    state = tie(state, 0, 7, trust=-0.9, rivalry=0.9)
    names = [
        f"social_{part}" for part in ("trust_mean", "trust_max", "rivalry_mean", "rivalry_max")
    ]
    assert seen(state, *names) == [0.2, 0.4, 0.0, 0.0]
    assert seen(fresh(), *names) == [0.0] * 4


def test_a_place_in_the_queue():
    """EX-OBS-8: the second of three has waited for 30 ticks; equal waits share a place."""
    shower = small().town.names.objects.index("shower_1")
    state = put(fresh(), slice(0, 3), queues__waiting_for=shower)
    joined = jnp.array([690, 650, 700], jnp.int32)
    first = put(state, slice(0, 3), queues__joined_tick=joined)
    names = ("in_queue", "queue_place", "queue_wait", "reservation_active")
    assert seen(first, *names) == [1.0, 0.5, 0.5, 0.0]
    assert seen(first, "queue_place", resident=2) == [0.3333]
    assert seen(put(first, 1, queues__joined_tick=690), *names[1:2]) == [1.0]
    holding = put(first, shower, queues__holder=3)
    assert seen(holding, *names, resident=3) == [0.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize(("tick", "soon", "left"), [(420, 0.75, 0), (500, 1, 0.8895), (700, 0, 0)])
def test_how_soon_the_shift_is(tick, soon, left):
    """EX-OBS-9."""
    state = at_tick(put(fresh(), 0, agents__job=0), tick)
    assert seen(state, "shift_soon", "shift_left", "has_job") == [soon, left, 1.0]
    closed = put(state, 0, employment__closed_day=0)
    assert seen(closed, "shift_left") == [0.0]
    idle = put(state, 0, agents__job=NONE)
    assert seen(idle, "shift_soon", "shift_left", "has_job", "shift_pre") == [0.0, 0.0, 0.0, 1.0]


def test_grudges():
    """EX-OBS-10."""
    state = fresh()
    for other, rivalry in ((1, 0.8), (2, 0.72), (3, 0.3)):
        state = tie(state, 0, other, rivalry=rivalry)
    names = ("rivalry_max", "rivalry_avoid_count", "rival_near")
    assert seen(state, *names) == [0.8, 0.3333, 0.0]
    near = put(state, 1, agents__position=[5, 5])
    assert seen(near, *names) == [0.8, 0.3333, 1.0]
    shower = small().town.names.objects.index("shower_1")
    queue = put(put(state, shower, queues__holder=2), 0, queues__waiting_for=shower)
    assert seen(queue, "rival_in_current_queue") == [1.0]
    assert seen(state, "rival_in_current_queue") == [0.0]


def test_prices():
    """EX-OBS-11: half as dear again, but for the cafe."""
    keys = small().town.names.price_keys
    spec = int(np.flatnonzero(np.asarray(small().layout.perturbations.kind) == 0)[0])
    state = fresh()
    spike = state.perturbations.replace(
        spec=state.perturbations.spec.at[0].set(spec),
        end_tick=state.perturbations.end_tick.at[0].set(10_000),
        magnitude=state.perturbations.magnitude.at[0].set(1.5),
        is_price_target=state.perturbations.is_price_target.at[0].set(
            jnp.array([key in ("meal", "ingredients") for key in (*keys, *[""] * 8)][:8])
        ),
    )
    dear = state.replace(perturbations=spike)
    assert seen(state, "price_level") == [0.0] and seen(dear, "price_level") == [0.3333]
    purse = put(dear, 0, agents__wallet=float(state.economy.price_base[keys.index("meal")]))
    assert seen(purse, "can_pay_meal") == [0.0]
    free = dear.economy.price_base.at[keys.index("meal")].set(0.0)
    assert seen(dear.replace(economy=dear.economy.replace(price_base=free)), "price_level") == [
        0.25
    ]


def test_a_lower_stage_hides_the_ties():
    state = tie(put(fresh(), 1, agents__position=[7, 8]), 0, 1, 0.4, 0.3, 0.2)
    ties = small().params.relationships.replace(stage=jnp.int32(1))
    hidden = small().named(state, params=small().params.replace(relationships=ties))
    assert not any(value for name, value in hidden.items() if name.startswith("social_"))
    assert [hidden[name] for name in triple("best_friend")] == [0.0, 0.0, 1.0]
    assert hidden["friend_near"] == 0 and hidden["rivalry_max"] > 0.19
    assert small().named(state)["social_friend0_is_present"] == 1


def test_the_path_hint_leads_to_its_target():
    state = put(fresh(), slice(1, 8), agents__is_alive=False, agents__position=0)
    state = put(state, 0, needs__level=[0.9, 0.9, 0.1], agents__position=[12, 22])
    distance = round(small().named(state)["target_bed_dist"] * 48)
    for left in range(distance, -1, -1):
        values = small().named(state)
        assert round(values["target_bed_dist"] * 48) == left
        hint = [values[f"path_hint_{side}"] for side in SIDES]
        assert sum(hint) == (left > 0)
        step = np.array([hint[1] - hint[3], hint[2] - hint[0]], np.int32)
        state = put(state, 0, agents__position=state.agents.position[0] + step)
    assert distance > 20


@pytest.mark.parametrize("level", ["option", "primitive"])
@pytest.mark.parametrize(
    ("variant", "channels", "size"), [("hybrid", 4, 620), ("full", 5, 729), ("compact", 0, 154)]
)
def test_shapes(variant, channels, size, level):
    town = load(TOWN, [f"features.systems.observations={variant}", f"world.action_level={level}"])
    spec = observation_layout(town.shape)
    state = jax.eval_shape(
        functools.partial(init, town.shape), jax.random.key(0), town.params, town.layout
    )
    shapes = jax.eval_shape(
        functools.partial(observe, town.shape),
        state,
        state.agents.is_alive,
        town.params,
        town.layout,
    )
    assert spec.size == size + (level == "primitive")
    assert shapes.map.shape == (8, *spec.map_shape) and shapes.map.dtype == jnp.uint8
    assert spec.map_shape == ((11, 11, channels) if channels else (0, 0, 0))
    assert shapes.features.shape == (8, spec.num_features)
    assert shapes.features.dtype == jnp.float32
    assert shapes.action_mask.shape == (8, town.shape.num_actions)
    for mask in (shapes.is_alive, shapes.can_act, shapes.ctx_reset):
        assert mask.shape == (8,) and mask.dtype == bool


@pytest.fixture(scope="module")
def lived(busy_options):
    """States of a busy town: a batch, its observations, and each alone."""
    viewer = busy()
    pairs = list(live(busy_options, 60, 15, seed=5))
    states, resets = map(stacked, zip(*pairs, strict=True))
    return pairs, jax.device_get(viewer.many(states, resets, viewer.params, viewer.layout))


def test_a_batch_sees_what_each_town_sees(lived):
    pairs, batch = lived
    for i, (state, reset) in enumerate(pairs):
        alone = busy().look(state, reset)
        for one, many in zip(jax.tree.leaves(alone), jax.tree.leaves(batch), strict=True):
            if one.dtype == np.float32:
                np.testing.assert_allclose(one, many[i], atol=1e-6)
            else:
                assert np.array_equal(one, many[i])


def test_every_number_is_small(lived):
    _, batch = lived
    assert np.all(np.isfinite(batch.features)) and np.max(np.abs(batch.features)) <= 1 + 1e-6
    assert np.ptp(batch.map[..., 0]) == 1 and np.max(batch.map[..., 1:]) <= 3
    assert np.all(batch.action_mask.any(axis=-1))
    names = busy().spec.names
    for k in range(2):
        for kind in ("friend", "rival"):
            start = names.index(f"social_{kind}{k}_e0")
            slot = batch.features[..., start : start + 13]
            assert not slot[slot[..., 11] == 0].any()


def test_other_slots_see_the_same(lived):
    """Residents change places; what they see, embedding slots included, goes with them."""
    pairs, _ = lived
    state, reset = pairs[-1]
    num_agents = busy().shape.num_agents
    order = np.array([3, 0, 4, 5, 1, 2])
    place = np.append(np.argsort(order), NONE)

    def move(leaf):
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return leaf
        leaf = np.asarray(leaf)
        for axis in [axis for axis, size in enumerate(leaf.shape) if size == num_agents]:
            leaf = np.take(leaf, order, axis)
        return leaf

    moved = jax.tree.map(move, state)
    holder = place[np.asarray(state.queues.holder)].astype(np.int32)
    moved = moved.replace(queues=moved.queues.replace(holder=holder))
    before, after = busy().look(state, reset), busy().look(moved, np.asarray(reset)[order])
    assert np.array_equal(before.map[order], after.map)
    assert np.array_equal(before.action_mask[order], after.action_mask)
    # Of two residents equally far away, the lower slot counts as the nearest.
    free = ["target_nearest_resident_dx", "target_nearest_resident_dy"]
    is_bound = [name not in free for name in busy().spec.names]
    np.testing.assert_allclose(
        before.features[order][:, is_bound], after.features[:, is_bound], atol=1e-6
    )
