"""Small towns and manifests, written to files, built, or refused."""

import textwrap

import pytest

from townlet_jax.config import ConfigError, load, read_manifest

FILES = ("town.yaml", "manifest.yaml", "map.txt")


@pytest.fixture
def write(tmp_path):
    """Writes a town file, and a manifest and a map if given; returns the path of the town file."""

    def write(text, manifest=None, tiles=None):
        text = "config_id: test\n" + textwrap.dedent(text)
        if manifest is not None:
            text += "affordances: {affordances_file: manifest.yaml}\n"
            (tmp_path / "manifest.yaml").write_text(textwrap.dedent(manifest).lstrip())
        if tiles is not None:
            (tmp_path / "map.txt").write_text(tiles)
        (tmp_path / "town.yaml").write_text(text)
        return str(tmp_path / "town.yaml")

    return write


@pytest.fixture
def town(write):
    """Builds a town; arguments as `write`."""
    return lambda text, strict=False, **files: load(write(text, **files), strict=strict)


@pytest.fixture
def refusals(write):
    """Returns the lines that refuse a town, without the folder; arguments as `write`."""

    def refusals(text, strict=False, **files):
        with pytest.raises(ConfigError) as error:
            load(write(text, **files), strict=strict)
        return [short(line) for line in str(error.value).splitlines()]

    return refusals


@pytest.fixture
def manifest(tmp_path):
    """Reads a manifest."""

    def manifest(text, **options):
        (tmp_path / "manifest.yaml").write_text(textwrap.dedent(text).lstrip())
        return read_manifest(str(tmp_path / "manifest.yaml"), **options)

    return manifest


@pytest.fixture
def manifest_refusals(manifest):
    """Returns the lines that refuse a manifest, without the folder."""

    def refusals(text, **options):
        with pytest.raises(ConfigError) as error:
            manifest(text, **options)
        return [short(line) for line in str(error.value).splitlines()]

    return refusals


def short(line):
    """Cuts the folder off a problem or note."""
    starts = [line.index(name) for name in FILES if name in line.split(": ")[0]]
    return line[min(starts) :] if starts else line
