"""Reading of data responses; docs/operate/statistics.md describes each case."""

import gzip
import json
import zlib

import pytest

from relay.policy.call.envelope import JSON_TYPE, find_flaw
from relay.policy.response.completeness import is_complete
from relay.policy.response.rsp_code import (
    begins_as_json,
    find_last_rsp_code,
    find_rsp_code,
    is_json,
    is_plain_success,
    judge_beginning,
    judge_rsp_code,
)
from relay.standard.catalogue import load_rsp_codes


def compress(body):
    """Returns the body in gzip with mtime 0, so that test ids do not change."""
    return gzip.compress(body, mtime=0)


KNOWN = frozenset(load_rsp_codes())
GZIP = {b"content-encoding": b"gzip"}
GOOD = b'{"rsp_code":"00000","rsp_msg":"a"}'
LATE = b'{"account_list":[' + b" " * 5000 + b'],"rsp_code":"00000"}'
KOREAN_LATE = '{"rsp_code":"00000","rsp_msg":"success","reg_date":"20200101","prod_name":"자유입출금통장"}'
KOREAN = '{"rsp_code":"00000","rsp_msg":"성공입니다"}'


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (GOOD, "00000"),
        (b'{ "rsp_msg": "a",\n "rsp_code" : "40401" }', "40401"),
        (b'{"rsp_code":50001}', "50001"),
        (LATE, "00000"),
        (b'{"rsp_code":"0000"}', ""),
        (b'{"rsp_code":"000001"}', ""),
        (b'{"rsp_code":500011}', ""),
        (b'{"rsp_code":50001.5}', ""),
        (b'{"rsp_code":"abcde"}', ""),
        (b'{"rsp_code":"', ""),
        (b'{"rsp_code":00000}', ""),  # no JSON number
        (b'{"rsp_code":00001}', ""),
        (b'{"rsp_msg":"}","data":{"rsp_code":"00000"}}', ""),
        (b'{"rsp_msg":"]","list":[{"rsp_code":"00000"}]}', ""),
        (b'{"rsp_msg":"[{","rsp_code":"00000"}', "00000"),
        (b'{"rsp_msg":"a\\"}","rsp_code":"00000"}', "00000"),
        (b'\xef\xbb\xbf{"rsp_msg":"a","rsp_code":"00000"}', "00000"),
        (b'{"a\\"rsp_code":"00000"}', ""),
        (b'["rsp_code":"00000"]', ""),
        (b'{"data":{"rsp_code":"00000"}}', ""),
        (b'{"data":{"rsp_code":"00000"},"rsp_code":"40402"}', "40402"),
        (b'{"list":[{"rsp_code":"00000"}]}', ""),
        (b'[{"rsp_code":"00000"}]', ""),
        (b'{"list":[{"a":"1"}],"rsp_code":"00000"', "00000"),
        (b'{"rsp_msg":"\\"rsp_code\\":\\"00000\\""}', ""),
        (b'{"result":"OK"}', ""),
        (b"", ""),
    ],
)
def test_the_code_is_found_anywhere_in_the_body(body, code):
    assert find_rsp_code(body) == code


@pytest.mark.parametrize(
    ("status", "headers", "body", "judged"),
    [
        (200, {}, GOOD, ("00000", "")),
        (200, {}, b'{"rsp_code":"00001"}', ("00001", "")),
        (200, {}, LATE, ("00000", "")),
        (200, {}, KOREAN.encode(), ("00000", "")),
        (200, {}, KOREAN.encode()[:41], ("", "answer_charset")),  # split within a character
        (200, {}, b'{"rsp_code":"40402"}', ("40402", "")),  # operators read the code, not the status
        (404, {}, b'{"rsp_code":"40402"}', ("40402", "")),
        (200, {}, b'{"result":"OK"}', ("", "answer_without_code")),
        (200, {}, b"[]", ("", "answer_without_code")),
        (404, {}, b'{"error":"x"}', ("", "answer_without_code")),
        (200, {}, KOREAN.encode("euc-kr"), ("", "answer_charset")),
        (200, {}, b'{"rsp_code":"77777"}', ("77777", "code_unknown")),
        (500, {}, b'{"rsp_code":"77777"}', ("77777", "code_unknown")),
        (500, {}, GOOD, ("00000", "code_contradicts_status")),
        (404, {}, b'{"rsp_code":"00001"}', ("00001", "code_contradicts_status")),
        (200, {b"content-encoding": b"identity"}, GOOD, ("00000", "")),
        (200, GZIP, compress(GOOD), ("00000", "")),
        (400, GZIP, compress(b'{"rsp_code":"40402"}'), ("40402", "")),
        (200, {b"content-encoding": b"deflate"}, zlib.compress(GOOD), ("00000", "")),
        (200, GZIP, compress(b'{"result":"OK"}'), ("", "answer_without_code")),
        (200, GZIP, compress(LATE), ("00000", "")),
        (200, GZIP, compress(LATE)[:-4], ("", "answer_without_code")),
        (200, GZIP, b"no gzip", ("", "answer_without_code")),
        (200, GZIP, compress(KOREAN_LATE.encode("euc-kr")), ("", "answer_charset")),
        (200, {}, KOREAN_LATE.encode(), ("00000", "")),
        (200, {}, KOREAN_LATE.encode("euc-kr"), ("", "answer_charset")),
        (200, {}, b'{"data":{"rsp_code":"00000"}}', ("", "answer_without_code")),
        (200, {b"content-encoding": b"br"}, b"\x0b\x02", ("", "answer_without_code")),
    ],
)
def test_each_kind_of_response_is_judged(status, headers, body, judged):
    assert judge_rsp_code(status, headers, body, KNOWN) == judged


@pytest.mark.parametrize(
    ("body", "is_valid"),
    [
        (GOOD, True),
        (b"\r\n" + GOOD + b"\n", True),
        (b"\xef\xbb\xbf" + GOOD, True),
        (b"[]", True),
        (b'"text"', True),
        (b"", False),
        (b"OK", False),
        (b"<html>", False),
        (GOOD[:-1], False),
        (GOOD[:-4], False),
        (b'{"rsp_code":"00000","trans_list":[{"a":"1"},{"a":"2"}', False),
        (b' {"rsp_code":"00000","trans_list":[{"a":"1"} ', False),
        (b'{"rsp_code":"00000","list":[{"list":[{"a":"1"}]}', False),
        (b'{"rsp_code":"00000","list":[{"list":[{"a":"1"}]}]}', True),
        (b'{"rsp_code":"00000","list":[{"memo":"[a]"}', False),
        (b'{"rsp_code":"00000","list":[{"memo":"[a]"}]}', True),
        (b'{"rsp_code":"00000","list":[{"memo":"]"}', False),
        (b'{"rsp_code":"00000","list":[{"memo":":]}', False),
        (b'{"rsp_code":"00000","list":[{"memo":"}]"},{"memo":"}', True),  # the only kind that is not noticed
        (b'{"rsp_code":"00000","list":[{"memo":"a\\"]"}],"next_page":"\\"["}', True),
        (b'{"rsp_code":"00000","list":[{"memo":"a"}],"more":{"a":"1"}', False),
        (b'{"rsp_code":"00000","more":{"a":"1"}', False),
        (b'{"rsp_code":"00000","more":{"a":"1"}}', True),
        (b'{"rsp_code":"00000","memo":"a}', False),
        (b'{"rsp_code":"00000","count":1}', True),
        (b'{"rsp_code":"00000"}}', False),
        (b'{"rsp_code":"00000","list":[{"a":"1"}]}}', False),
        (b'{"rsp_code":"00000","list":[{"memo":"["}]}', True),
        (b'{"rsp_code":"00000","list":[{"memo":"[["}]}', True),
        (b'{"rsp_code":"00000","list":[{"memo":"]]"}]}', True),
        (b'{"rsp_code":"00000","memo":"["}', True),
        (b'{"rsp_code":"00000","memo":"]"}', True),
        (b"[1,", False),
        (GOOD.decode().encode("utf-16"), False),
        (GOOD.decode().encode("utf-16-be"), False),
        (b"[" * 100_000, False),
    ],
)
def test_non_json_is_detected_by_its_first_and_last_byte(body, is_valid):
    assert is_json({}, body) is is_valid
    assert is_json(GZIP, compress(body)) is is_valid
    assert is_json({b"content-encoding": b"br"}, body)


def test_large_responses_are_checked_at_their_beginning():
    body = b" " + json.dumps({"a": [1] * 1000}).encode() + b"\n"
    assert begins_as_json({}, body)
    assert not begins_as_json({}, b"<html>")
    assert begins_as_json({}, b"\xef\xbb\xbf[1]")
    assert begins_as_json(GZIP, b"\x1f")


@pytest.mark.parametrize(
    ("tail", "code"),
    [
        (b'"1"}],"rsp_code":"00000"}', "00000"),
        (b'"1"}],"rsp_code":"40402","more":[{"a":"1"}]} ', "40402"),
        (b'"rsp_code":"00000"}}', ""),
        (b'"rsp_code":"00000"}]}', ""),
        (b'"1"}]}', ""),
        (b'"1"}],"rsp_code":"00000","rsp_msg":"}]{"}', "00000"),
        (b'"1"}],"rsp_code":"00000","rsp_msg":"{"}}', ""),
        (b'"1"}],"rsp_code":"00000","rsp_msg":"a}', ""),
        (b'"1"}],"a\\"rsp_code":"00000"}', ""),
    ],
)
def test_the_code_in_the_last_bytes_is_that_of_the_whole_body(tail, code):
    assert find_last_rsp_code(tail) == code


@pytest.mark.parametrize(
    ("headers", "body", "judged"),
    [
        ({}, GOOD[:-2], ("00000", "")),
        ({}, KOREAN.encode()[:41], ("00000", "")),  # split within a character by the parts
        ({}, b'{"rows":[', ("", "answer_without_code")),
        ({}, b'{"data":{"rsp_code":"00000"}, "list":[{', ("", "answer_without_code")),
        ({}, KOREAN_LATE.encode("euc-kr"), ("", "answer_charset")),
        (GZIP, compress(GOOD * 100)[:60], ("00000", "")),
        (GZIP, b"no gzip", ("", "answer_without_code")),
        ({b"content-encoding": b"br"}, GOOD, ("", "answer_without_code")),
    ],
)
def test_the_beginning_of_a_large_response_is_judged(headers, body, judged):
    assert judge_beginning(200, headers, body, KNOWN) == judged


CALL = b"ZOPA000001M00000000000001"
PLAIN = {b"x-api-tran-id": CALL, b"content-type": JSON_TYPE, b"content-length": b"34"}


@pytest.mark.parametrize("body", [GOOD, KOREAN.encode(), b'{"rsp_code":"00000"}'])
def test_a_plain_success_passes_every_check(body):
    assert is_plain_success(200, PLAIN, body, CALL)
    assert find_flaw(200, PLAIN, CALL) == ""
    assert is_complete(PLAIN, body)
    assert is_json(PLAIN, body)
    assert judge_rsp_code(200, PLAIN, body, KNOWN) == ("00000", "")


@pytest.mark.parametrize(
    ("status", "changed", "body"),
    [
        (500, {}, GOOD),
        (200, {}, b'{"rsp_code":"00001","rsp_msg":"a"}'),
        (200, {}, b'{"rsp_code":"000000","rsp_msg":"a"}'),
        (200, {}, GOOD[:-1]),
        (200, {}, KOREAN.encode("euc-kr")),
        (200, {}, KOREAN_LATE.encode("euc-kr")),
        (200, {}, b'{"rsp_code":"00000","trans_list":[{"a":"1"}'),
        (200, {b"x-api-tran-id": b"ZOPA000001M00000000000002"}, GOOD),
        (200, {b"x-api-tran-id": None}, GOOD),
        (200, {b"content-type": b"text/html"}, GOOD),
        (200, {b"content-length": None}, GOOD),
        (200, {b"content-encoding": b"gzip"}, GOOD),
    ],
)
def test_other_responses_are_not_a_plain_success(status, changed, body):
    headers = {name: value for name, value in (PLAIN | changed).items() if value is not None}
    assert not is_plain_success(status, headers, body, CALL)
