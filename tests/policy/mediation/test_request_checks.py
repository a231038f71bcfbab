"""What requests must say and responses should repeat, so that no customer gets the data of another one."""

import pytest

from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.inspection import encode_response

HEADER = ["msg_type n(4) = $kind", "tran_code an(4) = $code", "unique_no n(8) = $unique_number", "resp_code an(4)"]
LINK = {"header": HEADER, "response_code": {"field": "resp_code", "codes": {"0000": "00000"}}}
LIST = {
    "api": "BA13",
    "code": "A013",
    "request": {
        "fields": [
            "ci an(88) = $user_ci", "account_num an(20)", "seqno an(7)", "from_date date", "to_date date",
            "rows n(3) = $rows", "after an(9) = $key",
        ]
    },
    "response": {
        "fields": [
            "account_num an(20)", "seqno an(7)", "more an(1)", "next an(9)", "rows n(3)",
            {
                "list": "trans_list", "count": "rows", "max": 20,
                "fields": ["trans_dtime datetime", "trans_type n(2)", "trans_amt amount(15)", "balance_amt amount(15)"],
            },
        ]
    },
    "paging": {"list": "trans_list", "key": ["next"], "more": {"more": "Y"}, "rows": 20},
}  # fmt: skip
LOAN = {
    "api": "BA22",
    "code": "A022",
    "request": {"fields": ["account_num an(20)", "seqno an(7)"]},
    "response": {"fields": ["balance_amt amount(15)", "loan_principal amount(15)", "next_repay_date date"]},
}


def with_request(message, old, *new):
    """Returns a message whose request has other fields instead of one."""
    fields = [line for field in message["request"]["fields"] for line in (new if field == old else [field])]
    return {**message, "request": {"fields": fields}}


def list_warnings(institution):
    return [str(warning) for warning in institution.warnings]


def test_a_complete_file_has_no_problem_and_no_warning(compile_small):
    institution, problems = compile_small(LINK, {"BA13.yaml": LIST})
    assert problems == []
    assert list_warnings(institution) == []


PROBLEMS = [
    ("ci an(88) = $user_ci", [], ("BA13.yaml: request: does not name the customer of the call, user_ci: the core would "
     "serve accounts of other customers; expected: a field = $user_ci of an(88); if the core cannot take the CI, "
     "customer: unchecked in link.yaml")),
    ("ci an(88) = $user_ci", ["ci an(13) = $user_ci"],
     "BA13.yaml: request.fields[0]: has 13 bytes for $user_ci; expected: 88 bytes, those of a CI"),
    ("ci an(88) = $user_ci", [{"name": "ci", "type": "an", "length": 88, "value": "$user_ci", "default": "X"}],
     "BA13.yaml: request: does not name the customer of the call, user_ci"),
    ("account_num an(20)", [{"name": "account_num", "type": "an", "length": 20, "codes": {"1": "2"}, "default": "3"}],
     "BA13.yaml: request.fields: do not have the asset of the call, account_num"),
    ("seqno an(7)", [{"name": "seqno", "type": "an", "length": 2, "codes": {"001": "001"}}],
     "BA13.yaml: request.fields[2].codes.001: does not fit in the field seqno; expected: at most 2 characters"),
    ("seqno an(7)", [{"name": "seqno", "type": "n", "length": 3, "default": "one"}],
     "BA13.yaml: request.fields[2].default: does not fit in the field seqno; expected: at most 3 digits"),
    ("seqno an(7)", [{"name": "seqno", "type": "an", "length": 2, "blank": ["999"]}],
     "BA13.yaml: request.fields[2].blank: has 999, longer than the field; expected: at most 2 characters"),
    ("from_date date", [], ("BA13.yaml: request: does not have the parameter from_date of the API; expected: a field "
     "from_date")),
    ("to_date date", ["bis date = $from_date"], "BA13.yaml: request: does not have the parameter to_date of the API"),
    ("after an(9) = $key", ["after an(9) = $key.more"],
     "BA13.yaml: request.fields[6]: has $key.more, which is not in paging.key; expected: one of paging.key"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), PROBLEMS, ids=[case[2][:60] for case in PROBLEMS])
def test_a_request_that_lacks_something_is_a_problem(compile_small, old, new, expected):
    institution, problems = compile_small(LINK, {"BA13.yaml": with_request(LIST, old, *new)})
    assert institution is None
    assert [problem for problem in problems if problem.startswith(expected)], problems


def test_a_list_without_pages_has_no_positions(compile_small):
    _, problems = compile_small(LINK, {"BA13.yaml": {**LIST, "paging": None}})
    assert [problem.partition(";")[0] for problem in problems] == [
        "BA13.yaml: request.fields[5]: has $rows, but the file has no paging",
        "BA13.yaml: request.fields[6]: has $key, but the file has no paging",
    ]


def test_a_response_may_name_the_customer_instead(compile_small):
    response = {"fields": ["ci an(88) = $user_ci", *LOAN["response"]["fields"]]}
    institution, problems = compile_small(LINK, {"BA22.yaml": {**LOAN, "response": response}})
    assert problems == []
    assert list_warnings(institution) == []


def test_unchecked_customers_are_a_warning(compile_small):
    institution, problems = compile_small({**LINK, "customer": "unchecked"}, {"BA22.yaml": LOAN})
    assert problems == []
    assert [warning.partition(";")[0] for warning in list_warnings(institution)] == [
        "link.yaml: customer: is unchecked: the core cannot know whose account a call asks for",
        (
            "BA22.yaml: response.fields: repeat nothing of the customer: if the core swaps two responses, "
            "each customer gets the other's data"
        ),
    ]


def test_short_fields_and_missing_options_are_warnings(compile_small):
    message = with_request(with_request(LIST, "account_num an(20)", "account_num an(16)"), "seqno an(7)")
    institution, problems = compile_small(LINK, {"BA13.yaml": message})
    assert problems == []
    assert list_warnings(institution) == [
        "BA13.yaml: request: does not have the parameter seqno of the API; expected: a field seqno",
        (
            "BA13.yaml: request.fields[1]: has 16 bytes, but account_num may have 20; expected: a longer field if "
            "the core has longer values; longer ones are answered with 40402"
        ),
    ]


@pytest.mark.parametrize(
    ("asked", "answered", "is_equal"), [("001", "001", True), ("001", "002", False), ("", "2", True)]
)
def test_a_response_must_repeat_the_number_of_the_account(compile_small, asked, answered, is_equal):
    institution, _ = compile_small(LINK, {"BA13.yaml": LIST})
    conversion = institution.conversions["BA13"]
    context = {"account_num": "110", "unique_number": "1", **({"seqno": asked} if asked else {})}
    response = encode_response(conversion, {"resp_code": "0000"}, {**context, "seqno": answered})
    if is_equal:
        assert conversion.decode_response(response, context).is_success
        return
    with pytest.raises(ConversionError) as caught:
        conversion.decode_response(response, context)
    assert str(caught.value) == "BA13 response: offset 44: seqno: expected the $seqno of the request"
