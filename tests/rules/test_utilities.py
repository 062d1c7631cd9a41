"""Utilities: world spec section 10."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from townlet_jax.config.layout import ObjectLayout, PerturbationKind
from townlet_jax.masked import NONE
from townlet_jax.rules import utilities as rule
from townlet_jax.state.events import FailReason
from townlet_jax.state.queues import Use

BLACKOUT, OUTAGE = PerturbationKind.BLACKOUT, PerturbationKind.OUTAGE
REQUIRES = ((False, False), (True, False), (True, True), (False, True))  # bed, stove, shower, tap

is_on, lost = jax.jit(rule.is_on), jax.jit(rule.lost)
both = pytest.mark.parametrize(
    ("is_on", "lost"), [(is_on, lost), (rule.is_on, rule.lost)], ids=["jit", "eager"]
)


def kinds(*active):
    return jnp.array([*active, *[NONE] * (4 - len(active))], jnp.int32)


def layout():
    """Four rows that differ in what they require; nothing else is read."""
    return ObjectLayout(
        **dict.fromkeys(ObjectLayout.__dataclass_fields__, jnp.int32(0))
        | {"requires": jnp.array(REQUIRES)}
    )


def using(*rows):
    rows = jnp.array(rows, jnp.int32)
    return Use(
        obj=rows,
        affordance=jnp.where(rows == NONE, NONE, 0),
        remaining_ticks=jnp.where(rows == NONE, 0, 5),
        paid=jnp.zeros(rows.shape, jnp.float32),
    )


@both
def test_overlapping_blackouts_end_with_the_last(is_on, lost):
    """EX-ECO-4: 100-130 and 120-150, off in 100...149."""
    for tick in (99, 100, 119, 120, 129, 130, 149, 150):
        rows = [BLACKOUT for start, end in ((100, 130), (120, 150)) if start <= tick < end]
        power, water = is_on(kinds(*rows))
        assert bool(power) == (not 100 <= tick < 150)
        assert bool(water)


@both
def test_each_kind_cuts_its_own_utility(is_on, lost):
    assert_array_equal(is_on(kinds()), [True, True])
    assert_array_equal(is_on(kinds(OUTAGE)), [True, False])
    assert_array_equal(is_on(kinds(OUTAGE, BLACKOUT)), [False, False])
    others = (PerturbationKind.PRICE_SPIKE, PerturbationKind.ARRANGED_MEET)
    assert_array_equal(is_on(kinds(*others)), [True, True])


@both
@pytest.mark.parametrize("power", [True, False])
@pytest.mark.parametrize("water", [True, False])
def test_users_of_a_dead_utility_are_cut(is_on, lost, power, water):
    use = using(NONE, 0, 1, 2, 3, 2)
    is_cut, reason = lost(use, jnp.array([power, water]), layout())
    for agent, row in enumerate(np.asarray(use.obj)):
        expected = NONE
        if row != NONE and REQUIRES[row][1] and not water:
            expected = FailReason.WATER_OFF
        if row != NONE and REQUIRES[row][0] and not power:
            expected = FailReason.POWER_OFF
        assert int(reason[agent]) == expected
        assert bool(is_cut[agent]) == (expected != NONE)


def test_batch_equals_loop():
    rng = np.random.default_rng(0)
    rows = jnp.array(rng.integers(-1, 4, (8, 6)), jnp.int32)
    kind = jnp.array(rng.integers(-1, 4, (8, 4)), jnp.int32)

    def run(rows, kind):
        return rule.lost(using(*rows), rule.is_on(kind), layout())

    batch = jax.jit(jax.vmap(run))(rows, kind)
    single = jax.jit(run)
    for town in range(8):
        for whole, alone in zip(batch, single(rows[town], kind[town]), strict=True):
            assert_array_equal(whole[town], alone)
