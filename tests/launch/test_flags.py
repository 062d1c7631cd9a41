"""`launch.flags`: command lines, error lines, exit statuses, environment defaults."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from absl import flags

from launch.flags import (
    Exit,
    UsageError,
    cache_dir,
    normalize,
    set_cpu_defaults,
    set_host_devices,
)

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(path.stem for path in (ROOT / "launch").glob("[a-z]*.py") if path.stem != "flags")
SCRIPT = '''
"""Runs a toy.

    python toy.py --config x.yaml

Nothing else.
"""

import sys

from absl import flags

sys.path.insert(0, {root!r})

from launch.flags import Exit, UsageError, run

_CONFIG = flags.DEFINE_string("config", None, "config file")
_TICK_LIMIT = flags.DEFINE_integer("tick_limit", 10, "ticks to run", lower_bound=0)
_POLICY = flags.DEFINE_enum("policy", "idle", ["idle", "random"], "who acts")
_SET = flags.DEFINE_multi_string("set", [], "path=value")
_JSON = flags.DEFINE_boolean("json", False, "print JSON")


def main(argv):
    {body}


if __name__ == "__main__":
    run(main)
'''
SHOW = "print(_CONFIG.value, _TICK_LIMIT.value, _SET.value, _JSON.value, argv[1:])"


def define() -> dict[str, flags.Flag]:
    values = flags.FlagValues()
    flags.DEFINE_string("config", None, "", flag_values=values)
    flags.DEFINE_integer("tick_limit", 10, "", flag_values=values)
    flags.DEFINE_boolean("json", False, "", flag_values=values)
    flags.DEFINE_boolean("dry_run", False, "", flag_values=values)
    return {name: values[name] for name in values}


@pytest.fixture
def toy(tmp_path: Path):
    """Returns a function that runs a script with a given body of ``main``."""

    def start(body: str, *args: str, **environ: str) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "toy.py"
        indented = textwrap.indent(textwrap.dedent(body), " " * 4).strip()
        path.write_text(SCRIPT.format(root=str(ROOT), body=indented).lstrip())
        return subprocess.run(
            [sys.executable, str(path), *args],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, **environ},
        )

    return start


@pytest.mark.parametrize(
    ("args", "options", "rest"),
    [
        (["a.yaml"], ["--config=a.yaml"], []),
        (["--config", "a.yaml"], ["--config=a.yaml"], []),
        (["--tick-limit", "5", "a.yaml"], ["--tick_limit=5", "--config=a.yaml"], []),
        (["a.yaml", "--tick_limit=5"], ["--tick_limit=5", "--config=a.yaml"], []),
        (["-tick-limit=5"], ["--tick_limit=5"], []),
        (["--tick-limit", "-1"], ["--tick_limit=-1"], []),
        (["--config=--odd"], ["--config=--odd"], []),
        (["--json", "a.yaml"], ["--json", "--config=a.yaml"], []),
        (["--json=false"], ["--json=false"], []),
        (["--no-json"], ["--nojson"], []),
        (["--nodry-run", "--no-dry-run"], ["--nodry_run", "--nodry_run"], []),
        (["--", "--json"], ["--config=--json"], []),
        (["a", "b", "-"], ["--config=a"], ["b", "-"]),
        (["--config", "a", "b"], ["--config=a"], ["b"]),
        ([], [], []),
    ],
)
def test_normalize(args: list[str], options: list[str], rest: list[str]) -> None:
    assert normalize(args, define(), is_extra_allowed=True) == [*options, "--", *rest]


def test_normalize_without_positional_flag() -> None:
    assert normalize(["a"], define(), None, is_extra_allowed=True) == ["--", "a"]
    with pytest.raises(UsageError, match="unexpected argument 'a'$"):
        normalize(["a"], define(), None)


@pytest.mark.parametrize("spelled", ["--help", "-h", "-help"])
def test_normalize_finds_help(spelled: str) -> None:
    assert normalize(["a.yaml", spelled], define()) is None


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["--tick-limt", "5"], "unknown flag --tick-limt; did you mean --tick-limit?"),
        (["--tick_limt=5"], "unknown flag --tick_limt; did you mean --tick-limit?"),
        (["--notick-limit"], "unknown flag --notick-limit; did you mean --tick-limit?"),
        (["--no-json=true"], "unknown flag --no-json; did you mean --json?"),
        (
            ["-9"],
            "unknown flag -9; the flags are --config, --dry-run, --help, --json, --tick-limit",
        ),
        (["--tick-limit"], "--tick-limit needs a value"),
        (["--config", "--json"], "--config needs a value"),
        (["a.yaml", "b.yaml"], "unexpected argument 'b.yaml'; --config is already given"),
        (["--config=a", "b"], "unexpected argument 'b'; --config is already given"),
    ],
)
def test_normalize_refuses(args: list[str], line: str) -> None:
    with pytest.raises(UsageError) as caught:
        normalize(args, define())
    assert str(caught.value) == line


def test_script_receives_its_flags(toy) -> None:
    result = toy(SHOW, "--set", "a.b=1", "x.yaml", "--set=c-d=2", "--tick-limit", "3", "--json")
    assert result.stdout == "x.yaml 3 ['a.b=1', 'c-d=2'] True []\n"
    assert (result.returncode, result.stderr) == (Exit.DONE, "")


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["--tick-limit", "-1"], "--tick-limit=-1: -1 is not a non-negative integer"),
        (["--tick-limit=abc"], "--tick-limit=abc: 'abc' is not a non-negative integer"),
        (["--policy=wild"], "--policy=wild: value should be one of <idle|random>"),
        (["--json=perhaps"], "--json=perhaps: 'perhaps' is neither true nor false"),
        (["--verbosity=1"], "unknown flag --verbosity; the flags are --config, --help, --json, "
         "--policy, --set, --tick-limit"),
    ],
)  # fmt: skip
def test_script_refuses_bad_usage(toy, args: list[str], line: str) -> None:
    result = toy(SHOW, *args)
    assert result.stderr == f"toy.py: {line}\n"
    assert (result.returncode, result.stdout) == (Exit.USAGE, "")


def test_help_lists_the_flags_of_the_script_only(toy) -> None:
    result = toy(f"import chex\n{SHOW}", "--help")
    assert result.returncode == Exit.DONE
    assert result.stdout.startswith(
        "Runs a toy.\n\n    python toy.py --config x.yaml\n\nNothing else.\n\nflags:\n"
    )
    names = [line.split("=")[0].strip() for line in result.stdout.splitlines() if "  --" in line]
    assert names == ["--config", "--[no-]json", "--policy", "--set", "--tick-limit"]
    assert "      ticks to run [10]\n" in result.stdout
    assert "      path=value; repeatable\n" in result.stdout


@pytest.mark.parametrize(
    ("body", "status", "line"),
    [
        ("return None", Exit.DONE, ""),
        ("return Exit.HOLD", Exit.HOLD, ""),
        ("return 75", Exit.STOPPED, ""),
        ("raise UsageError('no such town')", Exit.USAGE, "toy.py: no such town\n"),
        ("open('no/such/file')", Exit.USAGE, "toy.py: no/such/file: No such file or directory\n"),
        ("raise OSError(28, 'Disk full', 'x')", Exit.CHECK_FAILED, "toy.py: x: Disk full\n"),
        ("raise KeyboardInterrupt", Exit.CHECK_FAILED, "toy.py: interrupted\n"),
        ("raise BrokenPipeError(32, 'Broken pipe')", Exit.CHECK_FAILED, ""),
    ],
)  # fmt: skip
def test_exit_status(toy, body: str, status: Exit, line: str) -> None:
    result = toy(body)
    assert (result.returncode, result.stderr) == (status, line)


def test_config_error_keeps_its_lines(toy) -> None:
    body = """
    from townlet_jax.config.errors import ConfigError, Problem
    raise ConfigError([Problem("a.yaml", line, 2, "key", "wrong") for line in (1, 3)])
    """
    result = toy(body)
    assert result.stderr == "a.yaml:1:2: key: wrong\na.yaml:3:2: key: wrong\n"
    assert result.returncode == Exit.USAGE


def test_defect_keeps_its_traceback(toy) -> None:
    result = toy("raise RuntimeError('a defect')")
    assert result.returncode == 1
    assert "Traceback" in result.stderr


def test_interrupt_during_imports_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "toy.py"
    path.write_text("import time\nfrom launch.flags import run\nprint('in', flush=True)\n"
                    "time.sleep(50)\n")  # fmt: skip
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"in\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert errors == b"toy.py: interrupted\n"
    assert process.returncode == Exit.CHECK_FAILED


def test_closed_pipe_is_quiet(toy, tmp_path: Path) -> None:
    toy("print('x' * 10_000_000)", "--help")  # writes the script
    command = f"{sys.executable} {tmp_path}/toy.py | head -c 1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    assert (result.stdout, result.stderr) == ("x", "")


@pytest.mark.parametrize(
    "command",
    [
        *([f"launch/{name}.py"] for name in SCRIPTS),
        *(["-m", f"launch.{name}"] for name in SCRIPTS[:1]),
    ],
    ids=" ".join,
)
def test_script_starts_from_the_root(command: list[str]) -> None:
    result = subprocess.run(
        [sys.executable, *command, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (result.returncode, result.stderr) == (Exit.DONE, "")
    heading = "\npositional arguments:\n" if "inspect" in command[-1] else "\nflags:\n"
    assert heading in result.stdout


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "--xla_cpu_multi_thread_eigen=false"),
        ("--xla_a=1", "--xla_a=1 --xla_cpu_multi_thread_eigen=false"),
        ("--xla_cpu_multi_thread_eigen=true", "--xla_cpu_multi_thread_eigen=true"),
    ],
)
def test_cpu_default_respects_the_user(before: str | None, after: str) -> None:
    environ = {} if before is None else {"XLA_FLAGS": before}
    set_cpu_defaults(environ)
    set_cpu_defaults(environ)
    assert environ["XLA_FLAGS"] == after


def test_host_devices_reach_jax(toy) -> None:
    body = """
    from launch.flags import set_host_devices
    set_host_devices(3)
    import jax
    print(len(jax.devices()), jax.config.jax_compilation_cache_dir)
    """
    environ = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "", "TOWNLET_CACHE": "off"}
    assert toy(body, **environ).stdout == "3 None\n"
    environ = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    set_host_devices(8, environ)
    assert environ["XLA_FLAGS"] == "--xla_force_host_platform_device_count=2"


@pytest.mark.parametrize("early_import", ["import jax", ""])
def test_cache_is_where_the_user_says(tmp_path: Path, early_import: str) -> None:
    path = tmp_path / "toy.py"
    path.write_text(f"""{early_import}
from launch.flags import run
def main(argv):
    import jax
    print(jax.config.jax_compilation_cache_dir)
run(main, None)
""")
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "TOWNLET_CACHE": str(tmp_path / "cache")}
    result = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=60, env=environ
    )
    assert (result.stdout, result.stderr) == (f"{tmp_path}/cache/xla\n", "")


def test_cache_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir({}) == tmp_path / ".cache" / "townlet_jax"
    assert cache_dir({"XDG_CACHE_HOME": str(tmp_path / "x")}) == tmp_path / "x" / "townlet_jax"
    assert cache_dir({"TOWNLET_CACHE": str(tmp_path / "y")}) == tmp_path / "y"
    assert cache_dir({"TOWNLET_CACHE": "off"}) is None
    assert cache_dir({"TOWNLET_CACHE": ""}) is None
    (tmp_path / "file").write_text("")
    assert cache_dir({"TOWNLET_CACHE": str(tmp_path / "file")}) is None
    assert cache_dir({"TOWNLET_CACHE": str(tmp_path / "file" / "below")}) is None
