"""Checks affordance manifests: schema, names, duplicate ids, checksum.

    python launch/validate_affordances.py --strict
    python launch/validate_affordances.py configs/affordances/core.yaml my_manifest.yaml

Prints one line per good file. Reasons why a file is not good go to stderr, and the status is 1.
"""

import sys
from pathlib import Path

from absl import flags

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from launch.flags import Exit, UsageError, run
from townlet_jax.config import ConfigError, Manifest, read_manifest

FOLDER = Path("configs/affordances")

_STRICT = flags.DEFINE_boolean("strict", False, "refuse what is doubtful")


def main(argv: list[str]) -> Exit:
    """Checks the files and folders of the command line, or else all shipped manifests."""
    paths = [file for name in argv[1:] or [str(FOLDER)] for file in _files(Path(name))]
    are_good = [_is_good(path, _STRICT.value) for path in paths]
    return Exit.DONE if all(are_good) else Exit.CHECK_FAILED


def _files(path: Path) -> list[Path]:
    """Returns a file, or the manifests of a folder."""
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml"))
    if not files:
        raise UsageError(f"{path}: this folder holds no .yaml file")
    return files


def _is_good(path: Path, is_strict: bool) -> bool:
    """Checks one file and says so."""
    try:
        manifest = read_manifest(str(path), is_strict)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return False
    for note in manifest.notes:
        print(note if is_strict else f"note: {note}", file=sys.stderr)
    if is_strict and manifest.notes:
        return False
    print(f"{path}: ok, sha256 {manifest.sha256}, {_counts(manifest)}")
    return True


def _counts(manifest: Manifest) -> str:
    """Returns `6 affordances, 1 object, 0 object types`."""
    counts = {
        "affordance": len(manifest.affordances),
        "object": len(manifest.objects),
        "object type": len(manifest.types),
    }
    return ", ".join(f"{n} {noun}{'' if n == 1 else 's'}" for noun, n in counts.items())


if __name__ == "__main__":
    run(main, None, is_extra_allowed=True)
