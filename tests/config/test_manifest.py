"""Manifests: what they hold, and every way they can be wrong."""

import hashlib

import pytest

from townlet_jax.config import ConfigError, read_manifest

EAT = "{id: eat_meal, object_type: fridge, duration: 15, effects: {hunger: 0.45}}"
CORE = "configs/affordances/core.yaml"


def entry(**fields):
    values = {"id": "eat_meal", "object_type": "fridge", "duration": "15"} | {
        "effects": "{hunger: 0.45}"
    }
    values |= fields
    return "- {" + ", ".join(f"{k}: {v}" for k, v in values.items() if v is not None) + "}\n"


def test_core_is_read_with_its_checksum():
    core = read_manifest(CORE, strict=True)
    with open(CORE, "rb") as file:
        assert core.sha256 == hashlib.sha256(file.read()).hexdigest()
    assert list(core.affordances) == [
        "use_shower", "eat_meal", "cook_meal", "rest_sleep", "eat_out", "work_shift",
    ]  # fmt: skip
    assert (core.objects, core.types, core.notes) == ({}, {}, [])


def test_all_three_kinds_of_entries(manifest):
    found = manifest("""
        - {type: object, id: fridge, object_type: fridge, position: [3, 4], seats: 2, stock: {m: 2}}
        - {type: object_type, id: bench, requires: power, virtual: on, cooldown_ticks: 5}
        - type: affordance
          id: look
          object_type: [bench, fridge]
          duration: 2
          effects: {money: 1, energy: -0.5}
          stock: {start: {m: -1}, finish: {n: 2}}
          preconds: wallet > 0.5
          flags: meal
          hooks: {before: on_attempt_eat, after: [on_finish_eat, on_no_power]}
    """)
    fridge = found.objects["fridge"].as_scenario_object()
    assert (fridge.type, fridge.position, fridge.seats, fridge.stock) == (
        "fridge",
        (3, 4),
        2,
        {"m": 2},
    )
    bench = found.types["bench"]
    assert (bench.requires, bench.virtual, bench.social_place) == (("power",), True, None)
    look = found.affordances["look"]
    assert look.object_type == ("bench", "fridge")
    assert look.preconds == ("wallet > 0.5",)
    assert look.hooks.after == ("on_finish_eat", "on_no_power")
    assert (look.effects.money, look.effects.hunger) == (1.0, 0.0)
    assert found.index == {"fridge": 0, "bench": 1, "look": 2}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{}", "1:1: a manifest is a list of entries, got {}"),
        ("- 3", "1:3: [0]: must be a mapping, got 3"),
        (
            "- {type: objects, id: x}",
            "1:10: [0].type: unknown kind 'objects'; did you mean 'object'?",
        ),
        ("- {type: [object], id: x}", "1:10: [0].type: unknown kind ['object']"),
        (entry(id=None), "1:3: [0].id: is required but missing"),
        (entry(id="' '"), "1:8: [0].id: must be a text that is not blank and has no '.', got ' '"),
        (
            entry(id="a.b"),
            "1:8: [0].id: must be a text that is not blank and has no '.', got 'a.b'",
        ),
        (entry(id="7"), "1:8: [0].id: must be a text that is not blank and has no '.', got 7"),
        (entry(object_type=None), "1:3: [0].object_type: is required but missing"),
        (entry(object_type="[]"), "1:31: [0].object_type: must be a list"),
        (entry(duration="0"), "1:49: [0].duration: must be an int in 1...1073741823, got 0"),
        (entry(duration="1.5"), "1:49: [0].duration: must be an int"),
        (entry(effects="{}"), "1:62: [0].effects: must name at least one of hunger, hygiene"),
        (
            entry(effects="{hungr: 1}"),
            "1:63: [0].effects.hungr: unknown key; did you mean 'hunger'?",
        ),
        (entry(effects="{hunger: much}"), "1:71: [0].effects.hunger: must be a number"),
        (entry(effects="{hunger: .nan}"), "1:71: [0].effects.hunger: must be a number"),
        (
            entry(flags="[meals]"),
            "[0].flags[0]: must be one of meal, blocks_chat, work, got 'meals'",
        ),
        (
            entry(hooks="{before: on_attempt_eaat}"),
            "[0].hooks.before: unknown hook 'on_attempt_eaat'; did you mean 'on_attempt_eat'?",
        ),
        (entry(hooks="{during: on_attempt_eat}"), "[0].hooks.during: unknown key; "),
        (
            entry(preconds="ocupied == false"),
            "[0].preconds: unknown precondition name 'ocupied'; did you mean 'occupied'?",
        ),
        (entry(preconds="[day > 1, wallet]"), "[0].preconds: must read 'name op constant'"),
        (
            entry(preconds="[day > 1, day > 1, day > 1, day > 1, day > 1]"),
            "[0].preconds: at most 4 clauses, got 5",
        ),
        (entry(price="meel"), "[0].price: unknown price key 'meel'; did you mean 'meal'?"),
        (
            entry(stock="{finish: {meals: -1}}"),
            "[0].stock.finish.meals: must be an int in 0...1000000, got -1",
        ),
        (entry(stock="{begin: {meals: -1}}"), "[0].stock.begin: unknown key; "),
        (entry(colour="red"), "[0].colour: unknown key; "),
        (
            "- {type: object, id: f, object_type: bed, stock: {m: -1}}",
            "[0].stock.m: must be an int in 0...1000000, got -1",
        ),
        (
            "- {type: object, id: f, object_type: bed, seats: 0}",
            "[0].seats: must be an int in 1...32, got 0",
        ),
        ("- {type: object, id: f, object_type: bed, position: [1]}", "[0].position: must be"),
        (
            "- {type: object_type, id: oven, requires: [gas]}",
            "[0].requires[0]: must be one of power, water, got 'gas'",
        ),
        (
            "- {type: object_type, id: oven, cooldown_ticks: -1}",
            "[0].cooldown_ticks: must be an int in 0...100000 or null",
        ),
        (f"- {EAT}\n- {EAT}\n", "2:8: [1].id: duplicate id 'eat_meal', first given in line 1"),
        (
            f"- {EAT}\n- {{type: object, id: eat_meal, object_type: bed}}\n",
            "2:22: [1].id: duplicate id 'eat_meal', first given in line 1",
        ),
        ("- {id: x\n", "is not YAML"),
        ("", "1:1: is empty"),
    ],
)
def test_faults_name_line_column_and_the_nearest_name(manifest_refusals, text, line):
    found = manifest_refusals(text)
    assert any(line in one for one in found), found
    assert all(one.startswith("manifest.yaml:") for one in found)


def test_all_faults_are_named_at_once(manifest_refusals):
    assert (
        len(manifest_refusals(entry(duration="0", effects="{x: 1}") + entry(id="b", flags="x")))
        == 3
    )


def test_missing_binary_and_huge_files(tmp_path):
    bad = tmp_path / "manifest.yaml"
    with pytest.raises(ConfigError, match="no such file"):
        read_manifest(str(bad))
    bad.write_bytes(b"\x80\x04\x95\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_manifest(str(bad))
    bad.write_bytes(b"#" * (4 * 2**20 + 1))
    with pytest.raises(ConfigError, match="larger than 4 MiB"):
        read_manifest(str(bad))


@pytest.mark.parametrize(
    ("fields", "prices", "key"),
    [
        ({}, (), "meal"),
        ({"price": "shower"}, (), "shower"),
        ({"id": "nap"}, (), None),
        ({"id": "nap"}, ("nap",), "nap"),
        ({"id": "nap", "effects": "{energy: 1, money: -2}"}, (), "nap"),
        ({"id": "nap", "effects": "{energy: 1, money: 2}"}, (), None),
        ({"id": "nap", "effects": "{money: -2}", "price": "hotel"}, (), "hotel"),
        ({"id": "nap", "price": "hotel"}, ("hotel",), "hotel"),
    ],
)
def test_price_keys(manifest, fields, prices, key):
    found = manifest(entry(**fields), prices=prices)
    assert found.affordances[fields.get("id", "eat_meal")].price_key(prices) == key


def test_types_without_objects_are_doubtful(manifest, manifest_refusals):
    text = f"- {EAT}\n- {{type: object, id: f, object_type: fridg}}\n"
    expected = (
        "1:31: [0].object_type: no object of this manifest is of type fridge; did you mean 'fridg'?"
    )
    (note,) = manifest(text).notes
    assert str(note).endswith(expected)
    (line,) = manifest_refusals(text, strict=True)
    assert line.endswith(expected)
