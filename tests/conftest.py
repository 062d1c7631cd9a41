"""Settings that every test runs under; they must precede the first import of jax."""

import os
from importlib.metadata import version
from pathlib import Path

from hypothesis import HealthCheck, settings

from launch.flags import set_cpu_defaults

set_cpu_defaults()
# Small programs compile in three quarters of the time so; later versions do not know the flag.
# `.ci/run` runs the slow tests without it, as users do.
if os.environ.get("TOWNLET_QUICK_COMPILE") != "off" and version("jaxlib").startswith("0.10."):
    os.environ["XLA_FLAGS"] += " --xla_cpu_use_fusion_emitters=false"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)

import jax  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
# Most of the time goes into compiling the same small programs, so workers and runs share them;
# `make clean` deletes them. Nothing is evicted, which would look at every entry at every write.
COMPILED = Path(__file__).parents[1] / ".pytest_cache" / "compiled"
# Scripts that tests start keep their programs as they do for users, but not among the user's.
os.environ["TOWNLET_CACHE"] = str(COMPILED.with_name("scripts"))
jax.config.update("jax_compilation_cache_dir", str(COMPILED))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)

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
