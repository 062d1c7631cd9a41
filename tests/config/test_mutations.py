"""Damaged copies of the shipped files: each loads, or is refused with file:line."""

import copy
import glob
import json
import random

import pytest
import yaml

from townlet_jax.config import ConfigError, build, load, read_marked

TOWNS = (
    "configs/tiny.yaml",
    "configs/town.yaml",
    "configs/fallback.yaml",
    "configs/scenarios/queue_conflict.yaml",
    "configs/scenarios/kitchen_breakfast.yaml",
    "configs/scenarios/employment_punctuality.yaml",
)
MANIFESTS = tuple(sorted(glob.glob("configs/affordances/*.yaml")))
ODD_VALUES = (
    None, True, "", " ", "nonsense", "OFF", -1, 0, 1, 2**31, 10**400, -0.5, 0.5, 1e30, float("nan"),
    float("inf"), [], {}, [1], [1, 2], [-1, 99], [[]], {"x": 1}, {"min": 2, "max": 1}, "a.b", "\0",
)  # fmt: skip


def places(value, path=()):
    """Yields the paths of all keys and items below a value."""
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, key)
            yield from places(child, (*path, key))


def at(tree, path):
    for part in path:
        tree = tree[part]
    return tree


def mutate(tree, random):
    """Damages one place of a tree: a wrong value, a missing or unknown key, a doubled item."""
    path = random.choice(list(places(tree)))
    parent, key = at(tree, path[:-1]), path[-1]
    how = random.choice(["value", "value", "value", "remove", "rename", "swap", "double"])
    if how == "remove":
        del parent[key]
    elif how == "rename" and isinstance(parent, dict):
        name = str(key)
        at_letter = random.randrange(len(name))
        parent[name[:at_letter] + random.choice("xyz.") + name[at_letter + 1 :]] = parent.pop(key)
    elif how == "double" and isinstance(parent, list):
        parent.append(copy.deepcopy(parent[key]))
    elif how == "swap":
        parent[key] = copy.deepcopy(at(tree, random.choice(list(places(tree)))))
    elif isinstance(parent[key], int | float) and random.random() < 0.5:
        parent[key] *= random.choice([-1, 0, 7, 1000, 10**6])
    else:
        parent[key] = copy.deepcopy(random.choice(ODD_VALUES))


def copies(paths, count, seed):
    """Yields damaged copies as text, one to three mutations each."""
    rng = random.Random(seed)
    originals = []
    for path in paths:
        with open(path) as file:
            originals.append(yaml.safe_load(file))
    for number in range(count):
        # A round trip through text, because aliases would be damaged in several places at once.
        tree = json.loads(json.dumps(originals[number % len(paths)]))
        for _ in range(rng.randrange(1, 4)):
            if tree:
                mutate(tree, rng)
        yield yaml.dump(tree, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False)


def scratched(paths, count, seed):
    """Yields copies in which single characters are missing, doubled or strange."""
    rng = random.Random(seed)
    for number in range(count):
        with open(paths[number % len(paths)]) as file:
            text = list(file.read())
        for _ in range(rng.randrange(1, 6)):
            text[rng.randrange(len(text))] = rng.choice(
                ["", "\n", ":", "[", "}", "\t", "é", "-", "9", "&a ", "*a "]
            )
        yield "".join(text)


def check(damaged, text, make=None):
    """Writes a damaged file and makes a town; returns whether it was refused."""
    damaged.write_text(text)
    try:
        town = make() if make else load(str(damaged), strict=len(text) % 2 == 0)
    except ConfigError as error:
        assert error.problems
        num_lines = text.count("\n") + 1
        for problem in error.problems:
            assert problem.line >= 1 and problem.column >= 1
            assert "\n" not in str(problem) and problem.message
            assert str(problem).startswith(f"{problem.file}:{problem.line}:")
            if problem.file == str(damaged):
                assert problem.line <= num_lines
        return True
    assert len(town.names.agents) == town.shape.num_agents
    return False


def tiny_with(section, **values):
    """Returns a function that builds the tiny town with some values of a section replaced."""
    reading = read_marked("configs/tiny.yaml")
    changed = getattr(reading.config, section).model_copy(update=values)
    config = reading.config.model_copy(update={section: changed})
    return lambda: build(reading._replace(config=config))


@pytest.fixture
def near(tmp_path):
    """A folder next to which `extends: town.yaml` finds the standard town."""
    with open("configs/town.yaml") as source:
        (tmp_path / "town.yaml").write_text(source.read())
    return tmp_path


def test_damaged_towns(near):
    path = near / "damaged.yaml"
    refused = [check(path, text) for text in copies(TOWNS, 300, seed=1)]
    assert 100 < sum(refused) < 300


def test_damaged_manifests(near):
    path = near / "manifest.yaml"
    make = tiny_with("affordances", affordances_file=str(path))
    refused = [check(path, text, make) for text in copies(MANIFESTS, 200, seed=2)]
    assert 60 < sum(refused) < 200


def test_scratched_towns_and_manifests(near):
    path = near / "damaged.yaml"
    refused = [check(path, text) for text in scratched(TOWNS, 60, seed=3)]
    make = tiny_with("affordances", affordances_file=str(path))
    refused += [check(path, text, make) for text in scratched(MANIFESTS, 40, seed=4)]
    assert sum(refused) > 50


def test_damaged_maps(near):
    rng = random.Random(5)
    with open("configs/maps/tiny.txt") as file:
        original = file.read()
    path = near / "map.txt"
    make = tiny_with("world", map=str(path))
    for _ in range(60):
        text = list(original)
        for _ in range(rng.randrange(1, 4)):
            text[rng.randrange(len(text))] = rng.choice(["#", "", "\n", "?", "+", "\0", "\r"])
        check(path, "".join(text), make)


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\0", b"\x80PK\x03", b"- 1\n", b"null\n", b"#" * 5_000_000]
)
def test_files_that_are_no_towns(near, data):
    path = near / "damaged.yaml"
    path.write_bytes(data)
    with pytest.raises(ConfigError) as error:
        load(str(path))
    assert str(error.value).startswith(f"{path}:1:") and "\n" not in str(error.value)
    with pytest.raises(ConfigError):
        load("configs/tiny.yaml", [f"affordances.affordances_file={path}"])
    with pytest.raises(ConfigError):
        load("configs/tiny.yaml", [f"world.map={path}"])
