"""Requests and responses are built by allow-list, without content that a caller injected."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.fault import FAULTS, MethodNotAllowed, Refusal
from relay.policy.call import envelope
from relay.policy.call.envelope import (
    build_refusal,
    build_refusal_body,
    build_response_head,
    echo_tran_id,
    find_flaw,
    find_request_line,
    find_tran_id,
)

TRAN_ID = b"ZOPA000001M00000000000001"


def lines(raw):
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *fields = head.split(b"\r\n")
    return first, dict(field.split(b": ", 1) for field in fields), body


@pytest.mark.parametrize("close", [True, False])
@pytest.mark.parametrize("length", [0, 5, None])
def test_a_response_passes_only_allowed_headers(length, close):
    sent = {b"content-encoding": b"gzip", b"retry-after": b"3", b"server": b"x", b"set-cookie": b"a", b"x-debug": b"y"}
    first, fields, _ = lines(build_response_head(429, TRAN_ID, sent, length, close=close))
    framing = {b"Transfer-Encoding": b"chunked"} if length is None else {b"Content-Length": b"%d" % length}
    assert first == b"HTTP/1.1 429 Too Many Requests"
    assert fields == {
        b"Content-Type": envelope.JSON_TYPE,
        b"x-api-tran-id": TRAN_ID,
        b"content-encoding": b"gzip",
        b"retry-after": b"3",
        **framing,
        **({b"Connection": b"close"} if close else {}),
    }


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize("detail", ["", "org_code", "한" * 500, "<" * 500, '"\\' * 300])
def test_every_refusal_is_json_with_a_message_of_450_bytes(fault, detail):
    first, fields, body = lines(build_refusal(Refusal(fault, detail), TRAN_ID, close=True))
    content = json.loads(body)
    assert list(content) == ["rsp_code", "rsp_msg"]
    assert content["rsp_code"] == fault.rsp_code
    assert content["rsp_msg"].startswith(fault.words)
    assert len(content["rsp_msg"].encode()) <= 450
    assert first.startswith(b"HTTP/1.1 %d " % fault.status)
    assert (fields[b"Content-Length"], fields[b"x-api-tran-id"]) == (b"%d" % len(body), TRAN_ID)
    assert (b"retry-after" in fields) is (fault.status == 429)


@pytest.mark.parametrize(
    ("method", "allow", "detail"),
    [
        ("GET", b"GET", "GET만 허용됩니다"),
        ("POST", b"POST", "POST만 허용됩니다"),
        ("", b"GET, POST", "GET, POST만 허용됩니다"),
    ],
)
def test_a_405_says_which_method_is_allowed(method, allow, detail):
    _, fields, body = lines(build_refusal(MethodNotAllowed(method), TRAN_ID, close=False))
    assert (fields[b"allow"], json.loads(body)["rsp_msg"]) == (allow, f"허용되지 않는 HTTP Method입니다: {detail}")


def test_a_message_without_detail_is_the_text_of_the_fault():
    assert json.loads(build_refusal_body(FAULTS["relay_broken"]))["rsp_msg"] == FAULTS["relay_broken"].words
    assert json.loads(build_refusal_body(FAULTS["header_missing"], "Host"))["rsp_msg"].endswith(": Host")


@pytest.mark.parametrize(
    ("wait", "retry_after"), [(0.0, b"1"), (0.001, b"1"), (1.0, b"1"), (1.001, b"2"), (59.2, b"60")]
)
def test_retry_after_is_in_whole_seconds(wait, retry_after):
    raw = build_refusal(Refusal(FAULTS["operator_rate"], retry_after=wait), b"", close=False)
    assert lines(raw)[1][b"retry-after"] == retry_after


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [
        (TRAN_ID, TRAN_ID),
        (b"anything-printable!", b"anything-printable!"),
        (b"x" * 64, b"x" * 64),
        (None, b""),
        (b"", b""),
        (b"x" * 65, b""),
        (b"a b", b""),
        (b"a\tb", b""),
        (b"a\r\nSet-Cookie: b", b""),
        (b"a\nb", b""),
        (b"a\0", b""),
        (b"\xed\x95\x9c", b""),
        (b"a\x7f", b""),
    ],
)
def test_a_tran_id_is_echoed_when_it_is_printable_and_short(sent, echoed):
    assert echo_tran_id(sent) == echoed


@pytest.mark.parametrize(
    ("raw", "tran_id"),
    [
        (b"GET / HTTP/1.1\r\nx-api-tran-id: T1\r\n\r\n", b"T1"),
        (b"GET / HTTP/1.1\r\nX-API-TRAN-ID:T1 \r\n\r\n", b"T1"),
        (b"\0\r\nX-Api-Tran-Id:\t T1\r\nrest\0", b"T1"),
        (b"x-api-tran-id: T1\r\n\r\n", b""),
        (b"GET / HTTP/1.1\r\nx-api-tran-id: T1", b""),
        (b"GET / HTTP/1.1\r\nx-api-tran-id: T 1\r\n\r\n", b""),
        (b"GET / HTTP/1.1\r\nx-api-tran-id: T1\nSet-Cookie: a\r\n\r\n", b""),
        (b"GET / HTTP/1.1\r\nx-api-tran-id: " + b"x" * 65 + b"\r\n\r\n", b""),
        (b"GET / HTTP/1.1\r\nx_api_tran_id: T1\r\n\r\n", b""),
        (b"", b""),
    ],
)
def test_a_tran_id_is_found_in_a_malformed_head(raw, tran_id):
    assert find_tran_id(raw) == tran_id


@given(st.binary(max_size=80))
def test_a_found_or_echoed_tran_id_is_valid_in_a_header(noise):
    for tran_id in (echo_tran_id(noise), find_tran_id(b"x\r\nx-api-tran-id:" + noise + b"\r\n"), find_tran_id(noise)):
        assert all(33 <= byte <= 126 for byte in tran_id)
        assert len(tran_id) <= 64


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (None, "header_missing"),
        (b"", "header_malformed"),
        (TRAN_ID[:-1], "header_malformed"),
        (TRAN_ID + b"1", "header_malformed"),
        (TRAN_ID.lower(), "header_malformed"),
        (b"ZOPA000001X00000000000001", "header_malformed"),
        (TRAN_ID + b"\n", "header_malformed"),
        (b"ZOPA000001M0000000000000\xb2", "header_malformed"),
    ],
)
def test_a_malformed_tran_id_is_refused(sent, name):
    with pytest.raises(Refusal) as refusal:
        envelope.require_tran_id(sent)
    assert refusal.value.fault.name == name
    assert refusal.value.detail.startswith("x-api-tran-id (숫자와 영문 대문자 25자리: 기관코드 10자리, 주체구분코드")
    assert envelope.parse_tran_id(sent) == ""
    assert envelope.parse_tran_id(TRAN_ID) == envelope.require_tran_id(TRAN_ID) == TRAN_ID.decode()


@pytest.mark.parametrize(
    ("content_type", "flaw"),
    [
        (b"application/json; charset=UTF-8", ""),
        (b"application/json", ""),
        (b"Application/JSON;charset=utf-8", ""),
        (b'application/json ; charset="UTF-8"', ""),
        (b"application/json; charset=euc-kr", "charset"),
        (b"application/json; charset=utf-8; a=b", "charset"),
        (b"application/jsonp", "type"),
        (b"text/json", "type"),
        (b"text/html", "type"),
        (b"", "type"),
    ],
)
def test_content_type_must_be_json_in_utf_8(content_type, flaw):
    assert find_flaw(200, {b"content-type": content_type}, TRAN_ID) == flaw
    if not flaw:
        envelope.check_json_type(content_type)
    else:
        with pytest.raises(Refusal) as refusal:
            envelope.check_json_type(content_type)
        assert refusal.value.fault.name == "header_malformed"


def test_a_post_without_content_type_is_refused():
    with pytest.raises(Refusal) as refusal:
        envelope.check_json_type(None)
    assert (refusal.value.fault.name, refusal.value.detail) == (
        "header_missing",
        "Content-Type (application/json; charset=UTF-8)",
    )


@pytest.mark.parametrize(
    ("status", "headers", "flaw"),
    [
        (200, {}, ""),
        (200, {b"x-api-tran-id": TRAN_ID}, ""),
        (200, {b"x-api-tran-id": TRAN_ID[:-1] + b"2"}, "tran_id"),
        (200, {b"x-api-tran-id": b""}, "tran_id"),
        *[(status, {}, "") for status in (400, 401, 403, 404, 405, 429, 500)],
        *[(status, {}, "status") for status in (100, 201, 204, 206, 301, 302, 304, 408, 418, 501, 502, 503, 504, 999)],
    ],
)
def test_a_response_has_a_standard_status_and_this_tran_id(status, headers, flaw):
    assert find_flaw(status, headers, TRAN_ID) == flaw


@pytest.mark.parametrize(
    ("raw", "method_and_path"),
    [
        (b"HEAD /oauth/2.0/token HTTP/1.1\r\n", (b"HEAD", b"/oauth/2.0/token")),
        (b"POST /v1?a=b HTTP/1.1\r\n", (b"POST", b"/v1")),
        (b"POST /v1\r\nx-api-tran-id: T\r\n", (b"POST", b"/v1")),
        (b"", (b"", b"")),
        (b"get / HTTP/1.1", (b"", b"")),
    ],
)
def test_method_and_path_are_found_in_a_malformed_head(raw, method_and_path):
    assert find_request_line(raw) == method_and_path


PLAIN = b"/v1/bank/accounts?org_code=ZBAA000001"
LONG_PAGE = b"&next_page=" + b"x" * 9000


@pytest.mark.parametrize(
    ("target", "headers", "detail"),
    [
        (PLAIN, {}, None),
        (PLAIN.ljust(4096, b"x"), {}, None),
        (PLAIN.ljust(4097, b"x"), {}, "URI (next_page를 제외하고 4096바이트까지)"),
        (PLAIN + LONG_PAGE, {}, None),
        (PLAIN + LONG_PAGE.replace(b"next_page", b"next%5Fpage") + b"&limit=10", {}, None),
        (PLAIN + LONG_PAGE + b"&colour=".ljust(4096, b"x"), {}, "URI (next_page를 제외하고 4096바이트까지)"),
        (PLAIN + LONG_PAGE.replace(b"next_page", b"last_page"), {}, "URI (next_page를 제외하고 4096바이트까지)"),
        (PLAIN, {b"accept-encoding": b"x" * 1024}, None),
        (PLAIN, {b"accept-encoding": b"x" * 1025}, "accept-encoding (1024바이트까지)"),
        (
            PLAIN,
            {b"x-api-type": b"x" * 1025},
            "x-api-type (scheduled, user-consent, user-refresh, user-search 중 하나)",
        ),
        (PLAIN, {b"cookie": b"x" * 8000}, None),  # not forwarded
    ],
)
def test_a_request_fits_the_limits_of_all_servers(target, headers, detail):
    if detail is None:
        envelope.check_sizes(target, headers)
    else:
        with pytest.raises(Refusal) as refusal:
            envelope.check_sizes(target, headers)
        assert refusal.value.detail == detail
