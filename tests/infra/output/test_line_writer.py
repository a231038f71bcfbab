import threading

import pytest

from relay.infra.output.line_writer import QUIET_S, Lines, LineWriter


class FakeSink:
    """Stores written lines; fails with `error`, blocks until `go`."""

    def __init__(self):
        self.lines, self.error, self.closed = [], None, False
        self.reached, self.go = threading.Event(), threading.Event()
        self.go.set()

    def write(self, batches):
        self.reached.set()
        assert self.go.wait(20)
        if self.error:
            return 0, self.error
        self.lines += [line for lines in batches for line in lines.text.splitlines()]
        return sum(lines.number for lines in batches), None

    def close(self):
        self.closed = True


def lines(*texts):
    return Lines(b"".join(text + b"\n" for text in texts), len(texts))


class Callbacks:
    """Records the callbacks of a writer; holds its clock."""

    def __init__(self):
        self.events, self.now = [], 0.0

    def build_writer(self, max_lines):
        return LineWriter("test", max_lines, self.events.append, self.events.append, lambda: self.now)


@pytest.fixture
def callbacks():
    return Callbacks()


def test_queued_lines_are_written_in_order(callbacks):
    sink, writer = FakeSink(), callbacks.build_writer(10)
    writer.start(sink)
    writer.put(lines(b"1", b"2"))
    writer.put(lines(b"3"))
    writer.stop()
    assert (sink.lines, sink.closed, writer.written, writer.lost) == ([b"1", b"2", b"3"], True, 3, 0)
    assert callbacks.events == []


def test_queued_lines_are_written_at_once(callbacks):
    sink, writer = FakeSink(), callbacks.build_writer(10)
    writer.start(sink)
    writer.put(lines(b"1"))
    assert sink.reached.wait(20)
    writer.stop()


def test_a_sink_that_is_not_read_blocks_neither_put_nor_stop(callbacks):
    sink, writer = FakeSink(), callbacks.build_writer(3)
    sink.go.clear()
    writer.start(sink)
    writer.put(lines(b"1", b"2"))
    assert sink.reached.wait(20)
    writer.put(lines(b"3", b"4", b"5"))
    writer.drop(4)
    assert (writer.free_places, writer.lost) == (0, 4)
    writer.stop(timeout_s=0.01)
    assert (writer.written, writer.lost) == (0, 9)
    assert callbacks.events == ["the queue is full"]
    sink.go.set()


def test_a_loss_is_reported_at_its_begin_and_its_end(callbacks):
    sink, writer = FakeSink(), callbacks.build_writer(10)
    writer.start(sink)
    writer.stop()
    sink.error = OSError(28, "No space left on device")
    for _ in range(3):
        writer.put(lines(b"lost"))
        writer.write_queued()
    assert callbacks.events == ["No space left on device"]
    callbacks.now = 100
    writer.write_queued()
    assert len(callbacks.events) == 1  # nothing was written since
    sink.error = None
    writer.put(lines(b"kept"))
    writer.write_queued()
    assert callbacks.events == ["No space left on device", 3]
    assert (writer.lost, writer.written, sink.lines) == (3, 1, [b"kept"])


def test_the_end_of_a_loss_is_reported_after_a_quiet_time(callbacks):
    sink, writer = FakeSink(), callbacks.build_writer(10)
    writer.start(sink)
    writer.stop()
    writer.drop(2)
    writer.put(lines(b"kept"))
    writer.write_queued()
    callbacks.now = QUIET_S - 0.1
    writer.write_queued()
    writer.drop(3)
    callbacks.now = QUIET_S + 0.1
    writer.write_queued()
    assert callbacks.events == ["the queue is full"]
    callbacks.now = 2 * QUIET_S
    writer.write_queued()
    assert callbacks.events == ["the queue is full", 5]


def test_a_replaced_sink_gets_the_lines_queued_after_it(callbacks):
    old, new, writer = FakeSink(), FakeSink(), callbacks.build_writer(10)
    writer.start(old)
    writer.put(lines(b"old"))
    writer.replace_sink(lambda sink: (sink.close(), new)[1])
    writer.put(lines(b"new"))
    writer.stop()
    assert (old.lines, old.closed, new.lines, new.closed) == ([b"old"], True, [b"new"], True)
