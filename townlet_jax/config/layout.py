"""`TownLayout`: the map and every table that a file declares. Traced, shared by all towns of a run.

Tables are padded to the sizes of `TownShape`; padding rows hold `NONE` (or False, 0) and take part
in nothing.
"""

import enum

import jax
from flax import struct


class Role(enum.IntEnum):
    """Object types that the option controllers know by name."""

    FRIDGE = 0
    CAFE_TABLE = 1
    SHOWER = 2
    BED = 3
    STOVE = 4


class Flag(enum.IntEnum):
    """Flags of an affordance."""

    MEAL = 0
    BLOCKS_CHAT = 1
    WORK = 2


class Utility(enum.IntEnum):
    """Utilities of the town."""

    POWER = 0
    WATER = 1


class Attribute(enum.IntEnum):
    """Attributes that a precondition clause may test, per (resident, object row)."""

    OCCUPIED = 0
    POWER_ON = 1
    WATER_ON = 2
    STOCK = 3
    WALLET = 4
    HUNGER = 5
    HYGIENE = 6
    ENERGY = 7
    QUEUE_LENGTH = 8
    TICK_OF_DAY = 9
    DAY = 10
    IS_OWN_SITE = 11
    IN_SHIFT_WINDOW = 12


class Operator(enum.IntEnum):
    """Comparison operators of a precondition clause."""

    EQ = 0
    NE = 1
    LT = 2
    LE = 3
    GT = 4
    GE = 5


class PerturbationKind(enum.IntEnum):
    """Kinds of perturbations."""

    PRICE_SPIKE = 0
    BLACKOUT = 1
    OUTAGE = 2
    ARRANGED_MEET = 3


class MapLayout(struct.PyTreeNode):
    """The ground and the ways over it.

    Attributes:
      tiles: int8 `[H, W]`, 0 floor, 1 wall, 2 door, 3 road, 4 grass; only walls are impassable.
      direction: int8 `[H, W, G]`, next step (N, E, S, W = 0-3) from a cell to a target, 4 = stay.
      distance: int16 `[H, W, G]` [tile], steps from a cell to a target, 32767 unreachable. The
        target axis is last, so that all targets seen from one cell are one contiguous row.
      entry: int32 `[4, 2]` [tile], cells where newcomers appear, (NONE, NONE) padding.
    """

    tiles: jax.Array
    direction: jax.Array
    distance: jax.Array
    entry: jax.Array


class ObjectLayout(struct.PyTreeNode):
    """Object rows, one per seat, and their types.

    Attributes:
      is_object: bool `[O]`, false for padding rows.
      type, venue: int32 `[O]`, NONE for padding rows.
      position, interact: int32 `[O, 2]` [tile], where it stands and from where ranges are measured.
      is_virtual, is_social_place: bool `[O]`, of the row's type.
      requires: bool `[O, 2]`, power, water.
      cooldown_override: int32 `[O]` [tick], of the row's type, NONE = default.
      offers: int32 `[O, M]`, affordances of the row's type in ascending order, NONE padding.
      is_role: bool `[5, O]`, rows whose type is the `Role`.
      role_affordance: int32 `[5]`, lowest affordance of the role's type, NONE if there is none.
      serves: bool `[N, O]`, rows whose type offers an affordance that raises the need noticeably.
    """

    is_object: jax.Array
    type: jax.Array
    venue: jax.Array
    position: jax.Array
    interact: jax.Array
    is_virtual: jax.Array
    is_social_place: jax.Array
    requires: jax.Array
    cooldown_override: jax.Array
    offers: jax.Array
    is_role: jax.Array
    role_affordance: jax.Array
    serves: jax.Array


class AffordanceLayout(struct.PyTreeNode):
    """What can be done with an object.

    Attributes:
      rate: float32 `[F, N + 1]` [1/tick], effect per tick on each need; column N = money paid out
        [money/tick].
      duration: int32 `[F]` [tick].
      types: bool `[F, OT]`, types that offer it.
      rows: bool `[F, O]`, object rows that offer it.
      price: int32 `[F]`, row of the price table, NONE = free.
      stock_start, stock_finish: int32 `[F, S]` [units], change of the venue's stock at start and at
        finish.
      flags: bool `[F, 3]`, by `Flag`.
      clause_attribute: int32 `[F, 4]`, `Attribute` or NONE for no clause.
      clause_kind: int32 `[F, 4]`, stock kind that a STOCK clause tests.
      clause_operator: int32 `[F, 4]`, `Operator`; clause_constant: float32 `[F, 4]`.
    """

    rate: jax.Array
    duration: jax.Array
    types: jax.Array
    rows: jax.Array
    price: jax.Array
    stock_start: jax.Array
    stock_finish: jax.Array
    flags: jax.Array
    clause_attribute: jax.Array
    clause_kind: jax.Array
    clause_operator: jax.Array
    clause_constant: jax.Array


class StockLayout(struct.PyTreeNode):
    """Stock of the venues.

    Attributes:
      initial, restock, maximum: int32 `[S, V]` [units]; units/day for restock; unlimited = 2^30.
      meals, raw_ingredients, cafe_meals: int32, kind index of these names, NONE if no venue has
        them.
    """

    initial: jax.Array
    restock: jax.Array
    maximum: jax.Array
    meals: jax.Array
    raw_ingredients: jax.Array
    cafe_meals: jax.Array


class JobLayout(struct.PyTreeNode):
    """Where work is done.

    Attributes:
      num_jobs: int32; jobs 0..num_jobs-1 exist, in file order.
      site: int32 `[J]`, object row at the location that offers a work affordance, NONE = no site.
      location: int32 `[J, 2]` [tile], (NONE, NONE) = anywhere.
      target: int32 `[J]`, row of the direction tables that leads to the site or location, NONE =
        none.
      affordance: int32 `[J]`, lowest work affordance of the site's type, NONE without a site.
    """

    num_jobs: jax.Array
    site: jax.Array
    location: jax.Array
    target: jax.Array
    affordance: jax.Array


class PerturbationLayout(struct.PyTreeNode):
    """What each perturbation spec does.

    Attributes:
      kind: int32 `[P]`, `PerturbationKind`, NONE = padding or disabled.
      price_targets: bool `[P, R]`, price keys a spike multiplies.
      location: int32 `[P]`, object row of a meet, NONE otherwise.
      is_top_rivals: bool `[P]`, whether a meet brings the two largest rivals together.
      max_participants: int32 `[P]`.
    """

    kind: jax.Array
    price_targets: jax.Array
    location: jax.Array
    is_top_rivals: jax.Array
    max_participants: jax.Array


class PriceLayout(struct.PyTreeNode):
    """Rows of the price table with a meaning of their own.

    Attributes:
      rent: int32, row of the rent.
      is_price: bool `[R]`, rows in use.
    """

    rent: jax.Array
    is_price: jax.Array


class ActionLayout(struct.PyTreeNode):
    """What the primitive 'use type k' actions mean.

    Attributes:
      rows: bool `[num_actions - 7, O]`, rows of the type used by action 7 + k; `[0, O]` at option
        level.
    """

    rows: jax.Array


class ScheduleLayout(struct.PyTreeNode):
    """Scenario schedules.

    Attributes:
      has_schedule: bool `[A]`, residents that play rows instead of policy actions.
      length: int32 `[A]`, rows of each schedule, at least 1.
      rows: int32 `[A, L, 3]`, (kind, target, affordance) as an intent; a move's target is a row of
        the direction tables, a chat's a resident or NONE.
    """

    has_schedule: jax.Array
    length: jax.Array
    rows: jax.Array


class ResidentLayout(struct.PyTreeNode):
    """Who lives in a fresh town.

    Attributes:
      is_resident: bool `[A]`; is_random_needs: bool `[A]`, needs drawn from the arrival range.
      position, home: int32 `[A, 2]` [tile].
      needs: float32 `[A, N]` [level]; wallet: float32 `[A]` [money].
      job: int32 `[A]`, NONE = no job.
      traits: float32 `[A, 3]`; is_random_traits: bool `[A]`, traits assigned as for newcomers.
      profile: int32 `[A]`, row of the profile table or NONE.
      is_tie: bool `[A, A]`; trust, familiarity, rivalry: float32 `[A, A]`, initial ties after
        capacity.
      is_fairness_on, is_mortality_on: bool.
      halton: float32 `[n, 3]` in [0, 1), radical inverses of 1..n in bases 2, 3, 5; newcomers take
        rows in turn and start again after n.
    """

    is_resident: jax.Array
    is_random_needs: jax.Array
    position: jax.Array
    home: jax.Array
    needs: jax.Array
    wallet: jax.Array
    job: jax.Array
    traits: jax.Array
    is_random_traits: jax.Array
    profile: jax.Array
    is_tie: jax.Array
    trust: jax.Array
    familiarity: jax.Array
    rivalry: jax.Array
    is_fairness_on: jax.Array
    is_mortality_on: jax.Array
    halton: jax.Array


class ObservationLayout(struct.PyTreeNode):
    """What observations look up.

    Attributes:
      embedding: float32 `[E, embed_dim]`, unit vector of each embedding slot.
      ground: int32 `[W, H + w - 1]`, two bits per column of the window row that starts at map row
        `y - r`, centred on column `x`: even bits tell where an object lies, odd ones where nobody
        can walk.
      kinds: int32 `[W, H + w - 1, 2]`, five bits per column, six columns per word: 1 + type of the
        lowest object row on the cell, 0 = none.
      prices: int32 `[4]`, price rows of meal, shower, ingredients, cafe_meal.
    """

    embedding: jax.Array
    ground: jax.Array
    kinds: jax.Array
    prices: jax.Array


class TownLayout(struct.PyTreeNode):
    """All tables of a town."""

    map: MapLayout
    objects: ObjectLayout
    affordances: AffordanceLayout
    stock: StockLayout
    prices: PriceLayout
    jobs: JobLayout
    perturbations: PerturbationLayout
    actions: ActionLayout
    schedules: ScheduleLayout
    residents: ResidentLayout
    observations: ObservationLayout
