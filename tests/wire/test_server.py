import math

import pytest
from stand_ins import LIMITS, Setup, get, post

from relay.wire.head import Violation
from relay.wire.server import WRITE_HIGH

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
BAD = b"GET /a/../b HTTP/1.1\r\nHost: h\r\n\r\n"


def test_app_and_watch_know_a_connection_until_it_is_lost():
    setup = Setup()
    assert (setup.app.made, len(setup.watch), setup.transport.high, setup.seconds_left) == (
        1,
        1,
        WRITE_HIGH,
        LIMITS.head_s,
    )
    setup.connection.connection_lost(None)
    assert (setup.app.lost_count, len(setup.watch)) == (1, 0)


def test_pipelined_requests_are_handled_one_at_a_time_in_order():
    setup = Setup().receive(get("a") + post("b", b"{1}") + get("c"))
    assert setup.app.requests == [("a", b"")]
    setup.connection.send_response(b"<a>")
    assert setup.app.requests[1:] == [("b", b"{1}")]
    setup.connection.write(b"<b")
    setup.connection.write(b">")
    setup.connection.finish()
    assert setup.run_turns().names == ["a", "b", "c"]
    setup.connection.send_response(b"<c>")
    assert (setup.transport.written, setup.transport.events) == (b"<a><b><c>", [])


def test_an_app_that_answers_at_once_gets_requests_in_order():
    assert Setup(quick=True).receive(b"".join(get(str(n)) for n in range(100))).names == [str(n) for n in range(100)]


def test_valid_requests_are_answered_before_a_refusal_and_the_end():
    setup = Setup().receive(get("a") + get("b") + BAD + get("c"))
    setup.receive(get("d"))
    assert (setup.names, setup.app.refused) == (["a"], [])
    setup.connection.send_response(b"<a>")
    setup.connection.send_response(b"<b>")
    setup.run_turns()
    assert (setup.names, setup.app.refused) == (["a", "b"], [Violation.TARGET_MALFORMED])
    assert (setup.transport.written, setup.transport.events) == (b"<a><b><refused>", ["eof"])


def test_nothing_is_read_after_a_refusal():
    setup = Setup(quick=True).receive(BAD, get("a"), BAD)
    assert (setup.names, setup.transport.written) == ([], b"<refused>")


@pytest.mark.parametrize("quick", [True, False])
def test_no_request_is_handled_after_connection_close(quick):
    setup = Setup(quick=quick).receive(get("a", "Connection: close") + post("b") + get("c"))
    if not quick:
        setup.connection.send_response(b"<a>")
    assert (setup.names, setup.transport.written, setup.transport.events) == (["a"], b"<a>", ["close"])
    setup.receive(get("d"))
    assert setup.names == ["a"]


def test_a_malformed_request_after_connection_close_is_ignored():
    setup = Setup().receive(get("a", "Connection: close") + BAD)
    setup.connection.send_response(b"<a>")
    assert (setup.app.refused, setup.transport.written) == ([], b"<a>")


def test_an_idle_connection_is_closed_and_cut_if_it_does_not_end():
    setup = Setup(quick=True).receive(get()).wait(LIMITS.idle_s)
    assert setup.transport.events == ["close"]
    setup.wait(LIMITS.idle_s)
    assert setup.transport.events == ["close", "abort"]
    assert setup.wait(1e6).transport.events == ["close", "abort"]


def test_a_silent_peer_is_closed_after_the_head_timeout():
    assert Setup().wait(LIMITS.head_s - 0.1).transport.events == []
    assert Setup().wait(LIMITS.head_s).transport.events == ["close"]


def test_a_head_in_small_pieces_has_its_time_once():
    setup = Setup(quick=True)
    for sign in get()[:10]:
        setup.receive(bytes([sign])).wait(LIMITS.head_s / 10)
    assert (setup.app.refused, setup.transport.written) == ([Violation.HEAD_TOO_SLOW], b"<refused>")


def test_a_body_in_small_pieces_has_its_time_once():
    setup = Setup(quick=True).receive(post(body=b"x" * 100)[:-100])
    for _ in range(10):
        setup.receive(b"x").wait(LIMITS.body_s / 10)
    assert (setup.names, setup.app.refused) == ([], [Violation.BODY_TOO_SLOW])


def test_each_request_has_its_own_time():
    setup = Setup(quick=True)
    data = get("a") + post("b", b"x" * 50) + get("c")
    for at in range(0, len(data), 20):
        setup.receive(data[at : at + 20]).wait(1.0)
    assert (setup.names, setup.app.refused) == (["a", "b", "c"], [])


def test_there_is_no_deadline_while_the_app_has_a_request():
    setup = Setup().receive(get("a")).wait(1e6)
    assert setup.transport.events == []


@pytest.mark.parametrize("rest", [get("b")[4:], BAD[4:], b"\0"])
def test_a_head_in_two_segments_does_not_cut_a_slow_response(rest):
    setup = Setup().receive(get("a"), b"GET ", rest).wait(LIMITS.head_s)
    assert (setup.transport.events, setup.seconds_left) == ([], math.inf)
    setup.connection.send_response(b"<a>")
    assert setup.transport.written.startswith(b"<a>")
    assert setup.names == ["a", "b"] or setup.app.refused


def test_half_a_head_behind_a_slow_response_is_refused_after_it():
    setup = Setup().receive(get("a"), b"GET ").wait(LIMITS.head_s).wait(1e6)
    assert (setup.app.refused, setup.transport.events) == ([], [])
    setup.connection.send_response(b"<a>")
    assert (setup.transport.written, setup.app.refused) == (b"<a><refused>", [Violation.HEAD_TOO_SLOW])


def test_half_a_request_gets_its_time_after_the_response_before_it():
    setup = Setup().receive(get("a") + post("b")[:-1])
    setup.connection.send_response(b"<a>")
    assert setup.seconds_left == LIMITS.body_s
    assert setup.wait(LIMITS.body_s).app.refused == [Violation.BODY_TOO_SLOW]


EXPECTING = post("p", b"{}", "Expect: 100-continue")


def test_a_waiting_sender_gets_100_continue():
    setup = Setup(quick=True).receive(EXPECTING[:-2])
    assert setup.transport.written == CONTINUE
    assert setup.receive(b"{}").transport.written == CONTINUE + b"<p>"


def test_a_body_that_came_along_gets_no_100_continue():
    setup = Setup(quick=True).receive(EXPECTING, get()[:9], get()[9:], post("q")[:-2], b"{}")
    assert setup.transport.written == b"<p><a><q>"


def test_continue_is_sent_after_a_response_and_not_into_it():
    setup = Setup().receive(get("a"), get("b"), EXPECTING[:-2])
    setup.connection.send_response(b"<a>")
    assert setup.transport.written == b"<a>"
    setup.connection.send_response(b"<b>")
    assert setup.transport.written == b"<a><b>" + CONTINUE


def test_a_body_refused_by_its_length_gets_no_100_continue():
    large = post("p", b"x" * 1025, "Expect: 100-continue")
    assert Setup().receive(large[:-1025]).transport.written == b"<refused>"
