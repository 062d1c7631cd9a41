"""Importing the package stays cheap: heavy libraries come in only where they are used."""

import subprocess
import sys

HEAVY = ("matplotlib", "orbax", "rich")


def test_package_imports_nothing_heavy() -> None:
    code = "import sys, townlet_jax; print(*{name.split('.')[0] for name in sys.modules})"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = result.stdout.split()
    assert "townlet_jax" in loaded
    assert not set(HEAVY) & set(loaded)
