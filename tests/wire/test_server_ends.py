import gc
import socket

import pytest
from stand_ins import LIMITS, App, Clock, FakeSource, Setup, get, post

from relay.wire.deadline_watch import DeadlineWatch
from relay.wire.head import RequestHead, Violation
from relay.wire.server import ServerConnection

BAD = b"GET /a/../b HTTP/1.1\r\nHost: h\r\n\r\n"


def test_after_a_refusal_input_is_discarded_for_a_second():
    setup = Setup().receive(BAD)
    assert setup.transport.events == ["eof"]
    setup.receive(b"x" * 100_000).wait(0.9)
    assert setup.transport.events == ["eof"]
    assert setup.wait(0.1).transport.events == ["eof", "close"]


def test_tls_lingers_by_itself_and_is_cut_after_a_second():
    setup = Setup(tls=True).receive(BAD)
    assert setup.transport.events == ["close"]
    assert setup.wait(1.0).transport.events == ["close", "abort"]


def count_heads():
    """Returns the number of heads in memory: of requests in progress and of queued ones."""
    return sum(isinstance(thing, RequestHead) for thing in gc.get_objects())


def test_reading_pauses_while_the_pipeline_is_full():
    gc.collect()
    before = count_heads()
    setup = Setup().receive(b"".join(get(str(n)) for n in range(20)))
    assert not setup.transport.reading
    for number in range(19):
        assert count_heads() - before <= 1 + LIMITS.pipelined
        setup.connection.send_response(b"<%d>" % number)
        setup.run_turns()
    assert setup.transport.reading
    assert setup.names == [str(n) for n in range(20)]


def test_a_malformed_request_in_a_full_pipeline_is_refused_in_turn():
    setup = Setup().receive(b"".join(get(str(n)) for n in range(6)) + BAD)
    for _ in range(6):
        assert setup.app.refused == []
        setup.connection.send_response(b"<>")
        setup.run_turns()
    assert setup.app.refused == [Violation.TARGET_MALFORMED]


def test_a_full_pipeline_is_dropped_with_its_connection():
    setup = Setup().receive(b"".join(get(str(n)) for n in range(20)))
    setup.connection.abort()
    setup.connection.connection_lost(None)
    setup.connection.send_response(b"<late>")
    assert setup.names == ["0"]
    assert not setup.transport.reading


def test_requests_behind_an_abort_are_not_handled():
    setup = Setup()

    def handle(connection, head, _body):
        setup.app.requests.append((head.path, b""))
        connection.abort()

    setup.app.handle = handle
    setup.receive(b"".join(get(str(n)) for n in range(20)))
    assert (len(setup.app.requests), setup.transport.events) == (1, ["abort"])


def test_the_source_is_notified_of_a_slow_or_lost_reader():
    setup, source = Setup().receive(get()), FakeSource()
    setup.connection.source = source
    setup.connection.pause_writing()
    setup.connection.resume_writing()
    setup.connection.connection_lost(ConnectionResetError())
    assert source.calls == ["pause", "resume", "peer_disconnected"]


def test_a_source_is_not_notified_after_its_response():
    setup, source = Setup().receive(get()), FakeSource()
    setup.connection.source = source
    setup.connection.send_response(b"<a>")
    setup.connection.pause_writing()
    setup.connection.connection_lost(None)
    assert source.calls == []


def test_no_request_of_a_slow_reader_is_handled_or_read():
    setup = Setup(quick=True)
    setup.connection.pause_writing()
    setup.receive(*[get(str(n)) for n in range(LIMITS.pipelined)])
    assert (setup.names, setup.transport.written, setup.transport.reading) == ([], b"", False)
    setup.connection.resume_writing()
    setup.run_turns()
    assert (setup.transport.written, setup.transport.reading) == (b"<0><1><2><3>", True)


def test_a_refusal_waits_for_a_slow_reader_up_to_a_deadline():
    setup = Setup(quick=True)
    setup.connection.pause_writing()
    setup.receive(get("a"), BAD)
    assert (setup.transport.written, setup.seconds_left) == (b"", LIMITS.idle_s)
    assert setup.wait(LIMITS.idle_s).transport.events == ["abort"]


@pytest.mark.parametrize("sent", [b"", get("b"), get("b")[:5]])
def test_a_peer_that_never_reads_is_cut(sent):
    setup = Setup(quick=True).receive(get("a"))
    setup.connection.pause_writing()
    setup.receive(sent).wait(LIMITS.idle_s)
    assert setup.transport.events == ["abort"]


def test_a_slow_reader_of_an_open_response_is_not_cut():
    setup = Setup().receive(get("a"))
    setup.connection.pause_writing()
    setup.receive(get("b")[:5]).wait(1e6)
    assert setup.transport.events == []


def test_close_when_idle_closes_an_idle_connection_at_once():
    setup = Setup(quick=True).receive(get("a"))
    setup.connection.close_when_idle()
    assert setup.transport.events == ["close"]


def test_close_when_idle_closes_after_the_current_response():
    setup = Setup().receive(get("a") + get("b"))
    setup.connection.close_when_idle()
    assert setup.transport.events == []
    setup.connection.send_response(b"<a>")
    assert (setup.transport.events, setup.names) == (["close"], ["a"])


def test_close_when_idle_answers_a_partly_received_request():
    setup = Setup(quick=True).receive(post("a")[:-1])
    setup.connection.close_when_idle()
    assert setup.transport.events == []
    assert setup.receive(b"}").transport.written == b"<a>"
    assert setup.transport.events == ["close"]


def test_close_when_idle_answers_a_request_not_yet_read(monkeypatch):
    setup = Setup(quick=True).receive(get("a"))
    ours, peer = socket.socketpair()
    with ours, peer:
        monkeypatch.setattr(setup.transport, "get_extra_info", lambda _name: ours)
        peer.send(get("b"))
        setup.connection.close_when_idle()
        assert setup.transport.events == []
        assert setup.receive(ours.recv(100)).names == ["a", "b"]
    assert setup.transport.events == ["close"]


def test_close_when_idle_answers_a_request_of_the_next_turn():
    setup = Setup(quick=True)
    setup.connection.data_received(get("a") + get("b") + get("c"))
    setup.connection.close_when_idle()
    assert setup.transport.events == []
    assert setup.run_turns().names == ["a", "b", "c"]
    assert setup.transport.events == ["close"]


def test_close_when_idle_refuses_a_request_that_never_comes():
    setup = Setup().receive(get("a")[:5])
    setup.connection.close_when_idle()
    setup.wait(LIMITS.head_s)
    assert (setup.app.refused, setup.transport.events) == ([Violation.HEAD_TOO_SLOW], ["eof"])


def test_a_connection_never_used_is_cut_at_the_tick_after_its_close():
    setup = Setup(tls=True).wait(LIMITS.head_s)
    assert setup.transport.events == ["close"]
    assert setup.wait(0.1).transport.events == ["close", "abort"]


@pytest.mark.parametrize("sent", [b"", get("a")[:5], post("a")[:-1]])
def test_a_last_call_that_does_not_come_in_time_is_cut(sent):
    setup = Setup(tls=True)
    setup.connection.limit_to_one_call(0.5)
    setup.receive(*(sent[at : at + 1] for at in range(len(sent)))).wait(0.5)
    assert (setup.app.refused, setup.transport.events) == ([], ["close"])
    assert setup.wait(0.1).transport.events == ["close", "abort"]


def test_a_last_call_that_comes_in_time_is_answered():
    setup = Setup(quick=True)
    setup.connection.limit_to_one_call(0.5)
    setup.receive(get("a")[:5], get("a")[5:] + get("b"))
    assert (setup.transport.written, setup.transport.events) == (b"<a>", ["close"])


ENDINGS = [get(), get()[:-4], post(body=b"{" * 9)[:-3], BAD, get("a", "Connection: close"), get() * 9 + BAD, b""]


@pytest.mark.parametrize("sent", ENDINGS)
@pytest.mark.parametrize("quick", [True, False])
def test_a_lost_connection_leaves_no_reference_cycle(sent, quick):
    gc.collect()
    gc.disable()
    try:
        setup = Setup(quick=quick).receive(sent)
        setup.connection.connection_lost(None)
        del setup
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_an_unused_protocol_leaves_no_reference_cycle():
    gc.collect()
    gc.disable()
    try:
        ServerConnection(App(), LIMITS, DeadlineWatch(), Clock())
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_lost_connection_ignores_late_responses():
    setup = Setup().receive(get("a"), get("b"))
    setup.connection.connection_lost(None)
    setup.connection.write(b"late")
    setup.connection.send_response(b"<a>")
    setup.connection.abort()
    setup.connection.close_when_idle()
    assert (setup.transport.written, setup.transport.events, setup.names) == (b"", [], ["a"])
