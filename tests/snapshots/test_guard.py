import types

import numpy as np
import pytest

from tests.snapshots.conftest import LEAVES, about
from townlet_jax.config.schema_ops import Snapshot
from townlet_jax.snapshots import guard
from townlet_jax.snapshots.errors import SnapshotError
from townlet_jax.snapshots.guard import Content


def town(config_id="new", config_hash="2" * 64, **snapshot):
    config = types.SimpleNamespace(snapshot=Snapshot.model_validate(snapshot))
    return types.SimpleNamespace(config=config, config_id=config_id, identity=config_hash)


def content():
    return Content("old", dict(LEAVES), {"num_towns": 2})


def double(given):
    """A handler: every need twice as high."""
    level = given.leaves["state.needs.level"]
    return Content("middle", given.leaves | {"state.needs.level": level * 2}, given.run)


def rename(given):
    return Content("new", given.leaves, given.run | {"seed": 9})


def stay(given):
    return given


def back(given):
    return Content("old", given.leaves, given.run)


def fail(given):
    raise KeyError("no such leaf")


THIS = __name__


def migrations(**handlers):
    return {"handlers": {old: f"{THIS}:{name}" for old, name in handlers.items()}}


def test_a_chain_leads_to_the_configuration():
    wanted = town(migrations=migrations(old="double", middle="rename"))
    result, applied = guard.migrate(content(), about(), wanted)
    assert result.config_id == "new" and result.run == {"num_towns": 2, "seed": 9}
    np.testing.assert_array_equal(
        result.leaves["state.needs.level"], 2 * LEAVES["state.needs.level"]
    )
    assert applied == [
        ("old", "middle", f"{THIS}:double"),
        ("middle", "new", f"{THIS}:rename"),
    ]


@pytest.mark.parametrize(
    ("handlers", "line"),
    [
        ({}, "config_id is old, the configuration is new; .* has no handler for old$"),
        (migrations(other="rename"), r"no handler for old \(only for other\)"),
        (migrations(old="double"), "config_id is middle.*no handler for middle"),
        (migrations(old="stay"), "must return a Content with another config_id"),
        (migrations(old="fail"), "migration .*:fail failed: KeyError: 'no such leaf'"),
        (migrations(old="absent"), "absent: cannot be loaded"),
        ({"handlers": {"old": "no.such.module:f"}}, r"no\.such\.module:f: cannot be loaded"),
        ({"handlers": {"old": "json"}}, "json: cannot be loaded"),
        ({"handlers": {"old": "json:__name__"}}, "is no function"),
        (migrations(old="double", middle="back"), "round in circles at old"),
    ],
)
def test_chains_that_lead_nowhere(handlers, line):
    with pytest.raises(SnapshotError, match=line) as error:
        guard.migrate(content(), about(), town(migrations=handlers))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "allow_minor", "is_same"),
    [
        ("town_v1.2", "town_v1.3", True, True),
        ("town_v1.2", "town_v1.3", False, False),
        ("town_v1.2", "town_v2.2", True, False),
        ("town", "town", False, True),
        ("town", "city", True, False),
    ],
)
def test_minor_versions(old, new, allow_minor, is_same):
    wanted = town(new, migrations={"allow_minor": allow_minor})
    if is_same:
        assert guard.handlers(about(config_id=old), wanted) == []
    else:
        with pytest.raises(SnapshotError, match="no handler"):
            guard.handlers(about(config_id=old), wanted)


def test_a_newer_format_needs_leave():
    newer = about(schema_version=guard.SCHEMA_VERSION + 1)
    with pytest.raises(
        SnapshotError, match="schema_version is 2, this version reads up to 1.*allow"
    ):
        guard.check_schema(newer, Snapshot())
    guard.check_schema(newer, Snapshot.model_validate({"guardrails": {"allow_downgrade": True}}))
    guard.check_schema(about(), Snapshot())


def test_another_configuration_is_named_key_by_key():
    old = "a: {b: 1, c: [1, 2]}\nd: x\nsnapshot: {retain: 3}\n"
    new = "a: {b: 2, c: [1, 3]}\ne: true\nsnapshot: {retain: 4}\n"
    with pytest.raises(SnapshotError) as error:
        guard.check_config(about(), old, town(), new)
    assert str(error.value) == (
        "configuration differs: a.b is 1 in the snapshot and 2 now; a.c[1] is 2 in the snapshot "
        "and 3 now; d is x in the snapshot and None now; e is None in the snapshot and True now "
        "(snapshot.guardrails.require_exact_config=false loads it all the same)"
    )


def test_many_changes_are_counted():
    old, new = ("\n".join(f"k{i}: {i + shift}" for i in range(9)) for shift in (0, 1))
    with pytest.raises(SnapshotError, match="k3 is 3 in the snapshot and 4 now and 5 more"):
        guard.check_config(about(), old, town(), new)


def test_files_that_the_configuration_names_count():
    with pytest.raises(SnapshotError, match="the affordance manifest or the map differs"):
        guard.check_config(about(), "a: 1", town(), "a: 1")


def test_exactness_is_told():
    assert guard.check_config(about(), "a: 1", town(config_hash="0" * 64), "a: 1")
    loose = town(guardrails={"require_exact_config": False})
    assert not guard.check_config(about(), "a: 1", loose, "a: 2")
