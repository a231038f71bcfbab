from dataclasses import replace

import pytest

from relay.domain.exchange import Exchange
from relay.domain.fault import FAULTS
from relay.gateway.forwarding import Forwarding
from relay.wire.head import RequestHead

TRAN_ID = "ZOPA000001M00000000000001"
JSON = {b"content-type": b"application/json", b"content-length": b"1"}
CHUNKED = {b"content-type": b"application/json", b"transfer-encoding": b"chunked"}
CLOSING = {b"content-type": b"application/json"}
REQUEST = RequestHead("GET", b"/v1/bank/accounts?a=1", b"/v1/bank/accounts", b"a=1", {}, 0, False, False)


class UpstreamRequest:
    attempts = 1
    first_byte_at = 3.0
    is_reused = False

    def __init__(self):
        self.calls = []

    def pause(self):
        self.calls.append("pause")

    def resume(self):
        self.calls.append("resume")

    def cancel(self):
        self.calls.append("cancel")


class Setup:
    """A forwarding between a fake connection and a fake upstream request."""

    def __init__(self, connection, **more):
        self.connection, self.request, self.closed = connection, UpstreamRequest(), []
        self.exchange = Exchange(1.0, 2.0)
        self.forwarding = Forwarding(
            connection, self.exchange, TRAN_ID.encode(), lambda: 9.0, self.closed.append, **more
        )
        self.forwarding.attach(self.request)


@pytest.fixture
def setup(connection):
    return Setup(connection)


def test_a_whole_response_is_one_write_and_closes_the_exchange(setup):
    setup.forwarding.response_received(200, JSON, b'{"rsp_code":"00000"}')
    assert setup.connection.head.startswith("HTTP/1.1 200 OK\r\n")
    assert f"x-api-tran-id: {TRAN_ID}" in setup.connection.head
    assert (setup.connection.body, setup.connection.ends) == (b'{"rsp_code":"00000"}', ["finished"])
    exchange = setup.exchange
    assert (exchange.status, exchange.provider_status, exchange.rsp_code, exchange.reason) == (200, 200, "00000", "")
    assert (exchange.bytes_out, exchange.attempts, exchange.first_byte, exchange.provider_ended) == (20, 1, 3.0, 9.0)
    assert (setup.closed, setup.request.calls) == ([exchange], [])


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 405, 429, 500])
def test_statuses_of_the_standard_are_forwarded(setup, status):
    setup.forwarding.response_received(status, JSON, b'{"rsp_code":"40401"}')
    assert (setup.exchange.status, setup.exchange.reason) == (status, "")


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (201, JSON),
        (204, {}),
        (302, JSON),
        (502, JSON),
        (503, JSON),
        (200, {b"content-type": b"text/html"}),
        (200, {b"content-type": b"application/json; charset=euc-kr"}),
        (200, {b"content-type": b""}),
    ],
)
def test_an_invalid_response_becomes_50005_and_its_status_is_recorded(setup, status, headers):
    setup.forwarding.response_received(status, headers, b"<html>")
    assert b"<html>" not in setup.connection.written
    assert (setup.exchange.status, setup.exchange.rsp_code, setup.exchange.reason) == (500, "50005", "provider_broken")
    assert setup.exchange.provider_status == status


def test_a_large_invalid_response_is_not_read_to_its_end(setup):
    setup.forwarding.head_received(502, {b"content-type": b"text/html"}, 10**9, b"<html>")
    assert (setup.request.calls, setup.exchange.provider_status) == (["cancel"], 502)
    assert (setup.exchange.rsp_code, len(setup.closed)) == ("50005", 1)


def test_a_large_response_with_a_length_is_streamed(setup):
    setup.forwarding.head_received(200, JSON, 20, b'{"rsp_')
    setup.forwarding.body_received(b'code":"')
    setup.forwarding.body_received(b'00000"}')
    setup.forwarding.response_ended()
    assert "Content-Length: 20" in setup.connection.head
    assert (setup.connection.body, setup.connection.ends) == (b'{"rsp_code":"00000"}', ["finished"])
    assert (setup.exchange.bytes_out, setup.exchange.rsp_code, setup.exchange.reason) == (20, "00000", "")
    assert len(setup.closed) == 1


def test_a_large_response_of_unknown_length_is_streamed_in_chunks(setup):
    setup.forwarding.head_received(200, CHUNKED, None, b"{ ")
    setup.forwarding.body_received(b"         }\n")
    setup.forwarding.response_ended()
    assert "Transfer-Encoding: chunked" in setup.connection.head
    assert setup.connection.body == b"2\r\n{ \r\nb\r\n         }\n\r\n0\r\n\r\n"
    assert setup.exchange.bytes_out == 13


@pytest.mark.parametrize("fault", ["connect_refused", "provider_reset", "provider_broken", "provider_silent"])
def test_a_failure_before_the_response_is_refused(setup, fault):
    setup.forwarding.request_failed(FAULTS[fault])
    assert FAULTS[fault].rsp_code.encode() in setup.connection.body
    assert (setup.exchange.reason, setup.exchange.status, setup.connection.ends) == (fault, 500, ["finished"])


def test_a_failure_in_the_middle_cuts_the_connection(setup):
    setup.forwarding.head_received(200, JSON, 100, b"{ ")
    before = setup.connection.written
    setup.forwarding.request_failed(FAULTS["provider_reset"])
    assert (setup.connection.written, setup.connection.ends) == (before, ["aborted"])
    assert (setup.exchange.reason, setup.exchange.rsp_code, setup.exchange.status) == ("provider_reset", "50005", 200)


def test_a_timeout_behind_a_paused_reader_is_the_operators_fault(setup):
    setup.forwarding.head_received(200, JSON, 100, b"{ ")
    setup.forwarding.pause()
    setup.forwarding.request_failed(FAULTS["provider_silent"])
    assert (setup.exchange.reason, setup.exchange.rsp_code) == ("operator_slow", "50003")


def test_a_timeout_behind_a_resumed_reader_is_the_institutions_fault(setup):
    setup.forwarding.head_received(200, JSON, 100, b"{ ")
    setup.forwarding.pause()
    setup.forwarding.resume()
    setup.forwarding.request_failed(FAULTS["provider_silent"])
    assert (setup.exchange.reason, setup.request.calls) == ("provider_silent", ["pause", "resume"])


def test_a_disconnected_operator_cancels_the_request_once(setup):
    setup.forwarding.peer_disconnected()
    setup.forwarding.request_failed(FAULTS["provider_reset"])
    setup.forwarding.peer_disconnected()
    assert setup.request.calls == ["cancel"]
    assert (setup.exchange.reason, setup.exchange.status, len(setup.closed)) == ("operator_gone", 500, 1)
    assert setup.connection.written == b""


def test_a_disconnect_in_the_middle_keeps_the_sent_status(setup):
    setup.forwarding.head_received(200, JSON, 100, b"{ ")
    setup.forwarding.peer_disconnected()
    assert (setup.exchange.reason, setup.exchange.status) == ("operator_gone", 200)


HTML = {b"content-type": b"text/html"}
UNUSUAL = FAULTS["request_unusual"]


@pytest.mark.parametrize(
    ("status", "headers", "body", "usual", "reason"),
    [
        (400, HTML, b"<html>nginx</html>", False, "request_unusual"),
        (414, HTML, b"<html>nginx</html>", False, "request_unusual"),
        (431, JSON, b"{}", False, "request_unusual"),
        (414, HTML, b"<html>nginx</html>", True, "provider_broken"),
        (500, HTML, b"<html>nginx</html>", False, "provider_broken"),
        (400, JSON, b'{"error":"Bad Request"}', False, "request_unusual"),
        (400, JSON, b'{"rsp_code":"40001"}', False, ""),
        (400, JSON, b'{"error":"Bad Request"}', True, "answer_without_code"),
        (200, JSON, b"{}", False, "answer_without_code"),
    ],
)
@pytest.mark.parametrize("large", [False, True])
def test_a_4xx_for_an_unusual_request_is_the_callers_fault(
    plan, connection, status, headers, body, usual, reason, large
):
    setup = Setup(connection)
    rules = replace(plan.institutions["ZBAA000001"].rules["BA01"], is_usual=lambda _: usual)
    setup.forwarding.call = (rules, REQUEST, b"")
    if large:
        setup.forwarding.head_received(status, headers, len(body), body)
        if not setup.closed:
            setup.forwarding.response_ended()
    else:
        setup.forwarding.response_received(status, headers, body)
    assert setup.exchange.reason == reason
    if reason == "request_unusual" and headers is HTML:
        assert (setup.exchange.status, setup.exchange.rsp_code) == (UNUSUAL.status, UNUSUAL.rsp_code)
        assert UNUSUAL.words in setup.connection.body.decode()
    elif headers is JSON and status == 400:
        assert setup.connection.body == body


def test_a_request_that_has_ended_is_not_attached(connection):
    closed = []
    forwarding = Forwarding(connection, Exchange(1.0, 2.0), TRAN_ID.encode(), lambda: 9.0, closed.append)
    forwarding.request_failed(FAULTS["connect_refused"])
    forwarding.attach(UpstreamRequest())
    assert (connection.source, len(closed)) == (None, 1)


def test_the_last_response_has_connection_close(setup):
    setup.connection.will_close = True
    setup.forwarding.response_received(200, JSON, b"{}")
    assert setup.connection.head.endswith("Connection: close")


def test_an_empty_part_does_not_end_a_chunked_response(setup):
    setup.forwarding.head_received(200, CHUNKED, None, b"{")
    before = setup.connection.written
    setup.forwarding.body_received(b"")
    assert setup.connection.written == before
    setup.forwarding.body_received(b"}")
    setup.forwarding.response_ended()
    assert setup.connection.written.endswith(b"\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")


class TestResponsesWithoutTranId:
    """Responses without x-api-tran-id, on a fresh connection and on one that has carried another call."""

    @pytest.fixture
    def strict_setup(self, connection):
        return Setup(connection, strict=True)

    def test_a_strict_institution_must_send_the_tran_id(self, strict_setup):
        assert not strict_setup.forwarding.response_received(200, JSON, b'{"rsp_code":"00000","name":"x"}')
        assert (strict_setup.exchange.reason, strict_setup.exchange.detail) == ("answer_unidentified", "tran_id")
        assert (strict_setup.exchange.status, strict_setup.exchange.rsp_code) == (500, "50005")
        assert b'"name"' not in strict_setup.connection.written

    def test_no_part_of_a_large_one_is_sent(self, strict_setup):
        strict_setup.forwarding.head_received(200, JSON, 100_000, b'{"rsp_code":"00000",')
        assert (strict_setup.exchange.reason, strict_setup.request.calls) == ("answer_unidentified", ["cancel"])
        assert "HTTP/1.1 500 " in strict_setup.connection.head

    def test_a_response_with_the_tran_id_is_forwarded(self, strict_setup):
        headers = JSON | {b"x-api-tran-id": TRAN_ID.encode()}
        assert strict_setup.forwarding.response_received(200, headers, b'{"rsp_code":"00000"}')

    def test_it_is_accepted_from_a_lenient_one_on_a_fresh_connection(self, setup):
        assert setup.forwarding.response_received(200, JSON, b'{"rsp_code":"00000"}')

    def test_it_is_refused_on_a_reused_connection(self, setup):
        setup.request.is_reused = True
        assert not setup.forwarding.response_received(200, JSON, b'{"rsp_code":"00000"}')
        assert setup.exchange.reason == "answer_unidentified"


@pytest.mark.parametrize(
    ("status", "headers", "detail"),
    [
        (502, {b"content-type": b"text/html"}, "status"),
        (200, {b"content-type": b"text/html"}, "type"),
        (200, {b"content-type": b"application/json; charset=euc-kr"}, "charset"),
        (200, {b"x-api-tran-id": b"ZOPA000001M00000000000002"}, "tran_id"),
    ],
)
def test_the_flaw_of_a_refused_response_is_recorded(setup, status, headers, detail):
    setup.forwarding.response_received(status, headers, b"{}")
    assert (setup.exchange.reason, setup.exchange.detail) == ("provider_broken", detail)


class TestResponsesThatEndWithTheirConnection:
    """Without length and chunks only the JSON shows whether a response is complete."""

    def test_one_with_a_closed_object_is_complete(self, setup):
        setup.forwarding.head_received(200, CLOSING, None, b'{"rsp_code":"00000","rows":[{}')
        setup.forwarding.body_received(b"]}")
        setup.forwarding.response_ended()
        assert (setup.connection.ends, setup.exchange.reason, setup.exchange.rsp_code) == (["finished"], "", "00000")

    @pytest.mark.parametrize("cut", [b'{"a":"b"}', b'{"a":"}', b"", b"]"])
    def test_an_incomplete_one_is_cut_for_the_operator(self, setup, cut):
        setup.forwarding.head_received(200, CLOSING, None, b'{"rsp_code":"00000","rows":[')
        setup.forwarding.body_received(cut)
        before = setup.connection.written
        setup.forwarding.response_ended()
        assert (setup.connection.written, setup.connection.ends) == (before, ["aborted"])
        exchange = setup.exchange
        assert (exchange.reason, exchange.detail) == ("provider_reset", "json")
        assert (exchange.rsp_code, exchange.status) == ("50005", 200)

    def test_a_small_incomplete_one_is_refused(self, setup):
        assert not setup.forwarding.response_received(200, CLOSING, b'{"rsp_code":"00000","rows":[{}')
        assert (setup.exchange.reason, setup.exchange.detail, setup.exchange.status) == ("provider_reset", "json", 500)


class TestCodes:
    """Codes in responses, which are forwarded unchanged."""

    @pytest.mark.parametrize(
        ("status", "body", "rsp_code", "reason"),
        [
            (200, b'{"result":"OK"}', "", "answer_without_code"),
            (200, b'{"rsp_code":"77777"}', "77777", "code_unknown"),
            (500, b'{"rsp_code":"00000"}', "00000", "code_contradicts_status"),
            (200, '{"rsp_code":"00000","rsp_msg":"성공"}'.encode("euc-kr"), "", "answer_charset"),
        ],
    )
    def test_a_response_without_success_is_forwarded_and_recorded(self, setup, status, body, rsp_code, reason):
        assert setup.forwarding.response_received(status, JSON, body)
        assert (setup.connection.body, setup.exchange.status) == (body, status)
        assert (setup.exchange.rsp_code, setup.exchange.reason) == (rsp_code, reason)

    @pytest.mark.parametrize("status", [200, 404, 500])
    @pytest.mark.parametrize("body", [b"", b"OK", b"<html>", b'{"rsp_code":"00000"'])
    def test_a_response_that_is_not_json_is_refused(self, setup, status, body):
        assert not setup.forwarding.response_received(status, JSON, body)
        assert (setup.exchange.reason, setup.exchange.detail) == ("provider_broken", "json")
        assert (setup.exchange.status, setup.exchange.rsp_code) == (500, "50005")
        assert setup.exchange.provider_status == status

    @pytest.mark.parametrize(
        ("last", "rsp_code", "reason"),
        [
            (b'],"rsp_code":"00000"}', "00000", ""),
            (b'],"rsp_code":"40402"}', "40402", ""),
            (b"]}", "", "answer_without_code"),
        ],
    )
    def test_a_large_response_may_end_with_its_code(self, setup, last, rsp_code, reason):
        setup.forwarding.head_received(200, CHUNKED, None, b'{"rows":[' + b" " * 1000)
        setup.forwarding.body_received(b" " * 1000)
        setup.forwarding.body_received(last[:9])
        setup.forwarding.body_received(last[9:])
        setup.forwarding.response_ended()
        assert (setup.exchange.rsp_code, setup.exchange.reason) == (rsp_code, reason)
        assert setup.connection.ends == ["finished"]

    def test_a_large_response_that_does_not_begin_as_json_is_refused(self, setup):
        setup.forwarding.head_received(200, JSON, 100_000, b"<html>")
        assert (setup.exchange.reason, setup.exchange.detail) == ("provider_broken", "json")
        assert setup.request.calls == ["cancel"]
        assert "HTTP/1.1 500 " in setup.connection.head

    def test_a_large_response_that_does_not_end_as_json_is_cut(self, setup):
        setup.forwarding.head_received(200, CHUNKED, None, b'{"rsp_code":"00000","rows":[')
        setup.forwarding.response_ended()
        assert (setup.exchange.reason, setup.exchange.detail) == ("provider_broken", "json")
        assert (setup.exchange.rsp_code, setup.connection.ends) == ("50005", ["aborted"])
