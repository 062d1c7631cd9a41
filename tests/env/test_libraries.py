"""Adapters without their library, and what they do without compiling anything."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import townlet_jax
from townlet_jax.env.libraries import is_missing, part_of

FOLDER = Path(townlet_jax.__file__).parent / "env"
ADAPTERS = {
    "jaxmarl": ("jaxmarl", "JaxMarlTown"),
    "pettingzoo": ("pettingzoo", "parallel_env"),
    "gymnasium": ("gymnasium", "TownVectorEnv"),
}


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_adapter_without_its_library(adapter, monkeypatch, mortal_town):
    library, name = ADAPTERS[adapter]
    for module in [m for m in sys.modules if m.split(".")[0] == library]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    spec = importlib.util.spec_from_file_location(f"bare_{adapter}", FOLDER / f"{adapter}.py")
    bare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bare)  # importing the adapter alone is no use of it
    with pytest.raises(ImportError) as caught:
        getattr(bare, name)(config=mortal_town)
    message = str(caught.value)
    assert library in message and "pip install 'townlet-jax[env]'" in message
    assert "\n" not in message


@pytest.mark.slow
def test_core_needs_no_library():
    code = (
        "import sys, townlet_jax; townlet_jax.make('town-tiny-v0');"
        f"assert not {set(ADAPTERS)} & {{m.split('.')[0] for m in sys.modules}}"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_part_of_a_library():
    assert part_of("pathlib", "Path") is Path
    missing = part_of("no_such_library.inner", "Thing")
    assert is_missing(missing) and not is_missing(Path)
    with pytest.raises(ImportError, match="needs no_such_library"):
        missing()
