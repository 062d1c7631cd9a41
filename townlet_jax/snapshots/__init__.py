"""Snapshots of whole towns: sealed folders that Orbax writes, see docs/snapshots.md.

This file imports none of its modules, so that the inspection tool starts without jax.
"""
