"""Large bodies in parts of any size: charset, braces, tail."""

import gzip

import pytest

from relay.policy.response.rsp_code import HEAD_BYTES
from relay.policy.response.streamed_text import StreamedText

GZIP = {b"content-encoding": b"gzip"}
ROW = '{"a":"가나다"}'
BODY = f'{{"rsp_code":"00000","list":[{",".join([ROW] * 100)}]}}'
CUT = BODY[: BODY.rindex(",")]


def feed(body, size, headers=None):
    text = StreamedText(headers or {})
    for start in range(0, len(body), size):
        text.feed(body[start : start + size])
    return text


def compress(body):
    return gzip.compress(body, mtime=0)


@pytest.mark.parametrize("size", [1, 2, 7, 1000, 100_000])
@pytest.mark.parametrize("headers", [{}, GZIP], ids=["plain", "gzip"])
class TestParts:
    """The same body in parts of each size."""

    def encode(self, text, headers, charset="utf-8"):
        body = text.encode(charset)
        return compress(body) if headers else body

    def test_a_complete_text_is_accepted(self, size, headers):
        text = feed(self.encode(BODY, headers), size, headers)
        assert (text.ends_as_json, text.is_utf8, text.tail) == (True, True, BODY.encode()[-HEAD_BYTES:])

    def test_a_text_cut_after_a_row_does_not_end(self, size, headers):
        assert CUT.endswith("}")
        assert not feed(self.encode(CUT, headers), size, headers).ends_as_json

    def test_another_charset_is_detected(self, size, headers):
        assert not feed(self.encode(BODY, headers, "euc-kr"), size, headers).is_utf8


@pytest.mark.parametrize("size", [3, 1000])
@pytest.mark.parametrize(
    ("body", "ends"),
    [
        (b'{"a":"b"}', True),
        (b'{"a":["b"]} \n', True),
        (b'["a"]', True),
        (b'{"a":["["]}', True),
        (b'{"a":[{"b":"1"}],"c":"1"}', True),
        (b'{"a":[{"b":"1"}],"c":"["}', True),
        (b'{"a":[{"b":"1"}', False),
        (b'{"a":[{"b":"1"}]', False),
        (b'{"a":[{"b":"1]"}', False),
        (b'{"a":[{"b":"1]"}]}', True),
        (b'{"a":[\n  {"b":"1]"}\n', False),
        (b'{"a":[\n  {"b":"1["}\n  ]\n}\n', True),
        (b'{"a":[{"b":"1"}],"c":{"d":"1"}', False),
        (b'{"c":{"a":[{"b":"1"}]}}', True),
        (b'{"a":[{"b":"1"}],"c":"]","d":"{"}', True),
        (b'{"a":[{"b":"1"}],"c":"\\"{"}', True),
        (b'[{"a":"b"}', False),
        (b'[{"a":"b"}]', True),
        (b'\xef\xbb\xbf {"a":"b"}', True),
        (b'{"a":', False),
        (b'{"a":"', False),
        (b"", False),
    ],
)
def test_the_last_bytes_show_an_end(body, ends, size):
    assert feed(body, size).ends_as_json is ends


@pytest.mark.parametrize("size", [700, 5000, 100_000])
@pytest.mark.parametrize("memo", ["[a]", "a]", "a["])
def test_brackets_in_each_text_hide_no_cut(memo, size):
    body = BODY.replace("가나다", memo).encode()
    assert feed(body, size).ends_as_json
    assert not feed(body[: body.rindex(b",")], size).ends_as_json
    assert not feed(body[:-1], size).ends_as_json


def test_a_cut_gzip_stream_does_not_end():
    assert not feed(compress(BODY.encode())[:-3], 100, GZIP).ends_as_json


def test_a_broken_gzip_stream_is_no_text():
    text = feed(b"no gzip", 100, GZIP)
    assert (text.is_utf8, text.ends_as_json) == (False, False)


def test_an_unknown_coding_is_not_read():
    text = feed(b"\xff", 1, {b"content-encoding": b"br"})
    assert (text.is_readable, text.is_utf8, text.ends_as_json, text.tail) == (False, True, True, b"")


@pytest.mark.parametrize("size", [100, 100_000])
def test_bytes_after_a_gzip_stream_are_no_text(size):
    assert not feed(compress(BODY.encode()) + b"more" * 1000, size, GZIP).ends_as_json


def test_bytes_after_a_gzip_stream_cost_no_time():
    text = feed(compress(BODY.encode()), 100_000, GZIP)
    part = b"x" * 98_304
    for _ in range(20_000):  # 2 GB, which zlib would keep
        text.feed(part)
    assert (text.tail, text.ends_as_json) == (BODY.encode()[-HEAD_BYTES:], False)


def test_a_body_above_the_limit_is_not_readable():
    assert not feed(compress(b" " * 3_000_000), 100, GZIP).is_readable
