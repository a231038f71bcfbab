"""Behaviour that all support APIs share."""

import logging

import pytest

from relay.policy.call.plan import get_support_code
from relay.portal.application import HANDLERS, endpoints
from relay.standard.catalogue import load_catalogue

TOKEN, STATUS, CONSENTS, RESEND = (
    "/mgmts/oauth/2.0/token",
    "/v1/mgmts/status",
    "/v1/mgmts/consents",
    "/v1/mgmts/req-statistics",
)
METHODS = {TOKEN: "POST", STATUS: "GET", CONSENTS: "POST", RESEND: "GET"}
CODES = {TOKEN: "S101", STATUS: "S102", CONSENTS: "S103", RESEND: "S104"}
TRAN_ID = "ZPTL000001P00000000000001"


def test_all_support_apis_of_the_catalogue_are_offered():
    offered = {api_id for api_id in load_catalogue().apis if api_id.startswith("지원-1")}
    assert set(HANDLERS) | {"지원-101"} == offered
    assert {path: endpoint.method for path, endpoint in endpoints(None).items()} == METHODS
    assert [get_support_code(api_id) for api_id in sorted(offered)] == list(CODES.values())


def code_of(reply):
    return reply.body.get("rsp_code") or reply.body["error"]


@pytest.mark.parametrize("path", METHODS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_another_method_gets_the_allowed_one(support_client, path, method):
    reply = await support_client.send(method, path)
    if method == METHODS[path]:
        assert reply.status in {400, 401}
        return
    assert (reply.status, reply.headers["allow"], reply.reason) == (405, METHODS[path], "method_not_allowed")
    assert method == "HEAD" or code_of(reply) == ("method_not_allowed" if path == TOKEN else "40501")


@pytest.mark.parametrize("path", METHODS)
async def test_every_answer_has_tran_id_api_code_and_no_cache(support_client, path):
    reply = await support_client.send(METHODS[path], path)
    assert (reply.headers["x-api-tran-id"], reply.noted["api-code"]) == (TRAN_ID, CODES[path])
    assert reply.headers["content-type"] == "application/json; charset=UTF-8"
    assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", METHODS)
@pytest.mark.parametrize("tran_id", [None, "", "ZPTL000001P0000000000000", "zptl000001p00000000000001"])
async def test_a_call_without_a_valid_tran_id_is_refused(support_client, path, tran_id):
    reply = await support_client.send(METHODS[path], path, x_api_tran_id=tran_id)
    assert (reply.status, reply.reason) == (400, "header_malformed")
    assert code_of(reply) == ("invalid_request" if path == TOKEN else "40002")
    assert "x-api-tran-id" not in reply.headers


async def test_headers_are_checked_before_token_and_parameters(support_client):
    wrong = {"content_type": "text/plain", "authorization": None}
    assert (await support_client.post(b"{}", **wrong)).body["rsp_code"] == "40002"
    assert (await support_client.post(b"{}", authorization=None)).body["rsp_code"] == "40101"
    assert (await support_client.post(b"{}")).body["rsp_code"] == "40001"
    assert (await support_client.consents_of("ZBAA999999", "!")).body["rsp_code"] == "40001"
    assert (await support_client.consents_of("ZBAA999999")).body["rsp_code"] == "40303"


@pytest.mark.parametrize("path", METHODS)
async def test_without_a_portal_in_the_settings_there_are_no_endpoints(support_client, path):
    support_client.support.settings = None
    reply = await support_client.send(METHODS[path], path)
    assert reply.reason == "endpoint_unknown"
    assert (reply.status, code_of(reply)) == ((400, "invalid_request") if path == TOKEN else (404, "40401"))


async def test_a_too_large_body_is_refused(support_client):
    reply = await support_client.post({"org_code": "ZBAA000001", "user_ci": "x", "more": "x" * 65_536})
    assert (reply.status, reply.body["rsp_code"], reply.reason) == (400, "40001", "body_too_large")


async def test_an_internal_error_is_50001_and_shows_nothing(support_client, monkeypatch, caplog):
    async def broken(*_):
        raise KeyError("PRIVATE")

    monkeypatch.setattr(support_client.statistics, "request_resend", broken)
    with caplog.at_level(logging.DEBUG):
        reply = await support_client.again()
    assert (reply.status, reply.body["rsp_code"], reply.reason) == (500, "50001", "relay_broken")
    assert "KeyError" in caplog.text
    assert "PRIVATE" not in caplog.text + str(reply.body)


async def test_no_secret_and_no_token_is_logged(support_client, caplog):
    with caplog.at_level(logging.DEBUG):
        token = await support_client.bearer()
        for call in (support_client.status_of, support_client.consents_of, support_client.again):
            assert (await call()).status == 200
        await support_client.redeem(support_client.form(client_id="unknown"))
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name != "aiosqlite")
    for private in (token.partition(" ")[2], "Q7fG2k9Lm4Xc1Vb8"):
        assert private not in ours
