"""The golden observations of a small circle of friends and rivals.

Run as a script, it writes them anew: python tests/town/social_snippet.py
"""

import functools
import sys
from pathlib import Path

import jax
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.town.observed_towns import busy, put, tie  # noqa: E402
from townlet_jax.town.init import init  # noqa: E402

PATH = ROOT / "tests" / "data" / "observations" / "social_snippet.npz"
CELLS = ((4, 4), (5, 4), (4, 5), (0, 8), (5, 4))
TIES = (
    (0, 1, 0.4, 0.3, 0.0),
    (0, 2, -0.1, 0.2, 0.5),
    (0, 3, 0.0, 0.0, 0.2),
    (1, 0, 0.25, 0.5, 0.0),
    (1, 4, -0.5, 0.25, 0.75),
    (2, 0, -0.3, 0.1, 0.9),
)


def snippet():
    """Makes the golden arrays: a town that is set by hand, so that no rule has a part in it.

    Returns:
      names, features `[A, F]`, map `[A, w, w, C]`, action_mask, layout_hash.
    """
    viewer = busy()
    start = jax.jit(functools.partial(init, viewer.shape))
    state = start(jax.random.key(11), viewer.params, viewer.layout)
    for a, cell in enumerate(CELLS):
        state = put(state, a, agents__position=list(cell), agents__traits=[0.5, 0.0, -0.5])
        state = put(state, a, needs__level=[0.5, 0.75, 0.25 + 0.125 * a], agents__profile=-1)
    for holder, other, *feelings in TIES:
        state = tie(state, holder, other, *feelings)
    seen = viewer.look(state)
    return {
        "names": np.array(viewer.spec.names),
        "features": seen.features,
        "map": seen.map,
        "action_mask": seen.action_mask,
        "layout_hash": np.array(viewer.spec.layout_hash),
    }


if __name__ == "__main__":
    PATH.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(PATH, **snippet())
    print(f"wrote {PATH.relative_to(ROOT)}")
