"""A core on a loopback port that tests drive by hand, and the link of the example bank."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest
from fixtures.telegram_core import TELEGRAMS

from relay.infra.telegrams.line import Line, LineSettings
from relay.infra.telegrams.line_log import LineLog
from relay.infra.telegrams.unique_numbers import UniqueNumbers
from relay.runtime.settings.telegram_files import load_telegram_files


@pytest.fixture(scope="session")
def link():
    """The compiled link of the example: 6 digits, a header of 102 bytes, line management."""
    return load_telegram_files(TELEGRAMS, "bank").institution.link


class HandCore:
    """Accepts lines and keeps their telegrams. It answers line management while `manages`, with `code`."""

    def __init__(self):
        self.telegrams = asyncio.Queue()
        self.management = []
        self.writers = []
        self.manages = True
        self.code = b"0000"
        self.port = 0

    async def serve(self, reader, writer):
        self.writers.append(writer)
        try:
            while True:
                length = await reader.readexactly(6)
                data = length + await reader.readexactly(int(length))
                if data[6:8] == b"02":
                    self.telegrams.put_nowait((data, writer))
                    continue
                self.management.append((data[6:10], data[102:105]))
                if self.manages and data[6:10] == b"0800":
                    writer.write(data[:6] + b"0810" + data[10:53] + self.code + data[57:])
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def build_telegram(number, body=b"", kind=b"0200"):
    """Builds a telegram with the header of the example."""
    header = kind + b"A012" + b"099" + b"ZBAC000001" + b"20270115" + b"170000" + number.zfill(12).encode() + b" " * 49
    return b"%06d" % (len(header) + len(body)) + header + body


def answer(telegram, body=b""):
    """Returns the response to a request."""
    return build_telegram(telegram[41:53].decode(), body, b"0210")


@asynccontextmanager
async def open_core():
    core = HandCore()
    server = await asyncio.start_server(core.serve, "127.0.0.1", 0)
    core.port = server.sockets[0].getsockname()[1]
    try:
        yield core
    finally:
        server.close()
        for writer in core.writers:
            writer.transport.abort()


@pytest.fixture
async def core():
    """A running core."""
    async with open_core() as running:
        yield running


@pytest.fixture
def telegrams():
    """Functions that build telegrams: `build` and `answer`."""
    return build_telegram, answer


@pytest.fixture
async def open_line(link, core):
    """A function that opens a line to the core."""
    lines = []

    async def open_one(requests=1, answer_s=5.0, test_s=60.0, start=True, digits=12, link=link):
        settings = LineSettings("ZBAC000001", link, requests, answer_s, test_s, LineLog("ZBAC000001", time.monotonic))
        freed = []
        line = Line(settings, UniqueNumbers(digits, 1.0), freed.append)
        line.freed = freed
        lines.append(line)
        await asyncio.get_running_loop().create_connection(lambda: line, "127.0.0.1", core.port)
        if start:
            await line.start()
        return line

    yield open_one
    for line in lines:
        line.close()
