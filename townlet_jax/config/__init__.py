"""Configuration: YAML in, a `Town` of static shape, traced numbers and tables out."""

from townlet_jax.config.build import build, load
from townlet_jax.config.errors import ConfigError, Note, Problem, UnsupportedObservationError
from townlet_jax.config.manifest import Manifest, read_manifest
from townlet_jax.config.reading import dump, read_config, read_marked
from townlet_jax.config.schema import Config
from townlet_jax.config.shape import TownShape
from townlet_jax.config.town import Names, Town

__all__ = [
    "Config", "ConfigError", "Manifest", "Names", "Note", "Problem", "Town", "TownShape",
    "UnsupportedObservationError", "build", "dump", "load", "read_config", "read_manifest",
    "read_marked",
]  # fmt: skip
