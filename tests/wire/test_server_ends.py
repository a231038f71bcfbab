"""How a connection of the server's side ends, and what it holds when its peer does not read."""

import gc

import pytest
from stand_ins import LIMITS, App, Clock, Line, Source, get, post

from relay.wire.head import Wrong
from relay.wire.server import ServerConnection
from relay.wire.watch import Watch

BAD = b"GET /a/../b HTTP/1.1\r\nHost: h\r\n\r\n"


def test_after_a_refusal_the_rest_is_read_away_for_a_second():
    line = Line().hear(BAD)
    assert line.transport.events == ["eof"]
    line.hear(b"x" * 100_000).wait(0.9)
    assert line.transport.events == ["eof"]
    assert line.wait(0.1).transport.events == ["eof", "close"]


def test_tls_lingers_by_itself_and_is_cut_after_a_second():
    line = Line(tls=True).hear(BAD)
    assert line.transport.events == ["close"]
    assert line.wait(1.0).transport.events == ["close", "abort"]


def test_reading_stops_when_enough_is_waiting_and_goes_on_when_it_is_answered():
    line = Line().hear(b"".join(get(str(n)) for n in range(20)))
    assert not line.transport.reading
    for number in range(19):
        assert len(line.connection._ready) <= LIMITS.pipelined
        line.connection.send_response(b"<%d>" % number)
        line.turn()
    assert line.transport.reading
    assert line.names == [str(n) for n in range(20)]


def test_what_is_refused_behind_a_stop_is_refused_when_its_turn_comes():
    line = Line().hear(b"".join(get(str(n)) for n in range(6)) + BAD)
    for _ in range(6):
        assert line.app.refused == []
        line.connection.send_response(b"<>")
        line.turn()
    assert line.app.refused == [Wrong.TARGET_MALFORMED]


def test_a_stop_does_not_outlive_its_connection():
    line = Line().hear(b"".join(get(str(n)) for n in range(20)))
    line.connection.abort()
    line.connection.connection_lost(None)
    line.connection.send_response(b"<late>")
    assert line.names == ["0"]
    assert not line.transport.reading


def test_a_cut_amid_a_segment_ends_what_is_behind_it():
    line = Line()
    line.app.handle = lambda connection, head, _body: (line.app.asked.append((head.path, b"")), connection.abort())
    line.hear(b"".join(get(str(n)) for n in range(20)))
    assert (len(line.app.asked), line.transport.events) == (1, ["abort"])


def test_a_slow_or_vanished_reader_is_told_to_the_source():
    line, source = Line().hear(get()), Source()
    line.connection.source = source
    line.connection.pause_writing()
    line.connection.resume_writing()
    line.connection.connection_lost(ConnectionResetError())
    assert source.told == ["pause", "resume", "gone"]


def test_a_source_hears_nothing_after_its_answer():
    line, source = Line().hear(get()), Source()
    line.connection.source = source
    line.connection.send_response(b"<a>")
    line.connection.pause_writing()
    line.connection.connection_lost(None)
    assert source.told == []


def test_who_does_not_read_answers_is_asked_nothing_more_and_read_no_further():
    line = Line(quick=True)
    line.connection.pause_writing()
    line.hear(*[get(str(n)) for n in range(LIMITS.pipelined)])
    assert (line.names, line.transport.written, line.transport.reading) == ([], b"", False)
    line.connection.resume_writing()
    line.turn()
    assert (line.transport.written, line.transport.reading) == (b"<0><1><2><3>", True)


def test_a_refusal_waits_for_a_reader_too_and_not_for_ever():
    line = Line(quick=True)
    line.connection.pause_writing()
    line.hear(get("a"), BAD)
    assert (line.transport.written, line.left) == (b"", LIMITS.idle_s)
    assert line.wait(LIMITS.idle_s).transport.events == ["abort"]


@pytest.mark.parametrize("sent", [b"", get("b"), get("b")[:5]])
def test_who_never_reads_is_cut(sent):
    line = Line(quick=True).hear(get("a"))
    line.connection.pause_writing()
    line.hear(sent).wait(LIMITS.idle_s)
    assert line.transport.events == ["abort"]


def test_a_slow_reader_of_an_answer_that_still_comes_is_not_cut():
    line = Line().hear(get("a"))
    line.connection.pause_writing()
    line.hear(get("b")[:5]).wait(1e6)
    assert line.transport.events == []


def test_an_idle_connection_can_be_closed_at_once():
    line = Line(quick=True).hear(get("a"))
    line.connection.close_when_idle()
    assert line.transport.events == ["close"]


def test_the_answer_in_hand_is_the_last_when_the_end_was_asked_for():
    line = Line().hear(get("a") + get("b"))
    line.connection.close_when_idle()
    assert line.transport.events == []
    line.connection.send_response(b"<a>")
    assert (line.transport.events, line.names) == (["close"], ["a"])


def test_a_request_on_its_way_is_answered_before_the_end():
    line = Line(quick=True).hear(post("a")[:-1])
    line.connection.close_when_idle()
    assert line.transport.events == []
    assert line.hear(b"}").transport.written == b"<a>"
    assert line.transport.events == ["close"]


def test_a_request_on_its_way_that_never_comes_is_refused_and_the_end():
    line = Line().hear(get("a")[:5])
    line.connection.close_when_idle()
    line.wait(LIMITS.head_s)
    assert (line.app.refused, line.transport.events) == ([Wrong.HEAD_TOO_SLOW], ["eof"])


def test_a_connection_never_used_is_cut_at_the_tick_after_its_close():
    line = Line(tls=True).wait(LIMITS.head_s)
    assert line.transport.events == ["close"]
    assert line.wait(0.1).transport.events == ["close", "abort"]


@pytest.mark.parametrize("sent", [b"", get("a")[:5], post("a")[:-1]])
def test_a_last_call_that_does_not_come_in_time_is_not_waited_for(sent):
    line = Line(tls=True)
    line.connection.limit_to_one_call(0.5)
    line.hear(*(sent[place : place + 1] for place in range(len(sent)))).wait(0.5)
    assert (line.app.refused, line.transport.events) == ([], ["close"])
    assert line.wait(0.1).transport.events == ["close", "abort"]


def test_a_last_call_that_comes_in_time_is_answered():
    line = Line(quick=True)
    line.connection.limit_to_one_call(0.5)
    line.hear(get("a")[:5], get("a")[5:] + get("b"))
    assert (line.transport.written, line.transport.events) == (b"<a>", ["close"])


ENDINGS = [get(), get()[:-4], post(body=b"{" * 9)[:-3], BAD, get("a", "Connection: close"), get() * 9 + BAD, b""]


@pytest.mark.parametrize("sent", ENDINGS)
@pytest.mark.parametrize("quick", [True, False])
def test_a_lost_connection_leaves_no_reference_cycle(sent, quick):
    gc.collect()
    gc.disable()
    try:
        line = Line(quick=quick).hear(sent)
        line.connection.connection_lost(None)
        del line
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_connection_that_never_stood_leaves_no_reference_cycle():
    gc.collect()
    gc.disable()
    try:
        ServerConnection(App(), LIMITS, Watch(), Clock())
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_lost_connection_takes_late_answers_and_does_nothing():
    line = Line().hear(get("a"), get("b"))
    line.connection.connection_lost(None)
    line.connection.write(b"late")
    line.connection.send_response(b"<a>")
    line.connection.abort()
    line.connection.close_when_idle()
    assert (line.transport.written, line.transport.events, line.names) == (b"", [], ["a"])
