import jax
import numpy as np
import pytest

from tests.train.conftest import params_with
from townlet_jax.config.town_params import REWARD_STAGES
from townlet_jax.train.schedules import controls, final_controls

CONTROLS = jax.jit(controls)
NUM_UPDATES = 8


def at(params, update):
    return CONTROLS(params, np.int32(update))


def stages(*overrides):
    params = params_with(*overrides)
    return [REWARD_STAGES[int(at(params, update).social_stage)] for update in range(8)]


def test_first_update_has_the_stage_of_its_entry():
    found = stages(
        "training.social_reward_stage_override=OFF",
        "training.social_reward_schedule=[{cycle: 0, stage: OFF}, {cycle: 1, stage: C1}]",
    )
    assert found == ["OFF"] + ["C1"] * 7


def test_schedule_beats_the_override_from_its_cycle_on():
    found = stages(
        "training.social_reward_stage_override=C2",
        "training.social_reward_schedule=[{cycle: 5, stage: C1}]",
    )
    assert found == ["C2"] * 5 + ["C1"] * 3


def test_without_an_override_the_stage_is_that_of_the_town():
    assert stages("features.stages.social_rewards=C3") == ["C3"] * 8


@pytest.mark.parametrize(
    "kind, shares",
    [
        ("linear", [1.0, 0.775, 0.55, 0.1]),
        ("cosine", [1.0, 0.1 + 0.9 * (1 + 2**-0.5) / 2, 0.55, 0.1]),
        ("constant", [1.0, 1.0, 1.0, 1.0]),
    ],
)
def test_learning_rate(kind, shares):
    params = params_with(f"ppo.lr_schedule={kind}", "ppo.lr_end_fraction=0.1")
    found = [float(at(params, update).learning_rate) for update in (0, 2, 4, 8)]
    np.testing.assert_allclose(found, np.multiply(shares, 1e-3), rtol=1e-5)


def test_learning_rate_stays_at_its_end_after_the_run():
    params = params_with("ppo.lr_end_fraction=0.1")
    np.testing.assert_allclose(at(params, 100).learning_rate, 1e-4, rtol=1e-5)


def test_entropy_falls_geometrically_and_then_stays():
    params = params_with("ppo.entropy_coef=0.04", "ppo.entropy_coef_end=0.01")
    params = params.replace(entropy_decay_fraction=np.float32(0.5))
    found = [float(at(params, update).entropy_coef) for update in (0, 1, 2, 4, 6, 8)]
    np.testing.assert_allclose(found, [0.04, 0.04 * 0.5**0.5, 0.02, 0.01, 0.01, 0.01], rtol=1e-5)


@pytest.mark.parametrize("first, last", [(0.04, 0.0), (0.0, 0.04), (0.0, 0.0)])
def test_entropy_changes_linearly_where_an_end_is_0(first, last):
    params = params_with(entropy_coef=first, entropy_coef_end=last, entropy_decay_fraction=0.5)
    found = [float(at(params, update).entropy_coef) for update in (0, 1, 2, 4, 8)]
    expected = [first + (last - first) * share for share in (0, 0.25, 0.5, 1, 1)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_only_an_entropy_given_is_constant():
    params = params_with("ppo.entropy_coef=0.02")
    np.testing.assert_allclose([at(params, u).entropy_coef for u in (0, 4, 8)], 0.02, rtol=1e-5)


def test_satisfied_level_is_that_of_the_last_entry():
    levels = "policy.satisfied_level=[{fraction: 0.25, level: 0.8}, {fraction: 0.5, level: 0.9}]"
    params = params_with(levels)
    found = [float(at(params, update).satisfied_level) for update in (0, 1, 2, 3, 4, 8)]
    np.testing.assert_allclose(found, [2.0, 2.0, 0.8, 0.8, 0.9, 0.9], rtol=1e-6)


def test_satisfied_level_is_off_in_the_second_half_by_default():
    params = params_with()
    found = [float(at(params, update).satisfied_level) for update in range(8)]
    np.testing.assert_allclose(found, [0.9] * 4 + [2.0] * 4, rtol=1e-6)


def test_final_controls_are_those_after_the_last_update():
    params = params_with("ppo.lr_end_fraction=0.1", "ppo.entropy_decay_fraction=1.0")
    assert final_controls(params) == controls(params, np.int32(NUM_UPDATES))


def test_lanes_have_schedules_of_their_own():
    lanes = [params_with(f"ppo.lr_schedule={kind}") for kind in ("linear", "cosine", "constant")]
    together = jax.tree.map(lambda *x: np.stack(x), *lanes)
    many = jax.jit(jax.vmap(controls, in_axes=(0, None)))(together, np.int32(3))
    for i, lane in enumerate(lanes):
        alone = at(lane, 3)
        jax.tree.map(lambda a, b, i=i: np.testing.assert_allclose(a[i], b, rtol=1e-6), many, alone)
