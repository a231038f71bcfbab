import pytest

from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.link import Header

CONTEXT = {"today": "20260131", "time": "101112", "unique_number": "7", "org_code": "ZBAC000001"}


@pytest.mark.parametrize(("action", "code"), [("start", b"001"), ("test", b"301"), ("end", b"002")])
def test_a_line_request_is_written_and_read(institution, action, code):
    link = institution.link
    telegram = link.encode_line_request(action, CONTEXT)
    assert (telegram[6:10], telegram[102:105], len(telegram)) == (b"0800", code, 122)
    assert link.read_header(telegram) == Header("0800", "", "000000000007", action)


def test_an_answer_repeats_number_and_code(institution):
    link = institution.link
    request = link.read_header(link.encode_line_request("test", CONTEXT))
    answer = link.answer_line_request(request, {**CONTEXT, "unique_number": "999"})
    assert link.read_header(answer) == Header("0810", "", "000000000007", "test", is_answer=True, response_code="0000")
    assert answer[53:57] == b"0000"


def test_a_response_is_told_from_line_management(core, institution):
    bank = core("BA22", {"account_num": "1", "search_timestamp": "0"})
    telegram = bank.respond({"balance_amt": "1", "loan_principal": "1"}, unique_number="12")
    assert institution.link.read_header(telegram) == Header("0210", "A022", "000000000012")


def test_an_unknown_code_of_line_management_is_refused(institution):
    telegram = institution.link.encode_line_request("test", CONTEXT)
    with pytest.raises(ConversionError, match="offset 102: mgmt_code: expected a code of line management"):
        institution.link.read_header(telegram[:102] + b"999" + telegram[105:])


def test_a_header_that_is_short_is_refused(institution):
    with pytest.raises(ConversionError, match="offset 17: org_code: expected 10 bytes"):
        institution.link.read_header(b"0000140210A022099ZBAC")


def test_unique_numbers_have_the_digits_of_their_field(institution, compile_small):
    assert institution.link.unique_digits == 12
    link = {"header": ["code an(4)"], "response_code": {"field": "code", "codes": {"0": "00000"}}}
    assert compile_small(link, {})[0].link.unique_digits == 0


def test_a_reader_divides_the_stream(institution):
    telegram = institution.link.encode_line_request("test", CONTEXT)
    assert institution.link.open_reader().feed(telegram * 2) == [telegram] * 2


@pytest.mark.parametrize(
    ("code", "is_success"), [("0000", True), ("", True), ("0001", False), ("1001", False), ("9999", False)]
)
def test_an_answer_of_line_management_may_refuse(institution, code, is_success):
    header = Header("0810", "", "000000000007", "start", is_answer=True, response_code=code)
    assert institution.link.is_line_success(header) == is_success


@pytest.mark.parametrize(
    ("offset", "data", "number"),
    [(6, b"02X0", "000000000007"), (41, b"?", ""), (6, b"0800", None), (6, b"0210", "000000000007")],
    ids=["broken kind", "broken number", "line management", "whole"],
)
def test_the_number_of_a_broken_header_is_found(institution, offset, data, number):
    request = institution.link.encode_line_request("test", CONTEXT)
    telegram = request[:6] + b"0210" + request[10:]
    assert institution.link.find_number(telegram[:offset] + data + telegram[offset + len(data) :]) == number
