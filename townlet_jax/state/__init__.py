"""What changes from tick to tick: one dataclass per noun, each with one constructor."""

import jax
from flax import struct

from townlet_jax.config.shape import TownShape
from townlet_jax.state.agents import Agents, ExitReason, empty_agents
from townlet_jax.state.clock import Clock, Purpose, Stream, start_clock
from townlet_jax.state.conflicts import Conflicts, empty_conflicts
from townlet_jax.state.economy import Economy, empty_economy
from townlet_jax.state.employment import Employment, Status, empty_employment
from townlet_jax.state.lifecycle import Lifecycle, Slots, empty_lifecycle, empty_slots
from townlet_jax.state.metrics import Counter, Day, Metrics, OwnDay, Total, empty_metrics
from townlet_jax.state.needs import Needs, empty_needs
from townlet_jax.state.perturbations import Perturbations, empty_perturbations
from townlet_jax.state.queues import Queues, Use, empty_queues, empty_use
from townlet_jax.state.relationships import Relationships, TieDrop, TieEvent, empty_relationships

__all__ = [
    "Agents", "Clock", "Conflicts", "Counter", "Day", "Economy", "Employment", "ExitReason",
    "Lifecycle", "Metrics", "Needs", "OwnDay", "Perturbations", "Purpose", "Queues",
    "Relationships", "Slots", "Status", "Stream", "TieDrop", "TieEvent", "Total", "TownState",
    "Use", "empty",
]  # fmt: skip


class TownState(struct.PyTreeNode):
    """A complete town: with parameters and layout, it determines everything that follows."""

    clock: Clock
    agents: Agents
    needs: Needs
    use: Use
    queues: Queues
    economy: Economy
    employment: Employment
    lifecycle: Lifecycle
    slots: Slots
    perturbations: Perturbations
    relationships: Relationships
    conflicts: Conflicts
    metrics: Metrics


def empty(shape: TownShape, key: jax.Array) -> TownState:
    """Makes a town without residents at tick 0.

    Args:
      shape: static sizes.
      key: key `[]`, the seed's key; it is consumed.

    Returns:
      A town in which every slot is vacant and every table empty.
    """
    return TownState(
        clock=start_clock(key),
        agents=empty_agents(shape),
        needs=empty_needs(shape),
        use=empty_use(shape),
        queues=empty_queues(shape),
        economy=empty_economy(shape),
        employment=empty_employment(shape),
        lifecycle=empty_lifecycle(shape),
        slots=empty_slots(shape),
        perturbations=empty_perturbations(shape),
        relationships=empty_relationships(shape),
        conflicts=empty_conflicts(shape),
        metrics=empty_metrics(shape),
    )
