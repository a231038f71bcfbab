"""Detection of the end of responses that are delimited by the end of their connection."""

import gzip
import itertools
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.policy.response.completeness import (
    MAX_INFLATED_BYTES,
    CompressedEndDetector,
    JsonEndDetector,
    UnknownEndDetector,
    build_end_detector,
    is_complete,
)


def compress(body):
    """Returns the body in gzip with mtime 0, so that test ids do not change."""
    return gzip.compress(body, mtime=0)


ROWS = [{"account_num": f"{number:04}", "memo": 'a "quoted" \\ {[ 한글', "list": []} for number in range(50)]
BODY = json.dumps({"rsp_code": "00000", "rsp_msg": "성공", "account_list": ROWS}, ensure_ascii=False).encode()

values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8) | st.just('\\"{}[]'),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(st.text(max_size=4), values, max_size=4)


def is_detected(detector, *parts):
    for part in parts:
        detector.feed(part)
    return detector.is_complete


@pytest.mark.parametrize(
    ("headers", "body", "complete"),
    [
        ({b"content-length": b"1"}, b"{", True),  # delimited by its framing
        ({b"transfer-encoding": b"chunked"}, b"{", True),
        ({}, b'{"rsp_code":"00000"}', True),
        ({}, b'{"rsp_code":"00000"}\r\n', True),
        ({}, b'{"rsp_code":"00000","account_list":[{"a":"', False),
        ({}, b'{"rsp_code":"00000","account_list":[{"a":"b"}', False),  # ends after an inner brace
        ({}, b'{"rsp_msg":"}', False),
        ({}, b'{"rsp_msg":"\\"}', False),
        ({}, b'{"rsp_msg":"\\\\"}', True),
        ({}, b'{"rsp_msg":"{"}', True),
        ({}, b"{}]", False),
        ({}, b"", False),
        ({b"content-encoding": b"identity"}, b"{}", True),
        ({b"content-encoding": b"gzip"}, b"\x1f\x8b", False),
        ({b"content-encoding": b"gzip"}, compress(BODY), True),
        ({b"content-encoding": b"gzip"}, compress(BODY)[:-1], False),
        ({b"content-encoding": b"gzip"}, compress(BODY) + b"x", False),
        ({b"content-encoding": b"X-GZIP"}, compress(BODY), True),
        ({b"content-encoding": b"deflate"}, zlib.compress(BODY), True),
        ({b"content-encoding": b"gzip"}, b"no gzip at all", False),
        ({b"content-encoding": b"br"}, b"\x0b\x00", False),  # unsupported coding
    ],
)
def test_only_a_body_with_a_detected_end_is_complete(headers, body, complete):
    assert is_complete(headers, body) is complete


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({b"content-length": b"1"}, type(None)),
        ({b"transfer-encoding": b"chunked"}, type(None)),
        ({}, JsonEndDetector),
        ({b"content-encoding": b"gzip"}, CompressedEndDetector),
        ({b"content-encoding": b"zstd"}, UnknownEndDetector),
    ],
)
def test_headers_select_the_detector(headers, kind):
    assert type(build_end_detector(headers)) is kind


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_parts_may_be_split_anywhere(step):
    parts = [BODY[start : start + step] for start in range(0, len(BODY), step)]
    assert is_detected(JsonEndDetector(), *parts)
    assert not is_detected(JsonEndDetector(), *parts[:-1])


@given(objects, st.data())
def test_an_object_is_complete_and_its_prefixes_are_not(value, data):
    body = json.dumps(value, ensure_ascii=data.draw(st.booleans())).encode("utf-8", "surrogatepass")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=5)))
    edges = [0, *cuts, len(body)]
    parts = [body[begin:end] for begin, end in itertools.pairwise(edges)]
    assert is_detected(JsonEndDetector(), *parts)
    assert not is_detected(JsonEndDetector(), body[: data.draw(st.integers(0, len(body) - 1))])


def test_bytes_after_a_compressed_body_cost_no_time():
    detector = CompressedEndDetector()
    detector.feed(compress(BODY))
    part = b"x" * 98_304
    for _ in range(20_000):  # 2 GB, which zlib would keep
        detector.feed(part)
    assert not detector.is_complete


def test_a_decompression_bomb_is_never_complete():
    detector = CompressedEndDetector()
    bomb = compress(b"x" * (2 * MAX_INFLATED_BYTES))
    assert not is_detected(detector, *(bomb[start : start + 1000] for start in range(0, len(bomb), 1000)))
