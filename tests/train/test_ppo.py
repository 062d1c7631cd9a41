import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.train.conftest import Trainer, assert_same, params_with, raw
from tests.train.noise import NUMBERS, Noise, noise_shape
from townlet_jax.config.town_params import REWARD_STAGES
from townlet_jax.masked import NEVER
from townlet_jax.town.options import Option
from townlet_jax.town.reward import Term

KEYS_OF_ALL = (
    "updates", "transitions", "loss_policy", "loss_value", "loss_total", "loss_entropy",
    "clip_fraction", "adv_mean", "adv_std", "grad_norm", "kl_divergence", "lr",
    "batch_entropy_mean", "batch_entropy_std", "grad_norm_max", "kl_divergence_max",
    "reward_advantage_corr", "adv_zero_std_batches", "clip_triggered_minibatches",
    "clip_fraction_max", "explained_variance", "approx_kl_k3", "kl_stopped_epochs",
    "nonfinite_minibatches", "value_mean", "return_mean", "return_std", "value_sigma",
    "reward_mean", "reward_std", "reward_variance", "option_switch_rate", "option_completed_rate",
    "decision_fraction", "legal_mean", "mask_satisfied_fraction", "entropy_normalised",
    "entropy_coef", "satisfied_level", "social_stage",
)  # fmt: skip
"""Keys of the training log that every world gives."""
KEYS_OF_A_TOWN = (
    "queue_conflict_events", "queue_conflict_intensity_sum", "shared_meal_events",
    "late_help_events", "shift_takeover_events", "chat_success_events", "chat_failure_events",
    "chat_quality_mean", "conflict.rivalry_max_mean_avg", "conflict.rivalry_max_max_avg",
    "conflict.rivalry_avoid_count_mean_avg", "conflict.rivalry_avoid_count_max_avg",
    "reward_clip_fraction", "reward_clip_events.tick", "reward_clip_events.day",
    "reward_clip_events.guard", "deaths_per_1k", "exits_per_1k", "arrivals_per_1k", "wallet_mean",
    "self_sufficiency", "relationship_coverage", "lateness_rate",
)  # fmt: skip
"""Keys that are about needs, work and company."""


def noise(**sizes):
    return Trainer(Noise(), noise_shape(Noise(), **sizes), NUMBERS, params_with())


@pytest.fixture(scope="module")
def two():
    """Two updates in a chunk."""
    return noise(updates_per_chunk=2)


@pytest.fixture(scope="module")
def played(trainer):
    """The town after each of two chunks, with the metrics."""
    learner, first = trainer.chunk(trainer.init(1))
    later, second = trainer.chunk(learner)
    return learner, first, later, second


def ticks_of(learner):
    return np.asarray(learner.world.town.clock.tick)


def test_seed_decides_everything(two):
    one, other = (two.chunk(two.init(5)) for _ in range(2))
    assert_same(one, other)
    another, _ = two.chunk(two.init(6))
    for name in ("params", "world", "hidden"):
        leaves = zip(*(jax.tree.leaves(getattr(x, name)) for x in (one[0], another)), strict=True)
        assert any((raw(a) != raw(b)).any() for a, b in leaves), name


def test_updates_go_on_where_the_last_chunk_ended(two):
    four = noise(updates_per_chunk=4)
    whole, metrics = four.chunk(four.init(2))
    half, first = two.chunk(two.init(2))
    again, second = two.chunk(half)
    assert_same(again, whole)
    both = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), first, second)
    assert_same(both, metrics)
    assert whole.num_updates == 4


def test_one_trace_whatever_the_numbers(two):
    learner, _ = two.chunk(two.init())
    num_traces = two.num_traces
    for changes in (
        {"learning_rate": 1e-4, "gamma": 0.5, "clip_param": 0.1, "entropy_coef": 0.5},
        {"lr_schedule": 2, "episode_ticks": 4, "normalize_advantage": False, "target_kl": 1e-9},
        {"base_stage": 3, "option_commit_ticks": 9, "max_grad_norm": 0, "num_updates": 1000},
    ):
        numbers = {**NUMBERS, "exit_prob": jnp.float32(0.5)}
        learner, metrics = two.chunk(learner, params_with(**changes), numbers)
        for name, x in metrics.items():
            assert np.isfinite(x).all(), name
    assert two.num_traces == num_traces


def test_loaded_learner_does_not_trace_again(two):
    learner, _ = two.chunk(two.init())
    num_traces = two.num_traces
    stored = jax.tree.map(lambda x: np.array(raw(x)), learner)

    def load(kept, like):
        if jnp.issubdtype(like.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(jnp.asarray(kept))
        return jnp.asarray(kept)

    loaded = jax.tree.map(load, stored, learner)
    assert_same(two.chunk(loaded), two.chunk(learner))
    assert two.num_traces == num_traces


def test_stage_changes_within_a_chunk(two):
    params = params_with(
        "training.social_reward_stage_override=OFF",
        "training.social_reward_schedule=[{cycle: 1, stage: C1}, {cycle: 3, stage: C3}]",
    )
    learner = two.init(0, params)
    num_traces = max(two.num_traces, 1)
    learner, first = two.chunk(learner, params)
    _, second = two.chunk(learner, params)
    stages = [*first["social_stage"].tolist(), *second["social_stage"].tolist()]
    assert [REWARD_STAGES[stage] for stage in stages] == ["OFF", "C1", "C1", "C3"]
    pay = np.concatenate([first["reward_mean"], second["reward_mean"]])
    np.testing.assert_allclose(np.diff(pay), np.diff(stages), atol=0.4)
    assert two.num_traces == num_traces


def test_numbers_of_nobody_change_no_bit(two):
    numbers = {**NUMBERS, "paid_to_nobody": jnp.float32(1e6)}
    assert_same(two.chunk(two.init(3), numbers=numbers), two.chunk(two.init(3)))


def test_stage_shift_of_all_rewards_leaves_the_critic_calm(two):
    """Values are normalised, so that a jump of the rewards is no jump of the loss."""
    params = params_with("training.social_reward_schedule=[{cycle: 2, stage: C3}]")
    learner, before = two.chunk(two.init(4), params)
    _, after = two.chunk(learner, params)
    assert after["return_mean"][0] - before["return_mean"][1] > 2
    assert after["loss_value"].max() < 20


def test_rollout_of_nobody_moves_nothing(two):
    """Slots whose residents never come."""
    learner = two.init(5)
    learner = learner.replace(world=learner.world.replace(away=jnp.full((4, 2), 10**6, jnp.int32)))
    after, metrics = two.chunk(learner)
    assert_same(after.params, learner.params)
    assert_same(after.value_stats, learner.value_stats)
    assert metrics["transitions"].tolist() == [0, 0]
    for name, x in metrics.items():
        assert np.isfinite(x).all(), name
    for name in ("loss_policy", "loss_value", "loss_total", "loss_entropy", "decision_fraction"):
        assert not metrics[name].any(), name


def test_town_that_is_replaced_forgets_everything(two):
    params = params_with(episode_ticks=50, reset_stagger=False)
    fresh = two.init(6, params)
    # The towns of a new learner and those that replace old ones at this update have one key.
    fresh = fresh.replace(num_updates=jnp.int32(NEVER))
    spoilt = fresh.replace(
        world=jax.tree.map(lambda x: x[::-1], fresh.world),
        hidden=jnp.full_like(fresh.hidden, jnp.nan),
        is_first=jnp.zeros_like(fresh.is_first),
        choice=jax.tree.map(lambda x: jnp.ones_like(x), fresh.choice),
        town_age=jnp.full_like(fresh.town_age, 50),
    )
    assert_same(two.chunk(spoilt, params), two.chunk(fresh, params))


def test_only_old_towns_are_replaced(two):
    params = params_with(episode_ticks=100)
    learner = two.init(7, params)
    assert learner.town_age.tolist() == [0, 25, 50, 75]
    learner = learner.replace(town_age=jnp.array([99, 100, 5, 101], jnp.int32))
    after, _ = two.chunk(learner, params)
    ticks = 2 * two.shape.num_steps * two.shape.decide_every
    half = ticks // 2
    # The first reaches its age after one update, the second and the last have reached it before.
    assert after.town_age.tolist() == [half, ticks, 5 + ticks, ticks]
    assert after.world.tick.tolist() == [half, ticks, ticks, ticks]
    keys = [raw(x.world.key) for x in (learner, after)]
    assert (keys[0] != keys[1]).any(axis=1).tolist() == [True, True, False, True]
    assert len(np.unique(keys[1], axis=0)) == 4


def test_start_ages_are_staggered_only_if_asked(two):
    learner = two.init(8, params_with(reset_stagger=False))
    assert not learner.town_age.any()
    assert len(np.unique(raw(learner.world.key), axis=0)) == 4


def test_metrics_of_a_world_without_needs(two):
    _, metrics = two.chunk(two.init())
    expected = {*KEYS_OF_ALL, *(f"option_hist.{code}" for code in range(3))}
    assert expected <= set(metrics)
    assert not set(metrics) & set(KEYS_OF_A_TOWN)


def test_every_key_of_the_log_is_there(played):
    _, metrics, _, _ = played
    expected = {*KEYS_OF_ALL, *KEYS_OF_A_TOWN}
    expected |= {f"option_hist.{option.name.lower()}" for option in Option}
    expected |= {f"reward.{t.name.lower()}_{what}" for t in Term for what in ("mean", "std")}
    for name in ("hunger", "hygiene", "energy"):
        expected |= {f"need_mean.{name}", f"need_low.{name}"}
    assert not expected - set(metrics)
    for name, x in metrics.items():
        assert x.shape == (2,) and np.isfinite(x).all(), name


def test_metrics_agree_with_each_other(trainer, played):
    shape, (_, *_, metrics) = trainer.shape, played
    metrics = {name: np.asarray(x, np.float64) for name, x in metrics.items()}
    share = sum(metrics[f"option_hist.{option.name.lower()}"] for option in Option)
    np.testing.assert_allclose(share, 1, atol=1e-5)
    assert (metrics["updates"] == shape.num_epochs * shape.num_mini_batches).all()
    assert (metrics["transitions"] <= 4 * 4 * 3).all()
    terms = [metrics[f"reward.{t.name.lower()}_mean"] for t in Term if t != Term.TOTAL]
    np.testing.assert_allclose(sum(terms), metrics["reward.total_mean"], atol=1e-6)
    np.testing.assert_allclose(metrics["reward_mean"], metrics["reward.total_mean"], rtol=0.02)
    np.testing.assert_allclose(
        metrics["reward_variance"], np.square(metrics["reward_std"] * 5), rtol=1e-4
    )
    np.testing.assert_allclose(
        metrics["loss_total"],
        metrics["loss_policy"]
        + 0.5 * metrics["loss_value"]
        - metrics["entropy_coef"] * metrics["loss_entropy"],
        rtol=1e-4,
    )
    for name in ("loss_entropy", "option_switch_rate", "decision_fraction", "entropy_normalised"):
        assert (metrics[name] >= 0).all(), name
    for name in ("option_switch_rate", "decision_fraction", "clip_fraction"):
        assert (metrics[name] <= 1).all(), name
    for name in ("hunger", "hygiene", "energy"):
        need = metrics[f"need_mean.{name}"]
        assert ((need > 0) & (need < 1)).all()
    assert (metrics["grad_norm"] <= metrics["grad_norm_max"]).all()
    assert (abs(metrics["kl_divergence"]) <= metrics["kl_divergence_max"]).all()
    assert ((metrics["legal_mean"] >= 1) & (metrics["legal_mean"] <= 7)).all()


def test_town_learns_the_same_twice(trainer, played):
    learner, metrics, _, _ = played
    assert_same(trainer.chunk(trainer.init(1)), (learner, metrics))
    assert ticks_of(learner).tolist() == [40] * 4
    assert learner.num_updates == 2


def test_town_has_one_trace_whatever_its_numbers(trainer, mortal_numbers, played):
    learner = played[0]
    trainer.chunk(learner, params_with(learning_rate=1e-5, base_stage=1), mortal_numbers)
    trainer.chunk(learner, params_with(satisfied_level=[0.5] * 8, option_commit_ticks=20))
    assert trainer.num_traces == 1


def test_first_ratio_of_the_town_is_1(trainer):
    """Without learning all minibatches are the first."""
    _, metrics = trainer.chunk(trainer.init(2), params_with(learning_rate=0.0))
    assert abs(metrics["kl_divergence_max"]).max() <= 1e-4
    assert abs(metrics["approx_kl_k3"]).max() <= 1e-6
    assert not metrics["clip_fraction_max"].any()


def test_dead_leave_rows_of_nobody(trainer, mortal_numbers):
    learner = trainer.init(3)
    transitions, exits, arrivals = [], 0.0, 0.0
    for _ in range(3):
        learner, metrics = trainer.chunk(learner, numbers=mortal_numbers)
        transitions += metrics["transitions"].tolist()
        exits += metrics["exits_per_1k"].sum()
        arrivals += metrics["arrivals_per_1k"].sum()
        share = sum(metrics[f"option_hist.{option.name.lower()}"] for option in Option)
        np.testing.assert_allclose(share, 1, atol=1e-5)
        for name, x in metrics.items():
            assert np.isfinite(x).all(), name
    assert exits > 0 and arrivals > 0, "the town is not mortal enough for this test"
    assert min(transitions) < 4 * 4 * 3
    assert (np.asarray(learner.world.town.agents.generation) > 0).any()


def test_towns_are_replaced_at_their_age(trainer):
    params = params_with(episode_ticks=20)
    learner = trainer.init(4, params)
    assert learner.town_age.tolist() == [0, 5, 10, 15]
    learner, _ = trainer.chunk(learner, params)
    assert ticks_of(learner).tolist() == [20] * 4
    assert learner.town_age.tolist() == [20] * 4


def test_fresh_towns_are_spread(trainer):
    params = params_with(reset_needs=[0.2, 0.4], reset_wallet=[1.5, 2.5])
    learner = trainer.init(5, params)
    agents, needs = learner.world.town.agents, learner.world.town.needs
    assert agents.is_alive.all()
    for x, low, high in ((needs.level, 0.2, 0.4), (agents.wallet, 1.5, 2.5)):
        assert (x >= np.float32(low)).all() and (x <= np.float32(high)).all()
        assert np.unique(x).size > x.size / 2
    assert learner.is_first.all() and not learner.hidden.any()
    assert not learner.choice.has_chosen.any()


@pytest.mark.acceptance
def test_every_row_of_the_town_has_a_legal_action(trainer, mortal_numbers, played):
    params = params_with(option_commit_ticks=50, satisfied_level=[0.3] * 8)
    _, found = trainer.act(played[2], params, mortal_numbers)
    rows = found.transitions
    mask, action = np.asarray(rows.seen.mask), np.asarray(rows.action, int)
    assert mask.any(-1).all()
    assert np.take_along_axis(mask, action[..., None], -1).all()
    nobody = ~np.asarray(rows.seen.is_valid)
    assert (mask[nobody].sum(-1) == 1).all() and not action[nobody].any()
    per_row = sum(np.prod(x.shape[3:]) * x.dtype.itemsize for x in jax.tree.leaves(rows))
    assert per_row == 331, "bytes that the text gives for compact views"


@pytest.mark.acceptance
def test_bootstrap_is_the_value_that_comes_next(trainer, played):
    learner = played[0]
    end, found = trainer.act(learner)
    learner = learner.replace(
        world=end.world, hidden=end.hidden, is_first=end.is_first, choice=end.choice
    )
    _, later = trainer.act(learner)
    np.testing.assert_allclose(found.bootstrap, later.transitions.value[0], rtol=1e-4, atol=1e-5)


@pytest.mark.acceptance
def test_town_goes_on_where_the_last_chunk_ended(trainer, played):
    shape = dataclasses.replace(trainer.shape, updates_per_chunk=4)
    four = Trainer(trainer.world, shape, trainer.numbers, trainer.params)
    whole, metrics = four.chunk(four.init(1))
    assert_same(whole, played[2])
    both = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), played[1], played[3])
    assert_same(both, metrics)
