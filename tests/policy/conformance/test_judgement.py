"""Tests of the judgement of one answer: the first cause alone is named."""

import gzip
import json

import pytest

from relay.policy.conformance.judgement import Flaw, Judge, Received, show_code, show_header, show_tran_id
from relay.standard.catalogue import load_catalogue, load_rsp_codes

STATUSES = {code: row.http for code, row in load_rsp_codes().items()}
JUDGE = Judge(load_catalogue().apis["은행-003"], STATUSES)
TRAN_ID = "ZZRELAY001R00000000000001"
HEADERS = {b"content-type": b"application/json; charset=UTF-8", b"x-api-tran-id": TRAN_ID.encode()}
ROW = {"balance_amt": "1", "withdrawable_amt": "1", "offered_rate": "0.5"}
GOOD = {"rsp_code": "00000", "rsp_msg": "성공", "detail_cnt": "1", "detail_list": [ROW]}


def judge(body=GOOD, status=200, *, headers=None, **more):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    judged = JUDGE.judge(Received(status, HEADERS | (headers or {}), data), TRAN_ID, {}, **more)
    return [flaw.rule for flaw in judged.flaws], judged


def test_a_right_answer_has_no_flaw():
    rules, judged = judge()
    assert (rules, judged.code, judged.members) == ([], "00000", GOOD)


@pytest.mark.parametrize(
    ("answer", "rules"),
    [
        ({"status": 204, "body": b""}, ["status"]),
        ({"status": 302}, ["status"]),
        ({"headers": {b"content-type": b"text/html"}}, ["content_type"]),
        ({"headers": {b"content-type": b"application/json; charset=EUC-KR"}}, ["content_type"]),
        ({"headers": {b"content-encoding": b"gzip"}}, ["coding_unasked"]),
        ({"headers": {b"x-api-tran-id": b"other"}}, ["tran_id"]),
        ({"body": json.dumps(GOOD, ensure_ascii=False).encode("cp949")}, ["charset"]),
        ({"body": b'{"rsp_code":"00000"'}, ["json"]),
        ({"body": b"[]"}, ["object"]),
        ({"body": {"result": "OK"}}, ["code_missing"]),
        ({"body": {"rsp_code": "77777", "rsp_msg": "?"}}, ["code_unknown"]),
        ({"body": GOOD | {"rsp_code": "0000"}}, ["code_unknown"]),
        ({"body": {"rsp_code": "40402", "rsp_msg": "?"}}, ["code_status"]),
        ({"body": {"rsp_code": "40402", "rsp_msg": "?"}, "status": 404}, ["success"]),
        ({"body": {"rsp_msg": "성공", **GOOD, "rsp_code": "00000"}}, ["code_first"]),
        ({"body": GOOD | {"detail_list": [ROW | {"balance_amt": 1}]}}, ["style"]),
        ({"body": GOOD | {"detail_cnt": "2"}}, ["count"]),
        ({"body": b" " * 600_000}, ["size"]),
        ({"body": b'{"rsp_code":"00000","list":' + b"[" * 20_000}, ["size"]),
    ],
)  # fmt: skip
def test_a_flaw_is_named_alone(answer, rules):
    assert judge(**answer)[0] == rules


def test_a_compressed_body_is_judged_if_it_was_asked_for():
    body = gzip.compress(json.dumps(GOOD).encode())
    assert judge(body, headers={b"content-encoding": b"gzip"}, accepts_coding=True)[0] == []
    large = gzip.compress(b" " * 600_000)
    assert judge(large, headers={b"content-encoding": b"gzip"}, accepts_coding=True)[0] == ["size"]


def test_the_body_of_a_wrong_code_is_not_judged():
    rules, judged = judge({**GOOD, "detail_cnt": "9"}, codes=frozenset({"40403"}), rule="unknown_customer")
    assert judged.flaws == (Flaw("unknown_customer", "rsp_code", "40403", "200 00000"),)
    assert rules == ["unknown_customer"]


def test_a_wrong_value_is_named_with_what_is_allowed():
    _, judged = judge(GOOD | {"detail_list": [ROW | {"balance_amt": "1,000"}]})
    assert judged.flaws == (Flaw("type", "detail_list[].balance_amt", "F(18,3)"),)


def test_a_malformed_day_has_neither_order_nor_period():
    api = load_catalogue().apis["은행-004"]
    row = {"trans_type": "03", "trans_class": "이체", "trans_amt": "1", "balance_amt": "1"}
    days = ("2026-11-02", "20261103", "20261101")
    rows = [row | {"trans_dtime": day, "trans_no": day[-1]} for day in days]
    body = {"rsp_code": "00000", "rsp_msg": "성공", "trans_cnt": "3", "trans_list": rows}
    received = Received(200, HEADERS, json.dumps(body).encode())
    period = {"from_date": "20261101", "to_date": "20261130"}
    judged = Judge(api, STATUSES).judge(received, TRAN_ID, period)
    assert [(flaw.rule, flaw.field) for flaw in judged.flaws] == [("type", "trans_list[].trans_dtime")]


def test_reports_show_no_values():
    assert show_code(404, "<b>") == "404 -"
    assert show_code(200, "00000") == "200 00000"
    assert show_header(None) == "-"
    assert show_header(b"a\x1b[31m\xea" + b"b" * 99) == "another value"


@pytest.mark.parametrize("value", [b"application/problem+json", b"text/html; charset=EUC-KR", b"br"])
def test_known_types_and_codings_are_shown(value):
    assert show_header(value) == value.decode()


@pytest.mark.parametrize("name", [b"content-type", b"x-api-tran-id", b"content-encoding"])
@pytest.mark.parametrize("form", [b"%b", b"application/%b", b"application/json; charset=%b"])
def test_a_ci_in_a_header_is_not_shown(name, form):
    ci = b"Q2lPZkE" * 12 + b"X=="
    _, judged = judge(headers={name: form % ci})
    assert judged.flaws
    assert "Q2lP" not in repr(judged.flaws)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (TRAN_ID.lower().encode(), "capital and small letters differ"),
        (TRAN_ID[:20].encode(), "cut off at the end"),
        (b"110222333444", "another value"),
        (b"", "another value"),
    ],
)
def test_a_tran_id_is_described(value, shown):
    assert show_tran_id(value, TRAN_ID) == shown
