"""A batch file is read as it was written, or rejected."""

import hashlib
import json
import os
import stat

import pytest

from relay.domain.statistics import Batch, Line, Pulse
from relay.infra.statistics.batch_files import BrokenFile, read_batches, write_batches

LINE = Line("20261122", "00", "ZBAA000001", "ZOPA000001", "SVC1", "2", "BA01", "200_00000")
BATCHES = [Batch("one", {LINE: 1}, {"ZBAA000001": Pulse(5, 6, 1)}), Batch("two", {LINE: 7}, {})]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "1.jsonl"


def test_a_written_file_is_read_back_and_is_private(path):
    write_batches(path, BATCHES, ["b", "a"])
    assert read_batches(path) == (BATCHES, frozenset({"a", "b"}))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_a_folder_or_pipe_is_rejected(path, make):
    make(path)
    with pytest.raises(BrokenFile):
        read_batches(path)


@pytest.mark.parametrize(
    "row",
    [
        {"batch_id": "x", "counts": [[*LINE, 0]], "pulses": {}},
        {"batch_id": "x", "counts": [[*LINE, True]], "pulses": {}},
        {"batch_id": "x", "counts": [[*LINE, "1"]], "pulses": {}},
        {"batch_id": "x", "counts": [[*LINE[:-1], 1]], "pulses": {}},
        {"batch_id": "x", "counts": [[*LINE[:-1], None, 1]], "pulses": {}},
        {"batch_id": "x", "counts": [], "pulses": {"a": [1]}},
        {"batch_id": "x", "counts": [], "pulses": []},
        {"batch_id": "x", "pulses": {}},
        [],
    ],
)
def test_an_invalid_batch_with_a_valid_checksum_is_rejected(path, row):
    write_batches(path, BATCHES[:1], [])
    text = json.dumps(row).encode() + b"\n"
    head = json.loads(path.read_bytes().split(b"\n")[0]) | {"sha256": hashlib.sha256(text).hexdigest()}
    path.write_bytes(json.dumps(head).encode() + b"\n" + text)
    with pytest.raises(BrokenFile):
        read_batches(path)


def test_a_missing_file_is_not_a_broken_one(path):
    with pytest.raises(FileNotFoundError):
        read_batches(path)
