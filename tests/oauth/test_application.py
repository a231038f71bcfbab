"""What holds for every call of the authority, whatever it asks."""

import asyncio
import logging

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from relay.endpoint.handlers import BODY_MOST
from relay.oauth.application import ENDPOINTS

TRAN_ID = "ZOPA000001M00000000000001"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("method", METHODS)
async def test_another_method_is_told_which_one_is_allowed(desk, path, method):
    allowed, _ = ENDPOINTS[path]
    reply = await desk.send(method, path)
    if method == allowed:
        assert reply.status == 400
    else:
        assert (reply.status, reply.headers["Allow"], reply.reason) == (405, allowed, "method_not_allowed")
        assert method == "HEAD" or reply.body["error"] == "method_not_allowed"


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_every_answer_has_its_tran_id_and_stays_in_no_cache(desk, path):
    reply = await desk.send(ENDPOINTS[path][0], path)
    assert reply.headers["x-api-tran-id"] == TRAN_ID
    assert reply.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert (reply.headers["Cache-Control"], reply.headers["Pragma"]) == ("no-store", "no-cache")


@pytest.mark.parametrize("tran_id", [None, "", "ZOPA000001M0000000000000", "zopa000001m00000000000001"])
@pytest.mark.parametrize("path", [path for path, (method, _) in ENDPOINTS.items() if method == "POST"])
async def test_a_call_without_a_tran_id_is_refused_and_none_is_echoed(desk, path, tran_id):
    reply = await desk.send(ENDPOINTS[path][0], path, x_api_tran_id=tran_id)
    assert (reply.status, reply.body["error"], reply.reason) == (400, "invalid_request", "header_malformed")
    assert "x-api-tran-id" not in reply.headers


async def test_tokens_are_told_with_the_names_the_gateway_records(desk):
    reply = await desk.post("token", desk.by_code(await desk.consent()))
    told = {name.lower(): value for name, value in reply.headers.items() if name.lower().startswith("x-relay-")}
    assert told == {
        "x-relay-api-code": "AU02",
        "x-relay-provider": "ZBAA000001",
        "x-relay-client-id": "ZOPA000001SVC01",
        "x-relay-operator": "ZOPA000001",
    }


async def test_a_client_somebody_made_up_is_not_recorded(desk):
    reply = await desk.post("token", desk.by_code("code", client_id="madeup"))
    assert reply.headers["x-relay-provider"] == "ZBAA000001"
    assert "x-relay-client-id" not in reply.headers
    assert "x-relay-operator" not in reply.headers


async def test_a_client_is_not_recorded_for_a_stranger(desk):
    reply = await desk.post("token", desk.by_code("code"), x_relay_operators="ZOPB000001")
    assert "x-relay-client-id" not in reply.headers
    assert "x-relay-operator" not in reply.headers


@pytest.mark.parametrize("operators", ["ZOPB000001,ZOPA000001", "ZOPA000001, ZOPB000001"])
async def test_a_connection_may_speak_for_several_operators(desk, operators):
    reply = await desk.post("token", desk.by_code(await desk.consent()), x_relay_operators=operators)
    assert (reply.status, reply.headers["x-relay-operator"]) == (200, "ZOPA000001")


@pytest.mark.parametrize("operators", [None, "", "ZOPB000001", "*", "ZOPA00000", "ZOPA000001ZOPB000001"])
async def test_a_connection_that_speaks_for_others_gets_no_token(desk, operators):
    code = await desk.consent()
    reply = await desk.post("token", desk.by_code(code), x_relay_operators=operators)
    assert (reply.status, reply.body["error"]) == (400, "unauthorized_client")


async def test_a_body_that_is_too_large_is_refused(desk):
    form = desk.by_code("code", padding="x" * BODY_MOST)
    reply = await desk.post("token", form)
    assert (reply.status, reply.body["error"], reply.reason) == (400, "invalid_request", "body_too_large")


@pytest.mark.parametrize("size", [8_000, 16_000, 60_000])
async def test_what_the_gateway_lets_pass_is_refused_by_us_and_not_repeated(desk, size):
    reply = await desk.authorize(desk.asking(state="S" * size))
    assert (reply.status, reply.told["error"], "SSSS" in reply.headers["Location"]) == (302, "invalid_request", False)
    reply = await desk.authorize(desk.asking(), x_user_ci="C" * size)
    assert (reply.told["error"], reply.reason) == ("invalid_request", "header_malformed")


async def test_a_mistake_of_ours_is_a_server_error_and_leaks_nothing(desk, monkeypatch, caplog):
    async def broken(*_):
        raise KeyError("Q7fG2k9Lm4Xc1Vb8")

    monkeypatch.setattr(desk.ledger, "spend_code", broken)
    with caplog.at_level(logging.DEBUG):
        reply = await desk.post("token", desk.by_code("code"))
    assert (reply.status, reply.body["error"], reply.reason) == (500, "server_error", "relay_broken")
    assert "KeyError" in caplog.text
    assert "Q7fG2k9Lm4Xc1Vb8" not in caplog.text + str(reply.body)


@pytest.fixture
def read_only():
    """From now on no connection of a SQLite ledger writes, as on a disk that is full or read-only."""

    def hindered(connection, _record, _proxy):
        cursor = connection.cursor()
        cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    def hinder():
        event.listen(Pool, "checkout", hindered)

    yield hinder
    if event.contains(Pool, "checkout", hindered):
        event.remove(Pool, "checkout", hindered)


async def test_a_ledger_that_cannot_write_is_logged_once_with_its_cause(desk, read_only, caplog):
    codes = [await desk.consent() for _ in range(5)]
    caplog.clear()
    read_only()
    with caplog.at_level(logging.WARNING):
        replies = await asyncio.gather(*(desk.post("token", desk.by_code(code)) for code in codes))
        desk.clock = lambda: 1_800_000_002.0
        replies.append(await desk.authorize(desk.asking()))
    assert [reply.reason for reply in replies] == ["ledger_unreachable"] * 6
    assert [reply.status for reply in replies] == [503] * 5 + [302]
    assert [record.getMessage() for record in caplog.records] == [
        'ledger unavailable: cause="attempt to write a readonly database" failures=1'
    ]


async def test_nothing_about_the_customer_is_logged(desk, caplog):
    with caplog.at_level(logging.DEBUG):
        code = await desk.consent()
        pair = (await desk.post("token", desk.by_code(code))).body
        await desk.post("revoke", desk.revoking(pair["access_token"]))
        query = desk.asking()
        await desk.authorize(query)
    # aiosqlite tells every statement at DEBUG; it is the ledger's to be silent
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name != "aiosqlite")
    for private in (code, pair["access_token"], pair["refresh_token"], "Q7fG2k9Lm4Xc1Vb8", "State1"):
        assert private not in ours


async def test_another_path_is_nobodys(desk):
    assert (await desk.session.get("http://authority/oauth/2.0/other")).status == 404
