from types import SimpleNamespace

import pytest

from relay.domain.exchange import Exchange
from relay.domain.fault import FAULTS
from relay.gateway.forwarding import Forwarding
from relay.wire.head import RequestHead

TRAN_ID = "ZOPA000001M00000000000001"
JSON = {b"content-type": b"application/json", b"content-length": b"1"}
CHUNKED = {b"content-type": b"application/json", b"transfer-encoding": b"chunked"}
CLOSING = {b"content-type": b"application/json"}
ASKED = RequestHead("GET", b"/v1/bank/accounts?a=1", b"/v1/bank/accounts", b"a=1", {}, 0, False, False)


class UpstreamRequest:
    attempts = 1
    first_byte_at = 3.0
    is_reused = False

    def __init__(self):
        self.told = []

    def pause(self):
        self.told.append("pause")

    def resume(self):
        self.told.append("resume")

    def cancel(self):
        self.told.append("cancel")


class Way:
    """A forwarding between a pretended connection and a pretended flight."""

    def __init__(self, connection, **more):
        self.connection, self.flight, self.closed = connection, UpstreamRequest(), []
        self.exchange = Exchange(1.0, 2.0)
        self.forwarding = Forwarding(
            connection, self.exchange, TRAN_ID.encode(), lambda: 9.0, self.closed.append, **more
        )
        self.forwarding.attach(self.flight)


@pytest.fixture
def way(connection):
    return Way(connection)


def test_a_whole_answer_goes_out_in_one_write_and_closes_the_exchange(way):
    way.forwarding.response_received(200, JSON, b'{"rsp_code":"00000"}')
    assert way.connection.head.startswith("HTTP/1.1 200 OK\r\n")
    assert f"x-api-tran-id: {TRAN_ID}" in way.connection.head
    assert (way.connection.body, way.connection.ends) == (b'{"rsp_code":"00000"}', ["finished"])
    noted = way.exchange
    assert (noted.status, noted.provider_status, noted.rsp_code, noted.reason) == (200, 200, "00000", "")
    assert (noted.bytes_out, noted.attempts, noted.first_byte, noted.provider_ended) == (20, 1, 3.0, 9.0)
    assert (way.closed, way.flight.told) == ([noted], [])


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 405, 429, 500])
def test_statuses_of_the_standard_pass(way, status):
    way.forwarding.response_received(status, JSON, b'{"rsp_code":"40401"}')
    assert (way.exchange.status, way.exchange.reason) == (status, "")


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
def test_what_is_no_answer_becomes_50005_and_the_record_keeps_its_status(way, status, headers):
    way.forwarding.response_received(status, headers, b"<html>")
    assert b"<html>" not in way.connection.written
    assert (way.exchange.status, way.exchange.rsp_code, way.exchange.reason) == (500, "50005", "provider_broken")
    assert way.exchange.provider_status == status


def test_a_large_page_that_is_no_answer_is_not_read_to_its_end(way):
    way.forwarding.head_received(502, {b"content-type": b"text/html"}, 10**9, b"<html>")
    assert (way.flight.told, way.exchange.provider_status) == (["cancel"], 502)
    assert (way.exchange.rsp_code, len(way.closed)) == ("50005", 1)


def test_a_large_answer_with_a_length_goes_on_as_it_comes(way):
    way.forwarding.head_received(200, JSON, 20, b'{"rsp_')
    way.forwarding.body_received(b'code":"')
    way.forwarding.body_received(b'00000"}')
    way.forwarding.response_ended()
    assert "Content-Length: 20" in way.connection.head
    assert (way.connection.body, way.connection.ends) == (b'{"rsp_code":"00000"}', ["finished"])
    assert (way.exchange.bytes_out, way.exchange.rsp_code, way.exchange.reason) == (20, "00000", "")
    assert len(way.closed) == 1


def test_a_large_answer_of_unknown_length_goes_on_in_chunks(way):
    way.forwarding.head_received(200, CHUNKED, None, b"{ ")
    way.forwarding.body_received(b"         }\n")
    way.forwarding.response_ended()
    assert "Transfer-Encoding: chunked" in way.connection.head
    assert way.connection.body == b"2\r\n{ \r\nb\r\n         }\n\r\n0\r\n\r\n"
    assert way.exchange.bytes_out == 13


@pytest.mark.parametrize("fault", ["provider_refused", "provider_reset", "provider_broken", "provider_silent"])
def test_a_failure_before_the_answer_is_told(way, fault):
    way.forwarding.request_failed(FAULTS[fault])
    assert FAULTS[fault].rsp_code.encode() in way.connection.body
    assert (way.exchange.reason, way.exchange.status, way.connection.ends) == (fault, 500, ["finished"])


def test_a_failure_in_the_middle_cuts_the_line(way):
    way.forwarding.head_received(200, JSON, 100, b"{ ")
    before = way.connection.written
    way.forwarding.request_failed(FAULTS["provider_reset"])
    assert (way.connection.written, way.connection.ends) == (before, ["aborted"])
    assert (way.exchange.reason, way.exchange.rsp_code, way.exchange.status) == ("provider_reset", "50005", 200)


def test_a_reader_too_slow_for_the_time_is_to_blame_himself(way):
    way.forwarding.head_received(200, JSON, 100, b"{ ")
    way.forwarding.pause()
    way.forwarding.request_failed(FAULTS["provider_silent"])
    assert (way.exchange.reason, way.exchange.rsp_code) == ("operator_slow", "50003")


def test_a_reader_that_recovered_is_not_to_blame(way):
    way.forwarding.head_received(200, JSON, 100, b"{ ")
    way.forwarding.pause()
    way.forwarding.resume()
    way.forwarding.request_failed(FAULTS["provider_silent"])
    assert (way.exchange.reason, way.flight.told) == ("provider_silent", ["pause", "resume"])


def test_who_goes_away_frees_the_flight_and_is_recorded_once(way):
    way.forwarding.peer_disconnected()
    way.forwarding.request_failed(FAULTS["provider_reset"])
    way.forwarding.peer_disconnected()
    assert way.flight.told == ["cancel"]
    assert (way.exchange.reason, way.exchange.status, len(way.closed)) == ("operator_gone", 500, 1)
    assert way.connection.written == b""


def test_who_goes_away_in_the_middle_keeps_the_status_he_saw(way):
    way.forwarding.head_received(200, JSON, 100, b"{ ")
    way.forwarding.peer_disconnected()
    assert (way.exchange.reason, way.exchange.status) == ("operator_gone", 200)


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
def test_a_refusal_of_an_unusual_request_is_the_callers_fault(connection, status, headers, body, usual, reason, large):
    way = Way(connection)
    way.forwarding.call = (SimpleNamespace(is_usual=lambda _: usual), ASKED, b"")
    if large:
        way.forwarding.head_received(status, headers, len(body), body)
        if not way.closed:
            way.forwarding.response_ended()
    else:
        way.forwarding.response_received(status, headers, body)
    assert way.exchange.reason == reason
    if reason == "request_unusual" and headers is HTML:
        assert (way.exchange.status, way.exchange.rsp_code) == (UNUSUAL.status, UNUSUAL.rsp_code)
        assert UNUSUAL.words in way.connection.body.decode()
    elif headers is JSON and status == 400:
        assert way.connection.body == body


def test_a_flight_that_landed_before_it_took_off_is_not_held(connection):
    closed = []
    forwarding = Forwarding(connection, Exchange(1.0, 2.0), TRAN_ID.encode(), lambda: 9.0, closed.append)
    forwarding.request_failed(FAULTS["provider_refused"])
    forwarding.attach(UpstreamRequest())
    assert (connection.source, len(closed)) == (None, 1)


def test_the_last_answer_of_a_line_says_so(way):
    way.connection.will_close = True
    way.forwarding.response_received(200, JSON, b"{}")
    assert way.connection.head.endswith("Connection: close")


def test_an_empty_part_of_a_chunked_answer_does_not_end_it(way):
    way.forwarding.head_received(200, CHUNKED, None, b"{")
    before = way.connection.written
    way.forwarding.body_received(b"")
    assert way.connection.written == before
    way.forwarding.body_received(b"}")
    way.forwarding.response_ended()
    assert way.connection.written.endswith(b"\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")


class TestUnnamedAnswers:
    """Answers without x-api-tran-id, on a fresh connection and on one that has carried another call."""

    @pytest.fixture
    def strict(self, connection):
        return Way(connection, strict=True)

    def test_a_strict_institution_has_to_name_the_call(self, strict):
        assert not strict.forwarding.response_received(200, JSON, b'{"rsp_code":"00000","name":"x"}')
        assert (strict.exchange.reason, strict.exchange.detail) == ("answer_unidentified", "tran_id")
        assert (strict.exchange.status, strict.exchange.rsp_code) == (500, "50005")
        assert b'"name"' not in strict.connection.written

    def test_a_large_one_is_not_begun(self, strict):
        strict.forwarding.head_received(200, JSON, 100_000, b'{"rsp_code":"00000",')
        assert (strict.exchange.reason, strict.flight.told) == ("answer_unidentified", ["cancel"])
        assert "HTTP/1.1 500 " in strict.connection.head

    def test_one_that_names_the_call_passes(self, strict):
        assert strict.forwarding.response_received(
            200, JSON | {b"x-api-tran-id": TRAN_ID.encode()}, b'{"rsp_code":"00000"}'
        )

    def test_a_lenient_institution_need_not_on_a_fresh_connection(self, way):
        assert way.forwarding.response_received(200, JSON, b'{"rsp_code":"00000"}')

    def test_on_a_connection_that_has_carried_a_call_it_could_be_that_calls(self, way):
        way.flight.is_reused = True
        assert not way.forwarding.response_received(200, JSON, b'{"rsp_code":"00000"}')
        assert way.exchange.reason == "answer_unidentified"


@pytest.mark.parametrize(
    ("status", "headers", "detail"),
    [
        (502, {b"content-type": b"text/html"}, "status"),
        (200, {b"content-type": b"text/html"}, "type"),
        (200, {b"content-type": b"application/json; charset=euc-kr"}, "charset"),
        (200, {b"x-api-tran-id": b"ZOPA000001M00000000000002"}, "tran_id"),
    ],
)
def test_why_an_answer_was_not_taken_is_recorded(way, status, headers, detail):
    way.forwarding.response_received(status, headers, b"{}")
    assert (way.exchange.reason, way.exchange.detail) == ("provider_broken", detail)


class TestAnswersThatEndWithTheirConnection:
    """Neither length nor chunks: only the JSON tells whether it is whole."""

    def test_one_whose_object_is_closed_is_whole(self, way):
        way.forwarding.head_received(200, CLOSING, None, b'{"rsp_code":"00000","rows":[{}')
        way.forwarding.body_received(b"]}")
        way.forwarding.response_ended()
        assert (way.connection.ends, way.exchange.reason, way.exchange.rsp_code) == (["finished"], "", "00000")

    @pytest.mark.parametrize("cut", [b'{"a":"b"}', b'{"a":"}', b"", b"]"])
    def test_one_that_is_cut_is_cut_for_the_operator_too(self, way, cut):
        way.forwarding.head_received(200, CLOSING, None, b'{"rsp_code":"00000","rows":[')
        way.forwarding.body_received(cut)
        before = way.connection.written
        way.forwarding.response_ended()
        assert (way.connection.written, way.connection.ends) == (before, ["aborted"])
        noted = way.exchange
        assert (noted.reason, noted.detail, noted.rsp_code, noted.status) == ("provider_reset", "json", "50005", 200)

    def test_a_small_one_that_is_cut_behind_a_brace_is_told(self, way):
        assert not way.forwarding.response_received(200, CLOSING, b'{"rsp_code":"00000","rows":[{}')
        assert (way.exchange.reason, way.exchange.detail, way.exchange.status) == ("provider_reset", "json", 500)


class TestCodes:
    """What answers say of their success; the operator gets them as they came."""

    @pytest.mark.parametrize(
        ("status", "body", "rsp_code", "reason"),
        [
            (200, b'{"result":"OK"}', "", "answer_without_code"),
            (200, b'{"rsp_code":"77777"}', "77777", "code_unknown"),
            (500, b'{"rsp_code":"00000"}', "00000", "code_contradicts_status"),
            (200, '{"rsp_code":"00000","rsp_msg":"성공"}'.encode("euc-kr"), "", "answer_charset"),
        ],
    )
    def test_what_is_no_success_passes_and_is_recorded(self, way, status, body, rsp_code, reason):
        assert way.forwarding.response_received(status, JSON, body)
        assert (way.connection.body, way.exchange.status) == (body, status)
        assert (way.exchange.rsp_code, way.exchange.reason) == (rsp_code, reason)

    @pytest.mark.parametrize("status", [200, 404, 500])
    @pytest.mark.parametrize("body", [b"", b"OK", b"<html>", b'{"rsp_code":"00000"'])
    def test_what_is_no_json_is_no_answer(self, way, status, body):
        assert not way.forwarding.response_received(status, JSON, body)
        assert (way.exchange.reason, way.exchange.detail) == ("provider_broken", "json")
        assert (way.exchange.status, way.exchange.rsp_code, way.exchange.provider_status) == (500, "50005", status)

    @pytest.mark.parametrize(
        ("last", "rsp_code", "reason"),
        [
            (b'],"rsp_code":"00000"}', "00000", ""),
            (b'],"rsp_code":"40402"}', "40402", ""),
            (b"]}", "", "answer_without_code"),
        ],
    )
    def test_a_large_answer_may_have_its_code_at_its_end(self, way, last, rsp_code, reason):
        way.forwarding.head_received(200, CHUNKED, None, b'{"rows":[' + b" " * 1000)
        way.forwarding.body_received(b" " * 1000)
        way.forwarding.body_received(last[:9])
        way.forwarding.body_received(last[9:])
        way.forwarding.response_ended()
        assert (way.exchange.rsp_code, way.exchange.reason, way.connection.ends) == (rsp_code, reason, ["finished"])

    def test_a_large_answer_that_begins_as_no_json_is_not_begun(self, way):
        way.forwarding.head_received(200, JSON, 100_000, b"<html>")
        assert (way.exchange.reason, way.exchange.detail, way.flight.told) == ("provider_broken", "json", ["cancel"])
        assert "HTTP/1.1 500 " in way.connection.head

    def test_a_large_answer_that_ends_as_no_json_is_cut(self, way):
        way.forwarding.head_received(200, CHUNKED, None, b'{"rsp_code":"00000","rows":[')
        way.forwarding.response_ended()
        assert (way.exchange.reason, way.exchange.detail) == ("provider_broken", "json")
        assert (way.exchange.rsp_code, way.connection.ends) == ("50005", ["aborted"])
