import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.telegram_reading import (
    Side,
    build_single_answer,
    build_telegram_values,
    open_position,
    read_telegram,
    split_telegrams,
)

PARAMETERS = {"account_num": "110", "from_date": "20260101", "to_date": "20260131"}
ROW = {
    "tran_date": "20260131", "tran_time": "235959", "trans_no": "12", "kind": "10", "trans_class": "급여",
    "currency_code": "KRW", "trans_amt": "1", "balance_amt": "1",
}  # fmt: skip


@pytest.fixture
def bank(core):
    return core("BA04", PARAMETERS)


@pytest.fixture
def read(institution):
    """Returns a function that reads a telegram of the example."""
    return lambda data, side=None: read_telegram(institution.link, list(institution.conversions.values()), data, side)


def test_a_telegram_is_known_by_its_header(read, bank):
    request = bank.conversion.encode_request(bank.context())
    response = bank.respond({"trans_list": [ROW]})
    assert [(each.side, each.name) for each in map(read, (request, response))] == [
        (Side.REQUEST, "BA04 request"), (Side.RESPONSE, "BA04 response"),
    ]  # fmt: skip
    assert build_telegram_values(read(response))["trans_list"][0]["trans_class"] == "급여"


def test_line_management_and_unknown_codes_are_read_as_headers(read, institution, bank):
    line = institution.link.encode_line_request("test", bank.context())
    response = bank.respond({})
    unknown = read(response[:10] + b"Z999" + response[14:])
    assert (read(line).side, read(line).header.line) == (Side.LINE, "test")
    assert (unknown.side, unknown.conversion, len(unknown.values)) == (Side.UNKNOWN, None, 11)


def test_the_body_of_a_failure_is_not_read(read, bank):
    telegram = read(bank.respond({}, code="1001"))
    assert (telegram.error, telegram.values[-1].path) == (None, "filler")


def test_an_error_leaves_the_fields_before_it(read, bank):
    response = bank.respond({"trans_list": [ROW, ROW]})
    telegram = read(response.replace(b"20260131235959", b"20260131236059", 1))
    assert str(telegram.error) == "BA04 response: offset 154: trans_list[0].tran_time: expected a time, HHMMSS"
    assert telegram.values[-1].path == "trans_list[0].tran_date"


def test_a_stream_must_end_with_a_whole_telegram(institution, bank):
    response = bank.respond({"trans_list": [ROW]})
    assert split_telegrams(institution.link, response * 2) == [response] * 2
    with pytest.raises(ConversionError, match="offset 268: end: expected 5 more bytes, as the length says"):
        split_telegrams(institution.link, response[:-5])
    with pytest.raises(ConversionError, match="length: expected 6 digits"):
        split_telegrams(institution.link, response + b"garbage")


def test_one_response_becomes_an_answer_with_its_position(bank):
    values = {"more": "Y", "next_date": "20260102", "next_no": "7", "trans_list": [ROW]}
    answer = build_single_answer(bank.conversion, bank.respond(values))
    body = json.loads(answer.body)
    assert (answer.status, body["trans_cnt"]) == (200, "1")
    call = type(bank.call)("", {})
    assert open_position(body["next_page"], call, bank.conversion).key == ("20260102", "000000000007")


@given(st.data())
def test_any_bytes_are_read_as_far_as_possible(institution, core, data):
    bank = core("BA04", PARAMETERS)
    telegram = bytearray(bank.respond({"trans_list": [ROW, ROW]}))
    for _ in range(data.draw(st.integers(0, 4))):
        telegram[data.draw(st.integers(0, len(telegram) - 1))] = data.draw(st.sampled_from(b" 09AY\xb1\x00\xff"))
    end = data.draw(st.integers(0, len(telegram)))
    read = read_telegram(institution.link, list(institution.conversions.values()), bytes(telegram[:end]))
    assert all(value.raw == telegram[value.offset :][: value.length] for value in read.values if value.plan is not None)
    assert read.error is None or 0 <= read.error.offset <= end


LINK = {
    "customer": "unchecked",
    "framing": {"length": 4},
    "header": ["result an(2)"],
    "response_code": {"field": "result", "codes": {"00": "00000"}},
}
BALANCE = {
    "api": "BA22",
    "code": "",
    "request": {"fields": ["account_num an(8)"]},
    "response": {"fields": ["account_num an(8)", "balance_amt n(5)", "loan_principal n(5)"]},
    "answer": {"currency_code": "= KRW"},
}


def test_without_message_type_a_telegram_is_what_it_can_be(compile_small):
    institution, problems = compile_small(LINK, {"BA22.yaml": BALANCE})
    assert problems == []
    conversions = list(institution.conversions.values())
    telegrams = [b"0010  12345678", b"0020001234567800010" + b"00020", b"001000123"]
    read = [read_telegram(institution.link, conversions, data) for data in telegrams]
    assert [each.side for each in read] == [Side.REQUEST, Side.RESPONSE, Side.RESPONSE]
    assert [each.error is None for each in read] == [True, True, False]
