"""The example savings bank answers all 10 APIs of banks, true to the catalogue."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mydata_sandbox.checks.conformance import find_strict_violations

from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.paging.collection import PageCollection
from relay.policy.mediation.paging.seal import CursorSeal

SEAL = CursorSeal(b"s" * 32)
NOW = 1_800_000_000.0
ACCOUNT = {"account_num": "110200300400", "seqno": "001"}
PERIOD = {**ACCOUNT, "from_date": "20260101", "to_date": "20260131", "limit": "500"}
LIST = {
    "account_num": "110200300400", "seqno": "001", "product": "한울 정기예금", "product_kind": "D2", "foreign_yn": "N",
    "minus_yn": "N", "status": "A",
}  # fmt: skip
INTEREST = {
    "int_start_date": "20260101", "int_end_date": "20260131", "int_rate": "4.5", "applied_int_amt": "37500",
    "int_type": "01",
}  # fmt: skip
LOAN_ROW = {
    "tran_date": "20260131", "tran_time": "091500", "trans_no": "L1", "trans_type": "02", "trans_amt": "537500",
    "balance_amt": "9500000", "principal_amt": "500000",
}  # fmt: skip
TRADE = {
    "trans_dtime": "20260103101500", "trans_no": "T1", "trans_type": "02", "base_amt": "1012.35",
    "trans_fund_num": "98.78", "trans_amt": "100000", "balance_amt": "100000",
}  # fmt: skip

CASES = {
    "BA01": (
        {"search_timestamp": "0", "limit": "500"},
        {"reg_date": "20200302", "more": "N", "accounts": [LIST, LIST | {"product_kind": "L1", "status": "D"}]},
        {
            "reg_date": "20200302",
            "account_cnt": "2",
            "account_list": [
                {
                    "account_num": "110200300400", "is_consent": "true", "seqno": "001", "is_foreign_deposit": "false",
                    "prod_name": "한울 정기예금", "is_minus": "false", "account_type": "1002", "account_status": "01",
                },
                {
                    "account_num": "110200300400", "is_consent": "true", "seqno": "001", "prod_name": "한울 정기예금",
                    "account_type": "3100", "account_status": "02",
                },
            ],
        },
    ),
    "BA02": (
        {**ACCOUNT, "search_timestamp": "0"},
        {"basic_list": [{"currency_code": "KRW", "saving_method": "02", "issue_date": "20250105",
                         "exp_date": "20270105", "commit_amt": "5000000.5"}]},
        {
            "basic_cnt": "1",
            "basic_list": [
                {"currency_code": "KRW", "saving_method": "02", "issue_date": "20250105", "exp_date": "20270105",
                 "commit_amt": "5000000.5"},
            ],
        },
    ),
    "BA03": (
        {**ACCOUNT, "search_timestamp": "0"},
        {"balances": [{"currency": "KRW", "balance": "-1200000.25", "available": "0", "rate": "3.25", "paid_in": "7"},
                      {"currency": "USD", "balance": "10", "available": "10", "rate": "0.5"}]},
        {
            "detail_cnt": "2",
            "detail_list": [
                {"currency_code": "KRW", "balance_amt": "-1200000.25", "withdrawable_amt": "0", "offered_rate": "3.25",
                 "last_paid_in_cnt": "7"},
                {"currency_code": "USD", "balance_amt": "10", "withdrawable_amt": "10", "offered_rate": "0.5"},
            ],
        },
    ),
    "BA04": (
        PERIOD,
        {"more": "N", "trans_list": [
            {"tran_date": "20260131", "tran_time": "235959", "trans_no": "12", "kind": "10", "trans_class": "급여",
             "currency_code": "KRW", "trans_amt": "3100000", "balance_amt": "-1500.5", "trans_memo": '한빛 "상사" \\'},
            {"tran_date": "20260102", "tran_time": "000000", "trans_no": "11", "kind": "77", "trans_class": "기타",
             "currency_code": "KRW", "trans_amt": "0.25", "balance_amt": "0", "paid_in_cnt": "3"},
        ]},
        {
            "trans_cnt": "2",
            "trans_list": [
                {"trans_dtime": "20260131235959", "trans_no": "000000000012", "trans_type": "03",
                 "trans_class": "급여", "currency_code": "KRW", "trans_amt": "3100000", "balance_amt": "-1500.5",
                 "trans_memo": '한빛 "상사" \\'},
                {"trans_dtime": "20260102000000", "trans_no": "000000000011", "trans_type": "99",
                 "trans_class": "기타", "currency_code": "KRW", "trans_amt": "0.25", "balance_amt": "0",
                 "paid_in_cnt": "3"},
            ],
        },
    ),
    "BA11": (
        {**ACCOUNT, "search_timestamp": "0"},
        {"standard_fund_code": "KR5101AA0001", "paid_in_type": "02", "issue_date": "20240229"},
        {"standard_fund_code": "KR5101AA0001", "paid_in_type": "02", "issue_date": "20240229"},
    ),
    "BA12": (
        {**ACCOUNT, "search_timestamp": "0"},
        {"currency_code": "KRW", "balance_amt": "100", "eval_amt": "110", "inv_principal": "90", "fund_num": "98.789"},
        {"currency_code": "KRW", "balance_amt": "100", "eval_amt": "110", "inv_principal": "90", "fund_num": "98.789"},
    ),
    "BA13": (
        PERIOD,
        {"more": "0", "trades": [TRADE]},
        {"trans_cnt": "1", "trans_list": [TRADE]},
    ),
    "BA21": (
        {**ACCOUNT, "search_timestamp": "0"},
        {"issue_date": "20250101", "exp_date": "20300101", "last_offered_rate": "4.75", "repay_date": "25",
         "method": "A"},
        {"issue_date": "20250101", "exp_date": "20300101", "last_offered_rate": "4.75", "repay_date": "25",
         "repay_method": "04"},
    ),
    "BA22": (
        {**ACCOUNT, "search_timestamp": "0"},
        {"balance_amt": "9500000", "loan_principal": "10000000"},
        {"currency_code": "KRW", "balance_amt": "9500000", "loan_principal": "10000000"},
    ),
    "BA23": (
        PERIOD,
        {"trans_list": [LOAN_ROW | {"interests": [INTEREST, INTEREST]}, LOAN_ROW | {"trans_no": "L0"}]},
        {
            "trans_cnt": "2",
            "trans_list": [
                {"trans_dtime": "20260131091500", "trans_no": "L1", "trans_type": "02", "currency_code": "KRW",
                 "trans_amt": "537500", "balance_amt": "9500000", "principal_amt": "500000", "int_amt": "75000",
                 "int_cnt": "2", "int_list": [INTEREST, INTEREST]},
                {"trans_dtime": "20260131091500", "trans_no": "L0", "trans_type": "02", "currency_code": "KRW",
                 "trans_amt": "537500", "balance_amt": "9500000", "principal_amt": "500000", "int_amt": "0",
                 "int_cnt": "0", "int_list": []},
            ],
        },
    ),
}  # fmt: skip
"""API -> parameters of the call, values of the telegram, body without rsp_code and rsp_msg."""


@pytest.mark.parametrize("api_code", CASES)
def test_a_response_becomes_the_body_of_the_standard(core, api_code):
    parameters, values, expected = CASES[api_code]
    bank = core(api_code, parameters, user_ci="c" * 88)
    collection = PageCollection(bank.conversion, bank.call, SEAL)
    collection.build_request("000000000001", NOW)
    collection.accept(bank.respond(values, rows=min(int(parameters.get("limit", 1)), 100)))
    answer = collection.build_answer()
    body = json.loads(answer.body)
    assert body == {"rsp_code": "00000", "rsp_msg": "성공", **expected}
    assert find_strict_violations(bank.conversion.api, body) == []
    assert (answer.status, answer.rsp_code, answer.core_code) == (200, "00000", "0000")


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_any_bytes_give_a_true_body_or_an_error(core, data):
    api_code = data.draw(st.sampled_from(sorted(CASES)))
    parameters, values, _ = CASES[api_code]
    bank = core(api_code, parameters, user_ci="c" * 88)
    telegram = bytearray(bank.respond(values, rows=min(int(parameters.get("limit", 1)), 100)))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(53, len(telegram) - 1))
        byte = data.draw(st.sampled_from(b' 0 9 A Z a \xb1 \x1c Y N - + . "') | st.integers(0, 255))
        telegram[at] = byte
    collection = PageCollection(bank.conversion, bank.call, SEAL)
    collection.build_request("000000000001", NOW)
    answer = convert(collection, bytes(telegram))
    if answer is not None:
        assert find_strict_violations(bank.conversion.api, json.loads(answer.body)) == []


def convert(collection, telegram):
    """Returns the answer, None for a telegram that cannot be converted."""
    try:
        collection.accept(telegram)
        collection.stop()
        return collection.build_answer()
    except ConversionError:
        return None


def test_all_apis_of_banks_are_there(institution):
    assert sorted(institution.conversions) == sorted(CASES)


@pytest.mark.parametrize(
    ("core_code", "status", "rsp_code"),
    [
        ("1001", 404, "40402"),
        ("9001", 500, "50008"),
        ("7777", 500, "50005"),
        ("0002", 200, "00001"),
        ("", 500, "50005"),
    ],
)
def test_a_failure_has_the_rsp_code_of_its_table(core, core_code, status, rsp_code):
    bank = core("BA22", {**ACCOUNT, "search_timestamp": "0"})
    collection = PageCollection(bank.conversion, bank.call)
    collection.build_request("000000000001", NOW)
    collection.accept(bank.respond({}, code=core_code))
    answer = collection.build_answer()
    assert (answer.status, answer.rsp_code, answer.core_code) == (status, rsp_code, core_code)
    assert json.loads(answer.body).keys() == {"rsp_code", "rsp_msg"}
    assert find_strict_violations(bank.conversion.api, json.loads(answer.body)) == []


def test_a_request_has_the_values_of_the_call(core):
    bank = core("BA04", PERIOD)
    request = PageCollection(bank.conversion, bank.call, SEAL).build_request("000000000042", NOW)
    assert request == (
        b"0001620200A004099ZBAC00000120270115170000000000000042" + b" " * 49
        + b"110200300400        001    2026010120260131" + b" " * 20 + b"100"
    )  # fmt: skip
