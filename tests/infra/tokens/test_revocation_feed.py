"""A gateway polls the ledger at each byte from the authority, and reconnects to it."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from relay.infra.tokens import revocation_feed
from relay.infra.tokens.revocation_feed import follow_revocations


@pytest.fixture
def no_delay(monkeypatch):
    monkeypatch.setattr(revocation_feed, "RETRY_S", 0.0)


@pytest.fixture
async def changes(tmp_path):
    """The calls of `on_change` while the gateway follows the authority at `a.sock`."""
    queue = asyncio.Queue()
    following = asyncio.ensure_future(follow_revocations(str(tmp_path / "a.sock"), lambda: queue.put_nowait(None)))
    yield queue
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following


@asynccontextmanager
async def authority(path):
    """Serves as the authority; yields a queue of requests with their writers."""
    requests = asyncio.Queue()

    async def serve(reader, writer):
        await requests.put((await reader.readuntil(b"\r\n\r\n"), writer))

    server = await asyncio.start_unix_server(serve, path)
    async with server:
        yield requests


async def test_each_byte_from_the_authority_is_a_change(tmp_path, no_delay, changes):
    async with authority(tmp_path / "a.sock") as requests:
        request, writer = await requests.get()
        assert request.startswith(b"GET /relay/revocations HTTP/1.1\r\n")
        for _ in range(3):
            writer.write(b"\n")
            await changes.get()
        writer.close()
        await changes.get()  # a revocation may have been missed meanwhile


async def test_a_restarted_authority_is_followed_again(tmp_path, no_delay, changes):
    for _ in range(2):
        async with authority(tmp_path / "a.sock") as requests:
            _, writer = await requests.get()
            writer.write(b"\n")
            await changes.get()
            writer.close()
            await writer.wait_closed()
