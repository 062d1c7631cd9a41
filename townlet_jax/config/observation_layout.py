"""What every number of an observation means, from the shape of the town alone.

The layout travels with policies, captures and checkpoints; its hash tells whether a policy fits.
"""

import dataclasses
import hashlib
import json

from townlet_jax.config.errors import Problem, UnsupportedObservationError
from townlet_jax.config.shape import TownShape

VERSION = 1
MAX_SIZE = 800
"""Most numbers that one resident may see, map and features together."""
DIRECTIONS = ("north", "east", "south", "west")
NEAR_TYPES = ("fridge", "stove", "bed", "shower")
LOADS = ("fridge", "shower", "bed", "cafe_table")
LAST_ACTIONS = {
    "option": ("rest", "get_fed", "get_clean", "sleep", "go_to_work", "socialise", "cook"),
    "primitive": ("wait", *DIRECTIONS, "chat", "leave", "use"),
}


@dataclasses.dataclass(frozen=True)
class Channel:
    """One channel of the map.

    Attributes:
      name: what it shows.
      start, stop: its place in the last axis.
      scale: what a network multiplies it by.
      categories: number of kinds, to be one-hot encoded; 0 = a quantity.
    """

    name: str
    start: int
    stop: int
    scale: float
    categories: int = 0


@dataclasses.dataclass(frozen=True)
class Span:
    """A named stretch of the features, `start` to `stop - 1`."""

    name: str
    start: int
    stop: int


@dataclasses.dataclass(frozen=True)
class ObservationSpec:
    """The layout of an observation.

    Attributes:
      version: of this description.
      variant: `hybrid`, `full` or `compact`; level: `option` or `primitive`.
      window: w, side of the map [tile]; channels: of the map, none for compact.
      blocks: stretches of features that belong together; features: one each.
      embed_dim, embed_seed, max_slots: of the vectors that tell identities apart.
    """

    version: int
    variant: str
    level: str
    window: int
    channels: tuple[Channel, ...]
    blocks: tuple[Span, ...]
    features: tuple[Span, ...]
    embed_dim: int
    embed_seed: int
    max_slots: int

    @property
    def num_channels(self) -> int:
        """C, channels of the map."""
        return len(self.channels)

    @property
    def num_features(self) -> int:
        """F, features."""
        return len(self.features)

    @property
    def map_shape(self) -> tuple[int, int, int]:
        """(w, w, C), or (0, 0, 0) without a map."""
        return (self.window, self.window, self.num_channels) if self.channels else (0, 0, 0)

    @property
    def size(self) -> int:
        """Numbers that one resident sees: w * w * C + F."""
        rows, columns, channels = self.map_shape
        return rows * columns * channels + self.num_features

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names in order."""
        return tuple(feature.name for feature in self.features)

    @property
    def canonical_json(self) -> str:
        """This layout as JSON with sorted keys and without blanks."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, separators=(",", ":"))

    @property
    def layout_hash(self) -> str:
        """SHA-256 of the canonical JSON, hexadecimal."""
        return hashlib.sha256(self.canonical_json.encode()).hexdigest()


def observation_layout(shape: TownShape) -> ObservationSpec:
    """Describes the observations of a town.

    Args:
      shape: static sizes.
    """
    blocks = {"base": base_names(shape.action_level)}
    if shape.observation != "full":
        blocks["directional"] = directional_names()
    if shape.observation == "compact":
        blocks["distilled"] = distilled_names()
    blocks["social"] = social_names(shape)
    names = [name for block in blocks.values() for name in block]
    spans, start = [], 0
    for block, members in blocks.items():
        spans.append(Span(block, start, start + len(members)))
        start += len(members)
    return ObservationSpec(
        version=VERSION,
        variant=shape.observation,
        level=shape.action_level,
        window=shape.local_window,
        channels=_channels(shape),
        blocks=tuple(span for span in spans if span.stop > span.start),
        features=tuple(Span(name, i, i + 1) for i, name in enumerate(names)),
        embed_dim=shape.embed_dim,
        embed_seed=shape.embed_seed,
        max_slots=shape.num_slots,
    )


def _channels(shape: TownShape) -> tuple[Channel, ...]:
    if shape.observation == "compact":
        return ()
    channels = [
        Channel("ground", 0, 1, 1.0),
        Channel("residents", 1, 2, 1 / 3),
        Channel("use", 2, 3, 1 / 3),
        Channel("ego", 3, 4, 1 / 2),
    ]
    if shape.observation == "full":
        channels.append(Channel("kind", 4, 5, 1.0, shape.num_types + 1))
    return tuple(channels)


def base_names(level: str) -> list[str]:
    """Names the block that every variant has.

    Args:
      level: action level, `option` or `primitive`.
    """
    return [
        *("need_hunger", "need_hygiene", "need_energy"),
        *("wallet", "lateness_counter", "on_shift", "time_sin", "time_cos"),
        *("attendance_ratio", "wages_withheld"),
        *(f"shift_{name}" for name in ("pre", "await", "on_time", "late", "absent", "post")),
        *("shift_soon", "shift_left", "has_job"),
        *("embedding_slot_norm", "ctx_reset_flag", "episode_progress"),
        *("rivalry_max", "rivalry_avoid_count"),
        *(f"last_{name}" for name in LAST_ACTIONS[level]),
        *("last_action_success", "last_action_duration"),
        *("reservation_active", "in_queue", "queue_place", "queue_wait"),
        *("is_running", "run_left"),
        *(f"path_hint_{name}" for name in DIRECTIONS),
        *("neighbor_agent_ratio", "neighbor_object_ratio"),
        *("reserved_tile_ratio", "nearest_agent_distance"),
        *_triples((*NEAR_TYPES, "work")),
        *("personality_extroversion", "personality_forgiveness", "personality_ambition"),
        *("power_on", "water_on", "price_level"),
    ]


def directional_names() -> list[str]:
    """Names the ways to company."""
    return _triples(("cafe_table", "social_place", "nearest_resident", "best_friend"))


def distilled_names() -> list[str]:
    """Names what stands in for the map."""
    return [
        *("rival_in_current_queue", "rival_near", "friend_near", "chat_available"),
        *(f"blocked_{name}" for name in DIRECTIONS),
        *(f"load_{name}" for name in LOADS),
        *("stock_fridge", "stock_stove"),
        *(f"can_pay_{name}" for name in ("meal", "shower", "ingredients", "cafe_meal")),
    ]


def social_names(shape: TownShape) -> list[str]:
    """Names the slots of friends and rivals and the figures of the neighbourhood."""
    slots = [f"friend{k}" for k in range(shape.top_friends)]
    slots += [f"rival{k}" for k in range(shape.top_rivals)]
    parts = [f"e{j}" for j in range(shape.embed_dim)]
    parts += ["trust", "familiarity", "rivalry", "is_present", "distance"]
    names = [f"social_{slot}_{part}" for slot in slots for part in parts]
    if shape.include_aggregates and slots:
        names += ["social_trust_mean", "social_trust_max"]
        names += ["social_rivalry_mean", "social_rivalry_max"]
    return names


def _triples(targets: tuple[str, ...]) -> list[str]:
    return [f"target_{name}_{part}" for name in targets for part in ("dx", "dy", "dist")]


def require_layout(spec: ObservationSpec, layout_hash: str, artefact: str) -> None:
    """Refuses a policy that was made for other observations.

    Args:
      spec: observations of the town.
      layout_hash: of the policy.
      artefact: the policy's file, for the message.

    Raises:
      UnsupportedObservationError: names both hashes.
    """
    if layout_hash != spec.layout_hash:
        message = (
            f"the policy reads observations {layout_hash}, the town gives {spec.layout_hash} "
            f"({spec.variant}, {spec.level} level)"
        )
        raise UnsupportedObservationError([Problem(artefact, 1, 1, "layout_hash", message)])
