"""Regular files are read; all others are refused before they are opened."""

import os
import socket
import threading

import pytest

from relay.infra.files.regular import awaited_file, awaiting, describe_read_error, read_file, require_regular_file


def fifo(path):
    os.mkfifo(path)


def folder(path):
    path.mkdir()


def unix_socket(path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def device(path):
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [fifo, folder, unix_socket, device])
def test_other_file_types_are_refused_at_once(tmp_path, make):
    path = tmp_path / "file"
    make(path)
    for function in (read_file, require_regular_file):
        with pytest.raises(OSError, match=r"not a regular file|Is a directory") as raised:
            function(path)
        assert raised.value.filename == str(path)


def test_a_file_is_read_through_links_up_to_a_limit(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    assert (read_file(tmp_path / "link"), read_file(tmp_path / "file", 3)) == (b"content", b"con")
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "gone")


def test_the_awaited_file_of_a_thread_is_known(tmp_path):
    thread = threading.get_ident()
    with awaiting(tmp_path / "a"):
        with awaiting("b"):
            assert awaited_file(thread) == "b"
        assert awaited_file(thread) == str(tmp_path / "a")
    assert awaited_file(thread) == ""


def test_a_read_error_names_the_file_without_a_number(tmp_path):
    with pytest.raises(FileNotFoundError) as raised:
        read_file(tmp_path / "gone")
    assert describe_read_error("gone", raised.value) == "the file gone cannot be read (No such file or directory)"
