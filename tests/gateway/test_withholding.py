import asyncio
import json

import pytest

from relay.domain.exchange import Exchange
from relay.domain.fault import FAULTS
from relay.gateway.body_filters import BodyFilters
from relay.gateway.forwarding import Forwarding
from relay.gateway.withholding import MAX_BYTES, Withholding

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


class Setup:
    """A withholding before a forwarding between a fake connection and a fake upstream request."""

    def __init__(self, connection):
        self.connection, self.request, self.closed = connection, UpstreamRequest(), []
        self.exchange = Exchange(1.0, 2.0)
        forwarding = Forwarding(connection, self.exchange, TRAN_ID, lambda: 9.0, self.closed.append)
        self.withholding = Withholding(forwarding, frozenset({"trans_memo"}), BodyFilters())
        forwarding.attach(self.request)

    def stream(self, body, status=200, headers=JSON, step=1000):
        self.withholding.head_received(status, headers, len(body), body[:step])
        for at in range(step, len(body), step):
            self.withholding.body_received(body[at : at + step])
        self.withholding.response_ended()

    def get_refusal(self):
        """Return the fault of the only refusal, which holds nothing of the response."""
        (exchange,) = self.closed
        assert b"private" not in self.connection.written
        assert json.loads(self.connection.body)["rsp_code"] == exchange.rsp_code == "50005"
        return exchange.reason, exchange.provider_status


async def until_closed(setup):
    """Run turns of the loop until the exchange is closed. Returns their number."""
    for turns in range(1000):
        if setup.closed:
            return turns
        await asyncio.sleep(0)
    raise AssertionError("the exchange was never closed")


@pytest.fixture
def setup(connection):
    return Setup(connection)


def test_only_the_withheld_field_is_removed(setup):
    assert setup.withholding.response_received(200, JSON, BODY)
    response = json.loads(setup.connection.body)
    row = {name: value for name, value in ROW.items() if name != "trans_memo"}
    assert response == {"rsp_code": "00000", "rsp_msg": "성공", "trans_list": [row]}
    assert f"Content-Length: {len(setup.connection.body)}" in setup.connection.head
    assert (setup.exchange.rsp_code, setup.exchange.bytes_out) == ("00000", len(setup.connection.body))


async def test_a_large_response_is_filtered_whole_before_it_is_sent(setup):
    setup.withholding.head_received(200, JSON, len(LARGE), LARGE[:1000])
    setup.withholding.body_received(LARGE[1000:])
    setup.withholding.response_ended()
    assert setup.connection.written == b""
    await until_closed(setup)
    rows = json.loads(setup.connection.body)["trans_list"]
    assert (len(rows), "trans_memo" in rows[0]) == (2000, False)
    assert (setup.connection.ends, len(setup.closed)) == (["finished"], 1)


REFUSALS = [400, 401, 403, 404, 429, 500]


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("step", [10, 1000])
def test_a_refusal_is_forwarded_with_its_status_and_code(setup, status, step):
    body = b'{"rsp_code":"40401","rsp_msg":"none"}'
    setup.stream(body, status, step=step)
    assert (setup.connection.body, setup.exchange.status, setup.exchange.rsp_code) == (body, status, "40401")


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("is_streamed", [True, False])
def test_a_refusal_with_rows_is_filtered_too(setup, status, is_streamed):
    body = BODY.replace(b"00000", b"40401")
    if is_streamed:
        setup.stream(body, status, step=10)
    else:
        assert setup.withholding.response_received(status, JSON, body)
    response = json.loads(setup.connection.body)
    assert (setup.exchange.status, response["rsp_code"]) == (status, "40401")
    assert response["trans_list"] == [{name: value for name, value in ROW.items() if name != "trans_memo"}]


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("body", [BODY[:-3], b'["private"]', b"", b"private"])
def test_an_unreadable_refusal_is_not_forwarded(setup, status, body):
    assert not setup.withholding.response_received(status, JSON, body)
    assert setup.get_refusal() == ("provider_broken", status)


@pytest.mark.parametrize("status", REFUSALS)
def test_a_refusal_with_content_coding_is_not_forwarded(setup, status):
    assert not setup.withholding.response_received(status, JSON | {b"content-encoding": b"gzip"}, BODY)
    assert setup.get_refusal() == ("provider_broken", status)


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
@pytest.mark.parametrize("is_streamed", [True, False])
def test_an_invalid_response_is_not_forwarded(setup, headers, body, is_streamed):
    if is_streamed:
        setup.stream(body, headers=headers, step=7)
    else:
        assert not setup.withholding.response_received(200, headers, body)
    assert setup.get_refusal() == ("provider_broken", 200)


def test_a_response_too_large_to_filter_frees_the_institution(setup):
    part = b"x" * (MAX_BYTES // 4)
    setup.withholding.head_received(200, JSON, None, part)
    for _ in range(3):
        setup.withholding.body_received(part)
    assert (setup.request.cancelled, setup.closed) == (False, [])
    setup.withholding.body_received(b"x")
    assert setup.request.cancelled
    assert setup.get_refusal() == ("provider_broken", 200)
    setup.withholding.body_received(part)
    setup.withholding.response_ended()
    assert setup.connection.ends == ["finished"]


def test_no_part_of_an_incomplete_response_is_sent(setup):
    setup.withholding.head_received(200, JSON, len(LARGE), LARGE[:1000])
    setup.withholding.request_failed(FAULTS["provider_reset"])
    assert setup.get_refusal() == ("provider_reset", 200)


def test_an_operator_that_disconnects_frees_the_institution(setup):
    setup.withholding.head_received(200, JSON, len(LARGE), LARGE[:1000])
    setup.connection.source.peer_disconnected()
    assert (setup.request.cancelled, setup.exchange.reason, setup.connection.written) == (True, "operator_gone", b"")


async def test_a_large_response_takes_several_turns_of_the_loop(setup):
    assert setup.withholding.response_received(200, JSON, LARGE)
    assert (setup.connection.written, setup.closed) == (b"", [])
    assert await until_closed(setup) > 5


async def test_a_large_invalid_response_is_refused_later(setup):
    assert setup.withholding.response_received(200, JSON, LARGE[:-1])
    await until_closed(setup)
    assert setup.get_refusal() == ("provider_broken", 200)


async def test_a_list_of_millions_of_numbers_is_refused(setup):
    setup.withholding.response_received(200, JSON, b'{"private":[' + b"1," * 2_000_000 + b"1]}")
    await until_closed(setup)
    assert setup.get_refusal() == ("provider_broken", 200)


async def test_an_operator_that_disconnects_during_filtering_gets_nothing(setup):
    setup.withholding.response_received(200, JSON, LARGE)
    setup.connection.source.peer_disconnected()
    for _ in range(100):
        await asyncio.sleep(0)
    assert (setup.exchange.reason, setup.connection.written, len(setup.closed)) == ("operator_gone", b"", 1)
