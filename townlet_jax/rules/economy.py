"""Money and stock: rent at midnight, deliveries once a day, prices in force."""

import jax
import jax.numpy as jnp

from townlet_jax.config.layout import StockLayout
from townlet_jax.config.params import EconomyParams
from townlet_jax.masked import computed_once, rounded
from townlet_jax.state.clock import Now
from townlet_jax.state.economy import Economy


def prices(
    price_base: jax.Array, is_active: jax.Array, is_price_target: jax.Array, magnitude: jax.Array
) -> jax.Array:
    """Computes the prices in force.

    price = price_base * product of the magnitudes of the active spikes, multiplied in row order so
    that the bits never depend on how a reduction was compiled. A key that nothing targets keeps the
    bits of its base.

    Args:
      price_base: float32 `[R]` [money].
      is_active: bool `[K]`, price spikes that are active; false for rows of any other kind.
      is_price_target: bool `[K, R]`, keys that each row multiplies.
      magnitude: float32 `[K]` [factor].

    Returns:
      float32 `[R]` [money].
    """
    is_spiked = is_active[:, None] & is_price_target  # [K, R]
    factors = computed_once(jnp.where(is_spiked, magnitude[:, None], 1))
    factor = factors[0]
    for row in range(1, factors.shape[0]):
        factor = factor * factors[row]
    # Rounded, because the rules that follow subtract prices from wallets.
    return jnp.where(jnp.any(is_spiked, axis=0), rounded(price_base * factor), price_base)


def rent(
    economy: Economy,
    wallet: jax.Array,
    is_alive: jax.Array,
    rent_price: jax.Array,
    is_mortality_on: jax.Array,
    now: Now,
    params: EconomyParams,
) -> tuple[Economy, jax.Array, jax.Array, jax.Array, jax.Array]:
    """Collects the rent at midnight, tick 0 excepted.

    Who can pay pays in full and starts from zero unpaid days. Who cannot may owe `days_unpaid`
    times; then comes the notice day, on which more than `recovery_share` of the rent must be in the
    wallet: that share is taken and the days stay as they are. Who has not even that is evicted.

    Args:
      economy: economy.
      wallet: float32 `[A]` [money] >= 0.
      is_alive: bool `[A]`.
      rent_price: float32 [money], rent in force.
      is_mortality_on: bool; while false nobody is evicted, the day counts as missed.
      now: this tick.
      params: days that may be owed, share on notice day.

    Returns:
      economy: with `unpaid_days` brought up to date.
      wallet: float32 `[A]` [money] >= 0.
      is_paid: bool `[A]`, paid in full.
      is_missed: bool `[A]`, not paid in full and not evicted.
      is_evicted: bool `[A]`, to be flagged; true again on each such midnight until the exit.
    """
    is_due = is_alive & (now.tick_of_day == 0) & (now.tick > 0)
    share = rounded(params.recovery_share * rent_price)
    is_paid = is_due & (wallet >= rent_price)
    is_short = is_due & ~is_paid
    is_owed = is_short & (economy.unpaid_days < params.days_unpaid)
    is_recovered = is_short & ~is_owed & (wallet > share)
    is_evicted = is_short & ~is_owed & ~is_recovered & is_mortality_on
    days = jnp.where(is_paid, 0, economy.unpaid_days + is_owed.astype(jnp.int32))
    taken = jnp.where(is_paid, rent_price, jnp.where(is_recovered, share, 0))
    economy = economy.replace(unpaid_days=days)
    return economy, wallet - taken, is_paid, is_short & ~is_evicted, is_evicted


def restock(
    economy: Economy, now: Now, params: EconomyParams, stock: StockLayout
) -> tuple[Economy, jax.Array]:
    """Delivers the daily goods to every venue. Never lowers a stock that is above its maximum.

    Args:
      economy: economy.
      now: this tick.
      params: tick of the delivery.
      stock: restock per day and maximum of each venue and kind.

    Returns:
      economy: with `stock` filled up.
      restocked: int32 `[V, S]` [units] added in this tick.
    """
    room = jnp.maximum(stock.maximum - economy.stock, 0)
    is_due = now.tick_of_day == params.restock_tick
    restocked = jnp.where(is_due, jnp.minimum(stock.restock, room), 0)
    return economy.replace(stock=economy.stock + restocked), restocked.T
