"""YAML files become plain data with places, or one clear line."""

import json
import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from townlet_jax.config import yaml_reader
from townlet_jax.config.errors import ConfigError


def parse(text):
    return yaml_reader.parse(text, "f.yaml")


def lines_of(error):
    return str(error.value).splitlines()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("OFF", "OFF"),
        ("on", "on"),
        ("yes", "yes"),
        ("true", True),
        ("False", False),
        ("3e-4", 3e-4),
        ("1E5", 1e5),
        (".05", 0.05),
        ("-0.5", -0.5),
        ("205.", 205.0),
        ("-3", -3),
        ("0", 0),
        ("'12'", "12"),
        ("012", "012"),
        ("-012", "-012"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        ("2024-01-01", "2024-01-01"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("~", None),
        ("", None),
        ("!!str 3", "3"),
        ("!!float 3", 3.0),
        ("=", "="),
    ],
)
def test_scalars_are_read_as_written(text, value):
    data = parse(f"a: {text}").data
    assert data == {"a": value} and type(data["a"]) is type(value)


def test_keys_are_text():
    assert parse("on: 1\n2: 3\n~: 4").data == {"on": 1, "2": 3, "~": 4}


def test_top_level_lists_are_documents_too():
    document = parse("- a: 1\n- [x, {b: 2}]\n")
    assert document.data == [{"a": 1}, ["x", {"b": 2}]]
    assert document.mark((1, 1, "b")) == (2, 11)


def test_marks_of_keys_values_and_missing_places():
    document = parse("a:\n  b: [1,\n   {c: 2}]\n")
    assert document.mark(()) == (1, 1)
    assert document.mark(("a", "b", 1, "c")) == (3, 8)
    assert document.place(("a", "b", 1, "c"), at_key=True) == ("f.yaml", 3, 5)
    assert document.mark(("a", "nothing")) == document.mark(("a",)) == (2, 3)


def test_aliases_and_merge_keys():
    text = "a: &x {b: 1, c: 2}\nd: *x\ne: {<<: *x, b: 3}\nf: {b: 5, <<: [*x, {c: 9, z: 1}]}"
    document = parse(text)
    assert document.data["d"] == {"b": 1, "c": 2}
    assert document.data["e"] == {"b": 3, "c": 2}
    assert document.data["f"] == {"b": 5, "c": 2, "z": 1}
    assert document.mark(("e", "c")) == (1, 17)


def test_every_duplicate_key_is_reported():
    with pytest.raises(ConfigError) as error:
        parse("a: 1\nb: {c: 1, c: 2}\na: 2\n")
    assert lines_of(error) == [
        "f.yaml:2:11: b.c: duplicate key, first given in line 2",
        "f.yaml:3:1: a: duplicate key, first given in line 1",
    ]


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "f.yaml:1:1: is empty"),
        ("# nothing\n", "f.yaml:1:1: is empty"),
        ("a: 1\n---\nb: 2", "f.yaml:2:1: is not YAML: expected a single document"),
        ("a: [1,\n b: c: d", "f.yaml:2:6: is not YAML: while parsing a flow sequence"),
        ("\ta: 1", "f.yaml:1:1: is not YAML: while scanning for the next token"),
        ("a: *nothing", "f.yaml:1:4: is not YAML: found undefined alias 'nothing'"),
        ("x: 1\na: b\x00", "f.yaml:2:5: holds characters that are not text"),
        ('a: "\\ud800"', "f.yaml:1:4: a: holds half of a surrogate pair"),
        ("a: &x [1, *x]", "f.yaml:1:4: a[1]: an alias refers to the value that contains it"),
        ("a: &x {b: *x}", "f.yaml:1:4: a.b: an alias refers to the value that contains it"),
        (BOMB, "f.yaml:1:10: aliases expand to more than 100000 values"),
        ("[" * 10_000, "f.yaml:1:65: is not YAML: nested deeper than 64 levels"),
        ("- " * 10_000, "f.yaml:1:129: is not YAML: nested deeper than 64 levels"),
        ("a: !!python/object:os.system x", "f.yaml:1:4: a: tag 'python/object:os.system'"),
        ("a: !!set {b}", "f.yaml:1:4: a: tag 'set' is not allowed"),
        ("a: !mine 3", "f.yaml:1:4: a: tag '!mine' is not allowed"),
        ("a: !!int x", "f.yaml:1:4: a: 'x' is not of type int"),
        ("a: 1e999", "f.yaml:1:4: a: '1e999' is too large for a number"),
        ("a: " + "9" * 500, "f.yaml:1:4: a: an int of more than 400 digits"),
        ("? [1]\n: 2", "f.yaml:1:3: a key must be a name"),
        ("'': 2", "f.yaml:1:1: a key must be a name"),
        ("<<: 3", "f.yaml:1:5: '<<' takes a mapping or a list of mappings"),
    ],
)
def test_bad_text_gets_one_line(text, line):
    with pytest.raises(ConfigError) as error:
        parse(text)
    assert len(lines_of(error)) == 1
    assert lines_of(error)[0].startswith(line)


def test_bad_files_get_one_line(tmp_path):
    (tmp_path / "binary.yaml").write_bytes(b"a: \xff\xfe\x80")
    (tmp_path / "large.yaml").write_bytes(b"#" * (yaml_reader.MAX_BYTES + 1))
    cases = {
        "missing.yaml": "cannot be read: no such file or directory",
        "": "cannot be read: is a directory",
        "binary.yaml": "is not UTF-8 text (byte 3)",
        "large.yaml": "is larger than 4 MiB",
    }
    for name, message in cases.items():
        path = tmp_path / name
        with pytest.raises(ConfigError) as error:
            yaml_reader.read(path)
        assert str(error.value) == f"{path}:1:1: {message}"


def test_byte_order_mark_is_skipped(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert yaml_reader.read(tmp_path / "a.yaml").data == {"a": 1}


TREES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", max_codepoint=0xFFFF), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner),
    max_leaves=12,
)


@given(TREES)
def test_json_text_reads_back(tree):
    data = parse(json.dumps({"a": tree})).data["a"]
    assert same(data, tree)


def same(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) or isinstance(b, float):
        return math.isclose(a, b) if isinstance(a, int | float) else False
    return a == b and type(a) is type(b)


@given(st.text(st.sampled_from("ab:[]{}&*-,!?|>'\"%@`#\n\t 01.<="), max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        data = parse(text).data
    except ConfigError as error:
        assert all(str(problem).startswith("f.yaml:") for problem in error.problems)
    else:
        yaml.safe_dump(data)
