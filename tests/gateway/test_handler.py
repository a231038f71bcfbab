import json

import pytest

from relay.wire.head import Malformed, Wrong
from relay.wire.tls_records import RecordsExceeded

TRAN_ID = "ZOPA000001M00000000000001"
NAMED = {b"x-api-tran-id": TRAN_ID.encode()}


def test_a_call_goes_to_the_institution_and_its_answer_back(gateway, connection, head, upstream, records):
    gateway.handle(connection, head(), b"")
    asked = upstream.asked[0](0)
    assert asked.startswith(b"GET /base/v1/bank/accounts?org_code=ZBAA000001&limit=1 HTTP/1.1\r\n")
    assert (gateway.in_flight, records) == (1, [])
    upstream.receiver.response_received(200, NAMED, b'{"rsp_code":"00000"}')
    assert (connection.body, gateway.in_flight) == (b'{"rsp_code":"00000"}', 0)
    assert [(one.status, one.rsp_code, one.attempts) for one in records] == [(200, "00000", 1)]


def test_the_list_of_apis_is_answered_here(gateway, connection, head, upstream, records):
    gateway.handle(connection, head("/bank/apis?org_code=ZBAA000001&client_id=x"), b"")
    assert json.loads(connection.body)["version"] == "v1"
    assert (upstream.asked, records[0].status, records[0].upstream) == ([], 200, 0.0)


def test_a_refusal_is_answered_and_recorded_and_reaches_nobody(gateway, connection, head, upstream, records):
    gateway.handle(connection, head(Authorization=None), b"")
    assert json.loads(connection.body)["rsp_code"] == "40101"
    assert (upstream.asked, gateway.in_flight) == ([], 0)
    assert [(one.reason, one.tran_id) for one in records] == [("token_missing", TRAN_ID)]


def test_a_rate_says_when_to_come_back(gateway, connection, head, counters):
    counters.full = "operator_rate"
    gateway.handle(connection, head(), b"")
    assert "retry-after: 2" in connection.head.lower()


def test_refusals_beyond_their_rate_are_answered_once_and_end_the_connection(gateway, connection, head, records):
    connection.card.refused_until = 1e9
    gateway.handle(connection, head(Authorization=None), b"")
    assert json.loads(connection.body)["rsp_code"] == "42901"
    assert "retry-after: " in connection.head.lower()
    assert connection.head.endswith("Connection: close")
    assert (connection.will_close, [one.reason for one in records]) == (True, ["refusals_exceeded"])


def test_an_institution_with_enough_to_do_is_a_refusal(gateway, connection, head, upstream, records):
    upstream.busy = True
    gateway.handle(connection, head(), b"")
    assert (json.loads(connection.body)["rsp_code"], records[0].reason) == ("50005", "provider_busy")
    assert (gateway.in_flight, connection.source) == (0, None)


def test_a_bug_is_50001_a_logged_line_and_no_more(gateway, connection, head, keyring, records, caplog):
    def bug(*_):
        raise ZeroDivisionError

    keyring.claims = bug
    gateway.handle(connection, head(), b"")
    assert (json.loads(connection.body)["rsp_code"], records[0].reason) == ("50001", "relay_broken")
    assert f"BA01 {TRAN_ID}" in caplog.text
    assert gateway.in_flight == 0


@pytest.mark.parametrize("wrong", Wrong)
def test_whatever_is_wrong_on_the_wire_is_answered_with_its_tran_id(gateway, connection, wrong, records):
    connection.will_close = True
    gateway.protocol_error_received(connection, Malformed(wrong, f"x\r\nx-api-tran-id: {TRAN_ID}\r\n".encode()))
    assert f"x-api-tran-id: {TRAN_ID}" in connection.head
    assert connection.head.endswith("Connection: close")
    assert json.loads(connection.body)["rsp_code"] in {"40001", "40002", "40401", "40501"}
    assert (len(records), gateway.in_flight) == (1, 0)


def test_what_cannot_be_an_id_is_not_sent_back(gateway, connection, head):
    gateway.handle(connection, head(x_api_tran_id="a" * 65), b"")
    assert "x-api-tran-id: \r\n" in connection.head


def test_who_drains_says_that_each_answer_is_the_last(gateway, connection, head, upstream):
    gateway.draining = True
    gateway.handle(connection, head(), b"")
    upstream.receiver.response_received(200, NAMED, b"{}")
    assert connection.head.endswith("Connection: close")


def test_a_caller_who_goes_away_frees_the_institution(gateway, connection, head, upstream, records):
    gateway.handle(connection, head(), b"")
    connection.source.peer_disconnected()
    assert (upstream.cancelled, records[0].reason, gateway.in_flight) == (True, "operator_gone", 0)


def test_the_next_call_is_judged_by_the_new_plan(gateway, connection, head, upstream, replan, judges, records):
    gateway.handle(connection, head(), b"")
    gateway.swap(replan(("ZOPA000002", "999-81-01002")), {}, judges)
    upstream.receiver.response_received(200, NAMED, b"{}")
    gateway.handle(connection, head(), b"")
    assert [one.rsp_code for one in records] == ["", "40103"]
    assert records[0].status == 200


def test_what_a_customer_consented_to_is_told_from_the_ledger(gateway, connection, head, upstream, records):
    gateway.handle(connection, head("/v1/bank/consents?org_code=ZBAA000001"), b"")
    assert json.loads(connection.body) == {"rsp_code": "00000", "scope_list": []}
    assert (upstream.asked, records[0].api_code, records[0].status) == ([], "CM02", 200)


def test_the_institution_hears_whom_the_call_is_about(gateway, connection, head, upstream):
    gateway.handle(connection, head(x_user_ci="another"), b"")
    asked = upstream.asked[0](0)
    assert b"\r\nx-user-ci: the-ci\r\n" in asked
    assert b"another" not in asked


def test_connections_are_greeted_and_parted_from(gateway, connection):
    gateway.connection_made(connection)
    assert gateway._welcome.connections == {connection}
    gateway.connection_lost(connection, ConnectionResetError())
    assert (gateway._welcome.connections, gateway._welcome.rejected) == (set(), {})


def test_a_connection_cut_for_a_flood_of_tls_records_is_counted(gateway, connection):
    gateway.connection_made(connection)
    gateway.connection_lost(connection, RecordsExceeded("too many TLS records without data"))
    assert (gateway._welcome.connections, gateway._welcome.rejected) == (set(), {"tls_records_exceeded": 1})
