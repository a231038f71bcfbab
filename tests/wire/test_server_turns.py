"""How much of one connection is handled in one turn of the event loop; the others come first for the rest."""

import pytest
from stand_ins import LIMITS, Line, get, post

from relay.wire.head import Wrong
from relay.wire.server import TURN_BYTES, TURN_CALLS

MANY = [str(number) for number in range(1000)]
FLOOD = b"".join(map(get, MANY))


def deliver(line, data):
    """Deliver bytes as the transport does, without a further turn of the loop."""
    line.connection.data_received(data)
    return line


def calls_by_turn(line):
    counts = [len(line.names)]
    while line.clock.soon:
        before = len(line.names)
        line.clock.run_turn()
        counts.append(len(line.names) - before)
    return counts


def test_a_flood_is_handled_a_few_calls_a_turn_and_in_order():
    line = deliver(Line(quick=True), FLOOD)
    assert max(calls_by_turn(line)) == TURN_CALLS
    assert (line.names, line.transport.reading) == (MANY, True)
    assert line.transport.written == b"".join(b"<%b>" % name.encode() for name in MANY)


def test_a_flood_is_not_read_on_while_its_rest_waits():
    line = deliver(Line(quick=True), FLOOD)
    assert (len(line.names), line.transport.reading) == (TURN_CALLS, False)


@pytest.mark.parametrize("cut", [1, TURN_BYTES, len(FLOOD) // 2])
def test_bytes_that_come_in_spite_of_the_pause_keep_their_order(cut):
    line = Line(quick=True)
    for piece in (FLOOD[:cut], FLOOD[cut:]):
        deliver(line, piece)
    assert line.turn().names == MANY


def test_few_calls_and_bytes_need_no_further_turn():
    line = deliver(Line(quick=True), FLOOD[: len(get("0")) * (TURN_CALLS - 1)])
    assert (len(line.names), line.clock.soon, line.transport.reading) == (TURN_CALLS - 1, [], True)


def test_a_body_is_parsed_a_few_kilobytes_a_turn():
    limits = LIMITS.__class__(**{name: getattr(LIMITS, name) for name in LIMITS.__slots__} | {"body_bytes": 65536})
    body = b"x" * 65536
    line = deliver(Line(quick=True, limits=limits), post("p", body))
    turns = len(calls_by_turn(line))
    assert (line.app.asked, turns) == ([("p", body)], -(-len(post("p", body)) // TURN_BYTES))


def test_calls_that_waited_behind_an_answer_have_the_same_budget():
    limits = LIMITS.__class__(**{name: getattr(LIMITS, name) for name in LIMITS.__slots__} | {"pipelined": 64})
    line = Line(limits=limits)
    line.hear(get("first") + FLOOD[: len(get("0")) * 10])
    line.app.quick = True
    line.connection.send_response(b"<first>")
    assert max(calls_by_turn(line)[1:]) <= TURN_CALLS
    assert line.names == ["first", *MANY[:10]]


def test_the_rest_of_a_flood_is_dropped_with_its_connection():
    line = deliver(Line(quick=True), FLOOD)
    line.connection.connection_lost(None)
    assert (line.turn().names, line.transport.written.count(b"<")) == (MANY[:TURN_CALLS], TURN_CALLS)


def test_a_malformed_request_in_a_flood_is_refused_in_its_place():
    line = Line(quick=True).hear(FLOOD[: len(get("0")) * 10] + b"GET /a/../b HTTP/1.1\r\nHost: h\r\n\r\n" + FLOOD)
    assert (line.names, line.app.refused) == (MANY[:10], [Wrong.TARGET_MALFORMED])


def test_a_connection_that_ends_in_a_flood_answers_nothing_more():
    line = Line(quick=True).hear(FLOOD[: len(get("0")) * 10] + get("last", "Connection: close") + FLOOD)
    assert (line.names, line.transport.events) == ([*MANY[:10], "last"], ["close"])


def test_tls_decrypts_little_ahead_of_a_paused_connection():
    line = Line()
    limits = []
    line.transport.set_read_buffer_limits = lambda *, high: limits.extend([high])
    line.connection.connection_made(line.transport)
    assert limits == [16 * 1024]


@pytest.mark.parametrize("tls", [True, False])
def test_a_flood_that_is_refused_is_read_no_further_and_cut(tls):
    line = Line(quick=True, tls=tls)
    line.app.handle = lambda connection, *_: (connection.close_after_response(), connection.send_response(b"<last>"))
    line.hear(FLOOD)
    assert (line.transport.written, line.transport.reading) == (b"<last>", False)
    assert line.transport.events == ([] if tls else ["eof"])
    assert line.wait(1.0).transport.events[-1] == "abort"


@pytest.mark.parametrize("tls", [True, False])
def test_a_flood_behind_a_malformed_request_is_not_read(tls):
    line = Line(quick=True, tls=tls).hear(b"GET /a/../b HTTP/1.1\r\nHost: h\r\n\r\n" + FLOOD)
    assert (line.transport.written, line.transport.reading) == (b"<refused>", False)
    assert line.wait(1.0).transport.events[-1] == "abort"


def test_reading_pauses_when_bytes_come_before_a_scheduled_turn():
    limits = LIMITS.__class__(**{name: getattr(LIMITS, name) for name in LIMITS.__slots__} | {"pipelined": 64})
    line = deliver(Line(limits=limits), FLOOD[: len(get("0")) * 10])
    for number in range(TURN_CALLS):
        line.connection.send_response(b"<%d>" % number)
    deliver(line, get("late"))
    assert (line.names, line.transport.reading) == (MANY[:TURN_CALLS], False)
    line.clock.run_turn()
    deliver(line, get("later"))
    for number in range(TURN_CALLS, 12):
        line.connection.send_response(b"<%d>" % number)
        line.turn()
    assert (line.names, line.transport.reading) == ([*MANY[:10], "late", "later"], True)
