"""Fixtures: exchanges, a real Redis, and a proxy in front of it that can stall or close connections."""

import asyncio
import contextlib

import pytest
import pytest_asyncio

from relay.domain.exchange import Exchange
from relay.infra.redis_client import make_redis_client


@pytest.fixture
def exchange():
    """Builds closed exchanges; keywords are their fields."""

    def build(*, ended=0.0, **fields):
        exchange = Exchange(fields.pop("started", 0.0), 1_700_000_000.0)
        for name, value in fields.items():
            setattr(exchange, name, value)
        exchange.close(ended)
        return exchange

    return build


@pytest_asyncio.fixture
async def redis(redis_server):
    client = make_redis_client(redis_server.url)
    await client.flushall()
    yield client
    await client.aclose()


class Gate:
    """A proxy in front of Redis: holds back replies while it is shut, closes new connections if `hangs_up`."""

    def __init__(self, folder, behind):
        self.socket, self._behind = folder / "gate.sock", behind
        self.open, self.heard = asyncio.Event(), asyncio.Event()
        self.open.set()
        self.hangs_up, self.lines = False, 0
        self._tasks, self._writers = set(), set()

    async def serve(self):
        self._server = await asyncio.start_unix_server(self._accept, self.socket)

    async def close(self):
        self._server.close()
        self.open.set()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*self._tasks)

    @property
    def url(self):
        return f"unix://{self.socket}"

    async def _accept(self, client_reader, client_writer):
        self._tasks.add(asyncio.current_task())
        self.lines += 1
        if self.hangs_up:
            client_writer.close()
            return
        redis_reader, redis_writer = await asyncio.open_unix_connection(self._behind)
        self._writers |= {client_writer, redis_writer}
        forward = self._copy(client_reader, redis_writer, self.heard.set)
        back = self._copy(redis_reader, client_writer, lambda: None, self.open)
        await asyncio.gather(forward, back)

    async def _copy(self, reader, writer, on_data, is_open=None):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                on_data()
                if is_open is not None:
                    await is_open.wait()
                writer.write(data)
        writer.close()


@pytest_asyncio.fixture
async def gate(tmp_path, redis_server):
    proxy = Gate(tmp_path, redis_server.socket)
    await proxy.serve()
    yield proxy
    await proxy.close()


@pytest_asyncio.fixture
async def through(gate):
    """A Redis client that connects through the proxy."""
    client = make_redis_client(gate.url)
    yield client
    await client.aclose()
