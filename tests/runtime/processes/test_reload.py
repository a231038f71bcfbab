"""Reloads: read off the loop, one at a time, what hangs is logged once."""

import asyncio
import threading
from types import SimpleNamespace

import pytest

from relay.infra.files.regular import awaiting
from relay.runtime.processes.file_watch import Following
from relay.runtime.processes.reload import Reloader


@pytest.fixture
def settings(tmp_path):
    """A file that may hang, and a reloader that takes its text."""
    file = tmp_path / "relay.yaml"
    file.write_text("one")
    answers = threading.Event()
    answers.set()
    reads, taken, refused = [], [], []

    def read():
        reads.append(file)
        with awaiting(file):
            answers.wait()
        text = file.read_text()
        if text == "bad":
            raise ValueError(text)
        return text

    def refuse(error):
        refused.append(str(error))

    reloader = Reloader("gateway", Following(lambda: [file]), read, taken.append, refuse, (ValueError,), hangs_s=0.01)
    yield SimpleNamespace(file=file, answers=answers, reads=reads, taken=taken, refused=refused, reloader=reloader)
    answers.set()


async def until(reached):
    async with asyncio.timeout(20):
        while not reached():  # noqa: ASYNC110 - it is told to nobody
            await asyncio.sleep(0.001)


async def test_a_file_that_hangs_is_named_once_and_stops_nothing_else(settings, caplog):
    settings.answers.clear()
    running = asyncio.create_task(settings.reloader.run(0.001))
    settings.reloader.ask()
    await until(lambda: "hangs" in caplog.text)
    for _ in range(5):
        settings.reloader.ask()
    hung = [record.getMessage() for record in caplog.records]
    assert hung == [f"settings reload hangs, settings in force stay: role=gateway file={settings.file}"]
    assert (len(settings.reads), settings.taken) == (1, [])
    settings.answers.set()
    await until(lambda: len(settings.taken) == 2)  # those asked for meanwhile are one more
    assert (len(settings.reads), len(caplog.records)) == (2, 1)
    running.cancel()


async def test_what_cannot_be_used_is_refused_and_the_next_taken(settings):
    settings.file.write_text("bad")
    await settings.reloader.reload()
    assert (settings.taken, settings.refused) == ([], ["bad"])
    settings.file.write_text("two")
    await settings.reloader.reload()
    assert settings.taken == ["two"]


async def test_files_that_change_are_taken_without_being_asked(settings):
    running = asyncio.create_task(settings.reloader.run(0.001))
    settings.file.write_text("longer")
    await until(lambda: settings.taken)
    assert settings.taken == ["longer"]
    running.cancel()


async def test_zero_seconds_look_never_and_hear_who_asks(settings):
    running = asyncio.create_task(settings.reloader.run(0))
    settings.file.write_text("longer")
    await asyncio.sleep(0)
    assert settings.reads == []
    settings.reloader.ask()
    await until(lambda: settings.taken)
    running.cancel()


async def test_an_unexpected_error_ends_no_later_reload(settings, caplog):
    running = asyncio.create_task(settings.reloader.run(0))
    settings.file.write_bytes(b"\xff")
    settings.reloader.ask()
    await until(lambda: "settings not" in caplog.text or settings.refused or "reload failed" in caplog.text)
    settings.file.write_text("two")
    settings.reloader.ask()
    await until(lambda: settings.taken)
    assert settings.taken == ["two"]
    running.cancel()
