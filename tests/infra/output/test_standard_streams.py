import io
import logging
import os
import subprocess
import sys
import threading

import pytest

from relay.infra.output.standard_streams import MAX_LINE_LENGTH, MAX_LINES, QueuedStderr

UNREAD = """
import logging, sys
from relay.infra.output.standard_streams import QueuedStderr
with QueuedStderr("INFO") as stderr:
    for number in range(30_000):
        logging.getLogger("relay").info("line %d of many", number)
    sys.stderr.write("beside the log\\n")
    def breaks():
        raise RuntimeError("in a thread")
    import threading
    thread = threading.Thread(target=breaks)
    thread.start()
    thread.join()
print(stderr.lost)
"""
RECORDS = """
from relay.domain.exchange import Exchange
from relay.infra.records.access_log import AccessLog
log = AccessLog("stdout", max_lines=10_000)
log.start()
log.write([Exchange(0.0, 0.0) for _ in range(10_000)])
log.stop()
"""
CLOSED = """
import os, sys
from relay.infra.output.standard_streams import open_missing_descriptors
note = os.dup2(3, 9)
os.close(3)
open_missing_descriptors()
print("out"), print("err", file=sys.stderr), sys.stdin.read()
os.write(note, " ".join(os.readlink(f"/proc/self/fd/{number}") for number in range(3)).encode())
"""


def run(script, **streams):
    return subprocess.Popen([sys.executable, "-c", script], **streams)


def test_an_unread_stderr_blocks_neither_logging_nor_the_exit():
    with run(UNREAD, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.wait(timeout=60) == 0
        lost = int(process.stdout.read())
        lines = process.stderr.read().splitlines()
    assert lost >= 30_002 - MAX_LINES - len(lines)
    assert all(b" INFO relay: line " in line for line in lines[:-1])


def test_an_unread_stdout_does_not_block_the_process_exit():
    with run(RECORDS, stdout=subprocess.PIPE) as process:
        assert process.wait(timeout=60) == 0


@pytest.mark.parametrize("closed", [(0, 1, 2), (0,), (1, 2)])
def test_closed_descriptors_are_opened_on_dev_null(tmp_path, closed):
    reading, writing = os.pipe()
    other = (tmp_path / "other").open("w+b")

    def prepare():
        os.dup2(writing, 3)
        for number in closed:
            os.close(number)

    with run(CLOSED, stdin=other, stdout=other, stderr=other, preexec_fn=prepare, pass_fds=(writing, 3)) as process:
        os.close(writing)
        assert process.wait(timeout=60) == 0
    opened = os.read(reading, 1000).decode().split()
    os.close(reading)
    other.close()
    assert [number for number, name in enumerate(opened) if name == "/dev/null"] == list(closed)


@pytest.fixture
def lines(capfd):
    """Lines written to standard error so far."""

    def read():
        return capfd.readouterr().err.splitlines()

    return read


def test_logs_and_texts_are_written_as_lines(lines):
    with QueuedStderr("INFO") as stderr:
        logging.getLogger("relay.test").info("event: count=%d", 7)
        sys.stderr.write("one\ntwo, ")
        sys.stderr.write("and its end\nunfinished")
    assert stderr.lost == 0
    logged, *rest = lines()
    assert logged.endswith(" INFO relay.test: event: count=7")
    assert rest == ["one", "two, and its end", "unfinished"]


def test_lines_below_the_level_are_not_written(lines):
    level = logging.getLogger().level
    with QueuedStderr("WARNING"):
        logging.getLogger("relay.test").info("hidden")
    assert lines() == []
    assert logging.getLogger().level == level


def test_an_endless_line_is_cut(lines):
    with QueuedStderr("INFO"):
        sys.stderr.write("x" * 3 * MAX_LINE_LENGTH)
    assert [len(line) for line in lines()] == [MAX_LINE_LENGTH]


def test_threads_write_to_a_stream_without_descriptor(monkeypatch):
    plain = io.StringIO()
    monkeypatch.setattr(sys, "stderr", plain)
    with QueuedStderr("INFO"):
        thread = threading.Thread(target=lambda: sys.stderr.write("from a thread\n"))
        thread.start()
        thread.join()
    assert plain.getvalue() == "from a thread\n"
    assert sys.stderr is plain


def test_a_label_ends_each_log_line(capsys):
    with QueuedStderr("INFO", "worker=2"):
        logging.getLogger("relay").info("settings applied: plan=%s", "0123")
    assert capsys.readouterr().err.endswith(" INFO relay: settings applied: plan=0123 worker=2\n")
