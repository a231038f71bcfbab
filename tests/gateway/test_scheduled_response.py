"""A scheduled call makes the transfer of its week if its last page was sent with a success."""

import json

import pytest

from relay.domain.exchange import Exchange
from relay.domain.fault import FAULTS
from relay.gateway.body_filters import BodyFilters
from relay.gateway.forwarding import Forwarding
from relay.gateway.scheduled_response import PageWatcher, ScheduledResponse
from relay.gateway.withholding import Withholding
from relay.wire.closed import CLOSED

TRAN_ID = b"ZOPA000001M00000000000001"
JSON = {b"content-type": b"application/json; charset=UTF-8", b"x-api-tran-id": TRAN_ID, b"content-length": b"1"}
ROWS = [{"trans_dtime": "20240101", "trans_memo": "private"}] * 400
BODY = {"rsp_code": "00000", "rsp_msg": "ok"}
TRANSACTIONS = "/v1/bank/accounts/deposit/transactions"


def encode(**members):
    return json.dumps(BODY | members, separators=(",", ":")).encode()


class Transport:
    """A transport with unsent bytes."""

    unsent = 0

    def get_write_buffer_size(self):
        return self.unsent


class UpstreamRequest:
    attempts, first_byte_at, is_reused = 1, 3.0, False

    def cancel(self):
        """The response is not needed any more."""


class Setup:
    """The response to one scheduled call, between a fake connection and a fake upstream request."""

    def __init__(self, connection, transfers, *, has_pages=True, withheld=()):
        connection.transport = Transport()
        self.connection, self.transfers, self.closed = connection, transfers, []
        self.exchange = Exchange(1.0, 2.0)
        self.response = ScheduledResponse("transfer", transfers, connection, self.closed.append)
        forwarding = Forwarding(connection, self.exchange, TRAN_ID, lambda: 9.0, self.response.close)
        self.receiver = forwarding
        if withheld:
            self.receiver = Withholding(forwarding, frozenset(withheld), BodyFilters())
        if has_pages:
            self.receiver = self.response.pages = PageWatcher(self.receiver)
        forwarding.attach(UpstreamRequest())
        self.forwarding = forwarding

    def stream(self, body, step=100, headers=JSON):
        self.receiver.head_received(200, headers, len(body), body[:step])
        for at in range(step, len(body), step):
            self.receiver.body_received(body[at : at + step])
        self.receiver.response_ended()

    @property
    def noted(self):
        """Whether the page that was noted is the last one, None if none was noted."""
        assert len(self.closed) == 1
        return self.transfers.completed[0][2] if self.transfers.completed else None


@pytest.fixture
def build(connection, dependencies):
    return lambda **options: Setup(connection, dependencies.transfers, **options)


@pytest.mark.parametrize(("members", "is_last"), [({}, True), ({"next_page": "2"}, False), ({"next_page": ""}, True)])
@pytest.mark.parametrize("step", [0, 20, 1000])
@pytest.mark.parametrize("withheld", [(), ("trans_memo",)])
def test_a_success_is_noted_with_its_place(build, members, is_last, step, withheld):
    setup, body = build(withheld=withheld), encode(list=ROWS[:3], **members)
    if step:
        setup.stream(body, step)
    else:
        setup.receiver.response_received(200, JSON, body)
    assert setup.noted is is_last


def test_a_cursor_before_the_rows_of_a_large_response_is_seen(build):
    setup = build()
    setup.stream(json.dumps({"next_page": "2", **BODY, "list": ROWS}).encode(), 4096)
    assert setup.noted is False


def test_an_api_without_pages_has_only_a_last_page(build):
    setup = build(has_pages=False)
    setup.receiver.response_received(200, JSON, encode(next_page="2"))
    assert setup.noted is True


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b'{"rsp_code":"00001","rsp_msg":"unchanged"}'),
        (200, b'{"rsp_code":"50005","rsp_msg":"failed"}'),
        (200, b'{"rsp_msg":"no code"}'),
        (200, b"<html>"),
        (201, encode()),
        (404, b'{"rsp_code":"40402","rsp_msg":"none"}'),
        (500, encode()),
    ],
)
@pytest.mark.parametrize("has_pages", [True, False])
def test_anything_else_makes_no_transfer(build, status, body, has_pages):
    setup = build(has_pages=has_pages)
    setup.receiver.response_received(status, JSON, body)
    assert setup.noted is None


@pytest.mark.parametrize("fault", ["provider_reset", "provider_silent"])
def test_a_response_that_breaks_off_makes_no_transfer(build, fault):
    setup = build()
    setup.receiver.head_received(200, JSON, 100_000, encode(list=ROWS)[:-1])
    setup.receiver.request_failed(FAULTS[fault])
    assert setup.noted is None
    assert setup.exchange.rsp_code != "00000"


def test_a_call_without_a_response_makes_no_transfer(build):
    setup = build()
    setup.receiver.request_failed(FAULTS["connect_refused"])
    assert setup.noted is None


def test_an_operator_that_disconnects_gets_no_transfer(build):
    setup = build()
    setup.receiver.head_received(200, JSON, 100_000, encode(list=ROWS)[:-1])
    setup.forwarding.peer_disconnected()
    assert setup.noted is None


def test_a_large_response_that_is_cut_makes_no_transfer(build):
    setup = build()
    setup.stream(encode(list=ROWS)[:-5])
    assert setup.noted is None


class TestUnsent:
    def finish(self, setup):
        """Serves a success. Returns the function that tells what is unsent."""
        setup.receiver.response_received(200, JSON, encode())
        return setup.transfers.completed[0][1]

    def test_unsent_bytes_are_those_of_the_transport(self, build):
        setup = build()
        find_unsent = self.finish(setup)
        setup.connection.transport.unsent = 7
        assert find_unsent() == 7
        setup.connection.transport.unsent = 0
        assert find_unsent() == 0

    def test_a_connection_that_was_lost_has_not_sent_them(self, build):
        setup = build()
        find_unsent = self.finish(setup)
        setup.connection.transport = CLOSED
        assert find_unsent() is None

    def test_a_connection_that_was_lost_before_the_call_sends_nothing(self, connection, dependencies):
        connection.transport = CLOSED
        assert ScheduledResponse("transfer", dependencies.transfers, connection, print).find_unsent() is None

    def test_a_connection_that_closed_after_the_response_has_sent_them(self, build):
        setup = build()
        setup.connection.will_close = True
        find_unsent = self.finish(setup)
        setup.connection.transport = CLOSED
        assert find_unsent() == 0

    def test_a_slow_connection_that_was_lost_has_not_sent_them(self, build):
        setup = build()
        setup.connection.will_close = True
        find_unsent = self.finish(setup)
        setup.connection.transport.unsent = 7
        assert find_unsent() == 7
        setup.connection.transport = CLOSED
        assert find_unsent() is None


class TestGateway:
    @pytest.mark.parametrize(("members", "is_last"), [({}, True), ({"next_page": "2"}, False)])
    def test_the_page_of_a_list_is_noted(self, scene, token_verifier, members, is_last):
        object.__setattr__(token_verifier.known, "org_code", "ZBAA000002")
        scene.connection.transport = Transport()
        scene.ask("/v1/bank/accounts?org_code=ZBAA000002&limit=1", x_api_type="scheduled")
        scene.upstream.receiver.response_received(200, JSON, encode(**members))
        ((transfer, _, noted),) = scene.dependencies.transfers.completed
        assert (transfer.is_continuation, noted) == (False, is_last)
        assert scene.recorded == [""]

    def test_a_call_on_demand_notes_nothing(self, scene, token_verifier):
        object.__setattr__(token_verifier.known, "org_code", "ZBAA000002")
        scene.ask("/v1/bank/accounts?org_code=ZBAA000002&limit=1")
        scene.upstream.receiver.response_received(200, JSON, encode())
        assert scene.dependencies.transfers.completed == []

    def test_a_repeated_transfer_is_refused(self, scene, token_verifier):
        object.__setattr__(token_verifier.known, "org_code", "ZBAA000002")
        scene.dependencies.transfers.made = "weekly_quota"
        scene.ask("/v1/bank/accounts?org_code=ZBAA000002&limit=1", x_api_type="scheduled")
        assert "429" in scene.connection.head
        assert "retry-after: 3600" in scene.connection.head.lower()
        assert (scene.recorded, scene.upstream.asked) == (["weekly_quota"], [])
