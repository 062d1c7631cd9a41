"""`Config`: the whole configuration; attribute names are the paths of the YAML file."""

from typing import Annotated, Any

from pydantic import Field

from townlet_jax.config import schema_features as gates
from townlet_jax.config import schema_ops as host
from townlet_jax.config import schema_reward as value
from townlet_jax.config import schema_scenario as start
from townlet_jax.config import schema_social as lattice
from townlet_jax.config import schema_training as learner
from townlet_jax.config import schema_world as town
from townlet_jax.config.schema_base import Name, Section


class Config(Section):
    """A town, its scenario, its learner and its host side.

    Aliases are already canonical keys, ranges pairs, paths as written. What the file leaves to be
    derived from other files (`world.grid_size` with a map, `world.max_agents`, prices) is null or
    absent. `model_fields_set` of each section tells the keys that were given.
    """

    config_id: Name
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    features: gates.Features = gates.Features()
    time: town.Time = town.Time()
    world: town.World = town.World()
    movement: town.Movement = town.Movement()
    queue: town.Queue = town.Queue()
    queue_fairness: town.QueueFairness = town.QueueFairness()
    conflict: lattice.Conflict = lattice.Conflict()
    chat: lattice.Chat = lattice.Chat()
    relationships: lattice.Relationships = lattice.Relationships()
    personalities: lattice.Personalities = lattice.Personalities()
    rewards: value.Rewards = value.Rewards()
    shaping: value.Shaping = value.Shaping()
    curiosity: value.Curiosity = value.Curiosity()
    economy: town.Economy = town.Economy()
    jobs: dict[Name, town.Job] = town.DEFAULT_JOBS
    behavior: town.Behavior = town.Behavior()
    employment: town.Employment = town.Employment()
    lifecycle: town.Lifecycle = town.Lifecycle()
    embedding_allocator: town.EmbeddingAllocator = town.EmbeddingAllocator()
    affordances: town.Affordances = town.Affordances()
    scenario: start.Scenario = start.Scenario()
    perturbations: start.Perturbations = start.Perturbations()
    observations_config: value.ObservationsConfig = value.ObservationsConfig()
    kpi: value.Kpi = value.Kpi()
    policy: learner.Policy = learner.Policy()
    policy_runtime: learner.PolicyRuntime = learner.PolicyRuntime()
    network: learner.Network = learner.Network()
    ppo: learner.Ppo = learner.Ppo()
    training: learner.Training = learner.Training()
    early_stop: learner.EarlyStop = learner.EarlyStop()
    stability: host.Stability = host.Stability()
    telemetry: host.Telemetry = host.Telemetry()
    snapshot: host.Snapshot = host.Snapshot()
    console: town.Console = town.Console()
    console_auth: dict[str, Any] = {}
    runtime: dict[str, Any] = {}
    meta: Any = None
    docs: Any = None
