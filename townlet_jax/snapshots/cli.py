"""`townlet-inspect`: looks into snapshots.

    townlet-inspect ls snapshots
    townlet-inspect show snapshots/0000001440 --stats --keys 'state.needs.*'

A folder of snapshots stands for its newest one. Status 0: done; 1: a snapshot is not valid; 2: bad
usage or input; 65: a snapshot is not what was once sealed.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from townlet_jax.snapshots import handover, inspection, metadata
from townlet_jax.snapshots.errors import CorruptSnapshotError, SnapshotError

if TYPE_CHECKING:
    from townlet_jax.config import Town

DONE, INVALID, USAGE, CORRUPT = 0, 1, 2, 65
Lines = list[str]


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message}", file=sys.stderr)
        sys.exit(USAGE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb and returns the exit status."""
    args = _parser().parse_args(arguments)
    try:
        found, lines, status = args.verb(args)
        print(json.dumps(found, indent=2) if args.json else "\n".join(lines))
        sys.stdout.flush()
    except CorruptSnapshotError as error:
        return _fail(CORRUPT, error)
    except SnapshotError as error:
        return _fail(USAGE, error)
    except BrokenPipeError:
        sys.stderr.close()
        return INVALID
    except OSError as error:
        return _fail(USAGE, f"{error.filename}: {error.strerror}" if error.filename else error)
    except ValueError as error:
        if type(error).__name__ not in ("ConfigError", "UnsupportedObservationError"):
            raise
        print(error, file=sys.stderr)
        return USAGE
    return int(status)


def _parser() -> argparse.ArgumentParser:
    description, _, epilog = (__doc__ or "").partition("\n")
    parser = _Parser("townlet-inspect", None, description.partition(": ")[2], epilog)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    verbs = parser.add_subparsers(required=True, metavar="verb")

    def verb(name: str, run: Callable[..., Any], text: str, *paths: str) -> _Parser:
        sub: _Parser = verbs.add_parser(name, help=text, description=text)
        sub.set_defaults(verb=run)
        sub.add_argument("--json", action="store_true", help="print JSON")
        for path in paths:
            sub.add_argument(path, type=Path, metavar=path.upper())
        return sub

    verb("ls", _ls, "lists the snapshots of a folder", "root")
    show = verb("show", _show, "tells what is in a snapshot", "path")
    show.add_argument("--keys", nargs="+", default=[], help="arrays, such as 'state.needs.*'")
    show.add_argument("--stats", action="store_true", help="read the arrays, too")
    verb("config", _config, "prints the configuration of a snapshot", "path")
    verb("identity", _identity, "tells what a snapshot was made of", "path")
    verb("verify", _verify, "compares a snapshot, or all of a folder, with their seals", "path")
    diff = verb("diff", _diff, "tells what differs between two snapshots", "a", "b")
    diff.add_argument("--keys", nargs="+", default=[], help="arrays, such as 'state.needs.*'")
    verb("tree", _tree, "draws the arrays of a snapshot as a tree", "path")
    for name, run, text in (
        ("validate", _validate, "loads a snapshot against a configuration"),
        ("migrate", _migrate, "applies migrations and saves the result"),
    ):
        sub = verb(name, run, text, "path")
        sub.add_argument("--config", required=True, help="configuration file")
        sub.add_argument("--set", nargs="+", default=[], help="path=value, put on top of the file")
        if name == "validate":
            sub.add_argument("--strict", action="store_true", help="refuse migrations")
        else:
            sub.add_argument(
                "--output", type=Path, help="folder of snapshots; beside PATH if not given"
            )
    sub = verb("release", _release, "copies a snapshot to where releases are kept", "path")
    sub.add_argument("--root", type=Path, default=Path("snapshots/release"), help="of releases")
    sub = verb("bundle", _bundle, "collects snapshot, logs and timeline of an incident", "root")
    sub.add_argument("--output", type=Path, required=True, help="folder to make")
    sub.add_argument("--logs", type=Path, nargs="+", default=[], help="files of the process")
    return parser


def _ls(args: Any) -> tuple[Any, Lines, int]:
    found = inspection.listing(args.root)
    rows = [("tick", "kind", "rows", "policy", "seed", "bytes", "config_id", "path")]
    for x in found:
        values = (x["tick"], x["kind"], x["num_rows"], x["policy"], x["seed"], x["bytes"])
        rows.append((*(f"{v:,}" if isinstance(v, int) else str(v) for v in values),
                     x["config_id"], x["path"]))  # fmt: skip
    return found, _columns(rows) if found else [f"{args.root} holds no snapshot"], DONE


def _show(args: Any) -> tuple[Any, Lines, int]:
    path = inspection.find(args.path)
    about = inspection.summary(path)
    kind = inspection.stats if args.stats else inspection.leaves
    arrays = kind(path, args.keys)
    lines = _pairs({**about, **{f"run.{k}": v for k, v in about["run"].items()}}, ("run", "agents"))
    rows = [
        ("array", "type", *(("min", "max", "mean", "zeros") if args.stats else ("bytes/row",)))
    ]
    for x in arrays:
        form = f"{x['dtype']} {x['shape']}"
        cells = [x["min"], x["max"], x["mean"], x["zeros"]] if args.stats else [x["bytes_per_row"]]
        texts = ["-" if c is None else f"{c:.6g}" for c in cells]
        if x.get("num_not_finite"):
            texts[-1] += f", {x['num_not_finite']} not finite"
        rows.append((x["name"], form, *texts))
    return {**about, "arrays": arrays}, [*lines, "", *_columns(rows)], DONE


def _config(args: Any) -> tuple[Any, Lines, int]:
    text = metadata.read_config(inspection.find(args.path))
    return {"config": text}, text.splitlines(), DONE


def _identity(args: Any) -> tuple[Any, Lines, int]:
    found = inspection.identity(inspection.find(args.path))
    return found, _pairs(found), DONE


def _verify(args: Any) -> tuple[Any, Lines, int]:
    found = inspection.verify(args.path)
    lines = [
        f"{x['path']}: intact, {x['bytes']:,} bytes" if x["is_intact"] else x["error"]
        for x in found
    ]
    return found, lines, DONE if all(x["is_intact"] for x in found) else CORRUPT


def _diff(args: Any) -> tuple[Any, Lines, int]:
    found = inspection.diff(inspection.find(args.a), inspection.find(args.b), args.keys)
    lines = [f"{key}: {old} | {new}" for key, (old, new) in found["metadata"].items()]
    lines += found["forms"]
    rows = [("array", "different", "by at most", "where", "before", "after")]
    for x in found["leaves"]:
        where = x["where"]
        what = next(iter(where))
        who = f"{what} {where[what]}" + (f", {where['resident']}" if where["resident"] else "")
        rows.append((x["name"], f"{x['num_different']:,} of {x['size']:,}",
                     f"{x['max_difference']:.6g}", f"{who} {where['index'] or ''}".strip(),
                     str(where["before"]), str(where["after"])))  # fmt: skip
    lines += ["", *_columns(rows)] if found["leaves"] else []
    return found, [*lines, "", f"{found['num_equal']} arrays are equal"], DONE


def _tree(args: Any) -> tuple[Any, Lines, int]:
    arrays = inspection.leaves(inspection.find(args.path))
    lines: Lines = []
    above: list[str] = []
    for x in arrays:
        parts = x["name"].split(".")
        for depth, part in enumerate(parts[:-1]):
            if above[depth : depth + 1] != [part] or above[:depth] != parts[:depth]:
                inside = [y["bytes_per_row"] for y in arrays
                          if y["name"].split(".")[: depth + 1] == parts[: depth + 1]]  # fmt: skip
                lines.append(f"{'  ' * depth}{part}  ({sum(inside):,} bytes)")
        above = parts[:-1]
        lines.append(f"{'  ' * len(above)}{parts[-1]}  {x['dtype']} {x['shape'][1:]}")
    return arrays, lines, DONE


def _validate(args: Any) -> tuple[Any, Lines, int]:
    found = inspection.validate(_town(args), inspection.find(args.path), args.strict)
    word = "valid" if found["valid"] else "not valid"
    lines = [f"{found['path']}: {word}" if found["error"] is None else found["error"]]
    lines += [
        f"would migrate {x['from']} to {x['to']} ({x['handler']})" for x in found["migrations"]
    ]
    return found, lines, DONE if found["valid"] else INVALID


def _migrate(args: Any) -> tuple[Any, Lines, int]:
    path = inspection.find(args.path)
    output = args.output or path.parent / "migrated"
    found = inspection.migrate(_town(args), path, output)
    lines = [f"migrated {x['from']} to {x['to']} ({x['handler']})" for x in found["applied"]]
    return found, [*lines, f"saved {found['output']}"], DONE


def _release(args: Any) -> tuple[Any, Lines, int]:
    found = handover.release(args.path, args.root)
    return found, [f"released {found['path']}, policy {found['policy_hash']}"], DONE


def _bundle(args: Any) -> tuple[Any, Lines, int]:
    found = handover.bundle(args.root, args.output, args.logs)
    kept = found["snapshot"] or "no intact snapshot"
    line = f"wrote {found['path']}: {kept}, {len(found['logs'])} logs"
    return found, [*found["corrupt"], line], DONE


def _town(args: Any) -> "Town":
    from townlet_jax.config import load

    return load(args.config, args.set)


def _pairs(values: dict[str, Any], hidden: Sequence[str] = ()) -> Lines:
    shown = {key: value for key, value in values.items() if key not in hidden}
    width = max(map(len, shown))
    return [f"{key:{width}}  {_text(value)}" for key, value in shown.items()]


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value)) or "none"
    return "-" if value is None else str(value)


def _columns(rows: Sequence[Sequence[str]]) -> Lines:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(f"{x:{w}}" for x, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _fail(status: int, line: object) -> int:
    print(f"townlet-inspect: {line}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
