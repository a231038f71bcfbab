import threading

import pytest

from relay.infra.output.line_writer import QUIET_S, LineWriter


class Sink:
    """Keeps what is written; may be full, or hold the writer up."""

    def __init__(self):
        self.lines, self.error, self.closed = [], None, False
        self.reached, self.go = threading.Event(), threading.Event()
        self.go.set()

    def write(self, lines):
        self.reached.set()
        assert self.go.wait(20)
        done = 0 if self.error else len(lines)
        self.lines += lines[:done]
        return done, self.error

    def close(self):
        self.closed = True


class Told:
    """What the writer tells, and its clock."""

    def __init__(self):
        self.events, self.now = [], 0.0

    def writer(self, most):
        return LineWriter("test", most, self.events.append, self.events.append, lambda: self.now)


@pytest.fixture
def told():
    return Told()


def test_queued_lines_are_written_in_order_and_the_sink_closed(told):
    sink, writer = Sink(), told.writer(10)
    writer.start(sink)
    writer.put([b"1", b"2"])
    writer.put([b"3"])
    writer.stop()
    assert (sink.lines, sink.closed, writer.written, writer.lost) == ([b"1", b"2", b"3"], True, 3, 0)
    assert told.events == []


def test_a_hurried_line_does_not_wait(told):
    sink, writer = Sink(), told.writer(10)
    writer.start(sink)
    writer.put([b"1"])
    writer.hurry()
    assert sink.reached.wait(20)
    writer.stop()


def test_a_sink_that_is_not_read_blocks_neither_put_nor_stop(told):
    sink, writer = Sink(), told.writer(3)
    sink.go.clear()
    writer.start(sink)
    writer.put([b"1", b"2"])
    writer.hurry()
    assert sink.reached.wait(20)
    writer.put([b"3", b"4", b"5"], refused=4)
    assert (writer.room, writer.lost) == (0, 4)
    writer.stop(patience_s=0.01)
    assert (writer.written, writer.lost) == (0, 9)
    assert told.events == ["the queue is full"]
    sink.go.set()


def test_losing_is_told_once_when_it_begins_and_once_when_it_ends(told):
    sink, writer = Sink(), told.writer(10)
    writer.start(sink)
    writer.stop()
    sink.error = OSError(28, "No space left on device")
    for _ in range(3):
        writer.put([b"lost"])
        writer.write_queued()
    assert told.events == ["No space left on device"]
    told.now = 100
    writer.write_queued()
    assert len(told.events) == 1  # nothing was written since: it may still be full
    sink.error = None
    writer.put([b"kept"])
    writer.write_queued()
    assert told.events == ["No space left on device", 3]
    assert (writer.lost, writer.written, sink.lines) == (3, 1, [b"kept"])


def test_an_end_is_told_when_nothing_was_lost_for_a_while(told):
    sink, writer = Sink(), told.writer(10)
    writer.start(sink)
    writer.stop()
    writer.put([], refused=2)
    writer.put([b"kept"])
    writer.write_queued()
    told.now = QUIET_S - 0.1
    writer.write_queued()
    writer.put([], refused=3)
    told.now = QUIET_S + 0.1
    writer.write_queued()
    assert told.events == ["the queue is full"]
    told.now = 2 * QUIET_S
    writer.write_queued()
    assert told.events == ["the queue is full", 5]


def test_an_exchanged_sink_takes_what_is_queued_after_it(told):
    old, fresh, writer = Sink(), Sink(), told.writer(10)
    writer.start(old)
    writer.put([b"old"])
    writer.exchange(lambda sink: (sink.close(), fresh)[1])
    writer.put([b"new"])
    writer.stop()
    assert (old.lines, old.closed, fresh.lines, fresh.closed) == ([b"old"], True, [b"new"], True)
