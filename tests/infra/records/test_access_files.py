"""Files of access records, as rotation leaves them."""

import gzip

import pytest

from relay.infra.records.access_files import Unreadable, records_in

LINES = [b'{"a":1}\n', b'{"b":2}\n', b"last without an end"]


@pytest.mark.parametrize("name", ["access.log", "access.log.1.gz", "misnamed.gz.log"])
def test_lines_come_one_by_one_whatever_the_file_is_called(tmp_path, name):
    path = tmp_path / name
    text = b"".join(LINES)
    path.write_bytes(gzip.compress(text) if ".gz" in name else text)
    assert list(records_in(path)) == LINES


def test_an_endless_line_is_read_in_pieces(tmp_path):
    path = tmp_path / "access.log"
    path.write_bytes(b"x" * 200_000)
    assert max(map(len, records_in(path))) == 65_536


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(Unreadable, match=r"nowhere.*No such file"):
        list(records_in(tmp_path / "nowhere"))


@pytest.mark.parametrize("harm", [lambda text: text[:-10], lambda text: text[:20] + b"\xff" * 20 + text[40:]])
def test_a_gz_that_is_cut_or_damaged_is_said_after_what_can_be_read(tmp_path, harm):
    path = tmp_path / "access.log.1.gz"
    path.write_bytes(harm(gzip.compress(b"".join(b'{"line":%d}\n' % at for at in range(1000)))))
    with pytest.raises(Unreadable, match=r"access\.log\.1\.gz"):
        list(records_in(path))
