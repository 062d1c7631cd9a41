"""The page: all in one file, nothing in the data can break out of it, and browsers play it."""

import dataclasses
import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import jax
import pytest

from townlet_jax.env.filming import built_in, film
from townlet_jax.ops import replay_html
from townlet_jax.ops.replay import Recorder, Replay

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--window-size=1400,900", "--enable-logging=stderr",
    "--virtual-time-budget=5000",
)  # fmt: skip


@pytest.fixture
def replay(tiny, newborn, quiet) -> Replay:
    """Two ticks in which ada talks with ben."""
    events = quiet(2)
    events.chat.listener[0, 0], events.chat.is_success[0, 0] = 1, True
    recorder = Recorder(tiny, "scripted", 3)
    states = jax.tree.map(lambda leaf: leaf[None].repeat(2, 0), newborn)
    states.clock.tick[:] = 1, 2
    recorder.add(states, events)
    return recorder.replay()


def data(page: str, name: str) -> str:
    found = re.findall(rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.S)
    assert len(found) == 1
    return found[0]


def test_everything_is_in_the_page(replay) -> None:
    page = replay_html.page(replay)
    assert not re.search(r"\{\{\w+\}\}", page)
    assert Replay.from_json(data(page, "replay")).to_json() == replay.to_json()
    colours = json.loads(data(page, "palette"))
    assert len(colours["residents"]) == 3 and len(colours["places"]) == 6
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in colours["residents"])


def test_nothing_is_asked_of_other_machines(replay) -> None:
    page = replay_html.page(replay)
    assert "default-src 'none'" in page
    outside = r"https?:|\bsrc=|@import|\burl\(|\bfetch\(|XMLHttpRequest|WebSocket|sendBeacon"
    assert not re.search(outside, page)


def test_names_cannot_break_out(replay) -> None:
    nasty = "</script><!-- <b> {{script}} & é \u2028"
    about = {**replay.about, "title": nasty, "description": nasty}
    about["residents"] = [{"name": nasty, "shown": nasty} for _ in range(3)]
    page = replay_html.page(dataclasses.replace(replay, about=about))
    assert page.count("</script>") == 3 and "<!--" not in page
    assert json.loads(data(page, "replay"))["about"]["title"] == nasty
    assert f"<title>{html.escape(nasty)}" in page


def test_write_is_all_or_nothing(replay, tmp_path: Path) -> None:
    path = tmp_path / "town.html"
    assert replay_html.write(replay, path) == path.stat().st_size
    assert path.read_text(encoding="utf-8") == replay_html.page(replay)
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError) as error:
        replay_html.write(replay, folder)
    assert error.value.filename == str(folder)
    with pytest.raises(FileNotFoundError) as missing:
        replay_html.write(replay, tmp_path / "no" / "town.html")
    assert missing.value.filename == str(tmp_path / "no" / "town.html")
    assert sorted(tmp_path.iterdir()) == [folder, path]


@pytest.mark.acceptance
def test_a_browser_plays_it(tiny, tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no Chromium on PATH")
    recorder = Recorder(tiny, "scripted", 3)
    for chunk in film(*built_in(tiny, "scripted", 3), tiny.params, tiny.layout, 240):
        recorder.add(*chunk)
    path = tmp_path / "town.html"
    replay_html.write(recorder.replay(), path)
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    command = [browser, *FLAGS, profile, "--dump-dom", f"{path.as_uri()}#selftest"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "CONSOLE" not in result.stderr, result.stderr
    body = re.search(r"<body[^>]*>", result.stdout)
    answer = body and re.search(r'data-selftest="([^"]*)"', body[0])
    assert answer, result.stdout[:2000]
    report = json.loads(html.unescape(answer[1]))
    assert report["errors"] == [] and report["requests"] == 0
    assert (report["played"], report["stepped"], report["followed"]) == (20, 1, "0")
    assert report["colours"] > 50
    for name in tiny.names.agents:
        assert f"<b>{name.title()}</b>" in result.stdout
