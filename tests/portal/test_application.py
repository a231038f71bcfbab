"""What holds for every support API, whatever it asks."""

import logging

import pytest

from relay.policy.call.plan import support_code
from relay.portal.application import ASKED, endpoints
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


def test_what_is_offered_is_what_the_catalogue_lists():
    offered = {api_id for api_id in load_catalogue().apis if api_id.startswith("지원-1")}
    assert set(ASKED) | {"지원-101"} == offered
    assert {path: one.method for path, one in endpoints(None).items()} == METHODS
    assert [support_code(api_id) for api_id in sorted(offered)] == list(CODES.values())


def said(reply):
    return reply.body.get("rsp_code") or reply.body["error"]


@pytest.mark.parametrize("path", METHODS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_another_method_is_told_which_one_is_allowed(desk, path, method):
    reply = await desk.send(method, path)
    if method == METHODS[path]:
        assert reply.status in {400, 401}
        return
    assert (reply.status, reply.headers["allow"], reply.reason) == (405, METHODS[path], "method_not_allowed")
    assert method == "HEAD" or said(reply) == ("method_not_allowed" if path == TOKEN else "40501")


@pytest.mark.parametrize("path", METHODS)
async def test_every_answer_has_its_tran_id_its_code_for_the_record_and_stays_in_no_cache(desk, path):
    reply = await desk.send(METHODS[path], path)
    assert (reply.headers["x-api-tran-id"], reply.noted["api-code"]) == (TRAN_ID, CODES[path])
    assert reply.headers["content-type"] == "application/json; charset=UTF-8"
    assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", METHODS)
@pytest.mark.parametrize("tran_id", [None, "", "ZPTL000001P0000000000000", "zptl000001p00000000000001"])
async def test_a_call_without_a_tran_id_is_refused_and_none_is_echoed(desk, path, tran_id):
    reply = await desk.send(METHODS[path], path, x_api_tran_id=tran_id)
    assert (reply.status, reply.reason) == (400, "header_malformed")
    assert said(reply) == ("invalid_request" if path == TOKEN else "40002")
    assert "x-api-tran-id" not in reply.headers


async def test_of_several_wrongs_headers_come_first_then_token_parameters_institution(desk):
    wrong = {"content_type": "text/plain", "authorization": None}
    assert (await desk.post(b"{}", **wrong)).body["rsp_code"] == "40002"
    assert (await desk.post(b"{}", authorization=None)).body["rsp_code"] == "40101"
    assert (await desk.post(b"{}")).body["rsp_code"] == "40001"
    assert (await desk.consents_of("ZBAA999999", "!")).body["rsp_code"] == "40001"
    assert (await desk.consents_of("ZBAA999999")).body["rsp_code"] == "40303"


@pytest.mark.parametrize("path", METHODS)
async def test_while_the_settings_know_no_portal_there_are_no_such_paths(desk, path):
    desk.support.office = None
    reply = await desk.send(METHODS[path], path)
    assert reply.reason == "endpoint_unknown"
    assert (reply.status, said(reply)) == ((400, "invalid_request") if path == TOKEN else (404, "40401"))


async def test_a_body_that_is_too_large_is_refused(desk):
    reply = await desk.post({"org_code": "ZBAA000001", "user_ci": "x", "more": "x" * 65_536})
    assert (reply.status, reply.body["rsp_code"], reply.reason) == (400, "40001", "body_too_large")


async def test_a_mistake_of_ours_is_50001_and_leaks_nothing(desk, monkeypatch, caplog):
    async def broken(*_):
        raise KeyError("PRIVATE")

    monkeypatch.setattr(desk.statistics, "ask_again", broken)
    with caplog.at_level(logging.DEBUG):
        reply = await desk.again()
    assert (reply.status, reply.body["rsp_code"], reply.reason) == (500, "50001", "relay_broken")
    assert "KeyError" in caplog.text
    assert "PRIVATE" not in caplog.text + str(reply.body)


async def test_no_secret_and_no_token_is_logged(desk, caplog):
    with caplog.at_level(logging.DEBUG):
        token = await desk.bearer()
        for call in (desk.status_of, desk.consents_of, desk.again):
            assert (await call()).status == 200
        await desk.redeem(desk.form(client_id="somebody"))
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name != "aiosqlite")
    for private in (token.partition(" ")[2], "Q7fG2k9Lm4Xc1Vb8"):
        assert private not in ours
