"""Answers without what was not consented to: whole, in parts, and those that cannot be read."""

import asyncio
import json

import pytest

from relay.domain.exchange import Exchange
from relay.domain.fault import FAULTS
from relay.gateway.body_filters import BodyFilters
from relay.gateway.forwarding import Forwarding
from relay.gateway.withholding import MOST_BYTES, Withholding

TRAN_ID = b"ZOPA000001M00000000000001"
JSON = {b"content-type": b"application/json", b"content-length": b"1"}
ROW = {"trans_dtime": "20240101", "trans_memo": "private", "trans_amt": "1000.10"}
BODY = json.dumps({"rsp_code": "00000", "rsp_msg": "성공", "trans_list": [ROW]}, ensure_ascii=False).encode()
LARGE = json.dumps({"rsp_code": "00000", "trans_list": [ROW] * 2000}).encode()


class UpstreamRequest:
    attempts, first_byte_at, is_reused = 1, 3.0, False

    def __init__(self):
        self.cancelled = False

    def cancel(self):
        self.cancelled = True


class Way:
    """A withholding before a forwarding between a pretended connection and a pretended flight."""

    def __init__(self, connection):
        self.connection, self.flight, self.closed = connection, UpstreamRequest(), []
        self.exchange = Exchange(1.0, 2.0)
        forwarding = Forwarding(connection, self.exchange, TRAN_ID, lambda: 9.0, self.closed.append)
        self.withholding = Withholding(forwarding, frozenset({"trans_memo"}), BodyFilters())
        forwarding.attach(self.flight)

    def streamed(self, body, status=200, headers=JSON, step=1000):
        self.withholding.head_received(status, headers, len(body), body[:step])
        for at in range(step, len(body), step):
            self.withholding.body_received(body[at : at + step])
        self.withholding.response_ended()

    def refused(self):
        """The fault told, once, with nothing of the answer in it."""
        (exchange,) = self.closed
        assert b"private" not in self.connection.written
        assert json.loads(self.connection.body)["rsp_code"] == exchange.rsp_code == "50005"
        return exchange.reason, exchange.provider_status


async def until_closed(way):
    """Let the loop turn until the exchange is closed; returns how often."""
    for turns in range(1000):
        if way.closed:
            return turns
        await asyncio.sleep(0)
    raise AssertionError("the exchange was never closed")


@pytest.fixture
def way(connection):
    return Way(connection)


def test_the_field_is_gone_and_the_rest_is_as_it_was(way):
    assert way.withholding.response_received(200, JSON, BODY)
    told = json.loads(way.connection.body)
    rest = {name: value for name, value in ROW.items() if name != "trans_memo"}
    assert told == {"rsp_code": "00000", "rsp_msg": "성공", "trans_list": [rest]}
    assert f"Content-Length: {len(way.connection.body)}" in way.connection.head
    assert (way.exchange.rsp_code, way.exchange.bytes_out) == ("00000", len(way.connection.body))


async def test_a_large_answer_is_read_whole_before_any_of_it_goes_out(way):
    way.withholding.head_received(200, JSON, len(LARGE), LARGE[:1000])
    way.withholding.body_received(LARGE[1000:])
    way.withholding.response_ended()
    assert way.connection.written == b""
    await until_closed(way)
    rows = json.loads(way.connection.body)["trans_list"]
    assert (len(rows), "trans_memo" in rows[0]) == (2000, False)
    assert (way.connection.ends, len(way.closed)) == (["finished"], 1)


REFUSING = [400, 401, 403, 404, 429, 500]


@pytest.mark.parametrize("status", REFUSING)
@pytest.mark.parametrize("step", [10, 1000])
def test_a_refusal_passes_with_its_status_and_code(way, status, step):
    body = b'{"rsp_code":"40401","rsp_msg":"none"}'
    way.streamed(body, status, step=step)
    assert (way.connection.body, way.exchange.status, way.exchange.rsp_code) == (body, status, "40401")


@pytest.mark.parametrize("status", REFUSING)
@pytest.mark.parametrize("streamed", [True, False])
def test_a_refusal_that_holds_rows_is_filtered_too(way, status, streamed):
    body = BODY.replace(b"00000", b"40401")
    if streamed:
        way.streamed(body, status, step=10)
    else:
        assert way.withholding.response_received(status, JSON, body)
    told = json.loads(way.connection.body)
    assert (way.exchange.status, told["rsp_code"]) == (status, "40401")
    assert told["trans_list"] == [{name: value for name, value in ROW.items() if name != "trans_memo"}]


@pytest.mark.parametrize("status", REFUSING)
@pytest.mark.parametrize("body", [BODY[:-3], b'["private"]', b"", b"private"])
def test_a_refusal_that_cannot_be_read_never_goes_out(way, status, body):
    assert not way.withholding.response_received(status, JSON, body)
    assert way.refused() == ("provider_broken", status)


@pytest.mark.parametrize("status", REFUSING)
def test_a_refusal_that_is_coded_never_goes_out(way, status):
    assert not way.withholding.response_received(status, JSON | {b"content-encoding": b"gzip"}, BODY)
    assert way.refused() == ("provider_broken", status)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (JSON, b"private, and no JSON"),
        (JSON, BODY[:-3]),
        (JSON, b'["private"]'),
        (JSON, b'{"trans_memo":"private","trans_memo":"private"}'),
        (JSON, b""),
        (JSON | {b"content-encoding": b"gzip"}, BODY),
        (JSON | {b"content-encoding": b"identity"}, BODY),
        (JSON | {b"content-type": b"text/html"}, BODY),
        (JSON | {b"x-api-tran-id": b"ZOPA000001M00000000000002"}, BODY),
    ],
)
@pytest.mark.parametrize("streamed", [True, False])
def test_what_cannot_be_read_or_is_no_answer_never_goes_out(way, headers, body, streamed):
    if streamed:
        way.streamed(body, headers=headers, step=7)
    else:
        assert not way.withholding.response_received(200, headers, body)
    assert way.refused() == ("provider_broken", 200)


def test_an_answer_too_large_to_be_read_frees_the_institution_at_once(way):
    part = b"x" * (MOST_BYTES // 4)
    way.withholding.head_received(200, JSON, None, part)
    for _ in range(3):
        way.withholding.body_received(part)
    assert (way.flight.cancelled, way.closed) == (False, [])
    way.withholding.body_received(b"x")
    assert way.flight.cancelled
    assert way.refused() == ("provider_broken", 200)
    way.withholding.body_received(part)
    way.withholding.response_ended()
    assert way.connection.ends == ["finished"]


def test_an_answer_that_breaks_off_was_never_begun(way):
    way.withholding.head_received(200, JSON, len(LARGE), LARGE[:1000])
    way.withholding.request_failed(FAULTS["provider_reset"])
    assert way.refused() == ("provider_reset", 200)


def test_who_goes_away_meanwhile_frees_the_institution(way):
    way.withholding.head_received(200, JSON, len(LARGE), LARGE[:1000])
    way.connection.source.peer_disconnected()
    assert (way.flight.cancelled, way.exchange.reason, way.connection.written) == (True, "operator_gone", b"")


async def test_a_large_answer_takes_several_turns_of_the_loop(way):
    assert way.withholding.response_received(200, JSON, LARGE)
    assert (way.connection.written, way.closed) == (b"", [])
    assert await until_closed(way) > 5


async def test_a_large_answer_that_is_no_json_is_refused_later(way):
    assert way.withholding.response_received(200, JSON, LARGE[:-1])
    await until_closed(way)
    assert way.refused() == ("provider_broken", 200)


async def test_a_list_of_millions_of_numbers_is_refused(way):
    way.withholding.response_received(200, JSON, b'{"private":[' + b"1," * 2_000_000 + b"1]}")
    await until_closed(way)
    assert way.refused() == ("provider_broken", 200)


async def test_an_operator_who_goes_away_while_its_answer_is_read_gets_nothing(way):
    way.withholding.response_received(200, JSON, LARGE)
    way.connection.source.peer_disconnected()
    for _ in range(100):
        await asyncio.sleep(0)
    assert (way.exchange.reason, way.connection.written, len(way.closed)) == ("operator_gone", b"", 1)
