import asyncio
import socket
from contextlib import asynccontextmanager

import pytest

from relay.domain.authorization.signed_consent import Defect, NotVerified
from relay.infra.certifiers.examination import ExaminedConsent
from relay.infra.certifiers.identity_client import MAX_RESPONSE_BYTES, IdentityClient
from relay.infra.fair_semaphore import FairSemaphore, FairThreadPool
from relay.policy.settings.authority import IdentityServiceSettings as Endpoint
from relay.standard.ucpid import UcpidRequest


@asynccontextmanager
async def certifier(respond):
    """Serves on loopback; `respond` gets request and writer. Yields the port and the received requests."""
    requests, serving = [], set()

    async def serve(reader, writer):
        serving.add(asyncio.current_task())
        requests.append(await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big")))
        await respond(requests[-1], writer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], requests
        await asyncio.gather(*serving)


@pytest.fixture
def verifiers():
    workers = FairThreadPool(1, FairSemaphore(1, 1), "verifier")
    yield workers
    workers.close()


@pytest.fixture
def confirm(relay_identity, signed, parties, make, verifiers):
    """Asks the certifier at a port; returns the doubt, or "confirmed"."""

    async def run(port, *, timeout_s=5.0, turns=None, host="127.0.0.1"):
        files = {"certificate": "x", "private_key": "file:x", "responder": "x"}
        endpoint = Endpoint(host=host, port=port, cp_code=relay_identity.cp_code, **files)
        client = IdentityClient(
            endpoint, relay_identity, timeout_s, turns or FairSemaphore(4, 2), lambda count: b"n" * count
        )
        examined = ExaminedConsent(b"", parties.customer.certificate)
        try:
            await client.confirm(signed(), examined, b"customer", verifiers, make.NOW)
        except NotVerified as unproven:
            return unproven.reason
        return "confirmed"

    return run


def frame(message):
    return len(message).to_bytes(4, "big") + message


def respond_with(answer):
    async def respond(_request, writer):
        writer.write(answer)

    return respond


async def test_a_request_is_prefixed_with_its_length(confirm):
    async with certifier(respond_with(b"")) as (port, requests):
        assert await confirm(port) is Defect.CERTIFIER_SILENT
    assert UcpidRequest.load(requests[0], strict=True)["cp_code"].native == "RELAY0000001"


@pytest.mark.parametrize(
    ("answer", "doubt"),
    [
        (b"", Defect.CERTIFIER_SILENT),
        (b"\x00\x00", Defect.CERTIFIER_SILENT),
        (b"\x00\x00\x00\x05abc", Defect.CERTIFIER_SILENT),
        (b"\x00\x00\x00\x00", Defect.CERTIFIER_BROKEN),
        (b"\xff\xff\xff\xff", Defect.CERTIFIER_BROKEN),
        ((MAX_RESPONSE_BYTES + 1).to_bytes(4, "big"), Defect.CERTIFIER_BROKEN),
        (frame(b"garbage"), Defect.CERTIFIER_BROKEN),
    ],
    ids=["nothing", "half a length", "half an answer", "length 0", "length 4 GiB", "a byte too much", "garbage"],
)
async def test_an_invalid_response_is_silent_or_broken(confirm, answer, doubt):
    async with certifier(respond_with(answer)) as (port, _):
        assert await confirm(port) is doubt


async def test_a_certifier_that_does_not_respond_is_silent(confirm):
    ended = asyncio.Event()

    async def respond(_request, _writer):
        await ended.wait()

    async with certifier(respond) as (port, _):
        assert await confirm(port, timeout_s=0.05) is Defect.CERTIFIER_SILENT
        ended.set()


async def test_the_timeout_includes_waiting_for_a_turn(confirm):
    turns = FairSemaphore(1, 1)
    await turns.acquire(b"another customer")
    assert await confirm(1, timeout_s=0.05, turns=turns) is Defect.CERTIFIER_SILENT


async def test_a_closed_port_is_silent(confirm):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert await confirm(port) is Defect.CERTIFIER_SILENT


async def test_an_invalid_host_name_is_silent(confirm):
    assert await confirm(7, host="a" * 70 + ".test") is Defect.CERTIFIER_SILENT
