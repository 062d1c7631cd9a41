"""Power and water (world §10)."""

from tests.oracle import affordances
from tests.oracle.perturbations import is_active
from townlet_jax.config.layout import PerturbationKind, Utility
from townlet_jax.state.events import FailReason, FailSource

_KIND = {Utility.POWER: PerturbationKind.BLACKOUT, Utility.WATER: PerturbationKind.OUTAGE}


def is_on(town, utility: int) -> bool:
    """Tells whether a utility works: no event that cuts it is active."""
    rows = range(town.shape.num_perturbations)
    return not any(is_active(town, k, _KIND[Utility(utility)]) for k in rows)


def is_working(town, o: int) -> bool:
    """Tells whether every utility that an object row requires works."""
    requires = town.layout.objects.requires[o]
    return all(is_on(town, u) for u in Utility if requires[u])


def stop_users(town) -> None:
    """Stops everybody whose object has lost a utility, with refund."""
    for a in range(town.num_agents):
        if not affordances.is_running(town, a):
            continue
        requires = town.layout.objects.requires[int(town.state.use.obj[a])]
        if requires[Utility.POWER] and not is_on(town, Utility.POWER):
            reason = FailReason.POWER_OFF
        elif requires[Utility.WATER] and not is_on(town, Utility.WATER):
            reason = FailReason.WATER_OFF
        else:
            continue
        affordances.stop(town, a, reason, FailSource.UTILITY, is_refunded=True)
