"""Switches social rewards on in stages: sets the stage, schedules it, checks what is in force.

    python launch/manage_phase_c.py set-stage configs/town.yaml --stage C1 --in-place
    python launch/manage_phase_c.py schedule configs/town.yaml --override OFF --schedule 0:OFF \\
        --schedule 1:C1 --output -
    python launch/manage_phase_c.py check configs/town.yaml --approval approval.yaml

set-stage sets `features.stages.social_rewards`. schedule sets
`training.social_reward_stage_override` (none takes it back) and merges entries into
`training.social_reward_schedule`; --clear drops the former ones. Both change nothing else in the
file, and write only what loads. check prints the stage of each cycle, and refuses with status 1 a
stage that no soak has approved. See docs/phase_c.md.
"""

import sys
from pathlib import Path

from absl import flags

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from launch.flags import Exit, UsageError, run
from townlet_jax.config.errors import suggest
from townlet_jax.ops import phase_c

_STAGE = flags.DEFINE_string("stage", None, "set-stage: OFF, C1, C2 or C3")
_OVERRIDE = flags.DEFINE_string("override", None, "schedule: a stage, or none")
_SCHEDULE = flags.DEFINE_multi_string("schedule", [], "schedule: CYCLE:STAGE, such as 1:C1")
_CLEAR = flags.DEFINE_boolean("clear", False, "schedule: drop the former entries")
_IN_PLACE = flags.DEFINE_boolean("in_place", False, "write the configuration itself")
_OUTPUT = flags.DEFINE_string("output", None, "write there instead; - is stdout")
_APPROVAL = flags.DEFINE_string("approval", None, "check: record of what was approved")

VERBS = {
    "set-stage": (_STAGE, _IN_PLACE, _OUTPUT),
    "schedule": (_OVERRIDE, _SCHEDULE, _CLEAR, _IN_PLACE, _OUTPUT),
    "check": (_APPROVAL,),
}
"""The flags of each verb."""


def main(argv: list[str]) -> Exit:
    """Does what the verb says."""
    verb, path = _arguments(argv[1:])
    if verb == "check":
        return _check(path)
    if _IN_PLACE.value == (_OUTPUT.value is not None):
        raise UsageError(f"{verb} needs either --in-place or --output")
    edit = _set_stage(path) if verb == "set-stage" else _set_schedule(path)
    if _OUTPUT.value == "-":
        sys.stdout.write(edit.text)
    else:
        phase_c.write(edit.text, _OUTPUT.value or path)
    print(f"{path}: {edit.summary}", file=sys.stderr)
    return Exit.DONE


def _arguments(args: list[str]) -> tuple[str, str]:
    """Returns verb and file; refuses flags that the verb does not have."""
    if not args:
        raise UsageError(f"name a verb: {', '.join(VERBS)}")
    verb = args[0]
    if verb not in VERBS:
        raise UsageError(f"{verb!r} is no verb; {suggest(verb, VERBS)}")
    if len(args) != 2:
        raise UsageError(f"{verb} takes one configuration, got {len(args) - 1}")
    own = {flag.name for flag in VERBS[verb]}
    for flag in (flag for others in VERBS.values() for flag in others):
        if flag.present and flag.name not in own:
            raise UsageError(f"{verb} has no --{flag.name.replace('_', '-')}")
    return verb, args[1]


def _set_stage(path: str) -> phase_c.Edit:
    if _STAGE.value is None:
        raise UsageError("set-stage needs --stage")
    return phase_c.set_stage(path, _stage("stage", _STAGE.value))


def _set_schedule(path: str) -> phase_c.Edit:
    override = _OVERRIDE.value
    if override is None and not _SCHEDULE.value and not _CLEAR.value:
        raise UsageError("schedule needs --override, --schedule or --clear")
    if override not in (None, phase_c.NONE):
        override = _stage("override", override)
    try:
        entries = phase_c.parse_entries(_SCHEDULE.value)
    except ValueError as error:
        raise UsageError(f"--schedule: {error}") from None
    return phase_c.set_schedule(path, override, entries, _CLEAR.value)


def _stage(flag: str, text: str) -> str:
    try:
        return phase_c.parse_stage(text)
    except ValueError as error:
        raise UsageError(f"--{flag}: {error}") from None


def _check(path: str) -> Exit:
    found = phase_c.check(path, _APPROVAL.value)
    print(phase_c.table(found.phases))
    for line in found.faults:
        print(line, file=sys.stderr)
    return Exit.CHECK_FAILED if found.faults else Exit.DONE


if __name__ == "__main__":
    run(main, None, is_extra_allowed=True)
