"""Needs fall a little every tick, whatever the resident does."""

import jax
import jax.numpy as jnp

from townlet_jax.config.params import NeedsParams
from townlet_jax.masked import pick, rounded
from townlet_jax.state.needs import Needs


def decay(needs: Needs, is_alive: jax.Array, profile: jax.Array, params: NeedsParams) -> Needs:
    """Lowers the needs of living residents by one tick, asleep and at work too.

    level = max(0, level - decay * multiplier); the multiplier is that of the resident's profile
    while the gate is on, and 1 for a resident without a profile. A multiplier of 1 leaves the very
    bits of `decay`. `low_hunger_ticks` is not touched.

    Args:
      needs: needs after this tick's progress.
      is_alive: bool `[A]`; a vacant slot keeps its level.
      profile: int32 `[A]`, row of the profile table or NONE.
      params: decay [1/tick] and multipliers.

    Returns:
      Needs with `level` in [0, 1].
    """
    multiplier = pick(params.profile_multiplier, profile, 1.0)  # [A, N]
    is_scaled = params.has_multipliers & (multiplier != 1)
    loss = jnp.broadcast_to(params.decay[None, :], multiplier.shape)
    loss = jnp.where(is_scaled, rounded(loss * multiplier), loss)
    level = jnp.maximum(0, needs.level - loss)
    return needs.replace(level=jnp.where(is_alive[:, None], level, needs.level))
