"""Work on a daemon thread: its result, its error, the file it waits for."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from relay.infra.files.reading_thread import ReadingThread
from relay.infra.files.regular import awaiting

ENDS = """
import asyncio, threading
from relay.infra.files.reading_thread import ReadingThread

async def run():
    ReadingThread(threading.Event().wait, "hangs")

asyncio.run(run())
print("ended")
"""


async def test_the_result_comes_from_another_thread():
    thread = ReadingThread(threading.get_ident, "reads")
    assert await thread.result != threading.get_ident()


async def test_an_error_is_raised_where_it_is_awaited():
    with pytest.raises(FileNotFoundError):
        await ReadingThread(Path("nowhere").stat, "reads").result


async def test_the_awaited_file_is_known():
    started, ends = threading.Event(), threading.Event()

    def hang():
        with awaiting("relay.yaml"):
            started.set()
            ends.wait()

    thread = ReadingThread(hang, "reads")
    while not started.is_set():  # noqa: ASYNC110 - a thread sets it
        await asyncio.sleep(0)
    assert thread.file == "relay.yaml"
    ends.set()
    await thread.result
    assert thread.file == ""


async def test_cancelling_the_result_is_harmless():
    ends = threading.Event()
    thread = ReadingThread(ends.wait, "reads")
    thread.result.cancel()
    ends.set()
    await ReadingThread(lambda: None, "later").result
    assert thread.result.cancelled()


def test_a_hanging_thread_does_not_block_the_process_exit():
    ended = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, timeout=60, check=True)
    assert (ended.stdout, ended.stderr) == ("ended\n", "")
