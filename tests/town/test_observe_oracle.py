"""Map, features and their order against plain Python, over states of a busy town."""

import jax
import numpy as np
import pytest

from tests.oracle import twin
from tests.town import observation_oracle as oracle
from tests.town.observed_towns import busy, live, stacked

TICKS, EVERY = 150, 5


def crowd(state, rng):
    """Puts most residents into few cells, so that cells and windows are shared."""
    position = rng.integers(0, 9, (state.agents.is_alive.shape[0], 2))
    position[rng.random(len(position)) < 0.5] = position[0]
    position = np.where(state.agents.is_alive[:, None], position, 0).astype(np.int32)
    return state.replace(agents=state.agents.replace(position=position))


@pytest.mark.parametrize(
    ("variant", "level"),
    [
        ("full", "primitive"),
        ("compact", "option"),
        pytest.param("hybrid", "option", marks=pytest.mark.slow),
        pytest.param("compact", "primitive", marks=pytest.mark.slow),
        pytest.param("full", "option", marks=pytest.mark.slow),
    ],
)
def test_observations_of_a_busy_town(variant, level, request):
    bench = request.getfixturevalue("busy_options" if level == "option" else "busy_primitives")
    viewer = busy(variant, level)
    rng = np.random.default_rng(1)
    lived = list(live(bench, TICKS, EVERY, seed=3))
    lived += [(jax.tree.map(jax.numpy.asarray, crowd(s, rng)), r) for s, r in lived[::3]]
    states, resets = map(stacked, zip(*lived, strict=True))
    seen = jax.device_get(viewer.many(states, resets, viewer.params, viewer.layout))
    num_seen = 0
    for i, (state, reset) in enumerate(lived):
        town = twin.look(viewer.shape, twin.from_state(state), viewer.params, viewer.layout)
        for a in range(viewer.shape.num_agents):
            row = seen.features[i, a]
            if not state.agents.is_alive[a]:
                assert not row.any() and not seen.map[i, a].any()
                assert seen.action_mask[i, a].tolist() == [True] + [False] * (
                    viewer.shape.num_actions - 1
                )
                continue
            num_seen += 1
            expected = oracle.features(town, a, reset[a])
            wanted = np.array([expected[name] for name in viewer.spec.names])
            off = np.abs(row - wanted) > 2e-6
            assert not off.any(), (i, a, np.array(viewer.spec.names)[off])
            if variant != "compact":
                channels = viewer.spec.num_channels
                assert np.array_equal(seen.map[i, a], oracle.local_map(town, a)[..., :channels])
    assert num_seen > 100
    varies = np.ptp(seen.features[:, :5].reshape(-1, viewer.spec.num_features), axis=0) > 0
    still = [name for name, moves in zip(viewer.spec.names, varies, strict=True) if not moves]
    assert len(still) < 12, still
