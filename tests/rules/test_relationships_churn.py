"""How lost ties are counted: social spec section 5."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.rules.tie_towns import DAY, QUICK, SLOTS, at, events, inputs, live_jit, params, ties
from townlet_jax.rules import relationships as rule
from townlet_jax.state.relationships import TieDrop


def quiet_days(relationships, evicted, numbers):
    """Counts a tape of evictions, int32 `[T, A, 4]`, from tick 0; returns the counts per tick."""

    def tick(carry, evicted):
        relationships, tick = carry
        relationships = rule.count(relationships, evicted, at(tick), jnp.int32(DAY), numbers)
        return (relationships, tick + 1), relationships

    return jax.lax.scan(tick, (relationships, jnp.int32(0)), evicted)[1]


quiet_days = jax.jit(quiet_days, compiler_options=QUICK)


def test_churn_rate_of_a_day():
    """EX-CHURN-1."""
    start = ties(*[(a, b, 0.5, 0, 0) for a in range(SLOTS) for b in range(SLOTS) if a != b][:48])
    evicted = np.zeros((DAY, SLOTS, 4), np.int32)
    for cause, number in zip(TieDrop, (6, 3, 4, 30), strict=True):
        for i in range(number):
            evicted[(i * 37) % DAY, i % SLOTS, cause] += 1
    story = jax.device_get(quiet_days(start, evicted, params()))
    assert story.tie_ticks_today[-1] == 48 * DAY
    assert story.evictions_today[-1].sum(axis=0).tolist() == [6, 3, 4, 30]
    assert story.churn_rate[-1] == 0.1875
    assert not story.churn_rate[:-1].any()


def test_churn_rate_of_an_empty_town_is_the_number_of_losses():
    evicted = np.zeros((DAY, SLOTS, 4), np.int32)
    evicted[5, 0] = (1, 2, 4, 8)
    assert quiet_days(ties(), evicted, params()).churn_rate[-1] == 3


def test_windows_roll_by_the_clock():
    """EX-CHURN-2."""
    evicted = np.zeros((DAY, SLOTS, 4), np.int32)
    evicted[[10, 590], 0, TieDrop.DECAY] = 1
    story = jax.device_get(quiet_days(ties(), evicted, params()))
    window = story.evictions_window[:, 0, TieDrop.DECAY]
    previous = story.evictions_previous[:, 0, TieDrop.DECAY]
    assert window[[9, 10, 589, 590, 599, 600, 1300]].tolist() == [0, 1, 1, 2, 2, 0, 0]
    assert previous[[599, 600, 1199, 1200, 1300]].tolist() == [0, 2, 2, 0, 0]


def test_a_new_day_starts_at_zero():
    start = ties((0, 1, 0.5, 0, 0)).replace(
        evictions_today=jnp.ones((SLOTS, 4), jnp.int32), tie_ticks_today=jnp.int32(99)
    )
    for tick, today, tie_ticks in ((DAY, 0, 1), (DAY + 1, 1, 100)):
        story, _ = live_jit(start, inputs(events()), tick, params())
        assert (story.evictions_today == today).all() and story.tie_ticks_today == tie_ticks
