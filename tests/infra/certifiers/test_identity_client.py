import asyncio
import socket
from contextlib import asynccontextmanager

import pytest

from relay.domain.authorization.proof import Doubt, Unproven
from relay.infra.certifiers.examination import Examined
from relay.infra.certifiers.identity_client import ANSWER_MOST, IdentityDesk
from relay.infra.fair_semaphore import Turns, Workers
from relay.policy.settings.authority import IdentityDesk as Place
from relay.standard.ucpid import UcpidRequest


@asynccontextmanager
async def certifier(say):
    """A certifier on loopback: `say` gets the question and the writer. Yields its port and the questions it heard."""
    heard, serving = [], set()

    async def served(reader, writer):
        serving.add(asyncio.current_task())
        heard.append(await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big")))
        await say(heard[-1], writer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], heard
        await asyncio.gather(*serving)


@pytest.fixture
def verifiers():
    made = Workers(1, Turns(1, 1), "verifier")
    yield made
    made.close()


@pytest.fixture
def ask(us, signed, people, make, verifiers):
    """Asks the certifier at a port; tells the doubt, or "confirmed"."""

    async def asking(port, *, timeout_s=5.0, turns=None, host="127.0.0.1"):
        place = Place(host=host, port=port, cp_code=us.cp_code, certificate="x", private_key="file:x", responder="x")
        desk = IdentityDesk(place, us, timeout_s, turns or Turns(4, 2), lambda count: b"n" * count)
        examined = Examined(b"", people.customer.certificate)
        try:
            await desk.confirm(signed(), examined, b"whose", verifiers, make.NOW)
        except Unproven as unproven:
            return unproven.doubt
        return "confirmed"

    return asking


def framed(message):
    return len(message).to_bytes(4, "big") + message


def saying(answer):
    async def say(_question, writer):
        writer.write(answer)

    return say


async def test_the_question_is_one_request_behind_its_length(ask):
    async with certifier(saying(b"")) as (port, heard):
        assert await ask(port) is Doubt.CERTIFIER_SILENT
    assert UcpidRequest.load(heard[0], strict=True)["cp_code"].native == "RELAY0000001"


@pytest.mark.parametrize(
    ("answer", "doubt"),
    [
        (b"", Doubt.CERTIFIER_SILENT),
        (b"\x00\x00", Doubt.CERTIFIER_SILENT),
        (b"\x00\x00\x00\x05abc", Doubt.CERTIFIER_SILENT),
        (b"\x00\x00\x00\x00", Doubt.CERTIFIER_BROKEN),
        (b"\xff\xff\xff\xff", Doubt.CERTIFIER_BROKEN),
        ((ANSWER_MOST + 1).to_bytes(4, "big"), Doubt.CERTIFIER_BROKEN),
        (framed(b"garbage"), Doubt.CERTIFIER_BROKEN),
    ],
    ids=["nothing", "half a length", "half an answer", "length 0", "length 4 GiB", "a byte too much", "garbage"],
)
async def test_an_answer_that_is_none_is_told_as_what_it_is(ask, answer, doubt):
    async with certifier(saying(answer)) as (port, _):
        assert await ask(port) is doubt


async def test_a_certifier_that_says_nothing_is_silent(ask):
    ended = asyncio.Event()

    async def say(_question, _writer):
        await ended.wait()

    async with certifier(say) as (port, _):
        assert await ask(port, timeout_s=0.05) is Doubt.CERTIFIER_SILENT
        ended.set()


async def test_waiting_for_a_turn_counts_too(ask):
    turns = Turns(1, 1)
    await turns.take(b"somebody")
    assert await ask(1, timeout_s=0.05, turns=turns) is Doubt.CERTIFIER_SILENT


async def test_a_door_that_is_shut_is_silent(ask):
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    assert await ask(port) is Doubt.CERTIFIER_SILENT


async def test_a_host_that_can_be_no_name_is_silent(ask):
    assert await ask(7, host="a" * 70 + ".test") is Doubt.CERTIFIER_SILENT
