"""Prints a configuration with every value filled in: what the file says, overrides, defaults.

    python launch/show_config.py configs/town.yaml --set queue_fairness.cooldown_ticks=30

The output is a configuration file of its own that gives the same town. Notes go to stderr.
"""

import sys
from pathlib import Path

from absl import flags

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from launch.flags import UsageError, run
from townlet_jax.config import dump, load

_CONFIG = flags.DEFINE_string("config", None, "configuration file")
_SET = flags.DEFINE_multi_string("set", [], "path=value, put on top of the file")
_STRICT = flags.DEFINE_boolean("strict", False, "refuse what is doubtful")
_OUTPUT = flags.DEFINE_string("output", None, "write the configuration there instead of stdout")


def main(argv: list[str]) -> None:
    """Loads, checks and prints a configuration."""
    del argv
    if not _CONFIG.value:
        raise UsageError("name a configuration, such as configs/town.yaml")
    town = load(_CONFIG.value, _SET.value, _STRICT.value)
    text = dump(town.config)
    if _OUTPUT.value is None:
        sys.stdout.write(text)
    else:
        Path(_OUTPUT.value).write_text(text, encoding="utf-8")
        print(f"wrote {_OUTPUT.value}")
    for note in town.notes:
        print(f"note: {note}", file=sys.stderr)


if __name__ == "__main__":
    run(main)
