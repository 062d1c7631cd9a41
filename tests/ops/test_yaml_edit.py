"""Edits of YAML text: what is meant changes, every other character stays."""

import copy

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from townlet_jax.config import ConfigError, yaml_reader
from townlet_jax.ops.yaml_edit import flow, insert, put

STAGE = ("top", "mid", "reward")
SCHEDULE = ("training", "schedule")
ROW = {"cycle": 1, "stage": "C1"}


def edited(text: str, path, value) -> str:
    return put(text, "town.yaml", path, value)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # The value is there.
        ("top: {mid: {reward:  OFF }} # on", "top: {mid: {reward:  C1 }} # on"),
        ("top:\n  mid:\n    reward:   OFF   # on\n    x: 1\n",
         "top:\n  mid:\n    reward:   C1   # on\n    x: 1\n"),
        ("top: {mid: {reward: 'OFF'}}", "top: {mid: {reward: C1}}"),
        ("top: {mid: {reward: &a OFF}}", "top: {mid: {reward: C1}}"),
        ("top:\n  mid:\n    reward:  # which?\n", "top:\n  mid:\n    reward: C1  # which?\n"),
        ("top:\n  mid:\n    reward: |-\n      OFF\n\n# end\n",
         "top:\n  mid:\n    reward: C1\n\n# end\n"),
        # The mapping is there; what comes behind it keeps its comment.
        ("top:\n    mid:\n        a: 1  # one\n\n# The world.\nworld: {}\n",
         "top:\n    mid:\n        a: 1  # one\n        reward: C1\n\n# The world.\nworld: {}\n"),
        ("top: {mid: {a: [1, 2] }}", "top: {mid: {a: [1, 2], reward: C1 }}"),
        ("top: {mid: { }}", "top: {mid: { reward: C1}}"),
        ("top: {\n  mid: {a: 1},\n}\n", "top: {\n  mid: {a: 1, reward: C1},\n}\n"),
        # Mappings are missing.
        ("x: 1", "x: 1\ntop:\n  mid:\n    reward: C1"),
        ("x:\n- 1\n- 2\n# end\n", "x:\n- 1\n- 2\ntop:\n  mid:\n    reward: C1\n# end\n"),
        ("x: >\n  text\n\n\ny: |\n  text\n\n",
         "x: >\n  text\n\n\ny: |\n  text\ntop:\n  mid:\n    reward: C1\n\n"),
        ("{x: 1}\n", "{x: 1, top: {mid: {reward: C1}}}\n"),
        ("top: {x: 1}\n", "top: {x: 1, mid: {reward: C1}}\n"),
        ("\ufeffx: 1\n", "\ufeffx: 1\ntop:\n  mid:\n    reward: C1\n"),
        ("x: 1\r\n", "x: 1\r\ntop:\r\n  mid:\r\n    reward: C1\r\n"),
        ("# Ä 🏠\nx: ü\n...\n", "# Ä 🏠\nx: ü\ntop:\n  mid:\n    reward: C1\n...\n"),
    ],
)  # fmt: skip
def test_only_the_value_changes(before: str, after: str) -> None:
    assert edited(before, STAGE, "C1") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("training: {schedule: [{a: 1}], b: 2}",
         "training: {schedule: [{cycle: 1, stage: C1}], b: 2}"),
        ("training:\n  schedule:  # when\n  # first\n  - {a: 1}  # one\n"
         "  # second\n  - {b: 1}  # two\n\n# end\n",
         "training:\n  schedule:  # when\n  # first\n  - {cycle: 1, stage: C1}\n\n# end\n"),
    ],
)  # fmt: skip
def test_list_is_replaced(before: str, after: str) -> None:
    assert edited(before, SCHEDULE, [ROW]) == after


def test_block_list_becomes_empty() -> None:
    text = "training:\n  schedule:\n  - {a: 1}\nx: 1\n"
    assert edited(text, SCHEDULE, []) == "training:\n  schedule:\n   []\nx: 1\n"


FLOW = "training: {schedule: [{a: 0},  {a: 5}]}  # when\n"
BLOCK = """
training:
  schedule:  # when
    # warm up
    - {a: 0}
    # after the soak
    - a: 5
      b: [1]  # last

# end
"""


@pytest.mark.parametrize(
    ("text", "index", "line", "at"),
    [
        (FLOW, 0, "{cycle: 1, stage: C1}, ", "{a: 0}"),
        (FLOW, 1, "{cycle: 1, stage: C1}, ", "{a: 5}"),
        (FLOW, 2, ", {cycle: 1, stage: C1}", "]}"),
        (BLOCK, 0, "    - {cycle: 1, stage: C1}\n", "    # warm up"),
        (BLOCK, 1, "    - {cycle: 1, stage: C1}\n", "    # after"),
        (BLOCK, 2, "    - {cycle: 1, stage: C1}\n", "\n# end"),
    ],
)
def test_item_is_inserted(text: str, index: int, line: str, at: str) -> None:
    found = insert(text, "town.yaml", SCHEDULE, index, ROW)
    assert found == text.replace(at, line + at, 1)


def test_item_is_inserted_into_nothing() -> None:
    assert insert("training: {schedule: []}", "x", SCHEDULE, 0, ROW) == (
        "training: {schedule: [{cycle: 1, stage: C1}]}"
    )


@pytest.mark.parametrize(
    "text",
    [
        "a: &a {mid: {reward: OFF}}\ntop: *a\n",
        "a: &a {x: 1}\ntop: {mid: *a}\n",
        "a: &a OFF\ntop: {mid: {reward: *a}}\n",
        "top: {mid: {reward: &a OFF}}\nx: *a\n",
    ],
)
def test_what_others_share_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^town.yaml:\d+:\d+: top.* by hand$") as error:
        edited(text, STAGE, "C1")
    assert "\n" not in str(error.value)


def test_merged_list_is_refused() -> None:
    text = "a: &a {schedule: [{a: 1}]}\ntraining: {<<: *a}\n"
    with pytest.raises(ConfigError, match="by hand"):
        insert(text, "x", SCHEDULE, 0, ROW)


def test_merge_key_may_be_overridden() -> None:
    text = "a: &a {reward: OFF}\ntop:\n  mid:\n    <<: *a\n    x: 1\n"
    assert edited(text, STAGE, "C1") == text + "    reward: C1\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("C1", "C1"),
        ("OFF", '"OFF"'),
        ("no", '"no"'),
        ("12", '"12"'),
        ("a b", '"a b"'),
        (None, "null"),
        ([{"cycle": 0, "stage": "OFF"}, 0.5], '[{cycle: 0, stage: "OFF"}, 0.5]'),
    ],
)
def test_flow(value, text: str) -> None:
    assert flow(value) == text
    assert yaml.safe_load(text) == yaml_reader.parse(text, "x").data == value


leaves = st.sampled_from(["OFF", "text", "null", "3", "{}", "[]", "'a # b'", '"c: d"'])
names = st.sampled_from(["top", "mid", "reward", "a"])
trees = st.recursive(leaves, lambda inner: st.dictionaries(names, inner, min_size=1, max_size=3))


def block(tree, indent: str = "") -> str:
    """Writes a tree in block style, with comments."""
    if isinstance(tree, str):
        return f" {tree}  # {len(indent)}\n"
    lines = [f"{indent}{key}:{block(below, indent + '   ')}" for key, below in tree.items()]
    return ("\n" if indent else "") + f"{indent}# below\n".join(lines)


@given(trees.filter(lambda tree: isinstance(tree, dict)))
def test_any_tree(tree) -> None:
    text = block(tree)
    wanted = copy.deepcopy(yaml_reader.parse(text, "x").data)
    parent = wanted
    for part in STAGE[:-1]:
        parent = parent.setdefault(part, {})
        if not isinstance(parent, dict):
            return
    parent[STAGE[-1]] = "OFF"
    found = edited(text, STAGE, "OFF")
    assert yaml_reader.parse(found, "x").data == wanted
    assert found.count("#") == text.count("#") or isinstance(
        yaml_reader.parse(text, "x").data.get("top", {}).get("mid", {}).get(STAGE[-1]), dict
    )
