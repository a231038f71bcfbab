import fcntl
import os
import resource
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from relay.infra.output.line_file import LineFile
from relay.infra.output.line_writer import Lines

LINES = [b"first\n", b"second\n", b"third\n"]


def batches(lines, size=2):
    """Returns batches of `size` lines."""
    parts = [lines[start : start + size] for start in range(0, len(lines), size)]
    return [Lines(b"".join(part), len(part)) for part in parts]


@contextmanager
def space_for(size):
    """Limits files to `size` bytes: simulates a full disk at a fixed position."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lines"


@pytest.fixture
def file(path):
    line_file = LineFile.open(str(path))
    yield line_file
    line_file.close()


def test_lines_are_appended(file, path):
    assert file.write(batches(LINES[:2])) == (2, None)
    assert file.write(batches(LINES[2:])) == (1, None)
    assert path.read_bytes() == b"".join(LINES)


def test_more_batches_than_one_system_call_takes_are_written(file, path):
    lines = [b"%d\n" % number for number in range(2500)]
    assert file.write(batches(lines, 1)) == (2500, None)
    assert path.read_bytes() == b"".join(lines)


@pytest.mark.parametrize("together", [1, 2, 3])
@pytest.mark.parametrize("size", range(len(b"".join(LINES))))
def test_a_full_disk_leaves_whole_lines_only(file, path, size, together):
    with space_for(size):
        written, error = file.write(batches(LINES, together))
    assert isinstance(error, OSError)
    assert path.read_bytes() == b"".join(LINES[:written])
    assert len(b"".join(LINES[: written + 1])) > size
    assert file.write(batches([b"later\n"])) == (1, None)
    assert path.read_bytes() == b"".join([*LINES[:written], b"later\n"])


def test_lines_of_many_batches_are_counted_exactly(file, path):
    lines = [b"%05d %s\n" % (number, b"x" * 1000) for number in range(300)]
    with space_for(200_000):
        written, error = file.write(batches(lines, 64))
    assert error is not None
    assert path.read_bytes() == b"".join(lines[:written])
    assert written == 200_000 // len(lines[0])


@pytest.mark.parametrize("together", [1, 2, 3])
def test_a_partial_line_is_completed_first(together):
    descriptor = os.memfd_create("lines", os.MFD_ALLOW_SEALING)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)  # forbids truncation
    file = LineFile(descriptor, owned=True)
    with space_for(8):
        assert file.write(batches(LINES, together))[0] == 2  # the second is completed later
        assert file.write(batches([b"lost\n"]))[0] == 0
    assert os.pread(descriptor, 100, 0) == b"first\nse"
    assert file.write(batches([b"later\n"])) == (1, None)
    assert os.pread(descriptor, 100, 0) == b"first\nsecond\nlater\n"
    file.close()


def test_a_non_blocking_pipe_is_waited_for():
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    lines = [b"x" * 999 + b"\n"] * 1000
    pipe = LineFile.from_descriptor(writing)
    results = []
    thread = threading.Thread(target=lambda: results.append(pipe.write(batches(lines, 64))))
    thread.start()
    size = 0
    while size < 1_000_000:
        size += len(os.read(reading, 65_536))
    thread.join()
    assert results == [(1000, None)]
    pipe.close()
    os.close(writing)  # `close` left it open
    os.close(reading)


def test_a_pipe_without_reader_is_an_error_not_a_signal():
    reading, writing = os.pipe()
    os.close(reading)
    written, error = LineFile.from_descriptor(writing).write(batches(LINES))
    os.close(writing)
    assert (written, type(error)) == (0, BrokenPipeError)


@pytest.mark.parametrize(("umask", "mode"), [(0o000, 0o640), (0o022, 0o640), (0o077, 0o600)], ids=oct)
def test_a_new_file_is_readable_by_owner_and_group(path, umask, mode):
    previous = os.umask(umask)
    try:
        LineFile.open(str(path)).close()
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_lines_of_processes_that_share_a_pipe_are_not_mixed():
    """Two processes write lines of 1 KB at once. A larger write than PIPE_BUF would be split where the pipe is full."""
    script = """
import sys
from relay.infra.output.line_file import LineFile
from relay.infra.output.line_writer import Lines
line = sys.argv[1].encode() * 1023 + b"\\n"
LineFile.from_descriptor(1, is_shared=True).write([Lines(line * 50, 50)] * 10)
"""
    reading, writing = os.pipe()
    processes = [subprocess.Popen([sys.executable, "-c", script, letter], stdout=writing) for letter in ("a", "b")]
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        lines = pipe.read().splitlines()
    assert sorted(lines) == [b"a" * 1023] * 500 + [b"b" * 1023] * 500
    assert [process.wait() for process in processes] == [0, 0]


def test_a_named_pipe_without_a_reader_is_an_error(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="No such device"):
        LineFile.open(str(tmp_path / "pipe"))


def test_a_named_pipe_with_a_reader_is_written(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    file = LineFile.open(str(tmp_path / "pipe"))
    assert file.write([Lines(b"one\n", 1)]) == (1, None)
    assert os.read(reader, 10) == b"one\n"
    file.close()
    os.close(reader)
