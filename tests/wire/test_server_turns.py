from dataclasses import replace

import pytest
from stand_ins import LIMITS, Setup, get, post

from relay.wire.head import Violation
from relay.wire.server import TURN_BYTES, TURN_CALLS

MANY = [str(number) for number in range(1000)]
FLOOD = b"".join(map(get, MANY))


def deliver(setup, data):
    """Deliver bytes without a further turn of the loop."""
    setup.connection.data_received(data)
    return setup


def calls_by_turn(setup):
    counts = [len(setup.names)]
    while setup.clock.soon:
        before = len(setup.names)
        setup.clock.run_turn()
        counts.append(len(setup.names) - before)
    return counts


def test_a_flood_is_handled_a_few_calls_a_turn_and_in_order():
    setup = deliver(Setup(quick=True), FLOOD)
    assert max(calls_by_turn(setup)) == TURN_CALLS
    assert (setup.names, setup.transport.reading) == (MANY, True)
    assert setup.transport.written == b"".join(b"<%b>" % name.encode() for name in MANY)


def test_a_flood_is_not_read_while_its_rest_waits():
    setup = deliver(Setup(quick=True), FLOOD)
    assert (len(setup.names), setup.transport.reading) == (TURN_CALLS, False)


@pytest.mark.parametrize("cut", [1, TURN_BYTES, len(FLOOD) // 2])
def test_bytes_received_during_the_pause_keep_their_order(cut):
    setup = Setup(quick=True)
    for piece in (FLOOD[:cut], FLOOD[cut:]):
        deliver(setup, piece)
    assert setup.run_turns().names == MANY


def test_few_calls_and_bytes_need_no_further_turn():
    setup = deliver(Setup(quick=True), FLOOD[: len(get("0")) * (TURN_CALLS - 1)])
    assert (len(setup.names), setup.clock.soon, setup.transport.reading) == (TURN_CALLS - 1, [], True)


def test_a_body_is_parsed_a_few_kilobytes_a_turn():
    limits = replace(LIMITS, body_bytes=65536)
    body = b"x" * 65536
    setup = deliver(Setup(quick=True, limits=limits), post("p", body))
    turns = len(calls_by_turn(setup))
    assert (setup.app.requests, turns) == ([("p", body)], -(-len(post("p", body)) // TURN_BYTES))


def test_calls_that_waited_behind_a_response_have_the_same_budget():
    limits = replace(LIMITS, pipelined=64)
    setup = Setup(limits=limits)
    setup.receive(get("first") + FLOOD[: len(get("0")) * 10])
    setup.app.quick = True
    setup.connection.send_response(b"<first>")
    assert max(calls_by_turn(setup)[1:]) <= TURN_CALLS
    assert setup.names == ["first", *MANY[:10]]


def test_the_rest_of_a_flood_is_dropped_with_its_connection():
    setup = deliver(Setup(quick=True), FLOOD)
    setup.connection.connection_lost(None)
    assert (setup.run_turns().names, setup.transport.written.count(b"<")) == (MANY[:TURN_CALLS], TURN_CALLS)


def test_a_malformed_request_in_a_flood_is_refused_in_its_place():
    setup = Setup(quick=True).receive(FLOOD[: len(get("0")) * 10] + b"GET /a/../b HTTP/1.1\r\nHost: h\r\n\r\n" + FLOOD)
    assert (setup.names, setup.app.refused) == (MANY[:10], [Violation.TARGET_MALFORMED])


def test_nothing_is_answered_after_connection_close_in_a_flood():
    setup = Setup(quick=True).receive(FLOOD[: len(get("0")) * 10] + get("last", "Connection: close") + FLOOD)
    assert (setup.names, setup.transport.events) == ([*MANY[:10], "last"], ["close"])


def test_tls_decrypts_little_ahead_of_a_paused_connection():
    setup = Setup()
    limits = []
    setup.transport.set_read_buffer_limits = lambda *, high: limits.extend([high])
    setup.connection.connection_made(setup.transport)
    assert limits == [16 * 1024]


@pytest.mark.parametrize("tls", [True, False])
def test_a_refused_flood_is_not_read_any_more_and_cut(tls):
    setup = Setup(quick=True, tls=tls)

    def handle(connection, *_):
        connection.close_after_response()
        connection.send_response(b"<last>")

    setup.app.handle = handle
    setup.receive(FLOOD)
    assert (setup.transport.written, setup.transport.reading) == (b"<last>", False)
    assert setup.transport.events == ([] if tls else ["eof"])
    assert setup.wait(1.0).transport.events[-1] == "abort"


@pytest.mark.parametrize("tls", [True, False])
def test_a_flood_behind_a_malformed_request_is_not_read(tls):
    setup = Setup(quick=True, tls=tls).receive(b"GET /a/../b HTTP/1.1\r\nHost: h\r\n\r\n" + FLOOD)
    assert (setup.transport.written, setup.transport.reading) == (b"<refused>", False)
    assert setup.wait(1.0).transport.events[-1] == "abort"


def test_reading_pauses_when_bytes_come_before_a_scheduled_turn():
    limits = replace(LIMITS, pipelined=64)
    setup = deliver(Setup(limits=limits), FLOOD[: len(get("0")) * 10])
    for number in range(TURN_CALLS):
        setup.connection.send_response(b"<%d>" % number)
    deliver(setup, get("late"))
    assert (setup.names, setup.transport.reading) == (MANY[:TURN_CALLS], False)
    setup.clock.run_turn()
    deliver(setup, get("later"))
    for number in range(TURN_CALLS, 12):
        setup.connection.send_response(b"<%d>" % number)
        setup.run_turns()
    assert (setup.names, setup.transport.reading) == ([*MANY[:10], "late", "later"], True)
