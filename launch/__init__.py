"""Command-line scripts, one per verb.

Every script runs from the repository root in two ways:

    python launch/run_simulation.py --config configs/town.yaml
    python -m launch.run_simulation --config configs/town.yaml

The first form puts ``launch/`` on the module path and not the root, so a script begins like this:

    import sys
    from pathlib import Path

    from absl import flags

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

    from launch.flags import Exit, UsageError, run
    from townlet_jax.config import load_config

    _CONFIG = flags.DEFINE_string("config", None, "config file")

    def main(argv: list[str]) -> Exit:
        ...

    if __name__ == "__main__":
        run(main)

A script therefore always uses the package of its own checkout. A file here must not have the name
of a standard module, because ``launch/`` comes before the standard library in the first form.
"""
