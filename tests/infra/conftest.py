"""Exchanges and lines that are no sockets; a real Redis, and a gate before it that may stay shut."""

import asyncio
import contextlib
import sys
from pathlib import Path

import pytest
import pytest_asyncio

from relay.domain.exchange import Exchange
from relay.infra.registry.leadership import redis_at

sys.path.insert(0, str(Path(__file__).parent))  # pool_stand.py is no installed module


@pytest.fixture
def exchange():
    """Makes closed exchanges; keywords are their fields."""

    def make(*, ended=0.0, **fields):
        made = Exchange(fields.pop("started", 0.0), 1_700_000_000.0)
        for name, value in fields.items():
            setattr(made, name, value)
        made.close(ended)
        return made

    return make


@pytest_asyncio.fixture
async def redis(redis_server):
    opened = redis_at(redis_server.url)
    await opened.flushall()
    yield opened
    await opened.aclose()


class Gate:
    """Stands before Redis: passes everything on, holds back answers while it is shut, hangs up when told to."""

    def __init__(self, folder, behind):
        self.socket, self._behind = folder / "gate.sock", behind
        self.open, self.heard = asyncio.Event(), asyncio.Event()
        self.open.set()
        self.hangs_up, self.lines = False, 0
        self._tasks, self._ends = set(), set()

    async def serve(self):
        self._server = await asyncio.start_unix_server(self._let_in, self.socket)

    async def close(self):
        self._server.close()
        self.open.set()
        for end in self._ends:
            end.close()
        await asyncio.gather(*self._tasks)

    @property
    def url(self):
        return f"unix://{self.socket}"

    async def _let_in(self, asks, answers):
        self._tasks.add(asyncio.current_task())
        self.lines += 1
        if self.hangs_up:
            answers.close()
            return
        replies, questions = await asyncio.open_unix_connection(self._behind)
        self._ends |= {answers, questions}
        on, back = self._pass(asks, questions, self.heard.set), self._pass(replies, answers, lambda: None, self.open)
        await asyncio.gather(on, back)

    async def _pass(self, source, sink, heard, gate=None):
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                heard()
                if gate is not None:
                    await gate.wait()
                sink.write(data)
        sink.close()


@pytest_asyncio.fixture
async def gate(tmp_path, redis_server):
    made = Gate(tmp_path, redis_server.socket)
    await made.serve()
    yield made
    await made.close()


@pytest_asyncio.fixture
async def through(gate):
    """Redis as it is asked through the gate."""
    opened = redis_at(gate.url)
    yield opened
    await opened.aclose()
