"""The frame around every script: flags, exit status, error lines, XLA defaults, compilation cache.

Importing this module sets the CPU default of ``XLA_FLAGS``, so import it before the first use of a
jax array. `run` does the rest. It never imports jax itself, so ``--help`` costs nothing extra.
"""

import difflib
import enum
import errno
import inspect
import os
import shutil
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from pathlib import Path
from types import ModuleType, TracebackType
from typing import NoReturn

from absl import flags

# Towns are many small arrays, which gain nothing from threads inside one operation.
_CPU_FLAG = "--xla_cpu_multi_thread_eigen"
_DEVICE_COUNT_FLAG = "--xla_force_host_platform_device_count"

# Failures of the file system that a different path would cure.
_PATH_ERRORS = frozenset(
    {
        errno.ENOENT,
        errno.EACCES,
        errno.EPERM,
        errno.EEXIST,
        errno.EISDIR,
        errno.ENOTDIR,
        errno.ENAMETOOLONG,
        errno.ELOOP,
        errno.EROFS,
    }
)


class Exit(enum.IntEnum):
    """Exit status of every script."""

    DONE = 0
    """The script did what was asked."""
    CHECK_FAILED = 1
    """A check failed, a limit was breached, or the work stopped early."""
    USAGE = 2
    """Bad usage or bad input; nothing was done."""
    HOLD = 3
    """A gate says hold: keep the current policy and look."""
    FAIL = 4
    """A gate says fail: roll back."""
    CORRUPT = 65
    """Stored data does not match its checksum or its schema."""
    STOPPED = 75
    """Stopped by a signal, or by the loss of another process of the run, after a sealed snapshot;
    run again to resume."""


_endings: list[Callable[[int], None]] = []


def at_end(call: Callable[[int], None]) -> None:
    """Has something called with the exit status when all is printed, before the script ends."""
    _endings.append(call)


class UsageError(Exception):
    """A wrong command line. `run` prints its text on one line and exits with `Exit.USAGE`."""


def run(
    main: Callable[[list[str]], int | None],
    positional: str | None = "config",
    *,
    is_extra_allowed: bool = False,
) -> NoReturn:
    """Parses the command line, calls ``main`` and exits with its status.

    Args:
      main: The script's function of ``[program, *extra arguments]``; ``None`` means `Exit.DONE`.
        Its module defines the flags and its module docstring is the help text.
      positional: Name of the flag that the first positional argument sets, or None.
      is_extra_allowed: Whether further positional arguments are passed on instead of refused.

    `UsageError`, `ConfigError` and `SnapshotError` become lines on stderr and `Exit.USAGE`; so does
    an `OSError` about a path. `CorruptSnapshotError` becomes one and `Exit.CORRUPT`. A closed pipe
    is silent. Any other exception is a defect and keeps its traceback.
    """
    try:
        status = _run(main, positional, is_extra_allowed)
    except UsageError as error:
        status = _fail(Exit.USAGE, str(error))
    except KeyboardInterrupt:
        status = _fail(Exit.CHECK_FAILED, "interrupted")
    except BrokenPipeError:
        status = Exit.CHECK_FAILED
    except OSError as error:
        is_path_error = error.filename is not None and error.errno in _PATH_ERRORS
        reason = error.strerror or str(error)
        line = reason if error.filename is None else f"{error.filename}: {reason}"
        status = _fail(Exit.USAGE if is_path_error else Exit.CHECK_FAILED, line)
    except _errors("townlet_jax.config.errors", "ConfigError") as error:
        print(error, file=sys.stderr)
        status = Exit.USAGE
    except _errors("townlet_jax.snapshots.errors", "CorruptSnapshotError") as error:
        status = _fail(Exit.CORRUPT, str(error))
    except _errors("townlet_jax.snapshots.errors", "SnapshotError") as error:
        status = _fail(Exit.USAGE, str(error))
    except Exception:
        if not _endings:
            raise
        traceback.print_exc()
        status = Exit.CHECK_FAILED
    _finish_output()
    for call in _endings:
        call(int(status))
    sys.exit(int(status))


def _run(
    main: Callable[[list[str]], int | None], positional: str | None, is_extra_allowed: bool
) -> int:
    """Parses, prepares and calls ``main``; returns the exit status."""
    module = sys.modules[main.__module__]
    own_flags = {flag.name: flag for flag in flags.FLAGS.get_key_flags_for_module(module)}
    command = normalize(sys.argv[1:], own_flags, positional, is_extra_allowed=is_extra_allowed)
    if command is None:
        print(help_text(module, own_flags.values()))
        status = None
    else:
        rest = _parse([sys.argv[0], *command], flags.FLAGS)
        enable_compilation_cache()
        status = main(rest)
    sys.stdout.flush()
    return Exit.DONE if status is None else status


def normalize(
    args: Sequence[str],
    own_flags: Mapping[str, flags.Flag],
    positional: str | None = "config",
    *,
    is_extra_allowed: bool = False,
) -> list[str] | None:
    """Rewrites a command line into the form that absl parses: ``--name=value``, flags first.

    Dashes and underscores in flag names mean the same; ``--no-name`` clears a boolean flag.

    Args:
      args: The command line without the program name.
      own_flags: The flags of the script by name; no other flag is accepted.
      positional: Name of the flag that the first positional argument sets, or None.
      is_extra_allowed: Whether further positional arguments are allowed.

    Returns:
      The rewritten command line, or None if help is asked for.

    Raises:
      UsageError: An unknown flag, a flag without its value, or an argument too many.
    """
    options: list[str] = []
    rest: list[str] = []
    pending = iter(args)
    for arg in pending:
        if arg == "--":
            rest.extend(pending)
        elif arg == "-" or not arg.startswith("-"):
            rest.append(arg)
        else:
            spelled, equals, value = arg.partition("=")
            name = spelled.lstrip("-").replace("-", "_")
            if name in ("h", "help") and name not in own_flags:
                return None
            options.append(_option(spelled, name, value if equals else None, pending, own_flags))
    is_set = any(option.startswith(f"--{positional}=") for option in options)
    if rest and positional is not None and not is_set:
        options.append(f"--{positional}={rest.pop(0)}")
    if rest and not is_extra_allowed:
        hint = f"; --{positional} is already given" if positional is not None else ""
        raise UsageError(f"unexpected argument {rest[0]!r}{hint}")
    return [*options, "--", *rest]


def _option(
    spelled: str,
    name: str,
    value: str | None,
    pending: Iterable[str],
    own_flags: Mapping[str, flags.Flag],
) -> str:
    """Returns one flag as absl reads it, taking its value from ``pending`` where it has none."""
    if name not in own_flags:
        positive = name.removeprefix("no").removeprefix("_")
        is_negated = name.startswith("no") and positive in own_flags
        if is_negated and own_flags[positive].boolean and value is None:
            return f"--no{positive}"
        raise UsageError(f"unknown flag {spelled}; {_nearest(name, own_flags)}")
    if value is None and not own_flags[name].boolean:
        value = next(iter(pending), None)
        # A value that looks like a flag is nearly always a forgotten value; `--name=--x` allows it.
        if value is None or value.startswith("--"):
            raise UsageError(f"--{_dashed(name)} needs a value")
    return f"--{name}" if value is None else f"--{name}={value}"


def _nearest(name: str, own_flags: Iterable[str]) -> str:
    """Returns the hint of the unknown-flag line: the nearest flag, or else all of them."""
    names = sorted({*own_flags, "help"})
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"did you mean --{_dashed(close[0])}?"
    return "the flags are " + ", ".join(f"--{_dashed(known)}" for known in names)


def _parse(argv: Sequence[str], flag_values: flags.FlagValues) -> list[str]:
    """Parses with absl and turns its errors into one short line each."""
    try:
        return flag_values(argv)
    except (flags.Error, ValueError) as error:
        option, _, reason = " ".join(str(error).split()).removeprefix("flag --").partition(": ")
        name, _, value = option.partition("=")
        if name not in flag_values:
            raise UsageError(str(error)) from None
        wanted = flag_values[name].parser.syntactic_help
        if flag_values[name].boolean:
            reason = f"{value!r} is neither true nor false"
        elif wanted and ("invalid literal" in reason or "could not convert" in reason):
            reason = f"{value!r} is not {wanted}"
        raise UsageError(f"--{_dashed(name)}={value}: {reason}") from None


def help_text(module: ModuleType, own_flags: Iterable[flags.Flag]) -> str:
    """Returns the docstring of a script and its flags, as ``--help`` prints them."""
    width = min(shutil.get_terminal_size().columns, 100)
    lines = [inspect.cleandoc(module.__doc__ or ""), "", "flags:"]
    for flag in sorted(own_flags, key=lambda flag: flag.name):
        name = _dashed(flag.name)
        about = " ".join(f"{flag.help}".split())
        about = about.replace("; repeat this option to specify a list of values", "; repeatable")
        if flag.default not in (None, False, "", []):
            about += " [" + f"{flag.default_as_str}".strip("'") + "]"
        lines.append(f"  --[no-]{name}" if flag.boolean else f"  --{name}={flag.flag_type()}")
        lines += textwrap.wrap(about, width, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join(lines)


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def set_cpu_defaults(environ: MutableMapping[str, str] = os.environ) -> None:
    """Adds the CPU default to ``XLA_FLAGS`` unless the user set that flag either way."""
    _add_xla_flag(_CPU_FLAG, "false", environ)


def set_host_devices(count: int, environ: MutableMapping[str, str] = os.environ) -> None:
    """Splits the CPU into ``count`` virtual devices; call it before the first jax array exists.

    A count that the user put into ``XLA_FLAGS`` wins.
    """
    _add_xla_flag(_DEVICE_COUNT_FLAG, str(count), environ)


def _add_xla_flag(name: str, value: str, environ: MutableMapping[str, str]) -> None:
    xla_flags = environ.get("XLA_FLAGS", "")
    if name not in xla_flags:
        environ["XLA_FLAGS"] = f"{xla_flags} {name}={value}".strip()


def cache_dir(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Returns the user's cache directory, or None when it is off or cannot be written.

    ``TOWNLET_CACHE`` names another directory; empty or ``off`` means none.
    """
    override = environ.get("TOWNLET_CACHE")
    if override in ("", "off"):
        return None
    try:
        base = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        path = Path(override).expanduser() if override else base / "townlet_jax"
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: the user has no home
        return None
    return path if os.access(path, os.W_OK | os.X_OK) else None


def enable_compilation_cache() -> None:
    """Keeps compiled programs between runs, unless the user configured jax's cache already."""
    path = cache_dir()
    if path is None or "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    options = {
        "jax_compilation_cache_dir": str(path / "xla"),
        "jax_persistent_cache_min_compile_time_secs": 0.1,
    }
    for name, value in options.items():
        if "jax" in sys.modules:
            sys.modules["jax"].config.update(name, value)
        else:
            os.environ[name.upper()] = str(value)


def _errors(module: str, name: str) -> tuple[type[Exception], ...]:
    """Returns a class of errors; one that was never imported was never raised."""
    loaded = sys.modules.get(module)
    return () if loaded is None else (getattr(loaded, name),)


def _fail(status: Exit, line: str) -> Exit:
    print(f"{Path(sys.argv[0]).name}: {line}", file=sys.stderr)
    return status


def _finish_output() -> None:
    """Flushes stdout; if nobody reads it any more, points it at nothing so that exit is quiet."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Reports an interrupt that comes while a script still imports its modules on one line."""
    if issubclass(kind, KeyboardInterrupt):
        _fail(Exit.CHECK_FAILED, "interrupted")
        os._exit(Exit.CHECK_FAILED)
    sys.__excepthook__(kind, error, trace)


set_cpu_defaults()
sys.excepthook = _hook
