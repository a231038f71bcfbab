"""Headers and line management of cores: what works, and what could never work."""

import pytest

from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.inspection import encode_response

HEADER = [
    "msg_type n(4) = $kind",
    {"name": "direction", "type": "an", "length": 1, "value": "$kind",
     "codes": {"0200": "1", "0210": "2", "0800": "1", "0810": "2"}},
    "tran_code an(6) = $code",
    "unique_no n(8) = $unique_number",
    "resp_code an(3)",
]  # fmt: skip
LINK = {
    "header": HEADER,
    "customer": "unchecked",
    "response_code": {"field": "resp_code", "codes": {"000": "00000", "014": "40402"}},
    "management": {"field": "tran_code", "codes": {"start": "OPEN", "test": "TEST", "end": "CLOSE"}},
}
LOAN = {
    "api": "BA22",
    "code": "LOAN22",
    "request": {"fields": ["account_num an(20)", "seqno an(7)"]},
    "response": {"fields": ["balance_amt amount(15)", "loan_principal amount(15)", "next_repay_date date"]},
}
FILES = {"BA22.yaml": LOAN}


def change(section, **values):
    return {**LINK, section: {**LINK[section], **values}}


def with_field(index, field):
    return {**LINK, "header": [*HEADER[:index], field, *HEADER[index + 1 :]]}


@pytest.fixture
def institution(compile_small):
    compiled, problems = compile_small(LINK, FILES)
    assert problems == []
    return compiled


def test_line_management_may_be_told_by_the_transaction_code(institution):
    link = institution.link
    request = link.encode_line_request("start", {"unique_number": "7"})
    assert request == b"002208001OPEN  00000007   "
    header = link.read_header(request)
    assert (header.line, header.is_answer) == ("start", False)
    assert link.answer_line_request(header, {}) == b"002208102OPEN  00000007000"
    answer = link.read_header(b"002208102TEST  00000007000")
    assert (answer.line, answer.is_answer, answer.unique_number) == ("test", True, "00000007")


def test_data_and_management_may_share_message_types(compile_small):
    codes = {"0200": "1", "0210": "2"}
    link = {**change("management", kinds={"request": "0200", "response": "0210"})}
    link["header"] = [HEADER[0], {**HEADER[1], "codes": codes}, *HEADER[2:]]
    institution, problems = compile_small(link, FILES)
    assert problems == []
    request = institution.link.encode_line_request("test", {"unique_number": "7"})
    assert (institution.link.read_header(request).line, institution.link.find_number(request)) == ("test", None)
    response = encode_response(
        institution.conversions["BA22"],
        {"resp_code": "000", "balance_amt": "1", "loan_principal": "1"},
        {"account_num": "1", "unique_number": "7"},
    )
    assert (institution.link.read_header(response).line, institution.link.find_number(response)) == (None, "00000007")


def test_a_direction_differs_in_request_and_response(institution):
    conversion = institution.conversions["BA22"]
    context = {"account_num": "1", "unique_number": "7"}
    assert conversion.encode_request(context)[4:15] == b"02001LOAN22"
    values = {"resp_code": "000", "balance_amt": "1", "loan_principal": "1"}
    response = encode_response(conversion, values, context)
    assert response[4:15] == b"02102LOAN22"
    assert conversion.decode_response(response, context).is_success
    with pytest.raises(ConversionError) as caught:
        conversion.decode_response(response[:8] + b"1" + response[9:], context)
    assert str(caught.value) == "BA22 response: offset 8: direction: expected the $kind of the request"


def test_the_relay_answers_with_the_first_success_of_the_core(compile_small, institution):
    assert institution.link.ok == "000"
    chosen, problems = compile_small(change("management", ok="077"), FILES)
    assert (problems, chosen.link.ok) == ([], "077")


PROBLEMS = [
    (change("management", ok="0000"),
     "link.yaml: management.ok: does not fit in the field resp_code; expected: at most 3 characters"),
    (change("management", codes={"start": "OPENING"}), "link.yaml: management.codes.start: does not fit in the field"),
    (change("management", codes={"start": "OPEN", "test": "OPEN"}),
     "link.yaml: management.codes.test: is also the code of start: telegrams of the core could be either; expected: a"),
    (change("management", field="msg_type"),
     "link.yaml: management.field: names a field that always has $kind; expected: a field without value, or a field"),
    (change("management", kinds={"request": "800", "response": "0810"}),
     "link.yaml: management.kinds.request: reads as 0800 in the field msg_type"),
    ({**change("management", kinds={"request": "0200", "response": "0810"}, field="resp_code", codes={"test": "001"})},
     "link.yaml: management.kinds: has a message type of kinds: data telegrams would be taken for line management;"),
    (change("management", kinds={"request": "0200", "response": "0210"}, codes={"test": "LOAN22"}),
     "BA22.yaml: code: is a code of line management; expected: other codes, or other management.kinds"),
    (change("response_code", codes={"0000": "00000"}),
     "link.yaml: response_code.codes.0000: does not fit in the field resp_code; expected: at most 3 characters"),
    (with_field(1, "again n(4) = $kind"),
     "link.yaml: header[1]: is a second field = $kind, beside msg_type; expected: one such field; another one needs"),
    (with_field(0, "filler(4)"),
     "link.yaml: header[1]: has $kind as a code, and no field has it itself"),
    (with_field(1, {**HEADER[1], "codes": {"0200": "1", "0210": "2"}}),
     "link.yaml: management.kinds.request: does not fit in the field direction; expected: a value of its code table"),
    (with_field(2, "tran_code an(4) = $code"),
     "BA22.yaml: code: does not fit in the field tran_code; expected: at most 4 characters"),
]  # fmt: skip


@pytest.mark.parametrize(("link", "expected"), PROBLEMS, ids=[case[1][:58] for case in PROBLEMS])
def test_a_link_that_could_never_work_is_a_problem(compile_small, link, expected):
    institution, problems = compile_small(link, FILES)
    assert institution is None
    assert [problem for problem in problems if problem.startswith(expected)], problems


def test_codes_of_an_api_must_fit_too(compile_small):
    files = {
        "BA22.yaml": {**LOAN, "response_codes": {"0014": "40402"}, "response": {**LOAN["response"], "code": "LOAN222"}}
    }
    _, problems = compile_small(LINK, files)
    assert [problem.partition(";")[0] for problem in problems] == [
        "BA22.yaml: response.code: does not fit in the field tran_code",
        "BA22.yaml: response_codes.0014: does not fit in the field resp_code",
    ]


def test_a_code_that_is_never_sent_is_a_warning(compile_small):
    institution, problems = compile_small(with_field(2, "tran_code an(6)"), FILES)
    assert problems == []
    assert [str(warning) for warning in institution.warnings if warning.key == "code"] == [
        "BA22.yaml: code: is in no field of the request; expected: a field = $code, if the core needs the code"
    ]


@pytest.mark.parametrize(
    ("code", "branch", "is_warned"), [("LOAN22", "A", True), ("LOAN22", "B", False), ("X", "A", False)]
)
def test_two_apis_with_one_request_are_a_warning(compile_small, code, branch, is_warned):
    fields = LOAN["request"]["fields"]
    files = {
        "BA22.yaml": {**LOAN, "request": {"fields": [*fields, "branch an(1) = A"]}},
        "BA21.yaml": {
            "api": "BA21",
            "code": code,
            "request": {"fields": [*fields, f"branch an(1) = {branch}"]},
            "response": {"fields": ["issue_date date", "exp_date date", "rate amount(7,5)"]},
            "answer": {"last_offered_rate": "rate", "repay_method": "= 01"},
        },
    }
    institution, problems = compile_small(LINK, files)
    assert problems == []
    warned = [str(warning).partition(";")[0] for warning in institution.warnings if warning.key == "code"]
    wrong = "BA21.yaml: code: is also that of BA22: the core cannot tell their requests apart"
    assert warned == ([wrong] if is_warned else [])
