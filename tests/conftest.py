"""Settings that every test runs under; they must precede the first import of jax."""

import os

from hypothesis import HealthCheck, settings

from launch.flags import set_cpu_defaults

set_cpu_defaults()
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Tests compile everything themselves, the scripts they start included.
os.environ["TOWNLET_CACHE"] = "off"
os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)

import jax  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_enable_compilation_cache", False)

# Deterministic, so that a failure is the same everywhere. The first example pays for compilation,
# which is why slow examples are no fault.
settings.register_profile(
    "townlet",
    derandomize=True,
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("townlet")
