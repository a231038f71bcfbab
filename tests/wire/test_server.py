"""The server's side without sockets: order, the end, and the clock of one connection."""

import math

import pytest
from stand_ins import LIMITS, Line, get, post

from relay.wire.head import Wrong
from relay.wire.server import WRITE_HIGH

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
BAD = b"GET /a/../b HTTP/1.1\r\nHost: h\r\n\r\n"


def test_a_connection_stands_with_the_app_and_the_watch_until_it_is_lost():
    line = Line()
    assert (line.app.came, len(line.watch), line.transport.high, line.left) == (1, 1, WRITE_HIGH, LIMITS.head_s)
    line.connection.connection_lost(None)
    assert (line.app.went, len(line.watch)) == (1, 0)


def test_pipelined_requests_are_handed_over_one_at_a_time_and_answered_in_order():
    line = Line().hear(get("a") + post("b", b"{1}") + get("c"))
    assert line.app.asked == [("a", b"")]
    line.connection.send_response(b"<a>")
    assert line.app.asked[1:] == [("b", b"{1}")]
    line.connection.write(b"<b")
    line.connection.write(b">")
    line.connection.finish()
    assert line.turn().names == ["a", "b", "c"]
    line.connection.send_response(b"<c>")
    assert (line.transport.written, line.transport.events) == (b"<a><b><c>", [])


def test_an_app_that_answers_at_once_is_asked_in_order_too():
    assert Line(quick=True).hear(b"".join(get(str(n)) for n in range(100))).names == [str(n) for n in range(100)]


def test_what_is_good_before_the_refused_is_answered_first_then_the_refusal_then_the_end():
    line = Line().hear(get("a") + get("b") + BAD + get("c"))
    line.hear(get("d"))
    assert (line.names, line.app.refused) == (["a"], [])
    line.connection.send_response(b"<a>")
    line.connection.send_response(b"<b>")
    line.turn()
    assert (line.names, line.app.refused) == (["a", "b"], [Wrong.TARGET_MALFORMED])
    assert (line.transport.written, line.transport.events) == (b"<a><b><refused>", ["eof"])


def test_nothing_is_read_after_the_refused():
    line = Line(quick=True).hear(BAD, get("a"), BAD)
    assert (line.names, line.transport.written) == ([], b"<refused>")


@pytest.mark.parametrize("quick", [True, False])
def test_nothing_is_asked_after_the_request_that_closes(quick):
    line = Line(quick=quick).hear(get("a", "Connection: close") + post("b") + get("c"))
    if not quick:
        line.connection.send_response(b"<a>")
    assert (line.names, line.transport.written, line.transport.events) == (["a"], b"<a>", ["close"])
    line.hear(get("d"))
    assert line.names == ["a"]


def test_a_refused_request_behind_the_one_that_closes_is_not_answered():
    line = Line().hear(get("a", "Connection: close") + BAD)
    line.connection.send_response(b"<a>")
    assert (line.app.refused, line.transport.written) == ([], b"<a>")


def test_an_idle_connection_is_closed_and_one_that_does_not_end_is_cut():
    line = Line(quick=True).hear(get()).wait(LIMITS.idle_s)
    assert line.transport.events == ["close"]
    line.wait(LIMITS.idle_s)
    assert line.transport.events == ["close", "abort"]
    assert line.wait(1e6).transport.events == ["close", "abort"]


def test_who_says_nothing_at_all_is_closed_after_the_time_for_a_head():
    assert Line().wait(LIMITS.head_s - 0.1).transport.events == []
    assert Line().wait(LIMITS.head_s).transport.events == ["close"]


def test_a_head_that_drips_has_its_time_once():
    line = Line(quick=True)
    for sign in get()[:10]:
        line.hear(bytes([sign])).wait(LIMITS.head_s / 10)
    assert (line.app.refused, line.transport.written) == ([Wrong.HEAD_TOO_SLOW], b"<refused>")


def test_a_body_that_drips_has_its_time_once():
    line = Line(quick=True).hear(post(body=b"x" * 100)[:-100])
    for _ in range(10):
        line.hear(b"x").wait(LIMITS.body_s / 10)
    assert (line.names, line.app.refused) == ([], [Wrong.BODY_TOO_SLOW])


def test_each_message_has_its_own_time():
    line = Line(quick=True)
    data = get("a") + post("b", b"x" * 50) + get("c")
    for at in range(0, len(data), 20):
        line.hear(data[at : at + 20]).wait(1.0)
    assert (line.names, line.app.refused) == (["a", "b", "c"], [])


def test_nothing_is_overdue_while_the_app_has_a_request():
    line = Line().hear(get("a")).wait(1e6)
    assert line.transport.events == []


@pytest.mark.parametrize("rest", [get("b")[4:], BAD[4:], b"\0"])
def test_a_head_in_two_segments_behind_a_slow_answer_does_not_cut_it(rest):
    line = Line().hear(get("a"), b"GET ", rest).wait(LIMITS.head_s)
    assert (line.transport.events, line.left) == ([], math.inf)
    line.connection.send_response(b"<a>")
    assert line.transport.written.startswith(b"<a>")
    assert line.names == ["a", "b"] or line.app.refused


def test_half_a_head_behind_a_slow_answer_is_refused_after_it():
    line = Line().hear(get("a"), b"GET ").wait(LIMITS.head_s).wait(1e6)
    assert (line.app.refused, line.transport.events) == ([], [])
    line.connection.send_response(b"<a>")
    assert (line.transport.written, line.app.refused) == (b"<a><refused>", [Wrong.HEAD_TOO_SLOW])


def test_half_a_request_gets_its_time_after_the_answer_before_it():
    line = Line().hear(get("a") + post("b")[:-1])
    line.connection.send_response(b"<a>")
    assert line.left == LIMITS.body_s
    assert line.wait(LIMITS.body_s).app.refused == [Wrong.BODY_TOO_SLOW]


EXPECTING = post("p", b"{}", "Expect: 100-continue")


def test_a_body_is_asked_for_when_its_sender_waits():
    line = Line(quick=True).hear(EXPECTING[:-2])
    assert line.transport.written == CONTINUE
    assert line.hear(b"{}").transport.written == CONTINUE + b"<p>"


def test_a_body_that_came_along_is_not_asked_for_nor_is_anything_after_it():
    line = Line(quick=True).hear(EXPECTING, get()[:9], get()[9:], post("q")[:-2], b"{}")
    assert line.transport.written == b"<p><a><q>"


def test_a_body_behind_an_answer_is_asked_for_after_it_and_not_into_it():
    line = Line().hear(get("a"), get("b"), EXPECTING[:-2])
    line.connection.send_response(b"<a>")
    assert line.transport.written == b"<a>"
    line.connection.send_response(b"<b>")
    assert line.transport.written == b"<a><b>" + CONTINUE


def test_a_body_refused_by_its_announcement_is_not_asked_for():
    large = post("p", b"x" * 1025, "Expect: 100-continue")
    assert Line().hear(large[:-1025]).transport.written == b"<refused>"
