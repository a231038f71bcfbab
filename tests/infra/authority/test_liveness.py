import asyncio
from contextlib import asynccontextmanager

import pytest

from relay.infra.authority import liveness as module
from relay.infra.authority.liveness import ProcessLiveness

OK = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "a.sock")


@asynccontextmanager
async def authority(path, answer):
    """Run a fake authority; with `answer` None it stays silent. Yields the requests."""
    requests, writers = [], []

    async def serve(reader, writer):
        writers.append(writer)
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_unix_server(serve, path)
    try:
        yield requests
    finally:
        server.close()
        for writer in writers:
            writer.close()
            await writer.wait_closed()


@pytest.fixture
def clock(clock):
    clock.now = 0.0
    return clock


async def check_once(liveness):
    stop = asyncio.Event()
    following = asyncio.create_task(liveness.follow(stop))
    while not stop.is_set():
        await asyncio.sleep(0)
        stop.set()
    await following


async def test_an_answer_resets_the_age(path, clock):
    liveness = ProcessLiveness(path, clock)
    clock.now = 7
    assert liveness.age == 7
    async with authority(path, OK) as requests:
        await check_once(liveness)
    assert liveness.age == 0
    assert requests == [b"GET /health HTTP/1.1\r\nHost: authority\r\nConnection: close\r\n\r\n"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "timeout"),
        (b"", "closed"),
        (b"HTTP/1.1 503 X\r\n\r\n", "protocol"),
        (b"220 smtp.test ESMTP\r\n", "protocol"),
    ],
)
async def test_an_invalid_answer_does_not_reset_the_age(path, clock, monkeypatch, caplog, answer, reason):
    monkeypatch.setattr(module, "RESPONSE_S", 0.1)
    liveness = ProcessLiveness(path, clock)
    clock.now = 7
    async with authority(path, answer):
        await check_once(liveness)
        await check_once(liveness)
    assert liveness.age == 7
    assert caplog.messages == [f"authority does not answer: socket={path} reason={reason}"]


async def test_silence_and_its_end_are_logged_once_each(path, clock, caplog):
    liveness = ProcessLiveness(path, clock)
    for clock.now in (1, 2):
        await check_once(liveness)
    async with authority(path, OK):
        for clock.now in (31, 32):
            await check_once(liveness)
    assert caplog.messages == [
        f"authority does not answer: socket={path} reason=no such file or directory",
        "authority answers again: silent_s=30",
    ]


async def test_a_process_that_is_not_needed_is_not_asked(path, clock, caplog):
    liveness = ProcessLiveness(path, clock, "adapter", lambda: False)
    clock.now = 20
    await check_once(liveness)
    assert (liveness.age, caplog.text) == (0, "")


async def test_the_process_is_named_in_the_log(path, clock, caplog):
    await check_once(ProcessLiveness(path, clock, "adapter"))
    assert "adapter does not answer: socket=" in caplog.text
