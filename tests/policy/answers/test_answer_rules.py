"""Answers against the catalogue: a table of spoilt answers, each with the exact rule that it breaks."""

import json

import pytest

from relay.policy.answers.answer_rules import AnswerRules
from relay.standard.catalogue import load_catalogue, load_rsp_codes
from relay.standard.examples import load_examples

APIS = load_catalogue().apis
STATUSES = {code: row.http for code, row in load_rsp_codes().items()}
RULES = {api_id: AnswerRules(APIS[api_id], STATUSES) for api_id in ("은행-001", "은행-004", "카드-008", "전금-001")}
ACCOUNT = {
    "account_num": "1234567890", "is_consent": "true", "prod_name": "자유입출금", "account_type": "1001",
    "account_status": "01",
}  # fmt: skip
ACCOUNTS = {
    "rsp_code": "00000", "rsp_msg": "성공", "search_timestamp": "0", "reg_date": "20200101",
    "account_cnt": "1", "account_list": [ACCOUNT],
}  # fmt: skip
ASKED = {"org_code": "ZBAA000001", "search_timestamp": "0", "limit": "2", "next_page": "p2"}
MOVEMENT = {
    "trans_dtime": "20261103", "trans_no": "1", "trans_type": "03", "trans_class": "이체", "currency_code": "KRW",
    "trans_amt": "1000.000", "balance_amt": "5000.000",
}  # fmt: skip
PERIOD = {
    "org_code": "ZBAA000001", "account_num": "1234567890", "from_date": "20261101", "to_date": "20261130",
    "limit": "500",
}  # fmt: skip


def check(api_id, body, parameters=ASKED, status=200):
    verdict = RULES[api_id].check(status, {}, json.dumps(body, ensure_ascii=False).encode(), parameters)
    return [(str(rule), field) for rule, field in verdict.violations]


def accounts(**changed):
    return {name: value for name, value in (ACCOUNTS | changed).items() if value is not ...}


def account(**changed):
    row = {name: value for name, value in (ACCOUNT | changed).items() if value is not ...}
    return accounts(account_list=[row])


def movements(*days, **more):
    rows = [MOVEMENT | {"trans_dtime": day} for day in days]
    return {"rsp_code": "00000", "rsp_msg": "성공", "trans_cnt": str(len(rows)), "trans_list": rows} | more


SPOILT = {
    "no code": ({"result": "OK"}, "code_missing", "rsp_code"),
    "empty code": (accounts(rsp_code=""), "code_missing", "rsp_code"),
    "unknown code": ({"rsp_code": "77777", "rsp_msg": "a"}, "code_unknown", "rsp_code"),
    "data without success": ({"rsp_code": "00001", "rsp_msg": "a", "reg_date": "20200101"}, "unknown_field", ""),
    "no message": (accounts(rsp_msg=...), "missing", "rsp_msg"),
    "no list": (accounts(account_list=...), "missing", "account_list"),
    "no count": (accounts(account_cnt=...), "missing", "account_cnt"),
    "no member": (account(prod_name=...), "missing", "account_list[].prod_name"),
    "null": (account(seqno=None), "empty", "account_list[].seqno"),
    "empty text": (account(seqno=""), "empty", "account_list[].seqno"),
    "null list": (accounts(account_list=None), "empty", "account_list"),
    "no day": (accounts(reg_date="20260230"), "type", "reg_date"),
    "a day with hyphens": (accounts(reg_date="2026-02-28"), "type", "reg_date"),
    "letters in a number": (accounts(account_cnt="one"), "type", "account_cnt"),
    "no boolean": (account(is_consent="Y"), "type", "account_list[].is_consent"),
    "an object for a text": (account(prod_name={}), "type", "account_list[].prod_name"),
    "a text for a list": (accounts(account_list="a"), "type", "account_list"),
    "a text for a row": (accounts(account_list=["a"]), "type", "account_list[]"),
    "a symbol in aN": (account(account_num="12-34"), "type", "account_list[].account_num"),
    "21 digits in aN(20)": (account(account_num="1" * 21), "length", "account_list[].account_num"),
    "303 bytes in AH(300)": (account(prod_name="가" * 101), "length", "account_list[].prod_name"),
    "15 digits in N(14)": (accounts(search_timestamp="1" * 15), "length", "search_timestamp"),
    "not in the table": (account(account_type="9999"), "code_table", "account_list[].account_type"),
    "a field of another": (account(balance="1"), "unknown_field", "account_list[]"),
    "a count too high": (accounts(account_cnt="2"), "count", "account_cnt"),
    "a count as a number": (accounts(account_cnt=0), "count", "account_cnt"),
    "rows beyond the limit": (accounts(account_cnt="3", account_list=[ACCOUNT] * 3), "limit", "account_list"),
    "the page of the request": (accounts(next_page="p2"), "next_page", "next_page"),
}
"""Answers to 은행-001, each with the only rule that it breaks and the field."""


@pytest.mark.parametrize("amount", ["999999999999999.999", "-999999999999999.999", "0.100", "1.0000"])
def test_a_number_of_all_digits_is_style_alone(amount):
    body = json.dumps(movements("20261103"), ensure_ascii=False).replace('"1000.000"', amount)
    verdict = RULES["은행-004"].check(200, {}, body.encode(), PERIOD)
    assert verdict == ((), "trans_list[].trans_amt", "")


@pytest.mark.parametrize(("body", "rule", "field"), SPOILT.values(), ids=SPOILT)
def test_each_spoilt_answer_breaks_exactly_its_rule(body, rule, field):
    assert check("은행-001", body) == [(rule, field)]


@pytest.mark.parametrize(
    "body",
    [
        ACCOUNTS,
        accounts(next_page="p3"),
        accounts(account_cnt="0", account_list=[]),
        accounts(search_timestamp=...),
        accounts(account_cnt="001"),
        account(prod_name="가" * 100),
        {"rsp_code": "00001", "rsp_msg": "변경 없음"},
    ],
)
def test_answers_of_the_standard_break_no_rule(body):
    assert check("은행-001", body) == []


@pytest.mark.parametrize(("group", "api_id"), [(group, api_id) for group, calls in load_examples().items()
                                               for api_id in calls if APIS[api_id].industries])  # fmt: skip
def test_the_examples_of_the_standard_break_no_rule(group, api_id):
    call = load_examples()[group][api_id]
    body = json.dumps(call["response"]).encode()
    verdict = AnswerRules(APIS[api_id], STATUSES).check(200, {}, body, call["request"])
    assert (verdict.violations, verdict.style) == ((), "")


@pytest.mark.parametrize(
    ("days", "broken"),
    [
        (("20261105", "20261103"), []),
        (("20261105", "20261105"), []),
        (("20261105120000", "20261105", "20261105130000"), []),
        (("20261103", "20261105"), ["order"]),
        (("20261105120000", "20261105130000"), ["order"]),
        (("20261130", "20261101"), []),
        (("20261103", "20261031"), ["period"]),
        (("20261201000000", "20261103"), ["period"]),
        (("20261001", "20261103"), ["order", "period"]),
    ],
)
def test_rows_are_in_order_and_within_the_period(days, broken):
    assert check("은행-004", movements(*days), PERIOD) == [(rule, "trans_list[].trans_dtime") for rule in broken]


def test_accounts_are_sorted_by_type_then_number():
    def sort(*pairs):
        rows = [ACCOUNT | {"account_type": kind, "account_num": number} for kind, number in pairs]
        return check("은행-001", accounts(account_cnt=str(len(rows)), account_list=rows))

    assert sort(("1001", "22"), ("1002", "11")) == []
    assert sort(("1001", "11"), ("1001", "22")) == []
    assert sort(("1001", "9"), ("1001", "10")) == sort(("1001", "10"), ("1001", "9")) == []  # no defined order
    assert sort(("1002", "11"), ("1001", "22")) == [("order", "account_list[].account_type")]
    assert sort(("1001", "22"), ("1001", "11")) == [("order", "account_list[].account_type")]


@pytest.mark.parametrize(
    ("day", "corrected", "broken"),
    [("20261103120000", None, []), ("20261003120000", "20261103120000", []), ("20261003120000", None, ["period"])],
)
def test_an_approval_is_within_the_period_by_one_of_its_times(day, corrected, broken):
    row = {
        "approved_num": "1", "approved_dtime": day, "status": "01", "pay_type": "01", "approved_amt": "1000",
    }  # fmt: skip
    rows = [row if corrected is None else row | {"trans_dtime": corrected}]
    body = {"rsp_code": "00000", "rsp_msg": "성공", "approved_cnt": "1", "approved_list": rows}
    found = [rule for rule, _ in check("카드-008", body, PERIOD) if rule in {"order", "period"}]
    assert found == broken


def test_another_asset_than_the_one_asked_for_is_named():
    same, other = movements("20261103", account_num="1234567890"), movements("20261103", account_num="9")
    assert check("은행-004", same, PERIOD) == [("unknown_field", "")]
    assert check("은행-004", other, PERIOD) == [("unknown_field", ""), ("asset", "account_num")]
    rows = [MOVEMENT | {"account_num": "9"}]
    assert ("asset", "trans_list[].account_num") in check("은행-004", movements() | {"trans_list": rows}, PERIOD)


@pytest.mark.parametrize("code", ["00001", "40402"])
def test_the_status_of_an_answer_is_that_of_its_code(code):
    body = {"rsp_code": code, "rsp_msg": "a"}
    assert check("은행-001", body, status=STATUSES[code]) == []
    assert check("은행-001", body, status=500) == [("code_status", "rsp_code")]


def test_numbers_and_booleans_are_one_remark_and_no_violation():
    body = accounts(account_cnt=2, search_timestamp=0, account_list=[ACCOUNT | {"is_consent": True}] * 2)
    verdict = RULES["은행-001"].check(200, {}, json.dumps(body).encode(), ASKED)
    assert (verdict.violations, verdict.style) == ((), "search_timestamp")


def test_a_number_that_is_too_long_is_a_violation():
    assert check("은행-001", accounts(search_timestamp=10**14)) == [("length", "search_timestamp")]


@pytest.mark.parametrize(("code", "named"), [("77777", "77777"), (77777, "77777"), ("ERROR", ""), ("1234567", "")])
def test_an_unknown_code_of_five_digits_is_named(code, named):
    body = json.dumps({"rsp_code": code, "rsp_msg": "a"}).encode()
    assert RULES["은행-001"].check(200, {}, body, ASKED).unknown_code == named


def test_each_broken_rule_is_reported_once_for_each_field():
    rows = [ACCOUNT | {"prod_name": "", "seqno": ""}] * 2
    assert check("은행-001", accounts(account_cnt="2", account_list=rows)) == [
        ("empty", "account_list[].seqno"),
        ("empty", "account_list[].prod_name"),
    ]


def test_an_empty_list_that_may_be_missing_must_be_left_out():
    wallet = {
        "fob_id": "1", "is_consent": "true", "fob_name": "지갑", "reg_date": "20200101", "limit_amt": "200",
        "is_charge": "false", "account_cnt": "0", "account_list": [],
    }  # fmt: skip
    body = {"rsp_code": "00000", "rsp_msg": "성공", "fob_cnt": "1", "fob_list": [wallet]}
    assert check("전금-001", body, {}) == [("empty", "fob_list[].account_list")]


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ('{"rsp_code":"00000","rsp_msg":"성공"}'.encode("euc-kr"), "charset"),
        (b'{"rsp_code":"00000"', "json"),
        (b"OK", "json"),
        (b"[]", "object"),
        (b'{"rsp_code":"00000","rsp_code":"50001"}', "duplicate"),
    ],
)
def test_a_body_that_cannot_be_read_breaks_one_rule(body, rule):
    assert RULES["은행-001"].check(200, {}, body, ASKED).violations == ((rule, ""),)
