"""One tick of a small town as the reward sees it, and the reward compiled once."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.oracle import twin
from tests.oracle.defaults import default_params
from tests.oracle.events import empty_events
from tests.oracle.tables import Job
from tests.town.conftest import QUICK
from townlet_jax.config.shape import TownShape
from townlet_jax.masked import NONE
from townlet_jax.state import empty
from townlet_jax.state.events import TickEvents
from townlet_jax.state.rewards import empty_rewards
from townlet_jax.town.reward import reward

SHAPE = TownShape(num_agents=4, num_objects=3, num_perturbations=2, num_ops=1)
SLOTS = SHAPE.num_agents
OFF, C1, C2, C3 = range(4)
FRESH = jax.tree.map(np.asarray, empty_rewards(SHAPE))
_EMPTY = empty(SHAPE, jax.random.key(0))
# The reward reads no random stream, and plain arrays are quicker to handle.
_EMPTY = jax.tree.map(np.asarray, _EMPTY.replace(clock=_EMPTY.clock.replace(stream_keys=None)))


def params(**changes):
    """Makes the defaults of the worked examples (discount .998, stage C1), one job 180-360."""
    made = default_params(jobs=[Job(180, 360)])
    fields = made.rewards
    given = {"discount": 0.998, "social_stage": C1, **changes}
    typed = {name: np.asarray(x, getattr(fields, name).dtype) for name, x in given.items()}
    return made.replace(rewards=fields.replace(**typed))


DEFAULTS = params()


def town(
    tick=500, level=(0.5, 0.6, 0.7), reason=0, flagged=0, low_hunger=0, alive=True, profile=NONE
):
    """Makes a town after its tick `tick`; a value is that of every resident, or one each."""
    level = np.broadcast_to(np.asarray(level, np.float32), (SLOTS, 3))

    def column(values, dtype=np.int32):
        return np.broadcast_to(np.asarray(values, dtype), (SLOTS,))

    return _EMPTY.replace(
        clock=_EMPTY.clock.replace(tick=np.int32(tick + 1)),
        agents=_EMPTY.agents.replace(
            is_alive=column(alive, bool), profile=column(profile), job=column(0)
        ),
        needs=_EMPTY.needs.replace(level=level, low_hunger_ticks=column(low_hunger)),
        lifecycle=_EMPTY.lifecycle.replace(
            exit_reason=column(reason), flagged_tick=column(flagged)
        ),
    )


def happened(level_before=(0.5, 0.6, 0.7), chats=(), settled=(0.0, 0.0), **columns):
    """Makes the events of a tick.

    Args:
      level_before: needs before, of everybody or of each.
      chats: (speaker, listener, quality); quality None = a failure.
      settled: trust and familiarity towards the partner, of everybody or of each.
      **columns: wage_paid, wage_withheld, first_presence; collapsed, exited, spawned; avoided.
    """
    e = empty_events(SHAPE)
    e.level_before = np.array(np.broadcast_to(np.asarray(level_before, np.float32), (SLOTS, 3)))
    for speaker, listener, quality in chats:
        e.chat.listener[speaker], e.chat.is_success[speaker] = listener, quality is not None
        e.chat.quality[speaker] = 0.5 if quality is None else quality
    settled = np.broadcast_to(np.asarray(settled, np.float32), (SLOTS, 2))
    e.relationships.settled_trust = np.array(settled[:, 0])
    e.relationships.settled_familiarity = np.array(settled[:, 1])
    for name, values in columns.items():
        for part in (e.employment, e.lifecycle, e.conflict):
            if hasattr(part, name):
                getattr(part, name)[:] = values
    return twin.to_arrays(e, TickEvents)


def before(day_total=0.0, has_fainted=False):
    total = np.broadcast_to(np.asarray(day_total, np.float32), (SLOTS,))
    fainted = np.broadcast_to(np.asarray(has_fainted, bool), (SLOTS,))
    return FRESH.replace(day_total=total, has_fainted=fainted)


_compiled = jax.jit(reward, compiler_options=QUICK)


def jitted(*args):
    """Rewards a town, compiled once."""
    return _compiled(*args)


def plain(*args):
    """Rewards a town, operation by operation."""
    return reward(*jax.tree.map(jnp.asarray, args))


def column(made, term):
    return np.asarray(made.breakdown)[..., term]
