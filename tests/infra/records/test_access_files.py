"""Files of access records after rotation."""

import gzip

import pytest

from relay.infra.records.access_files import UnreadableFile, read_records

LINES = [b'{"a":1}\n', b'{"b":2}\n', b"last without an end"]


@pytest.mark.parametrize("name", ["access.log", "access.log.1.gz", "misnamed.gz.log"])
def test_lines_are_read_whatever_the_file_name(tmp_path, name):
    path = tmp_path / name
    text = b"".join(LINES)
    path.write_bytes(gzip.compress(text) if ".gz" in name else text)
    assert list(read_records(path)) == LINES


def test_an_endless_line_is_split(tmp_path):
    path = tmp_path / "access.log"
    path.write_bytes(b"x" * 200_000)
    assert max(map(len, read_records(path))) == 65_536


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(UnreadableFile, match=r"nowhere.*No such file"):
        list(read_records(tmp_path / "nowhere"))


@pytest.mark.parametrize("damage", [lambda text: text[:-10], lambda text: text[:20] + b"\xff" * 20 + text[40:]])
def test_a_damaged_gzip_file_is_reported_after_its_readable_part(tmp_path, damage):
    path = tmp_path / "access.log.1.gz"
    path.write_bytes(damage(gzip.compress(b"".join(b'{"line":%d}\n' % at for at in range(1000)))))
    with pytest.raises(UnreadableFile, match=r"access\.log\.1\.gz"):
        list(read_records(path))
