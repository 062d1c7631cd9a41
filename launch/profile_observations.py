"""Lists what residents see in each variant of observations, and measures what it costs.

    python launch/profile_observations.py --config configs/town.yaml

Times are medians on one core; `of a step` relates them to the step without policies. --names lists
every channel and feature of the variant of the configuration. With --json the report is one JSON
object on stdout.
"""

import json
import sys
from pathlib import Path

from absl import flags

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from launch.flags import UsageError, run
from townlet_jax.config import load
from townlet_jax.config.observation_layout import observation_layout
from townlet_jax.ops import observation_profile as profile
from townlet_jax.ops.terminal import console

_CONFIG = flags.DEFINE_string("config", None, "configuration file")
_SET = flags.DEFINE_multi_string("set", [], "path=value, put on top of the file")
_STRICT = flags.DEFINE_boolean("strict", False, "refuse what is doubtful")
_TOWNS = flags.DEFINE_integer("towns", 256, "towns side by side", 1, 2**20)
_TICKS = flags.DEFINE_integer("ticks", 50, "ticks of one measurement", 1, 10**6)
_COST = flags.DEFINE_boolean("cost", True, "measure the time, not only the sizes")
_NAMES = flags.DEFINE_boolean("names", False, "list channels and features")
_JSON = flags.DEFINE_boolean("json", False, "print the report as one JSON object")


def main(argv: list[str]) -> None:
    """Describes, measures and prints."""
    del argv
    if not _CONFIG.value:
        raise UsageError("name a configuration, such as configs/town.yaml")
    chosen = load(_CONFIG.value, _SET.value, _STRICT.value)
    towns, refused = profile.load_variants(_CONFIG.value, _SET.value, _STRICT.value)
    for variant, reason in refused.items():
        print(f"note: {variant} is left out: {reason}", file=sys.stderr)
    rows = [profile.describe(town) for town in towns.values()]
    step_us = None
    if _COST.value:
        cost = profile.measure(towns, _TOWNS.value, _TICKS.value)
        step_us = cost["step"]
        for row in rows:
            row["us_per_town_tick"] = cost[row["variant"]]
            row["ratio_to_step"] = cost[row["variant"]] / step_us
    if _JSON.value:
        report = {
            "config_id": chosen.config_id,
            "variant": chosen.shape.observation,
            "residents": chosen.shape.num_agents,
            "towns": _TOWNS.value if _COST.value else None,
            "step_us_per_town_tick": step_us,
            "variants": rows,
        }
        print(json.dumps(report, indent=2))
        return
    console(sys.stdout).print(profile.size_table(rows, step_us))
    if _NAMES.value:
        print(*profile.name_lines(observation_layout(chosen.shape)), sep="\n")


if __name__ == "__main__":
    run(main)
