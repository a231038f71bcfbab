"""The portal over real sockets and mutual TLS: access, failures, received calls."""

import asyncio
import json

import aiohttp
import pytest
from mydata_sandbox.operator.client import open_session, parse_object
from mydata_sandbox.parties import RELAY_CODE
from mydata_sandbox.portal.failure_modes import HUGE_BYTES

EVERYTHING = {"search_timestamp": "0"}
BROKEN = (aiohttp.ClientError, ConnectionError)


@pytest.fixture
async def relay(caller):
    """The relay, with a token."""
    relay = await caller(RELAY_CODE)
    assert (await relay.obtain_token("portal")).ok
    return relay


@pytest.fixture
async def raw(served, with_portal, relay):
    """Calls 지원-002 as the relay and returns status, headers, content."""
    async with open_session(with_portal.certificates.relay, with_portal.certificates.ca) as session:

        async def get_orgs(since="0"):
            headers = {"Authorization": f"Bearer {relay.access_token}", "x-api-tran-id": f"{RELAY_CODE}R{'0' * 14}"}
            url = f"{served}/v1/mgmts/orgs"
            async with session.get(url, params={"search_timestamp": since}, headers=headers) as answer:
                return answer.status, answer.headers, await answer.read()

        yield get_orgs


async def test_the_relay_gets_full_lists(relay):
    for api_id in ("지원-002", "지원-003"):
        call, body = await relay.call(api_id, "portal", EVERYTHING)
        assert (call.why, call.ok) == ([], True)
        assert int(body["org_cnt"]) == len(body["org_list"]) > 1


async def test_a_certificate_of_another_ca_is_rejected(caller, with_portal):
    other_caller = await caller("ZOPA000001", identity=with_portal.certificates.foreign_operator)
    call = await other_caller.obtain_token("portal")
    assert not call.ok
    assert call.status == 0


@pytest.mark.parametrize("name", ["serialless_operator", "unregistered_operator"])
async def test_an_unregistered_certificate_is_refused(caller, with_portal, name):
    other_caller = await caller("ZOPA000001", identity=getattr(with_portal.certificates, name))
    assert (await other_caller.obtain_token("portal")).why == ["HTTP 400 unauthorized_client"]


async def test_another_partys_secret_is_refused(caller, with_portal):
    other_caller = await caller(RELAY_CODE, identity=with_portal.operators[0].identity)
    assert (await other_caller.obtain_token("portal")).why == ["HTTP 400 invalid_client"]


async def test_received_calls_are_stored_with_responses(relay, portal):
    await relay.call("지원-002", "portal", EVERYTHING)
    token_call, call = portal.received
    assert (token_call.api_id, token_call.caller, token_call.succeeded, token_call.faults()) == (
        "지원-001",
        RELAY_CODE,
        True,
        [],
    )
    assert (call.api_id, call.method, call.path) == ("지원-002", "GET", "/v1/mgmts/orgs")
    assert (call.status, call.rsp_code, call.values, call.faults()) == (200, "00000", EVERYTHING, [])
    assert call.tran_id.startswith(RELAY_CODE)
    assert call.ms > 0
    assert "secret" not in repr(list(portal.received))


async def test_a_received_call_wakes_the_waiter(relay, portal):
    waiting = asyncio.create_task(portal.wait_for_call(lambda call: call.api_id == "지원-003"))
    await relay.call("지원-002", "portal", EVERYTHING)
    assert not waiting.done()
    await relay.call("지원-003", "portal", EVERYTHING)
    assert (await waiting).api_id == "지원-003"
    assert (await portal.wait_for_call(lambda call: call.api_id == "지원-003")) is await waiting


async def test_error_500_has_no_effect(raw, portal):
    portal.plan_failure("지원-002", "error_500")
    status, _, content = await raw()
    assert (status, json.loads(content)["rsp_code"]) == (500, "50001")
    assert [call.how for call in portal.received] == ["", "error_500"]
    assert not portal.received[-1].succeeded
    assert (await raw())[0] == 200


async def test_a_failed_token_api_returns_an_oauth_error(caller, portal):
    portal.plan_failure("지원-001", "error_500")
    assert (await (await caller(RELAY_CODE)).obtain_token("portal")).why == ["HTTP 500 server_error"]


async def test_garbage_is_invalid_json(raw, portal):
    portal.plan_failure("지원-002", "garbage")
    status, headers, content = await raw()
    assert (status, headers["Content-Type"]) == (200, "application/json; charset=UTF-8")
    assert parse_object(content) is None


async def test_html_replaces_the_response(raw, portal):
    portal.plan_failure("지원-002", "html")
    status, headers, content = await raw()
    assert (status, headers["Content-Type"], content[:9]) == (200, "text/html", b"<!doctype")


async def test_an_expired_token_stays_expired(raw, portal):
    portal.plan_failure("지원-002", "token_expired")
    codes = [(status, json.loads(content)["rsp_code"]) for status, _, content in (await raw(), await raw())]
    assert codes == [(401, "40101")] * 2


async def test_the_response_has_another_tran_id(raw, portal):
    portal.plan_failure("지원-002", "wrong_tran_id")
    first, second = await raw(), await raw()
    assert first[1]["x-api-tran-id"] != second[1]["x-api-tran-id"] == f"{RELAY_CODE}R{'0' * 14}"


async def test_the_response_is_reset_after_the_call(raw, portal):
    portal.plan_failure("지원-002", "reset")
    with pytest.raises(BROKEN):
        await raw()
    assert (portal.received[-1].how, portal.received[-1].status) == ("reset", 200)


async def test_a_huge_response_has_its_size(raw, portal):
    portal.plan_failure("지원-002", "huge")
    _, _, content = await raw()
    assert len(content) >= HUGE_BYTES


async def test_a_slow_response_is_delayed_and_correct(raw, portal, monkeypatch):
    waited = []

    async def late(seconds):
        waited.append(seconds)

    monkeypatch.setattr("mydata_sandbox.portal.application.asyncio.sleep", late)
    portal.plan_failure("지원-002", "slow")
    assert (await raw())[0] == 200
    assert waited == [portal.slow_s]


@pytest.mark.parametrize("since", ["0", "99991231235959"])
async def test_a_list_fails_even_without_changes(raw, portal, since):
    portal.plan_failure("지원-002", "doubled")
    body = json.loads((await raw(since))[2])
    assert body["org_list"][0] == body["org_list"][1]
    assert int(body["org_cnt"]) == len(body["org_list"])


@pytest.mark.parametrize("sent", [b"", b"[]", b"{", b"\xff"])
async def test_an_invalid_body_is_refused(served, with_portal, relay, sent):
    headers = {"Authorization": f"Bearer {relay.access_token}", "x-api-tran-id": f"{RELAY_CODE}R{'0' * 14}"}
    async with (
        open_session(with_portal.certificates.relay, with_portal.certificates.ca) as session,
        session.post(f"{served}/v1/mgmts/statistics/provider", data=sent, headers=headers) as answer,
    ):
        assert (answer.status, (await answer.json())["rsp_code"]) == (400, "40001")
