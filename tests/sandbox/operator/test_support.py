"""The support client obtains a token once, uses its own tran_id, and reports reasons of failures."""

from types import SimpleNamespace

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from mydata_sandbox.checks.conformance import find_strict_violations
from mydata_sandbox.operator.support import PORTALS, ClientCredentials, SupportCaller

from relay.domain.ids import is_tran_id
from relay.standard.catalogue import load_catalogue

TOKEN = {"token_type": "Bearer", "access_token": "t0ken", "expires_in": "60", "scope": "manage"}
STATUS = {"rsp_code": "00000", "rsp_msg": "ok", "availability": "01"}
TAKEN = {"rsp_code": "00000", "rsp_msg": "ok"}


class Relay:
    """Responds as a relay. `responses` overrides paths."""

    def __init__(self):
        self.requests, self.responses, self.echo = [], {}, True

    async def handle(self, request):
        form = dict(await request.post()) if request.content_type.endswith("urlencoded") else None
        body = await request.json() if request.content_type == "application/json" and request.can_read_body else None
        self.requests.append(
            SimpleNamespace(path=request.path, form=form, body=body, query=request.query, headers=request.headers)
        )
        right = {"/mgmts/oauth/2.0/token": TOKEN, "/v1/mgmts/status": STATUS}.get(request.path, TAKEN)
        status, response = self.responses.get(request.path, (200, right))
        headers = {"x-api-tran-id": request.headers["x-api-tran-id"]} if self.echo else {}
        if isinstance(response, str):
            return web.Response(status=status, text=response, headers=headers)
        return web.json_response(response, status=status, headers=headers)


@pytest.fixture
async def relay():
    relay = Relay()
    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", relay.handle)
    async with TestServer(app) as server:
        relay.url = str(server.make_url("")).rstrip("/")
        yield relay


@pytest.fixture
async def portal(relay):
    credentials = ClientCredentials("ZPTL000001", PORTALS, "지원-101", "portal", "s3cret")
    async with aiohttp.ClientSession() as session:
        yield SupportCaller(session, relay.url, credentials, load_catalogue(), find_strict_violations)


async def test_credentials_of_a_token_request_are_in_the_form(portal, relay):
    call = await portal.obtain_token("ZRLA000001")
    assert (call.api_id, call.ok, call.status, call.org_code) == ("지원-101", True, 200, "ZRLA000001")
    (request,) = relay.requests
    assert request.form == {
        "grant_type": "client_credentials",
        "client_id": "portal",
        "client_secret": "s3cret",
        "scope": "manage",
    }
    assert (dict(request.query), "Authorization" in request.headers) == ({}, False)


async def test_the_first_call_obtains_a_token_for_all_calls(portal, relay):
    for _ in range(2):
        call, body = await portal.call("지원-102", "ZBAA000001", {"org_code": "ZBAA000001"})
        assert (call.ok, body["availability"]) == (True, "01")
    assert [request.path for request in relay.requests] == ["/mgmts/oauth/2.0/token", *["/v1/mgmts/status"] * 2]
    assert relay.requests[2].headers["Authorization"] == "Bearer t0ken"
    assert relay.requests[2].query["org_code"] == "ZBAA000001"


async def test_posted_values_are_json_and_not_in_the_url(portal, relay):
    values = {"org_code": "ZBAA000001", "user_ci": "secret"}
    await portal.call("지원-103", "ZBAA000001", values)
    request = relay.requests[-1]
    assert (request.body, dict(request.query)) == (values, {})
    assert request.headers["Content-Type"] == "application/json; charset=UTF-8"


async def test_each_call_has_its_own_tran_id_with_the_portals_letter(portal, relay):
    await portal.call("지원-102", "ZBAA000001", {"org_code": "ZBAA000001"})
    tran_ids = [request.headers["x-api-tran-id"] for request in relay.requests]
    assert len(set(tran_ids)) == 2
    assert all(is_tran_id(each) and each.startswith("ZPTL000001P") for each in tran_ids)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, {"rsp_code": "40101"}), "HTTP 401 40101"),
        ((200, {"rsp_code": "50001"}), "HTTP 200 50001"),
        ((500, {}), "HTTP 500 no error code"),
        ((502, "<html>"), "HTTP 502 without a JSON object"),
        ((200, STATUS | {"availability": "1"}), "$.availability: "),
        ((200, STATUS | {"more": "1"}), "$.more: "),
    ],
)
async def test_a_wrong_response_has_a_reason(portal, relay, answer, words):
    relay.responses["/v1/mgmts/status"] = answer
    call, _ = await portal.call("지원-102", "ZBAA000001", {"org_code": "ZBAA000001"})
    assert not call.ok
    assert call.why[0].startswith(words)


async def test_a_response_with_another_tran_id_is_wrong(portal, relay):
    relay.echo = False
    assert (await portal.obtain_token("ZRLA000001")).why == ["x-api-tran-id was not returned unchanged"]


async def test_a_refused_token_is_not_used(portal, relay):
    relay.responses["/mgmts/oauth/2.0/token"] = (400, {"error": "invalid_client"})
    assert (await portal.obtain_token("ZRLA000001")).why == ["HTTP 400 invalid_client"]
    assert portal.access_token == ""


async def test_a_refused_connection_has_a_reason():
    credentials = ClientCredentials("ZPTL000001", PORTALS, "지원-101", "portal", "s3cret")
    async with aiohttp.ClientSession() as session:
        caller = SupportCaller(session, "http://127.0.0.1:1", credentials, load_catalogue(), find_strict_violations)
        call = await caller.obtain_token("ZRLA000001")
    assert (call.ok, call.status) == (False, 0)
    assert call.why[0].startswith("ClientConnectorError")
    assert "s3cret" not in repr(credentials)
