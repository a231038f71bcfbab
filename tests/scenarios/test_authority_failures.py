"""Failures of the authority as operators see them: unreachable, silent, busy, or answering another call."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from fixtures.gateway_environment import BANK, make_socket_path, request
from fixtures.institution import Institution
from fixtures.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY = b"grant_type=refresh_token"


def ENVIRONMENT(_certificates):  # noqa: N802 - a constant that needs a fixture
    sections = {"authority": {"socket": make_socket_path(), "concurrency": 1, "queue": 0, "timeout_s": 0.3}}
    return [Institution(BANK, "bank")], sections


def redeem(env, **more):
    fields = {
        "Host": "relay.test",
        "x-api-tran-id": env.make_tran_id(),
        "Content-Type": "application/x-www-form-urlencoded",
        **more,
    }
    return request("POST", "/oauth/2.0/token", fields, BODY)


@asynccontextmanager
async def authority(env, script):
    """A simulated authority on the relay's socket; `script(head, writer)` answers each request."""

    serving = []

    async def serve(reader, writer):
        serving.append(asyncio.current_task())
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(len(BODY))
                await script(head, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    path = env.relay.loaded.settings.authority.socket
    server = await asyncio.start_unix_server(serve, path)
    try:
        yield
    finally:
        server.close()
        env.relay.authority.retire()
        for task in serving:  # a script may never end
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


def build_json_response(status, body, *lines):
    head = [f"HTTP/1.1 {status} X", "Content-Type: application/json; charset=UTF-8", *lines]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


async def assert_refused(env, reason):
    answer = await env.call(redeem(env))
    assert (answer.status, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["cache-control"] == "no-store"
    exchange = env.exchanges[-1]
    assert (exchange.reason, exchange.status) == (reason, 503)
    assert env.bank.received == []


async def test_an_authority_that_does_not_listen_is_503(env):
    await assert_refused(env, "authority_unreachable")


async def send_nothing(_head, _writer):
    await asyncio.get_running_loop().create_future()


async def test_a_silent_authority_is_503(env):
    async with authority(env, send_nothing):
        await assert_refused(env, "authority_silent")


async def test_a_busy_authority_is_503(env):
    async with authority(env, send_nothing), await env.connect() as first:
        first.send(redeem(env))
        await until(lambda: env.relay.authority.counts()["flying"], "the first call being sent")
        await assert_refused(env, "authority_busy")
        assert (await first.read_answer()).status == 503


async def test_a_request_that_the_authority_cuts_off_is_not_retried(env):
    heads = []

    async def answer_once(head, writer):
        heads.append(head)
        if len(heads) == 1:
            writer.write(build_json_response(200, b"{}", "x-relay-api-code: AU03"))
        else:
            writer.transport.abort()

    async with authority(env, answer_once):
        assert (await env.call(redeem(env))).status == 200
        await assert_refused(env, "authority_unreachable")
    assert len(heads) == 2


async def test_a_response_to_another_call_is_not_forwarded(env):
    async def answer_another_call(_head, writer):
        writer.write(build_json_response(200, b"{}", "x-api-tran-id: ZOPA000001M99999999999999"))

    async with authority(env, answer_another_call):
        await assert_refused(env, "authority_unreachable")


@pytest.mark.parametrize("status", [201, 401, 404, 502])
async def test_a_status_unknown_to_oauth_is_503(env, status):
    async def answer_status(_head, writer):
        writer.write(build_json_response(status, b"{}"))

    async with authority(env, answer_status):
        await assert_refused(env, "authority_unreachable")


async def test_internal_headers_are_neither_accepted_nor_forwarded(env):
    heads = []

    async def answer_with_notes(head, writer):
        heads.append(head)
        noted = ("x-relay-api-code: AU03", "x-relay-provider: ZBAA000001", "x-relay-client-id: one", "Set-Cookie: a=b")
        writer.write(build_json_response(200, b'{"token_type":"Bearer"}', *noted))

    async with authority(env, answer_with_notes):
        spoofed = {
            "x-relay-operators": "ZOPA000002",
            "x-relay-fault": "none",
            "Authorization": "Bearer x",
            "Cookie": "c",
        }
        answer = await env.call(redeem(env, **spoofed))
    lines = heads[0].decode().split("\r\n")
    assert [line.partition(":")[0].lower() for line in lines[1:-2]] == [
        *("host", "x-relay-operators", "x-api-tran-id", "content-type", "content-length"),
    ]
    assert "x-relay-operators: ZOPA000001" in lines
    assert {name for name in answer.headers if name.startswith("x-relay") or name == "set-cookie"} == set()
    exchange = env.exchanges[-1]
    assert (exchange.api_code, exchange.provider, exchange.client_id) == ("AU03", BANK, "one")
