import asyncio
import json
import re
from dataclasses import asdict

import pytest

from relay.domain.portal import PortalDown, PortalRefused
from relay.infra.user_agent import USER_AGENT

ORGS, SERVICES, STATISTICS = "/v1/mgmts/orgs", "/v1/mgmts/services", "/v1/mgmts/statistics/provider"
TOKEN = "/mgmts/oauth/2.0/token"
SECRET = "theSecretOfTheRelayAtThePortal0000000000000000000"


def outcomes(client):
    return [(call.api_id, call.attempt, call.status, call.outcome) for call in client.calls]


async def test_a_list_request_has_token_tran_id_and_certificate(portal, client_of):
    async with client_of(portal) as client:
        assert await client.organisations("20240101000000") == portal.bodies[ORGS]
        assert await client.services("0") == portal.bodies[SERVICES]
    token, orgs, services = portal.requests
    assert (token["method"], token["path"], token["headers"]["Content-Type"]) == (
        "POST",
        TOKEN,
        "application/x-www-form-urlencoded",
    )
    body = f"grant_type=client_credentials&client_id=relayAtPortal&client_secret={SECRET}&scope=manage"
    assert token["text"] == body
    assert "Authorization" not in token["headers"]
    assert (orgs["path"], orgs["query"]) == (ORGS, {"search_timestamp": "20240101000000"})
    assert (services["path"], services["query"]) == (SERVICES, {"search_timestamp": "0"})
    assert orgs["headers"]["Authorization"] == services["headers"]["Authorization"] == "Bearer token-1"
    assert orgs["headers"]["Accept-Encoding"] == "identity"
    assert orgs["headers"]["User-Agent"] == USER_AGENT
    subject = dict(pair for part in orgs["certificate"]["subject"] for pair in part)
    assert subject["serialNumber"] == "999-81-00001"
    tran_ids = [request["headers"]["x-api-tran-id"] for request in portal.requests]
    assert len(set(tran_ids)) == 3
    assert all(re.fullmatch("RLAY000001R[0-9A-Z]{14}", tran_id) for tran_id in tran_ids)


async def test_statistics_are_sent_as_json_with_a_tran_id(portal, client_of):
    async with client_of(portal) as client:
        tran_id, rsp_code = await client.send_statistics({"org_code": "BANK000001", "name": "한글"})
    (request,) = portal.of(STATISTICS)
    assert (tran_id, rsp_code) == (request["headers"]["x-api-tran-id"], "00000")
    assert request["text"] == '{"org_code":"BANK000001","name":"한글"}'
    assert request["headers"]["Content-Type"] == "application/json; charset=UTF-8"


async def test_every_attempt_is_recorded_without_credential(portal, client_of):
    portal.script[ORGS] = [500]
    async with client_of(portal) as client:
        await client.organisations("0")
    assert outcomes(client) == [
        ("지원-001", 1, 200, "ok"),
        ("지원-002", 1, 500, "HTTP 500"),
        ("지원-002", 2, 200, "ok"),
    ]
    assert [call.rsp_code for call in client.calls] == ["", "50001", "00000"]
    assert [call.tran_id for call in client.calls] == [
        request["headers"]["x-api-tran-id"] for request in portal.requests
    ]
    assert all(call.at == 1_800_000_000 and call.took_ms >= 0 for call in client.calls)
    records = json.dumps([asdict(call) for call in client.calls])
    assert SECRET not in records
    assert "token-1" not in records


async def test_concurrent_calls_share_one_token(portal, client_of):
    async with client_of(portal) as client:
        await asyncio.gather(*(client.organisations("0") for _ in range(5)))
    assert portal.paths().count(TOKEN) == 1


async def test_a_rejected_token_is_replaced_once(portal, client_of):
    portal.script[ORGS] = [401]
    async with client_of(portal) as client:
        assert await client.organisations("0") == portal.bodies[ORGS]
    assert [request["headers"].get("Authorization") for request in portal.requests] == [
        None,
        "Bearer token-1",
        None,
        "Bearer token-2",
    ]


async def test_two_rejected_tokens_make_the_portal_unavailable(portal, client_of):
    portal.script[ORGS] = [401, 401, 401]
    async with client_of(portal) as client:
        with pytest.raises(PortalDown, match="지원-002: HTTP 401"):
            await client.organisations("0")
    assert portal.paths() == [TOKEN, ORGS, TOKEN, ORGS]


@pytest.mark.parametrize("status", [400, 403, 404, 405])
async def test_a_refusal_is_not_retried(portal, client_of, clock, status):
    async def refuse(request):
        return portal.json(request, {"rsp_code": "40301", "rsp_msg": SECRET}, status)

    portal.script[STATISTICS] = [refuse]
    async with client_of(portal) as client:
        with pytest.raises(PortalRefused) as caught:
            await client.send_statistics({})
    assert (caught.value.status, caught.value.rsp_code) == (status, "40301")
    assert SECRET not in str(caught.value)
    assert clock.slept == []
    assert client.calls[-1].outcome == "refused"


async def test_a_wrong_credential_is_reported_with_the_oauth_error(portal, client_of):
    async def refuse(request):
        return portal.json(request, {"error": "invalid_client", "error_description": SECRET}, 401)

    portal.script[TOKEN] = [refuse]
    async with client_of(portal) as client:
        with pytest.raises(PortalDown) as caught:
            await client.organisations("0")
    assert str(caught.value) == "지원-001: HTTP 401, rsp_code invalid_client"
    assert portal.paths() == [TOKEN]


async def test_a_failing_portal_is_called_for_all_attempts(portal, client_of):
    portal.script[ORGS] = [500] * 9
    async with client_of(portal, attempts=3) as client:
        with pytest.raises(PortalDown, match=r"^지원-002: HTTP 500 \(3 of 3 attempts\)$"):
            await client.organisations("0")
    assert len(portal.of(ORGS)) == 3


async def test_the_backoff_doubles_with_jitter_up_to_a_minute(portal, client_of, clock):
    portal.script[ORGS] = [503] * 20
    async with client_of(portal, attempts=12, backoff_s=1.0) as client:
        with pytest.raises(PortalDown):
            await client.organisations("0")
    longest = [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60]
    assert len(clock.slept) == len(longest)
    assert all(0 <= slept < most for slept, most in zip(clock.slept, longest, strict=True))
    assert len({slept / most for slept, most in zip(clock.slept, longest, strict=True)}) == len(longest)


async def test_a_cancelled_attempt_is_recorded(portal, client_of):
    received = asyncio.Event()

    async def hang(_request):
        received.set()
        await asyncio.Event().wait()

    portal.script[ORGS] = [hang]
    async with client_of(portal) as client:
        call = asyncio.create_task(client.organisations("0"))
        await received.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert outcomes(client)[-1] == ("지원-002", 1, 0, "given up")


async def test_a_portal_outage_is_logged_with_its_end(portal, client_of, caplog):
    portal.script[ORGS] = [500, 500]
    async with client_of(portal) as client:
        await client.organisations("0")
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("portal ")]
    assert lines[0] == "portal unavailable: cause=answer status=500 failures=1"
    assert lines[1].startswith("portal available again: after_s=")
    assert len(lines) == 2
