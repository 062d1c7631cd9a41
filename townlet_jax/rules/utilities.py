"""Power and water: on unless an active perturbation switches them off. Nothing is stored."""

import jax
import jax.numpy as jnp

from townlet_jax.config.layout import ObjectLayout, PerturbationKind, Utility
from townlet_jax.masked import NONE, pick
from townlet_jax.state.events import FailReason
from townlet_jax.state.queues import Use


def is_on(kind: jax.Array) -> jax.Array:
    """Tells which utilities work.

    Power is off while any blackout is active, water while any outage is; overlapping events need no
    counting, because each is a row of its own.

    Args:
      kind: int32 `[K]`, `PerturbationKind` of the active rows, NONE for all others.

    Returns:
      bool `[2]`, by `Utility`.
    """
    is_blackout = jnp.any(kind == PerturbationKind.BLACKOUT)
    is_outage = jnp.any(kind == PerturbationKind.OUTAGE)
    return ~jnp.stack([is_blackout, is_outage])


def lost(use: Use, is_on: jax.Array, objects: ObjectLayout) -> tuple[jax.Array, jax.Array]:
    """Finds running users of objects that need a utility which is off.

    Args:
      use: what each resident runs.
      is_on: bool `[2]`, by `Utility`.
      objects: object tables.

    Returns:
      is_cut: bool `[A]`, to be stopped with refund.
      reason: int32 `[A]`, `FailReason.POWER_OFF` or `WATER_OFF`, NONE where not cut. If both are
        missing, power is the reason.
    """
    is_missing = objects.requires & ~is_on[None, :]  # [O, 2]
    by_row = jnp.where(is_missing[:, Utility.WATER], jnp.int32(FailReason.WATER_OFF), NONE)
    by_row = jnp.where(is_missing[:, Utility.POWER], jnp.int32(FailReason.POWER_OFF), by_row)
    reason = pick(by_row, use.obj, NONE)
    return reason != NONE, reason
