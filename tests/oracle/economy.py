"""Prices, rent, restock (world §10)."""

from tests.oracle.perturbations import is_active
from tests.oracle.twin import f32, rounded32
from townlet_jax.config.layout import PerturbationKind
from townlet_jax.state import ExitReason


def price(town, key: int):
    """Returns the price in force of a key: base times its active spikes; NONE is free."""
    if key < 0:
        return f32(0)
    table = town.state.perturbations
    value = town.state.economy.price_base[key]
    for k in range(town.shape.num_perturbations):
        is_spike = is_active(town, k, PerturbationKind.PRICE_SPIKE)
        if is_spike and table.is_price_target[k, key]:
            value = value * table.magnitude[k]
    return f32(value)


def put_stock(town, venue: int, kind: int, amount: int) -> None:
    """Changes the stock of a venue; a gain beyond the maximum is lost but lowers nothing."""
    stock = town.state.economy.stock
    old = int(stock[kind, venue])
    if amount > 0:
        most = int(town.layout.stock.maximum[kind, venue])
        stock[kind, venue] = max(old, min(most, old + amount))
    else:
        stock[kind, venue] = max(0, old + amount)


def collect_rent(town) -> None:
    """Takes the rent at midnight; a notice day ends in part payment or eviction."""
    if town.tick_of_day != 0 or town.tick == 0:
        return
    agents, economy, life = town.state.agents, town.state.economy, town.state.lifecycle
    p, events = town.params.economy, town.events.economy
    rent = price(town, town.layout.prices.rent)
    share = rounded32(p.recovery_share * rent)
    for a in range(town.num_agents):
        if not agents.is_alive[a]:
            continue
        if agents.wallet[a] >= rent:
            agents.wallet[a] = agents.wallet[a] - rent
            economy.unpaid_days[a] = 0
            events.rent_paid[a] = True
        elif economy.unpaid_days[a] < p.days_unpaid:
            economy.unpaid_days[a] += 1
            events.rent_missed[a] = True
        elif agents.wallet[a] > share:
            agents.wallet[a] = agents.wallet[a] - share
            events.rent_missed[a] = True
        elif life.is_mortality_on and life.exit_reason[a] == ExitReason.NONE:
            life.exit_reason[a] = ExitReason.EVICTION
            life.flagged_tick[a] = town.tick


def restock(town) -> None:
    """Fills the venues once a day."""
    if town.tick_of_day != town.params.economy.restock_tick:
        return
    stock = town.state.economy.stock
    for venue in range(town.num_objects):
        for kind in range(town.shape.num_stock_kinds):
            old = int(stock[kind, venue])
            put_stock(town, venue, kind, int(town.layout.stock.restock[kind, venue]))
            town.events.economy.restocked[venue, kind] = int(stock[kind, venue]) - old
