"""A response counts as a success only if its whole body can be read."""

import gzip

import pytest

from relay.domain.exchange import Exchange
from relay.gateway.forwarding import Forwarding

TRAN_ID = b"ZOPA000001M00000000000001"
JSON = {b"content-type": b"application/json", b"content-length": b"1"}
CHUNKED = {b"content-type": b"application/json", b"transfer-encoding": b"chunked"}


@pytest.fixture
def exchange():
    return Exchange(1.0, 2.0)


@pytest.fixture
def forwarding(connection, exchange):
    return Forwarding(connection, exchange, TRAN_ID, lambda: 9.0, lambda _: None)


@pytest.mark.parametrize(
    ("parts", "rsp_code", "reason", "end"),
    [
        ([b'{"rsp_code":"00000","rows":["', "가".encode()[:2], "가".encode()[2:], b'"]}'], "00000", "", "finished"),
        ([b'{"rsp_code":"00000","rows":["', "가".encode("euc-kr"), b'"]}'], "", "answer_charset", "finished"),
        ([b'{"rsp_code":"00000","rows":[{"a":"1"},', b'{"a":"2"}'], "50005", "provider_broken", "aborted"),
        ([b'{"data":{"rsp_code":"00000",', b'"rows":[]}}'], "", "answer_without_code", "finished"),
    ],
    ids=["character in two parts", "EUC-KR", "cut after a row", "nested code"],
)
def test_a_large_response_is_a_success_only_as_a_whole(forwarding, connection, exchange, parts, rsp_code, reason, end):
    forwarding.head_received(200, CHUNKED, None, parts[0])
    for part in parts[1:]:
        forwarding.body_received(part)
    forwarding.response_ended()
    assert (exchange.rsp_code, exchange.reason, connection.ends) == (rsp_code, reason, [end])


@pytest.mark.parametrize(
    ("body", "rsp_code", "end"),
    [
        (b'{"rsp_code":"00000","rows":[]}' + b" " * 100, "00000", "finished"),
        (b'{"rsp_code":"00000","rows":[]}' + b" " * 3_000_000, "", "finished"),
        (b'{"rsp_code":"00000","rows":[' + b" " * 3_000_000, "", "finished"),
    ],
    ids=["whole", "beyond 2 MiB", "cut beyond 2 MiB"],
)
def test_a_body_that_is_not_decoded_is_no_success(forwarding, connection, exchange, body, rsp_code, end):
    coded = gzip.compress(body, mtime=0)
    forwarding.head_received(200, CHUNKED | {b"content-encoding": b"gzip"}, None, coded[:20])
    forwarding.body_received(coded[20:])
    forwarding.response_ended()
    assert (exchange.rsp_code, connection.ends) == (rsp_code, [end])
    assert exchange.reason == ("" if rsp_code else "answer_without_code")


def test_a_large_page_without_its_last_brace_is_cut(forwarding, connection, exchange):
    forwarding.head_received(200, JSON, 48, b'{"rsp_code":"00000","rows":[{"a":"1"},')
    forwarding.body_received(b'{"a":"2"}]')
    forwarding.response_ended()
    assert (exchange.rsp_code, exchange.reason, connection.ends) == ("50005", "provider_broken", ["aborted"])
    assert connection.body == b'{"rsp_code":"00000","rows":[{"a":"1"},'  # without the last part, it looks cut
    assert exchange.bytes_out == len(connection.body)


def test_a_page_cut_after_a_row_is_refused(forwarding, exchange):
    assert not forwarding.response_received(200, JSON, b'{"rsp_code":"00000","rows":[{"a":"1"},{"a":"2"}')
    assert (exchange.reason, exchange.detail) == ("provider_broken", "json")
