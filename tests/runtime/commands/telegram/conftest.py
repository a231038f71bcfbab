"""The example savings bank for the commands of telegrams: its layouts, settings, and a core in a thread."""

import asyncio
import shutil
import threading
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from fixtures.telegram_core import TELEGRAMS, TelegramCore

from relay.runtime.cli import main
from relay.runtime.commands.telegram.layouts import open_layouts

BANK = "ZBAC000001"


def run_command(*arguments, **options):
    return CliRunner().invoke(main, ["telegram", *map(str, arguments)], **options)


@pytest.fixture
def run():
    """Runs `relay telegram` with arguments."""
    return run_command


@pytest.fixture
def telegrams(tmp_path):
    """A copy of the layouts and golden files of the example that a test may change."""
    return Path(shutil.copytree(TELEGRAMS, tmp_path / "telegrams"))


@pytest.fixture(scope="session")
def layouts():
    """The opened layouts of the example."""
    return open_layouts(str(TELEGRAMS), Path("none.yaml"))


class CoreThread:
    """The core of the example in a thread with its own event loop, while a command runs another one."""

    def __init__(self, **settings):
        self.core = TelegramCore(BANK, **settings)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self):
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.core.open(), self._loop).result(10)
        return self.core

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self.core.stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def core():
    """A running core that answers with the values that a test gives it."""
    with CoreThread() as core:
        yield core


@pytest.fixture
def settings(folder, core):
    """Settings with the example bank at the running core; returns the path of relay.yaml."""
    file = core.build_file() | {"timeouts": {"connect_s": 2, "first_byte_s": 5, "total_s": 6}}
    folder.write("providers/savings.yaml", yaml.safe_dump(file))
    return folder.path
