"""How many of each thing a town may have: the fixed sizes of its tables. World text §0."""

from townlet_jax.config.shape import TownShape

MAX_AGENTS = 64
MAX_OBJECTS = 32
"""Object rows, one per seat."""
MAX_ENTRY = 4
"""Cells where newcomers appear."""
MAX_SCHEDULE_ROWS = 10_000
"""Rows of one schedule after `repeat` is spelled out."""

_SHAPE = TownShape()
MAX_AFFORDANCES = _SHAPE.num_affordances
MAX_TYPES = _SHAPE.num_types
MAX_STOCK_KINDS = _SHAPE.num_stock_kinds
MAX_PRICE_KEYS = _SHAPE.num_price_keys
MAX_JOBS = _SHAPE.num_jobs
MAX_SPECS = _SHAPE.num_specs
NUM_PROFILES = 4
"""Rows of the profile tables."""
