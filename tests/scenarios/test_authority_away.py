"""The authority as the gateway meets it: away, silent, busy, mixing up answers. OAuth's words, the relay's fault."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from stage.institution import Institution
from stage.town import BANK, request, short_socket
from stage.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY = b"grant_type=refresh_token"


def TOWN(_certificates):  # noqa: N802 - a constant of the module, made late
    sections = {"authority": {"socket": short_socket(), "concurrency": 1, "queue": 0, "timeout_s": 0.3}}
    return [Institution(BANK, "bank")], sections


def redeem(town, **more):
    fields = {
        "Host": "relay.test",
        "x-api-tran-id": town.tran_id(),
        "Content-Type": "application/x-www-form-urlencoded",
        **more,
    }
    return request("POST", "/oauth/2.0/token", fields, BODY)


@asynccontextmanager
async def authority(town, script):
    """A pretended authority on the relay's socket; `script(head, writer)` answers each request."""

    async def serve(reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(len(BODY))
                await script(head, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    path = town.relay.loaded.settings.authority.socket
    server = await asyncio.start_unix_server(serve, path)
    try:
        yield
    finally:
        server.close()
        town.relay.authority.retire()


def answered(status, body, *lines):
    head = [f"HTTP/1.1 {status} X", "Content-Type: application/json; charset=UTF-8", *lines]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


async def refused(town, reason):
    answer = await town.ask(redeem(town))
    assert (answer.status, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["cache-control"] == "no-store"
    exchange = town.exchanges[-1]
    assert (exchange.reason, exchange.status) == (reason, 503)
    assert town.bank.seen == []


async def test_nobody_listens(town):
    await refused(town, "authority_unreachable")


async def silence(_head, _writer):
    await asyncio.get_running_loop().create_future()


async def test_it_says_nothing(town):
    async with authority(town, silence):
        await refused(town, "authority_silent")


async def test_it_has_enough_to_do(town):
    async with authority(town, silence), await town.line() as first:
        first.send(redeem(town))
        await until(lambda: town.relay.authority.counts()["flying"], "the first call on its way")
        await refused(town, "authority_busy")
        assert (await first.answer()).status == 503


async def test_it_hangs_up_in_the_middle_and_is_not_asked_again(town):
    asked = []

    async def breaks_off(head, writer):
        asked.append(head)
        if len(asked) == 1:
            writer.write(answered(200, b"{}", "x-relay-api-code: AU03"))
        else:
            writer.transport.abort()

    async with authority(town, breaks_off):
        assert (await town.ask(redeem(town))).status == 200
        await refused(town, "authority_unreachable")
    assert len(asked) == 2


async def test_an_answer_of_another_call_never_goes_out(town):
    async def mixes_up(_head, writer):
        writer.write(answered(200, b"{}", "x-api-tran-id: ZOPA000001M99999999999999"))

    async with authority(town, mixes_up):
        await refused(town, "authority_unreachable")


@pytest.mark.parametrize("status", [201, 401, 404, 502])
async def test_a_status_that_oauth_does_not_know_is_no_answer(town, status):
    async def strange(_head, writer):
        writer.write(answered(status, b"{}"))

    async with authority(town, strange):
        await refused(town, "authority_unreachable")


async def test_only_who_calls_is_told_and_what_it_tells_stays_here(town):
    heads = []

    async def tells(head, writer):
        heads.append(head)
        noted = ("x-relay-api-code: AU03", "x-relay-provider: ZBAA000001", "x-relay-client-id: one", "Set-Cookie: a=b")
        writer.write(answered(200, b'{"token_type":"Bearer"}', *noted))

    async with authority(town, tells):
        spoofed = {
            "x-relay-operators": "ZOPA000002",
            "x-relay-fault": "none",
            "Authorization": "Bearer x",
            "Cookie": "c",
        }
        answer = await town.ask(redeem(town, **spoofed))
    lines = heads[0].decode().split("\r\n")
    assert [line.partition(":")[0].lower() for line in lines[1:-2]] == [
        *("host", "x-relay-operators", "x-api-tran-id", "content-type", "content-length"),
    ]
    assert "x-relay-operators: ZOPA000001" in lines
    assert {name for name in answer.headers if name.startswith("x-relay") or name == "set-cookie"} == set()
    exchange = town.exchanges[-1]
    assert (exchange.api_code, exchange.provider, exchange.client_id) == ("AU03", BANK, "one")
