"""The next page of a response is found in any parts; in doubt there is one."""

import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.policy.response.next_page import NextPageDetector

GZIP = {b"content-encoding": b"gzip"}
ROWS = [{"account_num": str(number), "prod_name": "예금"} for number in range(1000)]


def is_last(body, headers=None, step=None):
    detector = NextPageDetector(headers or {})
    for start in range(0, len(body), step or len(body) or 1):
        detector.feed(body[start : start + (step or len(body))])
    detector.end()
    return detector.is_last


LAST = [
    b'{"rsp_code":"00000"}',
    b'{"rsp_code":"00000","next_page":""}',
    b'{"rsp_code":"00000","next_page" : ""}',
    b'{"rsp_code":"00000","next_page":null}',
    b'{"rsp_msg":"no \\"next_page\\" here"}',
    b'{"prev_next_page":"2"}',
    b'{"rsp_msg":"\\uc131\\uacf5 \\u0026 \\u003c"}',
    b"{}",
    b"",
]
NOT_LAST = [
    b'{"rsp_code":"00000","next_page":"2"}',
    b'{"next_page":"2","rsp_code":"00000"}',
    b'{"next_page"\n:\t"2"}',
    b'{"next_page":2}',
    b'{"next_page":" "}',
    b'{"next_page":"","next_page":"2"}',
    b'{"list":[{"next_page":"2"}]}',
    b'{"next_page":           "2"}',
    b'{"next_page":            ""}',
    b'{"next\\u005fpage":"2"}',
    b'{"n\\u0065xt_page":"2"}',
    b'{"next_page":',
    b'{"rsp_msg":"next_page"}',  # in doubt
]


@pytest.mark.parametrize("body", LAST)
@pytest.mark.parametrize("step", [None, 1, 7])
def test_a_body_without_a_cursor_is_the_last_page(body, step):
    assert is_last(body, step=step)


@pytest.mark.parametrize("body", NOT_LAST)
@pytest.mark.parametrize("step", [None, 1, 7])
def test_a_body_with_a_cursor_is_not_the_last_page(body, step):
    assert not is_last(body, step=step)


@pytest.mark.parametrize("headers", [{}, GZIP])
@pytest.mark.parametrize("where", ["first", "last", "none"])
@pytest.mark.parametrize("step", [1, 13, 1000, 65_536])
def test_a_large_body_is_read_in_parts(headers, where, step):
    cursor, rows = {"next_page": "abc=="}, {"account_list": ROWS}
    body = json.dumps({"first": cursor | rows, "last": rows | cursor, "none": rows}[where], ensure_ascii=False).encode()
    assert is_last(gzip.compress(body) if headers else body, headers, step) is (where == "none")


@given(st.binary(max_size=200), st.binary(max_size=200), st.integers(1, 100))
def test_a_cursor_between_any_bytes_is_found_in_any_parts(before, after, step):
    assert not is_last(before + b'"next_page":"2"' + after, step=step)


@given(st.binary(max_size=200).filter(lambda body: b"\\u00" not in body), st.integers(1, 100))
def test_parts_do_not_change_the_result(body, step):
    body += b'"next_page" : ""'
    assert is_last(body, step=step) is is_last(body)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({b"content-encoding": b"br"}, b"{}"),
        (GZIP, b"{}"),
        (GZIP, gzip.compress(b"{}", mtime=0)[:-1]),
        (GZIP, gzip.compress(b'{"rsp_code":"00000",', mtime=0) + gzip.compress(b'"next_page":"2"}', mtime=0)),
        (GZIP, gzip.compress(b" " * 3_000_000, mtime=0)),
        ({b"content-encoding": b"deflate"}, zlib.compress(b"{}")[:-2]),
    ],
)
@pytest.mark.parametrize("step", [None, 11])
def test_a_body_that_cannot_be_read_is_not_the_last_page(headers, body, step):
    assert not is_last(body, headers, step)


def test_nothing_after_the_first_gzip_member_is_read():
    detector = NextPageDetector(GZIP)
    detector.feed(gzip.compress(b"{}"))
    assert detector.is_last
    detector.feed(b"x")
    assert not detector.is_last


@pytest.mark.parametrize(("coding", "compress"), [(b"deflate", zlib.compress), (b"GZIP", gzip.compress)])
def test_compressed_bodies_are_read(coding, compress):
    headers = {b"content-encoding": coding}
    assert is_last(compress(b"{}"), headers)
    assert not is_last(compress(b'{"next_page":"2"}'), headers)
