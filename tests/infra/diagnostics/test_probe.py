"""An institution called step by step, over real sockets."""

import asyncio
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from relay.infra.diagnostics.probe import Probe
from relay.infra.upstream.tls import client_context
from relay.policy.settings.scalars import ProviderTimeouts
from relay.sandbox.certificates import make_dev_certificates

TRAN_ID = "ZRLA000001R00000000000001"
NAMED = f"HTTP/1.1 404 Not Found\r\nx-api-tran-id: {TRAN_ID}\r\nContent-Length: 0\r\n\r\n"


@asynccontextmanager
async def institution(answer, context=None):
    """Listens on loopback, takes one request and answers with these bytes."""
    asked = []

    async def serve(reader, writer):
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer.encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/base", asked


async def steps(url, context=None):
    times = ProviderTimeouts(connect_s=1, first_byte_s=2, total_s=3)
    found = await Probe(url, context, times, "/bank/apis?org_code=ZBAA000001", TRAN_ID).run()
    return [(step.step, step.ok) for step in found], found[-1].detail


async def test_an_institution_that_answers_passes_each_step():
    async with institution(NAMED) as (url, asked):
        taken, detail = await steps(url)
    assert taken == [("dns", True), ("connect", True), ("request", True), ("answer", True)]
    assert detail == "HTTP 404, names its call"
    assert asked[0].startswith(b"GET /base/bank/apis?org_code=ZBAA000001 HTTP/1.1\r\n")
    assert b"x-user-ci" not in asked[0]


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        ("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "HTTP 502, not taken: status"),
        (NAMED.replace(TRAN_ID[-4:], "0009"), "HTTP 404, not taken: tran_id"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP 200, without x-api-tran-id"),
        ("what is this?\r\n\r\n", "head_malformed"),
        ("HTTP/1.1 200 OK\r\n", "reset"),
        ("HTTP/1.1 200 OK\r\nX-Long: " + "x" * 100_000 + "\r\n\r\n", "head_too_large"),
    ],
)
async def test_an_answer_that_is_not_taken_says_why(answer, detail):
    async with institution(answer) as (url, _):
        taken, told = await steps(url)
    assert (taken[-1], told) == (("answer", False), detail)


@pytest.mark.parametrize(
    ("url", "step", "detail"),
    [("http://127.0.0.1:1", "connect", "refused"), (f"http://{'a' * 70}.test", "dns", "dns")],
)
async def test_the_first_step_that_fails_is_the_last(url, step, detail):
    taken, told = await steps(url)
    assert (taken[-1], told) == ((step, False), detail)


@pytest.mark.parametrize("foreign", [False, True])
async def test_tls_is_a_step_of_its_own(tmp_path, foreign):
    made = make_dev_certificates(tmp_path / "certs", datetime.now(UTC))
    pair = made.foreign_operator if foreign else made.providers["bank"]
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(pair.certificate, pair.private_key)
    async with institution(NAMED, serving) as (url, _):
        taken, told = await steps(url.replace("http:", "https:"), client_context(str(made.ca), None, None))
    if foreign:
        assert (taken[-1], told) == (("tls", False), "tls_untrusted")
    else:
        assert [step for step, _ in taken] == ["dns", "connect", "tls", "request", "answer"]
        assert told == "HTTP 404, names its call"
