"""Each kind of broken telegram is refused with the exact place, and without any of its values."""

import json

import pytest

from relay.policy.mediation.conversion import UNKNOWN_CODE
from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.paging.collection import PageCollection
from relay.policy.mediation.paging.seal import CursorSeal

NOW = 1_800_000_000.0
UNIQUE = "000000000001"
ACCOUNT = {"account_num": "110200300400", "seqno": ""}
PERIOD = {**ACCOUNT, "from_date": "20260101", "to_date": "20260131", "limit": "100"}
HEAD = 102
ROWS = HEAD + 44
ROW = 127
"""Sizes of BA04: header, start of the rows, one row."""

TRANSACTION = {
    "tran_date": "20260131", "tran_time": "101112", "trans_no": "12", "kind": "10", "trans_class": "급여",
    "currency_code": "KRW", "trans_amt": "3100000", "balance_amt": "1500", "trans_memo": "비밀메모", "branch": "0012",
}  # fmt: skip
DEPOSITS = {"more": "N", "trans_list": [TRANSACTION, TRANSACTION, TRANSACTION]}
INTEREST = {"int_start_date": "20260101", "int_end_date": "20260131", "int_rate": "4.5", "applied_int_amt": "1",
            "int_type": "01"}  # fmt: skip
LOAN = {"tran_date": "20260131", "tran_time": "091500", "trans_no": "L1", "trans_type": "02", "trans_amt": "5",
        "balance_amt": "9", "principal_amt": "5", "interests": [INTEREST, INTEREST]}  # fmt: skip
LOANS = {"next_key": "", "trans_list": [LOAN, {**LOAN, "interests": []}, LOAN]}
BALANCES = {"balances": [{"currency": "KRW", "balance": "-12.25", "available": "0", "rate": "3.25", "paid_in": "7"}]}
BASIC = {"basic_list": [{"currency_code": "KRW", "saving_method": "02", "issue_date": "20250105", "exp_date": "",
                         "commit_amt": "5"}]}  # fmt: skip
FUND = {"currency_code": "KRW", "balance_amt": "1", "eval_amt": "1", "inv_principal": "1", "fund_num": "98.789"}
TRADE = {"trans_dtime": "20260103101500", "trans_no": "T1", "trans_type": "02", "trans_amt": "1", "balance_amt": "1"}
ACCOUNTS = {
    "reg_date": "20200302",
    "more": "N",
    "accounts": [
        {"account_num": "1", "product": "예금", "product_kind": "D2", "foreign_yn": "N", "minus_yn": "N", "status": "A"}
    ],
}


def put(offset, data):
    """Returns a change that overwrites bytes."""
    return lambda telegram: telegram[:offset] + data + telegram[offset + len(data) :]


def cut(end):
    """Returns a change that leaves the first bytes, with a length field that agrees."""
    return lambda telegram: b"%06d" % (end - 6) + telegram[6:end]


def append(data):
    """Returns a change that adds bytes, with a length field that agrees."""
    return lambda telegram: b"%06d" % (len(telegram) + len(data) - 6) + telegram[6:] + data


CASES = {
    # length and header
    "length differs": ("BA04", DEPOSITS, put(0, b"000099"), 0, "length", "a telegram of|the length"),
    "length is no number": ("BA04", DEPOSITS, put(0, b"00x001"), 0, "length", "6 digits"),
    "length is too large": ("BA04", DEPOSITS, put(0, b"999999"), 0, "length", "a telegram of 102 to 65536 bytes"),
    "nothing but a length": ("BA04", DEPOSITS, cut(6), 0, "length", "a telegram of"),
    "header is short": ("BA04", DEPOSITS, lambda data: b"000096" + data[6:60], 0, "length", "the length"),
    "message type of a request": ("BA04", DEPOSITS, put(6, b"0200"), 6, "msg_type", "the $kind of the request"),
    "message type is no number": ("BA04", DEPOSITS, put(6, b"02X0"), 6, "msg_type", "4 digits"),
    "code of another API": ("BA04", DEPOSITS, put(10, b"A003"), 10, "tran_code", "the $code of the request"),
    "code with a line break": ("BA04", DEPOSITS, put(10, b"A0\n4"), 10, "tran_code", "printable ASCII"),
    "constant of another bank": ("BA04", DEPOSITS, put(14, b"098"), 14, "bank_code", "the constant of the layout"),
    "another institution": ("BA04", DEPOSITS, put(17, b"ZBAC000002"), 17, "org_code", "the $org_code of the request"),
    "no day": ("BA04", DEPOSITS, put(27, b"20260230"), 27, "send_date", "a date, YYYYMMDD"),
    "no time": ("BA04", DEPOSITS, put(35, b"246000"), 35, "send_time", "a time, HHMMSS"),
    "response to another request": (
        "BA04", DEPOSITS, put(41, b"000000000002"), 41, "unique_no", "the $unique_number of the request"),
    "unique number is blank": ("BA04", DEPOSITS, put(41, b" " * 12), 41, "unique_no", "the $unique_number"),
    "half a syllable in the header": ("BA04", DEPOSITS, put(96, b"\xb1"), 96, "resp_msg", "a whole character"),
    # body
    "body is missing": ("BA04", DEPOSITS, cut(HEAD), HEAD, "account_num", "20 bytes"),
    "account of another customer": (
        "BA04", DEPOSITS, put(HEAD, b"999999999999"), HEAD, "account_num", "the $account_num of the request"),
    "count is no number": ("BA04", DEPOSITS, put(ROWS - 3, b"0A3"), ROWS - 3, "row_count", "3 digits"),
    "count is above the maximum": ("BA04", DEPOSITS, put(ROWS - 3, b"101"), ROWS - 3, "row_count", "at most 100 rows"),
    "count is too large": (
        "BA04", DEPOSITS, put(ROWS - 3, b"004"), ROWS + 3 * ROW, "trans_list[3].tran_date", "8 bytes"),
    "count is too small": ("BA04", DEPOSITS, put(ROWS - 3, b"002"), ROWS + 2 * ROW, "end", "the end of the telegram"),
    "row is short": ("BA04", DEPOSITS, cut(ROWS + 2 * ROW + 50), ROWS + 2 * ROW + 41, "trans_list[2].trans_amt", "15"),
    "bytes after the end": ("BA04", DEPOSITS, append(b"  "), ROWS + 3 * ROW, "end", "the end of the telegram"),
    "telegram twice": ("BA04", DEPOSITS, lambda data: append(data)(data), ROWS + 3 * ROW, "end", "the end"),
    "date of a row": ("BA04", DEPOSITS, put(ROWS + ROW, b"20261301"), ROWS + ROW, "trans_list[1].tran_date", "a date"),
    "time of a row": ("BA04", DEPOSITS, put(ROWS + 8, b"101162"), ROWS + 8, "trans_list[0].tran_time", "a time"),
    "number of a row": ("BA04", DEPOSITS, put(ROWS + 20, b"-"), ROWS + 14, "trans_list[0].trans_no", "12 digits"),
    "digits of an amount": (
        "BA04", DEPOSITS, put(ROWS + 2 * ROW + 41, b"00000A"), ROWS + 2 * ROW + 41, "trans_list[2].trans_amt",
        "15 digits"),
    "sign of an amount": (
        "BA04", DEPOSITS, put(ROWS + 56, b"*"), ROWS + 56, "trans_list[0].balance_amt", "a leading sign"),
    "sign in the middle": (
        "BA04", DEPOSITS, put(ROWS + 60, b"-"), ROWS + 56, "trans_list[0].balance_amt", "a leading sign"),
    "half a syllable at the end": (
        "BA04", DEPOSITS, put(ROWS + 85, b"\xb1  "), ROWS + 85, "trans_list[0].trans_memo", "a whole character of EUC"),
    "wrong pair of bytes": (
        "BA04", DEPOSITS, put(ROWS + ROW + 77, b"\xff\xff"), ROWS + ROW + 77, "trans_list[1].trans_memo",
        "a character of EUC-KR"),
    "text in UTF-8": (
        "BA04", DEPOSITS, put(ROWS + 28, "급여 ".encode()), ROWS + 30, "trans_list[0].trans_class", "character"),
    "control character in text": (
        "BA04", DEPOSITS, put(ROWS + 77, b"\x00"), ROWS + 77, "trans_list[0].trans_memo", "without control characters"),
    "line break in text": (
        "BA04", DEPOSITS, put(ROWS + 79, b"\n"), ROWS + 77, "trans_list[0].trans_memo", "without control characters"),
    "Hangul in ASCII": (
        "BA04", DEPOSITS, put(ROWS + 38, b"\xbf\xf8 "), ROWS + 38, "trans_list[0].currency_code", "printable ASCII"),
    "required value is blank": (
        "BA04", DEPOSITS, put(ROWS + ROW + 41, b" " * 15), ROWS + ROW + 41, "trans_list[1].trans_amt", "a value"),
    "currency in lower case": (
        "BA04", DEPOSITS, put(ROWS + 38, b"krw"), ROWS + 38, "trans_list[0].currency_code", "A(3)"),
    # continuation
    "more rows without a key": ("BA04", DEPOSITS, put(HEAD + 20, b"Y"), HEAD + 21, "next_date", "a continuation key"),
    "key of the continuation": ("BA04", DEPOSITS, put(HEAD + 21, b"2026013x"), HEAD + 21, "next_date", "a date"),
    # packed and zoned decimals, binary counts
    "half bytes that are no digits": (
        "BA03", BALANCES, put(HEAD + 27, b"\x0a"), HEAD + 27, "balances[0].balance", "a packed decimal of 15 digits"),
    "packed decimal without sign": (
        "BA03", BALANCES, put(HEAD + 32, b"\x22"), HEAD + 32, "balances[0].balance", "the sign C, D or F"),
    "packed decimal in ASCII": (
        "BA03", BALANCES, put(HEAD + 33, b"00000000"), HEAD + 40, "balances[0].available", "the sign C, D or F"),
    "binary count above the maximum": (
        "BA03", BALANCES, put(HEAD + 20, b"\xff\xff"), HEAD + 20, "row_count", "at most 10 rows"),
    "negative count": ("BA03", BALANCES, put(HEAD + 20, b"\x80\x00"), HEAD + 20, "row_count", "at most 10 rows"),
    "number that is too long": (
        "BA03", BALANCES, put(HEAD + 45, b"\x12\x34\x56\x7c"), HEAD + 45, "detail_list[0].last_paid_in_cnt", "N(6)"),
    "zone of a decimal": (
        "BA02", BASIC, put(HEAD + 55, b"?"), HEAD + 41, "basic_list[0].commit_amt", "a zoned decimal of 15 digits"),
    "code that the standard lacks": (
        "BA02", BASIC, put(HEAD + 23, b"09"), HEAD + 23, "basic_list[0].saving_method", "a code of saving_method"),
    "fixed rows are short": ("BA02", BASIC, cut(HEAD + 20 + 49), HEAD + 69, "basic_list[1].currency_code", "3 bytes"),
    # nested rows, optional part, flags
    "count of nested rows": (
        "BA23", LOANS, put(HEAD + 43 + 77, b"9x"), HEAD + 43 + 77, "trans_list[0].int_count", "2 digits"),
    "too many nested rows": (
        "BA23", LOANS, put(HEAD + 43 + 77, b"06"), HEAD + 43 + 77, "trans_list[0].int_count", "at most 5 rows"),
    "nested row of another outer row": (
        "BA23", LOANS, put(HEAD + 43 + 3 * 79 + 72 + 16, b"4x500"), HEAD + 43 + 3 * 79 + 72 + 16,
        "trans_list[2].interests[0].int_rate", "5 digits"),
    "outer row after nested rows is short": (
        "BA23", LOANS, cut(HEAD + 43 + 79 + 72 + 79 + 10), HEAD + 43 + 79 + 72 + 79 + 8, "trans_list[2].tran_time",
        "6 bytes"),
    "optional part is short": ("BA12", FUND, cut(HEAD + 68 + 5), HEAD + 68, "fund_num", "19 bytes"),
    "two points in a number": ("BA12", FUND, put(HEAD + 70, b".0."), HEAD + 68, "fund_num", "a number with a decimal"),
    "moment of a trade": (
        "BA13", {"more": "0", "trades": [TRADE]}, put(HEAD + 24 + 8, b"25"), HEAD + 24, "trades[0].trans_dtime",
        "a date and time"),
    "flag that is neither yes nor no": (
        "BA01", ACCOUNTS, put(HEAD + 120 + 89, b"X"), HEAD + 120 + 89, "account_list[0].is_foreign_deposit", "Y, N"),
    "status without code": (
        "BA01", ACCOUNTS, put(HEAD + 120 + 91, b"Z"), HEAD + 120 + 91, "account_list[0].account_status",
        "a code of the code table"),
    "list of another customer": (
        "BA01", ACCOUNTS, put(HEAD, b"d" * 88), HEAD, "ci", "the $user_ci of the request"),
    "required date is zero": ("BA01", ACCOUNTS, put(HEAD + 88, b"00000000"), HEAD + 88, "reg_date", "a value"),
}  # fmt: skip
"""Name -> API, values, change of the telegram, offset, field, part of what is expected."""

VALUES = ("110200300400", "비밀메모", "3100000", "급여")
"""Values of the customer that no error may have."""


def convert(bank, telegram):
    collection = PageCollection(bank.conversion, bank.call, CursorSeal(b"s" * 32))
    collection.build_request(UNIQUE, NOW)
    collection.accept(telegram)
    return collection.build_answer()


def test_the_table_has_more_than_40_kinds():
    assert len(CASES) > 40


@pytest.mark.parametrize("name", CASES)
def test_a_broken_telegram_is_refused_with_its_place(core, name):
    api_code, values, change, offset, field, expected = CASES[name]
    parameters = PERIOD if "trans" in json.dumps(values) else {**ACCOUNT, "search_timestamp": "0", "limit": "20"}
    bank = core(api_code, parameters, user_ci="c" * 88)
    telegram = bank.respond(values)
    convert(bank, telegram)
    with pytest.raises(ConversionError) as caught:
        convert(bank, change(telegram))
    error = caught.value
    assert (error.offset, error.field) == (offset, field)
    assert any(part in error.expected for part in expected.split("|"))
    assert not [value for value in VALUES if value in str(error)]


def test_an_unknown_response_code_is_no_conversion_error(core):
    bank = core("BA04", PERIOD)
    answer = convert(bank, put(53, b"7777")(bank.respond(DEPOSITS)))
    assert (answer.status, answer.rsp_code) == (500, UNKNOWN_CODE)
