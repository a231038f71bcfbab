"""Cores that look nothing like the example: binary length within the header, UTF-8, the response code in the body."""

import json

import pytest

from relay.policy.mediation.conversion import Call
from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.paging.collection import PageCollection
from relay.policy.mediation.paging.seal import CursorSeal

NOW = 1_800_000_000.0
LINK = {
    "charset": "UTF-8",
    "customer": "unchecked",
    "framing": {"length": 2, "encoding": "binary", "offset": 4, "counts": "all"},
    "header": ["code an(4) = $code", "size binary(2) unsigned = $length", "direction an(1) = $kind"],
    "kinds": {"request": "Q", "response": "A"},
    "response_code": {"field": "결과", "text": "안내", "codes": {"00": "00000", "09": "40402"}},
}
DETAIL = {
    "api": "BA03",
    "code": "BAL?",
    "request": {"fields": ["계좌 an(14) = $account_num"]},
    "response": {
        "code": "BAL!",
        "fields": ["결과 n(2)", "안내 ah(30)", "계좌 an(14) = $account_num", "잔액 zoned(12)", "이율 decimal(8,5)"],
    },
    "answer": {
        "detail_list": {
            "rows": "message",
            "each": {"balance_amt": "잔액", "withdrawable_amt": "잔액", "offered_rate": "이율"},
        }
    },
}


@pytest.fixture
def conversion(compile_small):
    institution, problems = compile_small(LINK, {"balance.yaml": DETAIL})
    assert problems == []
    return institution.conversions["BA03"]


def start(conversion, account="12345678901234"):
    call = Call("ZBAC000001", {"account_num": account, "search_timestamp": "0"})
    collection = PageCollection(conversion, call)
    return collection, collection.build_request("1", NOW)


def build_response(result, text, account, rest):
    body = f"BAL!__A{result}".encode() + text.encode().ljust(30) + account.encode().ljust(14) + rest
    return body[:4] + len(body).to_bytes(2, "big") + body[6:]


def test_a_request_has_a_binary_length(conversion):
    _, request = start(conversion)
    assert request == b"BAL?\x00\x15Q12345678901234"


def test_a_response_becomes_a_list_of_one_row(conversion):
    collection, _ = start(conversion)
    collection.accept(build_response("00", "정상 처리", "12345678901234", b"00000001200J0003.250"))
    body = json.loads(collection.build_answer().body)
    row = {"balance_amt": "-12001", "withdrawable_amt": "-12001", "offered_rate": "3.25"}
    assert body == {"rsp_code": "00000", "rsp_msg": "정상 처리", "detail_cnt": "1", "detail_list": [row]}


def test_a_failure_has_the_text_of_the_core(conversion):
    collection, _ = start(conversion)
    collection.accept(build_response("09", "계좌가 없습니다", "12345678901234", b"000000000000        "))
    answer = collection.build_answer()
    assert (answer.status, json.loads(answer.body)) == (404, {"rsp_code": "40402", "rsp_msg": "계좌가 없습니다"})


def test_half_a_character_of_utf_8_is_refused(conversion):
    collection, _ = start(conversion)
    telegram = build_response("00", "정상", "12345678901234", b"000000000000        ")
    with pytest.raises(ConversionError, match="offset 12: 안내: expected a whole character of UTF-8"):
        collection.accept(telegram[:14] + b" " + telegram[15:])


TRADES = {
    "api": "BA13",
    "code": "TRD?",
    "request": {
        "fields": [
            "account_num an(20)",
            "from_date date(6)",
            "to_date date(6)",
            {"name": "flag", "type": "an", "length": 1, "value": "$page", "codes": {"first": "0", "next": "1"}},
            "last n(4) = $key",
            "number n(2) = $sequence",
        ]
    },
    "response": {
        "fields": [
            "결과 n(2)",
            "안내 ah(10)",
            {
                "list": "rows",
                "times": 3,
                "fields": [
                    "day date(6)",
                    "no n(4)",
                    "how an(1)",
                    "trans_amt binary(8)",
                    "balance_amt binary(8) little",
                ],
            },
        ]
    },
    "answer": {
        "trans_list": {
            "rows": "rows",
            "each": {
                "trans_dtime": "day",
                "trans_no": "no",
                "trans_type": {"field": "how", "codes": {"B": "02"}, "default": "98"},
                "trans_amt": {"field": "trans_amt", "longer": "check"},
                "balance_amt": {"field": "balance_amt", "longer": "check"},
            },
        }
    },
    "paging": {"list": "trans_list", "key": ["no"], "rows": 3},
}


def build_rows(first, count):
    rows = [
        b"260131%04dB" % number + number.to_bytes(8, "big", signed=True) + (-number).to_bytes(8, "little", signed=True)
        for number in range(first, first + count)
    ]
    body = b"TRD?__A00" + b" " * 10 + b"".join(rows).ljust(3 * 27)
    return body[:4] + len(body).to_bytes(2, "big") + body[6:]


def test_the_last_row_continues_a_list_of_fixed_rows(compile_small):
    institution, problems = compile_small(LINK, {"trades.yaml": TRADES})
    assert problems == []
    parameters = {"account_num": "1", "from_date": "20260101", "to_date": "20260131", "limit": "5"}
    collection = PageCollection(institution.conversions["BA13"], Call("ZBAC000001", parameters), CursorSeal(b"k" * 32))
    assert collection.build_request("1", NOW)[27:] == b"2601012601310    01"
    collection.accept(build_rows(1, 3))
    assert collection.build_request("2", NOW)[39:] == b"1000302"
    collection.accept(build_rows(4, 3))
    body = json.loads(collection.build_answer().body)
    assert [row["trans_no"] for row in body["trans_list"]] == ["0001", "0002", "0003", "0004", "0005"]
    assert body["trans_list"][4] == {
        "trans_dtime": "20260131", "trans_no": "0005", "trans_type": "02", "trans_amt": "5", "balance_amt": "-5",
    }  # fmt: skip
    assert "next_page" in body


def test_a_list_ends_with_a_telegram_without_rows(compile_small):
    institution, _ = compile_small(LINK, {"trades.yaml": TRADES})
    parameters = {"account_num": "1", "from_date": "20260101", "to_date": "20260131", "limit": "9"}
    collection = PageCollection(institution.conversions["BA13"], Call("ZBAC000001", parameters), CursorSeal(b"k" * 32))
    for first, count in ((1, 3), (4, 0)):
        collection.build_request("1", NOW)
        collection.accept(build_rows(first, count))
    assert collection.is_complete
    assert json.loads(collection.build_answer().body)["trans_cnt"] == "3"
