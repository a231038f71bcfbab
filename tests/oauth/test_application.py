"""ApiRules of all calls to the authority."""

import asyncio
import logging

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from relay.endpoint.handlers import MAX_BODY_BYTES
from relay.oauth.application import ENDPOINTS

TRAN_ID = "ZOPA000001M00000000000001"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("method", METHODS)
async def test_another_method_gets_405_with_the_allowed_method(operator, path, method):
    allowed, _ = ENDPOINTS[path]
    reply = await operator.send(method, path)
    if method == allowed:
        assert reply.status == 400
    else:
        assert (reply.status, reply.headers["Allow"], reply.reason) == (405, allowed, "method_not_allowed")
        assert method == "HEAD" or reply.body["error"] == "method_not_allowed"


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_every_response_has_its_tran_id_and_is_not_cached(operator, path):
    reply = await operator.send(ENDPOINTS[path][0], path)
    assert reply.headers["x-api-tran-id"] == TRAN_ID
    assert reply.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert (reply.headers["Cache-Control"], reply.headers["Pragma"]) == ("no-store", "no-cache")


@pytest.mark.parametrize("tran_id", [None, "", "ZOPA000001M0000000000000", "zopa000001m00000000000001"])
@pytest.mark.parametrize("path", [path for path, (method, _) in ENDPOINTS.items() if method == "POST"])
async def test_a_call_without_a_tran_id_is_refused(operator, path, tran_id):
    reply = await operator.send(ENDPOINTS[path][0], path, x_api_tran_id=tran_id)
    assert (reply.status, reply.body["error"], reply.reason) == (400, "invalid_request", "header_malformed")
    assert "x-api-tran-id" not in reply.headers


async def test_a_token_response_has_the_record_headers(operator):
    reply = await operator.post("token", operator.code_form(await operator.get_code()))
    record_headers = {
        name.lower(): value for name, value in reply.headers.items() if name.lower().startswith("x-relay-")
    }
    assert record_headers == {
        "x-relay-api-code": "AU02",
        "x-relay-provider": "ZBAA000001",
        "x-relay-client-id": "ZOPA000001SVC01",
        "x-relay-operator": "ZOPA000001",
    }


async def test_an_unknown_client_is_not_recorded(operator):
    reply = await operator.post("token", operator.code_form("code", client_id="unknown"))
    assert reply.headers["x-relay-provider"] == "ZBAA000001"
    assert "x-relay-client-id" not in reply.headers
    assert "x-relay-operator" not in reply.headers


async def test_a_client_is_not_recorded_for_another_operator(operator):
    reply = await operator.post("token", operator.code_form("code"), x_relay_operators="ZOPB000001")
    assert "x-relay-client-id" not in reply.headers
    assert "x-relay-operator" not in reply.headers


@pytest.mark.parametrize("operators", ["ZOPB000001,ZOPA000001", "ZOPA000001, ZOPB000001"])
async def test_a_connection_may_act_for_several_operators(operator, operators):
    reply = await operator.post("token", operator.code_form(await operator.get_code()), x_relay_operators=operators)
    assert (reply.status, reply.headers["x-relay-operator"]) == (200, "ZOPA000001")


@pytest.mark.parametrize("operators", [None, "", "ZOPB000001", "*", "ZOPA00000", "ZOPA000001ZOPB000001"])
async def test_a_connection_of_another_operator_gets_no_token(operator, operators):
    code = await operator.get_code()
    reply = await operator.post("token", operator.code_form(code), x_relay_operators=operators)
    assert (reply.status, reply.body["error"]) == (400, "unauthorized_client")


async def test_a_body_that_is_too_large_is_refused(operator):
    form = operator.code_form("code", padding="x" * MAX_BODY_BYTES)
    reply = await operator.post("token", form)
    assert (reply.status, reply.body["error"], reply.reason) == (400, "invalid_request", "body_too_large")


@pytest.mark.parametrize("size", [8_000, 16_000, 60_000])
async def test_a_long_value_is_refused_and_not_repeated(operator, size):
    reply = await operator.authorize(operator.authorize_query(state="S" * size))
    assert (reply.status, reply.callback_parameters["error"], "SSSS" in reply.headers["Location"]) == (
        302,
        "invalid_request",
        False,
    )
    reply = await operator.authorize(operator.authorize_query(), x_user_ci="C" * size)
    assert (reply.callback_parameters["error"], reply.reason) == ("invalid_request", "header_malformed")


async def test_an_unexpected_error_is_a_server_error_without_values(operator, monkeypatch, caplog):
    async def fail(*_):
        raise KeyError("Q7fG2k9Lm4Xc1Vb8")

    monkeypatch.setattr(operator.ledger, "spend_code", fail)
    with caplog.at_level(logging.DEBUG):
        reply = await operator.post("token", operator.code_form("code"))
    assert (reply.status, reply.body["error"], reply.reason) == (500, "server_error", "relay_broken")
    assert "KeyError" in caplog.text
    assert "Q7fG2k9Lm4Xc1Vb8" not in caplog.text + str(reply.body)


@pytest.fixture
def read_only():
    """Makes all SQLite connections read-only, as a full disk does."""

    def set_query_only(connection, _record, _proxy):
        cursor = connection.cursor()
        cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    def make_read_only():
        event.listen(Pool, "checkout", set_query_only)

    yield make_read_only
    if event.contains(Pool, "checkout", set_query_only):
        event.remove(Pool, "checkout", set_query_only)


async def test_a_read_only_ledger_is_logged_once_with_its_cause(operator, read_only, caplog):
    codes = [await operator.get_code() for _ in range(5)]
    caplog.clear()
    read_only()
    with caplog.at_level(logging.WARNING):
        replies = await asyncio.gather(*(operator.post("token", operator.code_form(code)) for code in codes))
        operator.clock = lambda: 1_800_000_002.0
        replies.append(await operator.authorize(operator.authorize_query()))
    assert [reply.reason for reply in replies] == ["ledger_unreachable"] * 6
    assert [reply.status for reply in replies] == [503] * 5 + [302]
    assert [record.getMessage() for record in caplog.records] == [
        'ledger unavailable: cause="attempt to write a readonly database" failures=1'
    ]


async def test_no_customer_value_is_logged(operator, caplog):
    with caplog.at_level(logging.DEBUG):
        code = await operator.get_code()
        pair = (await operator.post("token", operator.code_form(code))).body
        await operator.post("revoke", operator.revocation_form(pair["access_token"]))
        query = operator.authorize_query()
        await operator.authorize(query)
    # aiosqlite logs each statement at DEBUG; the ledger's tests cover it
    log = "\n".join(record.getMessage() for record in caplog.records if record.name != "aiosqlite")
    for private in (code, pair["access_token"], pair["refresh_token"], "Q7fG2k9Lm4Xc1Vb8", "State1"):
        assert private not in log


async def test_an_unknown_path_is_not_found(operator):
    assert (await operator.http.get("/oauth/2.0/other")).status == 404
