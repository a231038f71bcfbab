"""Tests of reloads: on a thread, one at a time, a file that hangs is logged once."""

import asyncio
import threading
from types import SimpleNamespace

import pytest

from relay.infra.files.regular import awaiting
from relay.runtime.processes.file_watch import FileWatch
from relay.runtime.processes.reload import Reloader


@pytest.fixture
def settings(tmp_path):
    """A file that may hang, and a reloader that applies its text."""
    file = tmp_path / "relay.yaml"
    file.write_text("one")
    answers = threading.Event()
    answers.set()
    reads, applied, rejected = [], [], []

    def read():
        reads.append(file)
        with awaiting(file):
            answers.wait()
        text = file.read_text()
        if text == "bad":
            raise ValueError(text)
        return text

    def reject(error):
        rejected.append(str(error))

    reloader = Reloader("gateway", FileWatch(lambda: [file]), read, applied.append, reject, (ValueError,), hangs_s=0.01)
    yield SimpleNamespace(
        file=file, answers=answers, reads=reads, applied=applied, rejected=rejected, reloader=reloader
    )
    answers.set()


async def until(is_reached):
    async with asyncio.timeout(20):
        while not is_reached():  # noqa: ASYNC110 - no event is set
            await asyncio.sleep(0.001)


async def test_a_file_that_hangs_is_logged_once_and_blocks_nothing(settings, caplog):
    settings.answers.clear()
    running = asyncio.create_task(settings.reloader.run(0.001))
    settings.reloader.request()
    await until(lambda: "hangs" in caplog.text)
    for _ in range(5):
        settings.reloader.request()
    messages = [record.getMessage() for record in caplog.records]
    assert messages == [f"settings reload hangs, settings in force stay: role=gateway file={settings.file}"]
    assert (len(settings.reads), settings.applied) == (1, [])
    settings.answers.set()
    await until(lambda: len(settings.applied) == 2)  # the requests meanwhile cause one more
    assert (len(settings.reads), len(caplog.records)) == (2, 1)
    running.cancel()


async def test_unusable_settings_are_rejected_and_the_next_applied(settings):
    settings.file.write_text("bad")
    await settings.reloader.reload()
    assert (settings.applied, settings.rejected) == ([], ["bad"])
    settings.file.write_text("two")
    await settings.reloader.reload()
    assert settings.applied == ["two"]


async def test_changed_files_are_reloaded_without_a_request(settings):
    running = asyncio.create_task(settings.reloader.run(0.001))
    settings.file.write_text("longer")
    await until(lambda: settings.applied)
    assert settings.applied == ["longer"]
    running.cancel()


async def test_interval_zero_reloads_on_request_only(settings):
    running = asyncio.create_task(settings.reloader.run(0))
    settings.file.write_text("longer")
    await asyncio.sleep(0)
    assert settings.reads == []
    settings.reloader.request()
    await until(lambda: settings.applied)
    running.cancel()


async def test_an_unexpected_error_ends_no_later_reload(settings, caplog):
    running = asyncio.create_task(settings.reloader.run(0))
    settings.file.write_bytes(b"\xff")
    settings.reloader.request()
    await until(lambda: settings.rejected or "settings reload failed" in caplog.text)
    settings.file.write_text("two")
    settings.reloader.request()
    await until(lambda: settings.applied)
    assert settings.applied == ["two"]
    running.cancel()
