"""A gateway asks the ledger at each sign of the authority beside it, and finds it again when it comes back."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from relay.infra.tokens import revocation_feed
from relay.infra.tokens.revocation_feed import follow_authority


@pytest.fixture
def retried_at_once(monkeypatch):
    monkeypatch.setattr(revocation_feed, "RETRY_S", 0.0)


@pytest.fixture
async def hurried(tmp_path):
    """Counts how often the gateway was hurried, while it follows the authority at `a.sock`."""
    signs = asyncio.Queue()
    following = asyncio.ensure_future(follow_authority(str(tmp_path / "a.sock"), lambda: signs.put_nowait(None)))
    yield signs
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following


@asynccontextmanager
async def authority(path):
    """A listening authority: what comes in, and the streams of those who listen."""
    listeners = asyncio.Queue()

    async def met(reader, writer):
        await listeners.put((await reader.readuntil(b"\r\n\r\n"), writer))

    server = await asyncio.start_unix_server(met, path)
    async with server:
        yield listeners


async def test_each_sign_of_the_authority_hurries(tmp_path, retried_at_once, hurried):
    async with authority(tmp_path / "a.sock") as listeners:
        request, writer = await listeners.get()
        assert request.startswith(b"GET /relay/revocations HTTP/1.1\r\n")
        for _ in range(3):
            writer.write(b"\n")
            await hurried.get()
        writer.close()
        await hurried.get()  # what was revoked meanwhile may have been missed


async def test_an_authority_that_comes_back_is_followed_again(tmp_path, retried_at_once, hurried):
    for _ in range(2):
        async with authority(tmp_path / "a.sock") as listeners:
            _, writer = await listeners.get()
            writer.write(b"\n")
            await hurried.get()
            writer.close()
            await writer.wait_closed()
