import json

import pytest

from relay.wire.head import ProtocolError, Violation
from relay.wire.tls.errors import RecordsExceeded

TRAN_ID = "ZOPA000001M00000000000001"
NAMED = {b"x-api-tran-id": TRAN_ID.encode()}


def test_a_call_is_forwarded_and_its_response_returned(gateway, connection, head, upstream, records):
    gateway.handle(connection, head(), b"")
    request = upstream.asked[0](0)
    assert request.startswith(b"GET /base/v1/bank/accounts?org_code=ZBAA000001&limit=1 HTTP/1.1\r\n")
    assert (gateway.in_flight, records) == (1, [])
    upstream.receiver.response_received(200, NAMED, b'{"rsp_code":"00000"}')
    assert (connection.body, gateway.in_flight) == (b'{"rsp_code":"00000"}', 0)
    assert [(exchange.status, exchange.rsp_code, exchange.attempts) for exchange in records] == [(200, "00000", 1)]


def test_the_list_of_apis_is_answered_by_the_relay(gateway, connection, head, upstream, records):
    gateway.handle(connection, head("/bank/apis?org_code=ZBAA000001&client_id=x"), b"")
    assert json.loads(connection.body)["version"] == "v1"
    assert (upstream.asked, records[0].status, records[0].upstream) == ([], 200, 0.0)


def test_a_refused_call_is_recorded_and_not_forwarded(gateway, connection, head, upstream, records):
    gateway.handle(connection, head(Authorization=None), b"")
    assert json.loads(connection.body)["rsp_code"] == "40101"
    assert (upstream.asked, gateway.in_flight) == ([], 0)
    assert [(exchange.reason, exchange.tran_id) for exchange in records] == [("token_missing", TRAN_ID)]


def test_a_rate_refusal_has_retry_after(gateway, connection, head, counters):
    counters.full = "operator_rate"
    gateway.handle(connection, head(), b"")
    assert "retry-after: 2" in connection.head.lower()


def test_refusals_beyond_their_rate_end_the_connection(gateway, connection, head, records):
    connection.info.refused_until = 1e9
    gateway.handle(connection, head(Authorization=None), b"")
    assert json.loads(connection.body)["rsp_code"] == "42901"
    assert "retry-after: " in connection.head.lower()
    assert connection.head.endswith("Connection: close")
    assert (connection.will_close, [exchange.reason for exchange in records]) == (True, ["refusals_exceeded"])


def test_a_busy_institution_is_a_refusal(gateway, connection, head, upstream, counters, records):
    upstream.busy = True
    gateway.handle(connection, head(), b"")
    assert (json.loads(connection.body)["rsp_code"], records[0].reason) == ("50005", "provider_busy")
    assert counters.taken == []
    assert (gateway.in_flight, connection.source) == (0, None)


def test_an_internal_error_is_50001_and_logged(gateway, connection, head, token_verifier, records, caplog):
    def raise_error(*_):
        raise ZeroDivisionError

    token_verifier.verify = raise_error
    gateway.handle(connection, head(), b"")
    assert (json.loads(connection.body)["rsp_code"], records[0].reason) == ("50001", "relay_broken")
    assert f"internal error in a call: api_code=BA01 tran_id={TRAN_ID}" in caplog.text
    assert gateway.in_flight == 0


@pytest.mark.parametrize("wrong", Violation)
def test_a_protocol_error_is_answered_with_its_tran_id(gateway, connection, wrong, records):
    connection.will_close = True
    gateway.protocol_error_received(connection, ProtocolError(wrong, f"x\r\nx-api-tran-id: {TRAN_ID}\r\n".encode()))
    assert f"x-api-tran-id: {TRAN_ID}" in connection.head
    assert connection.head.endswith("Connection: close")
    assert json.loads(connection.body)["rsp_code"] in {"40001", "40002", "40401", "40501"}
    assert (len(records), gateway.in_flight) == (1, 0)


def test_an_invalid_tran_id_is_not_echoed(gateway, connection, head):
    gateway.handle(connection, head(x_api_tran_id="a" * 65), b"")
    assert "x-api-tran-id: \r\n" in connection.head


def test_a_draining_gateway_sends_connection_close(gateway, connection, head, upstream):
    gateway.is_draining = True
    gateway.handle(connection, head(), b"")
    upstream.receiver.response_received(200, NAMED, b"{}")
    assert connection.head.endswith("Connection: close")


def test_a_disconnected_caller_frees_the_institution(gateway, connection, head, upstream, records):
    gateway.handle(connection, head(), b"")
    connection.source.peer_disconnected()
    assert (upstream.cancelled, records[0].reason, gateway.in_flight) == (True, "operator_gone", 0)


def test_the_next_call_is_judged_by_the_new_plan(gateway, connection, head, upstream, replan, dependencies, records):
    gateway.handle(connection, head(), b"")
    gateway.swap(replan(("ZOPA000002", "999-81-01002")), {}, dependencies)
    upstream.receiver.response_received(200, NAMED, b"{}")
    gateway.handle(connection, head(), b"")
    assert [exchange.rsp_code for exchange in records] == ["", "40103"]
    assert records[0].status == 200


def test_connections_are_added_and_removed(gateway, connection_registry, connection):
    gateway.connection_made(connection)
    assert connection_registry.connections == {connection}
    gateway.connection_lost(connection, ConnectionResetError())
    assert (connection_registry.connections, connection_registry.rejected) == (set(), {})


def test_a_connection_cut_for_a_flood_of_tls_records_is_counted(gateway, connection_registry, connection):
    gateway.connection_made(connection)
    gateway.connection_lost(connection, RecordsExceeded("too many TLS records without data"))
    assert connection_registry.connections == set()
    assert connection_registry.rejected == {"tls_records_exceeded": 1}
