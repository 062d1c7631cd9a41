"""The floors of the package: imports go down only. Also size, decorators and docstrings.

Floors from the bottom up; a file may import its own floor and those before it. The reasons are in
CONTRIBUTING.md.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "townlet_jax"
FLOORS = (
    "masked",
    "threefry",
    "grid",
    "config",
    "state",
    "rules",
    "town",
    "env",
    "nets",
    "train",
    "snapshots",
    "datasets",
    "ops",
    "launch",
)
# Files of these floors import nothing else of the package, not even their own floor.
LONERS = ("masked", "threefry", "grid")
# Where a library may be imported; everywhere else it is not wanted.
HOMES = {
    "absl": {"launch"},
    "flax.linen": {"nets"},
    "matplotlib": {"ops", "launch"},
    "optax": {"train"},
    "orbax": {"snapshots"},
    "pickle": set(),
    "pydantic": {"config"},
    "rich": {"ops", "launch"},
}
# Both branches of these run under `vmap`, or they depend on data; rules mask instead.
CONTROL_FLOW = {"cond", "switch", "while_loop"}
MAX_LINES = 400

LIBRARY = sorted((ROOT / PACKAGE).rglob("*.py"))
SCRIPTS = sorted((ROOT / "launch").rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor_of(module: str) -> str | None:
    """Returns the floor of a module of this project; None for a library or the package itself."""
    head, _, rest = module.partition(".")
    if head == PACKAGE:
        return rest.split(".")[0] or None
    return "launch" if head == "launch" else None


def imports(source: str, module: str, is_package: bool) -> Iterator[str]:
    """Yields the full name of everything that a file imports, inside functions too."""
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1]
            prefix = ".".join(base) if node.level else ""
            origin = ".".join(part for part in (prefix, node.module) if part)
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def faults_of_imports(source: str, module: str, is_package: bool = False) -> list[str]:
    floor = floor_of(module)
    faults = []
    for name in imports(source, module, is_package):
        target = floor_of(name)
        for library, homes in HOMES.items():
            if f"{name}.".startswith(f"{library}.") and floor not in homes:
                faults.append(f"{library} is imported outside {sorted(homes)}")
        if target is None:
            continue
        if floor is None or floor in LONERS:
            faults.append(f"{name}: this file imports nothing of the package")
        elif target not in FLOORS:
            faults.append(f"{name}: no such floor")
        elif FLOORS.index(target) > FLOORS.index(floor):
            faults.append(f"{name}: {target} is above {floor}")
        elif floor == target == "rules" and not is_package:
            faults.append(f"{name}: a rule imports another rule")
    return faults


def faults_of_code(source: str, floor: str | None) -> list[str]:
    faults = []
    for node in ast.walk(ast.parse(source)):
        for decorator in getattr(node, "decorator_list", []):
            if "jit" in words(decorator):
                faults.append(f"line {decorator.lineno}: a jit decorator")
        if floor == "rules" and isinstance(node, ast.Name | ast.Attribute | ast.ImportFrom):
            for word in words(node) & (CONTROL_FLOW | {"jit"}):
                faults.append(f"line {node.lineno}: {word} in a rule")
    return faults


def words(node: ast.AST) -> set[str]:
    """Returns the last part of every name used in a node, of imported names the original."""
    found = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute):
            found.add(part.attr)
        elif isinstance(part, ast.Name):
            found.add(part.id)
        elif isinstance(part, ast.alias):
            found.add(part.name)
    return found


def undocumented(source: str) -> list[str]:
    """Returns the public functions and classes of a file that have no docstring."""
    tree = ast.parse(source)
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    missing = [
        node.name
        for node in tree.body
        if isinstance(node, kinds) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    return missing if not tree.body or ast.get_docstring(tree) else ["the file itself", *missing]


@pytest.mark.parametrize("path", LIBRARY + SCRIPTS, ids=name_of)
def test_imports_go_down(path: Path) -> None:
    module = module_of(path)
    assert floor_of(module) in (*FLOORS, None), "give the new package its place in FLOORS"
    assert not faults_of_imports(path.read_text(), module, path.name == "__init__.py")


@pytest.mark.parametrize("path", LIBRARY, ids=name_of)
def test_library_file(path: Path) -> None:
    source = path.read_text()
    assert not faults_of_code(source, floor_of(module_of(path)))
    assert not undocumented(source)
    assert (path.parent / "__init__.py").exists(), "a package without __init__.py is not installed"


@pytest.mark.parametrize("path", LIBRARY + SCRIPTS, ids=name_of)
def test_file_is_short(path: Path) -> None:
    num_lines = len(path.read_text().splitlines())
    assert num_lines <= MAX_LINES, f"{num_lines} lines; split by noun"


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_script_shadows_no_standard_module(path: Path) -> None:
    assert path.stem not in sys.stdlib_module_names


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("townlet_jax.town.step", "from townlet_jax.env import api"),
        ("townlet_jax.town.step", "from townlet_jax import env"),
        ("townlet_jax.town.step", "def f():\n    import townlet_jax.env.api"),
        ("townlet_jax.rules.needs", "from townlet_jax.rules import queues"),
        ("townlet_jax.rules.needs", "from .queues import join"),
        ("townlet_jax.rules.needs", "from . import queues"),
        ("townlet_jax.rules.needs", "from ..town import step"),
        ("townlet_jax.masked", "from townlet_jax.grid import walk"),
        ("townlet_jax.config.loader", "import launch.flags"),
        ("townlet_jax.ops.console", "from absl import flags"),
        ("townlet_jax.train.update", "from flax import linen as nn"),
        ("townlet_jax.datasets.captures", "import pickle"),
    ],
)
def test_import_fault_is_found(module: str, source: str) -> None:
    assert len(faults_of_imports(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("townlet_jax.rules.needs", "from townlet_jax.state.needs import Needs"),
        ("townlet_jax.rules.needs", "from ..masked import best"),
        ("townlet_jax.state.town", "from .needs import Needs"),
        ("townlet_jax.ops.records", "from townlet_jax.town import step"),
        ("launch.run_simulation", "from absl import flags\nfrom launch.flags import run"),
    ],
)
def test_good_import_passes(module: str, source: str) -> None:
    assert not faults_of_imports(source, module)


@pytest.mark.parametrize(
    ("source", "num_faults"),
    [
        ("@jax.jit\ndef f(): pass", 1),
        ("@functools.partial(jax.jit, static_argnums=0)\ndef f(): pass", 1),
        ("x = jax.lax.cond(a, f, g)", 1),
        ("from jax.lax import switch as pick", 1),
        ("x = jnp.where(condition, a, b)\nswitched = x", 0),
    ],
)
def test_code_fault_is_found(source: str, num_faults: int) -> None:
    assert len(set(faults_of_code(source, "rules"))) >= num_faults
    assert bool(faults_of_code(source, "rules")) == bool(num_faults)


def test_missing_docstring_is_found() -> None:
    assert undocumented('"""A."""\ndef f(): pass\ndef _g(): pass\nclass B: pass') == ["f", "B"]
