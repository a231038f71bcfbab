"""Lines of the core over TCP."""

import asyncio

import pytest
from mydata_sandbox.sockets import bind_socket
from mydata_sandbox.telegram_core.server import serve_core


@pytest.fixture
async def line(bank):
    """Returns reader and writer of a line to a core that listens."""
    listener = bind_socket()
    async with serve_core(bank.core, listener):
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        yield reader, writer
        writer.close()
    listener.close()


async def read_telegram(reader):
    length = await reader.readexactly(4)
    return length + await reader.readexactly(int(length) - 4)


async def test_the_core_tests_a_new_line_and_answers_requests(line, bank):
    reader, writer = line
    assert (await read_telegram(reader))[10:14] == b"0800"
    context = {"unique_number": "7", "now": "20261130090000", "org_code": bank.core.org_code}
    request = bank.institution.link.encode_line_request("start", context)
    for part in (request[:3], request[3:30], request[30:] + request):
        writer.write(part)
    answers = [await read_telegram(reader) for _ in range(2)]
    assert [answer[10:14] for answer in answers] == [b"0810", b"0810"]


@pytest.mark.parametrize("garbage", [b"HTTP/1.1", b"0001"])
async def test_garbage_closes_the_line(line, garbage):
    reader, writer = line
    await read_telegram(reader)
    writer.write(garbage)
    assert await reader.read() == b""
