"""An answer that ends with its connection is whole only when its content is."""

import gzip
import itertools
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.policy.answer.end import INFLATED_MOST, CodedEnd, JsonEnd, UnseenEnd, end_of, is_complete


def packed(body):
    """In gzip, at no time: test ids must not change."""
    return gzip.compress(body, mtime=0)


ROWS = [{"account_num": f"{number:04}", "memo": 'a "quoted" \\ {[ 한글', "list": []} for number in range(50)]
BODY = json.dumps({"rsp_code": "00000", "rsp_msg": "성공", "account_list": ROWS}, ensure_ascii=False).encode()

values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8) | st.just('\\"{}[]'),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(st.text(max_size=4), values, max_size=4)


def ends(end, *parts):
    for part in parts:
        end.feed(part)
    return end.is_whole


@pytest.mark.parametrize(
    ("headers", "body", "complete"),
    [
        ({b"content-length": b"1"}, b"{", True),  # counted: the wire saw its end
        ({b"transfer-encoding": b"chunked"}, b"{", True),
        ({}, b'{"rsp_code":"00000"}', True),
        ({}, b'{"rsp_code":"00000"}\r\n', True),
        ({}, b'{"rsp_code":"00000","account_list":[{"a":"', False),
        ({}, b'{"rsp_code":"00000","account_list":[{"a":"b"}', False),  # cut behind an inner brace
        ({}, b'{"rsp_msg":"}', False),
        ({}, b'{"rsp_msg":"\\"}', False),
        ({}, b'{"rsp_msg":"\\\\"}', True),
        ({}, b'{"rsp_msg":"{"}', True),
        ({}, b"{}]", False),
        ({}, b"", False),
        ({b"content-encoding": b"identity"}, b"{}", True),
        ({b"content-encoding": b"gzip"}, b"\x1f\x8b", False),
        ({b"content-encoding": b"gzip"}, packed(BODY), True),
        ({b"content-encoding": b"gzip"}, packed(BODY)[:-1], False),
        ({b"content-encoding": b"gzip"}, packed(BODY) + b"x", False),
        ({b"content-encoding": b"X-GZIP"}, packed(BODY), True),
        ({b"content-encoding": b"deflate"}, zlib.compress(BODY), True),
        ({b"content-encoding": b"gzip"}, b"no gzip at all", False),
        ({b"content-encoding": b"br"}, b"\x0b\x00", False),  # its end cannot be seen
    ],
)
def test_only_what_is_seen_to_its_end_is_complete(headers, body, complete):
    assert is_complete(headers, body) is complete


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({b"content-length": b"1"}, type(None)),
        ({b"transfer-encoding": b"chunked"}, type(None)),
        ({}, JsonEnd),
        ({b"content-encoding": b"gzip"}, CodedEnd),
        ({b"content-encoding": b"zstd"}, UnseenEnd),
    ],
)
def test_headers_say_how_the_end_is_found(headers, kind):
    assert type(end_of(headers)) is kind


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_the_parts_may_be_cut_anywhere(step):
    parts = [BODY[at : at + step] for at in range(0, len(BODY), step)]
    assert ends(JsonEnd(), *parts)
    assert not ends(JsonEnd(), *parts[:-1])


@given(objects, st.data())
def test_an_object_is_whole_and_no_beginning_of_it_is(value, data):
    body = json.dumps(value, ensure_ascii=data.draw(st.booleans())).encode("utf-8", "surrogatepass")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=5)))
    edges = [0, *cuts, len(body)]
    parts = [body[begin:end] for begin, end in itertools.pairwise(edges)]
    assert ends(JsonEnd(), *parts)
    assert not ends(JsonEnd(), body[: data.draw(st.integers(0, len(body) - 1))])


def test_a_small_body_that_opens_to_a_huge_one_is_not_followed():
    end = CodedEnd()
    bomb = packed(b"x" * (2 * INFLATED_MOST))
    assert not ends(end, *(bomb[at : at + 1000] for at in range(0, len(bomb), 1000)))
