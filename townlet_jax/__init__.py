"""Townlet-JAX: a small town as a pure function, and a PPO trainer that learns in it.

This file imports none of its packages, so ``import townlet_jax`` is instant. Import what you use:
``from townlet_jax.town import step``.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("townlet-jax")
except PackageNotFoundError:  # a source tree that was not installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
