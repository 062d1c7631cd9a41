"""Fresh towns: residents, needs, personalities, embedding slots, ties."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from townlet_jax.masked import LONG_AGO, NONE

RESIDENTS = np.arange(6) < 5


@pytest.fixture(scope="module")
def towns(busy_options):
    """The same town from two seeds."""
    return busy_options.start(0), busy_options.start(1)


def test_slots_without_a_resident_are_vacant(towns):
    agents = towns[0].agents
    assert agents.is_alive.tolist() == RESIDENTS.tolist()
    assert agents.job.tolist() == [0, 1, 0, 1, 0, NONE] and agents.wallet[5] == 0
    assert agents.position.tolist() == [[0, 0], [1, 0], [2, 0], [3, 0], [4, 0], [0, 0]]
    assert towns[0].lifecycle.num_arrivals == 5 and not agents.generation.any()
    assert (agents.last_action == NONE).all() and towns[0].clock.tick == 0


def test_random_needs_lie_in_the_range_of_newcomers(towns, busy_options):
    low, high = np.asarray(busy_options.params.lifecycle.arrival_needs)
    levels = np.stack([np.asarray(town.needs.level) for town in towns])
    drawn = levels[:, RESIDENTS]
    assert (drawn >= low).all() and (drawn <= high).all()
    assert len(np.unique(drawn)) == drawn.size and not levels[:, 5].any()


def test_needs_of_the_file_are_kept(busy_options):
    residents = busy_options.layout.residents
    given = jnp.full((6, 3), 0.25, jnp.float32)
    residents = residents.replace(
        is_random_needs=residents.is_random_needs.at[1].set(False), needs=given
    )
    layout = busy_options.layout.replace(residents=residents)
    level = busy_options.init(jax.random.key(0), busy_options.params, layout).needs.level
    assert level[1].tolist() == [0.25] * 3
    same = busy_options.start(0).needs.level
    np.testing.assert_array_equal(level[0], same[0], err_msg="others keep their draws")


def test_residents_get_the_first_embedding_slots(towns):
    slots = towns[0].slots
    assert slots.slot.tolist() == [0, 1, 2, 3, 4, NONE]
    assert slots.num_allocated == 5 and slots.num_forced == 0


def test_traits_of_the_file_are_kept_and_others_are_assigned(busy_options):
    residents = busy_options.layout.residents
    own = jnp.full((6, 3), 0.125, jnp.float32)
    residents = residents.replace(is_random_traits=jnp.arange(6) != 2, traits=own)
    lifecycle = busy_options.params.lifecycle.replace(is_halton=jnp.bool_(True))
    params = busy_options.params.replace(lifecycle=lifecycle)
    layout = busy_options.layout.replace(residents=residents)
    fresh = [busy_options.init(jax.random.key(seed), params, layout) for seed in (0, 1)]
    traits = np.asarray(fresh[0].agents.traits)
    assert (traits[2] == 0.125).all()
    assigned = traits[[0, 1, 3, 4]]
    spread = float(params.lifecycle.trait_spread)
    assert (np.abs(assigned) <= spread).all() and len(np.unique(assigned)) == assigned.size
    shift = busy_options.draw(fresh[0].clock).personality_shift
    u = (np.asarray(residents.halton)[:5] + np.asarray(shift)) % 1
    np.testing.assert_allclose(assigned, (spread * (2 * u - 1))[[0, 1, 3, 4]], atol=1e-5)
    assert not np.allclose(assigned, np.asarray(fresh[1].agents.traits)[[0, 1, 3, 4]])


def test_profiles_follow_the_distribution(towns, busy_options):
    """Four profiles of equal weight; five residents of the sequence already show at least three."""
    profile = np.asarray(towns[0].agents.profile)
    assert profile[5] == NONE and len(set(profile[RESIDENTS].tolist())) >= 3
    table = np.asarray(busy_options.params.lifecycle.profile_traits)
    np.testing.assert_array_equal(towns[0].agents.traits[:5], table[profile[:5]])


def test_ties_of_the_file_are_formed_at_tick_zero(busy_options):
    residents = busy_options.layout.residents
    is_tie = jnp.zeros((6, 6), bool).at[0, 1].set(True)
    trust = jnp.zeros((6, 6), jnp.float32).at[0, 1].set(0.3)
    layout = busy_options.layout.replace(residents=residents.replace(is_tie=is_tie, trust=trust))
    ties = busy_options.init(jax.random.key(0), busy_options.params, layout).relationships
    assert ties.is_tie[0, 1] and ties.trust[0, 1] == np.float32(0.3)
    for moment in (ties.formed_tick, ties.last_event_tick):
        assert moment[0, 1] == 0 and moment[1, 0] == LONG_AGO
    assert (ties.last_chat_tick == LONG_AGO).all()


def test_stock_prices_and_gates_come_from_the_layout(towns, busy_options):
    start, layout = towns[0], busy_options.layout
    np.testing.assert_array_equal(start.economy.stock, layout.stock.initial)
    np.testing.assert_array_equal(start.economy.price_base, busy_options.params.economy.price_base)
    assert start.queues.is_fairness_on == layout.residents.is_fairness_on
    assert start.lifecycle.is_mortality_on == layout.residents.is_mortality_on


def test_one_seed_one_town(towns, busy_options):
    again = busy_options.start(0)

    def plain(tree):
        keys = tree.clock.stream_keys
        tree = tree.replace(clock=tree.clock.replace(stream_keys=jax.random.key_data(keys)))
        return jax.tree.leaves(tree)

    for one, other in zip(plain(towns[0]), plain(again), strict=True):
        np.testing.assert_array_equal(one, other)
