"""The probe of an institution, over real sockets."""

import asyncio
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from mydata_sandbox.credentials.certificates import make_dev_certificates

from relay.infra.diagnostics.probe import Probe
from relay.infra.upstream.tls import build_client_context
from relay.policy.settings.scalars import ProviderTimeouts

TRAN_ID = "ZRLA000001R00000000000001"
NAMED = f"HTTP/1.1 404 Not Found\r\nx-api-tran-id: {TRAN_ID}\r\nContent-Length: 0\r\n\r\n"


@asynccontextmanager
async def institution(answer, context=None):
    """Serves on loopback: reads one request and sends `answer`."""
    requests = []

    async def serve(reader, writer):
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer.encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/base", requests


async def steps(url, context=None):
    timeouts = ProviderTimeouts(connect_s=1, first_byte_s=2, total_s=3)
    results = await Probe(url, context, timeouts, "/bank/apis?org_code=ZBAA000001", TRAN_ID).run()
    return [(step.step, step.ok) for step in results], results[-1].detail


async def test_an_institution_that_answers_passes_each_step():
    async with institution(NAMED) as (url, requests):
        results, detail = await steps(url)
    assert results == [("dns", True), ("connect", True), ("request", True), ("answer", True)]
    assert detail == "HTTP 404, with its x-api-tran-id"
    assert requests[0].startswith(b"GET /base/bank/apis?org_code=ZBAA000001 HTTP/1.1\r\n")
    assert b"x-user-ci" not in requests[0]


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        ("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "HTTP 502, not accepted: status"),
        (NAMED.replace(TRAN_ID[-4:], "0009"), "HTTP 404, not accepted: tran_id"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP 200, without x-api-tran-id"),
        ("what is this?\r\n\r\n", "head_malformed"),
        ("HTTP/1.1 200 OK\r\n", "reset"),
        ("HTTP/1.1 200 OK\r\nX-Long: " + "x" * 100_000 + "\r\n\r\n", "head_too_large"),
    ],
)
async def test_a_rejected_response_has_its_reason(answer, detail):
    async with institution(answer) as (url, _):
        results, text = await steps(url)
    assert (results[-1], text) == (("answer", False), detail)


@pytest.mark.parametrize(
    ("url", "step", "detail"),
    [("http://127.0.0.1:1", "connect", "refused"), (f"http://{'a' * 70}.test", "dns", "dns")],
)
async def test_the_first_step_that_fails_is_the_last(url, step, detail):
    results, text = await steps(url)
    assert (results[-1], text) == ((step, False), detail)


@pytest.mark.parametrize("is_trusted", [True, False])
async def test_tls_is_a_separate_step(tmp_path, is_trusted):
    certificates = make_dev_certificates(tmp_path / "certs", datetime.now(UTC))
    pair = certificates.providers["bank"] if is_trusted else certificates.foreign_operator
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_tls.load_cert_chain(pair.certificate, pair.private_key)
    async with institution(NAMED, server_tls) as (url, _):
        results, text = await steps(
            url.replace("http:", "https:"), build_client_context(str(certificates.ca), None, None)
        )
    if not is_trusted:
        assert (results[-1], text) == (("tls", False), "tls_untrusted")
    else:
        assert [step for step, _ in results] == ["dns", "connect", "tls", "request", "answer"]
        assert text == "HTTP 404, with its x-api-tran-id"
