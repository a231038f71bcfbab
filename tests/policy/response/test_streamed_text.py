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
        (b'{"a":', False),
        (b'{"a":"', False),
        (b"", False),
    ],
)
def test_the_last_bytes_show_an_end(body, ends):
    assert feed(body, 3).ends_as_json is ends


def test_a_cut_gzip_stream_does_not_end():
    assert not feed(compress(BODY.encode())[:-3], 100, GZIP).ends_as_json


def test_a_broken_gzip_stream_is_no_text():
    text = feed(b"no gzip", 100, GZIP)
    assert (text.is_utf8, text.ends_as_json) == (False, False)


def test_an_unknown_coding_is_not_read():
    text = feed(b"\xff", 1, {b"content-encoding": b"br"})
    assert (text.is_readable, text.is_utf8, text.ends_as_json, text.tail) == (False, True, True, b"")
