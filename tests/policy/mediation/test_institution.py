import json

import pytest

from relay.policy.mediation.conversion import Call
from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.inspection import encode_response
from relay.policy.mediation.paging.collection import PageCollection

HEADER = [
    "msg_type n(4) = $kind",
    "tran_code an(4) = $code",
    "unique_no n(8) = $unique_number",
    "resp_code an(4)",
]
LINK = {
    "header": HEADER,
    "customer": "unchecked",
    "response_code": {"field": "resp_code", "codes": {"0000": "00000"}},
}
LOAN = {
    "api": "BA22",
    "code": "A022",
    "request": {"fields": ["account_num an(20)"]},
    "response": {"fields": ["balance_amt amount(15)", "loan_principal amount(15)", "next_repay_date date"]},
}
LIST = {
    "api": "BA13",
    "code": "A013",
    "request": {
        "fields": ["account_num an(20)", "from_date date", "to_date date", "rows n(3) = $rows", "after an(9) = $key"]
    },
    "response": {
        "fields": [
            "more an(1)",
            "key an(9)",
            "rows n(3)",
            {
                "list": "trans_list",
                "count": "rows",
                "max": 20,
                "fields": ["trans_dtime datetime", "trans_type n(2)", "trans_amt amount(15)", "balance_amt amount(15)"],
            },
        ]
    },
    "paging": {"list": "trans_list", "key": ["key"], "more": {"more": "Y"}, "rows": 20},
}


def change(values, path, value):
    """Returns a copy of nested mappings in which the value at a dotted path is another."""
    name, _, rest = path.partition(".")
    if isinstance(values, list):
        return [change(child, rest, value) if str(index) == name and rest else value if str(index) == name else child
                for index, child in enumerate(values)]  # fmt: skip
    return {**values, name: change(values.get(name, {}), rest, value) if rest else value}


def test_short_files_are_enough(compile_small):
    institution, problems = compile_small(LINK, {"BA22.yaml": LOAN, "BA13.yaml": LIST})
    assert problems == []
    assert list(institution.conversions) == ["BA22", "BA13"]


PROBLEMS = [
    # unmapped and unknown fields of the catalogue
    (LOAN, "response.fields", ["balance_amt amount(15)"],
     "BA22.yaml: answer.loan_principal: has no source for the required field loan_principal"),
    (LOAN, "answer", {"balance": "balance_amt"}, "BA22.yaml: answer.balance: is unknown in the standard"),
    (LOAN, "answer", {"balance_amt": "omit"}, "BA22.yaml: answer.balance_amt: omits a required field"),
    (LOAN, "answer", {"balance_amt": "rest"}, "BA22.yaml: answer.balance_amt: names rest, which the response does not"),
    (LOAN, "answer", {"balance_amt": {"field": "balance_amt", "when": {"next_repay_date": []}}},
     "BA22.yaml: answer.balance_amt: has a condition, but the field is required"),
    (LOAN, "answer", {"next_repay_date": {"rows": "message"}}, "answer.next_repay_date: has rows, but is no list"),
    (LOAN, "answer", {"balance_amt": {"count": "rows"}}, "answer.balance_amt: counts rows, which is no list"),
    (LOAN, "answer", {"balance_amt": {"sum": "rows.a"}}, "answer.balance_amt: sums rows.a, which is no number of rows"),
    (LIST, "answer", {"trans_list": {"rows": "trades"}}, "answer.trans_list: has no rows for the list trans_list"),
    (LIST, "response.fields.3.list", "trades", "answer.trans_list: has no rows for the list trans_list"),
    # types and lengths
    (LOAN, "response.fields.0", "balance_amt amount(18)",
     "answer.balance_amt: has up to 18 digits and 0 decimals, longer than F(18,3); expected: a shorter"),
    (LOAN, "response.fields.0", "balance_amt amount(18,4)", "answer.balance_amt: has up to 14 digits and 4 decimals"),
    (LOAN, "response.fields.0", "balance_amt ah(15)", "answer.balance_amt: is text; expected: F(18,3)"),
    (LOAN, "response.fields.2", "next_repay_date time", "answer.next_repay_date: is a time; expected: DATE, YYYYMMDD"),
    (LIST, "response.fields.3.fields.0", "trans_dtime time", "answer.trans_list.each.trans_dtime: is a time; "),
    (LIST, "answer", {"trans_list": {"rows": "trans_list", "each": {"currency_code": {"field": "trans_type",
     "codes": {"01": "won"}}}}}, "answer.trans_list.each.currency_code: has the value won, which currency_code cannot"),
    (LIST, "answer", {"trans_list": {"rows": "trans_list", "each": {"trans_type": "= 77"}}},
     "answer.trans_list.each.trans_type: has the value 77, which trans_type cannot have; expected: 01, 02"),
    # layout
    (LOAN, "request.fields", ["account_num an(20) at 99"], "BA22.yaml: request.fields[0]: leaves a gap of 75 bytes"),
    (LOAN, "request.fields", ["account_num an(20) at 3"], "BA22.yaml: request.fields[0]: begins at 3 and overlaps"),
    (LOAN, "request.fields", ["msg_type an(20)", "account_num an(20)"], "request.fields[0]: repeats the name msg_type"),
    (LOAN, "request.fields", ["account_num an(20)", "branch an(3)"],
     "BA22.yaml: request.fields[1]: has no value: branch is no parameter of the API"),
    (LOAN, "request.fields", ["account_num an(20)", "branch an(3) = $branch"],
     "BA22.yaml: request.fields[1]: has the unknown value $branch"),
    (LOAN, "request.fields", [], "BA22.yaml: request.fields: do not have the asset of the call, account_num"),
    (LIST, "response.fields.2", "rows n(1)", "BA13.yaml: response.fields[3].count: is too short: 1 digits for 20 rows"),
    (LIST, "response.fields.3.max", 999, "response.fields: have up to 45991 bytes, more than the framing allows"),
    # paging and codes
    (LIST, "paging.list", "int_list", "BA13.yaml: paging.list: is no list of the answer"),
    (LIST, "paging.key", ["next"], "BA13.yaml: paging.key[0]: names next, which the response does not have"),
    (LIST, "paging.more", {"flag": "Y"}, "BA13.yaml: paging.more.flag: is no field of the response"),
    (LIST, "paging.last", {"flag": "Y"}, "BA13.yaml: paging.last.flag: is no field of the response"),
    (LIST, "paging.more", {"more": "YES"}, "BA13.yaml: paging.more.more: has the value YES, which does not fit in the"),
    (LIST, "paging.last", {"more": ["N", "Y"]}, "BA13.yaml: paging.last: has a value of more: the list would both go"),
    (LIST, "paging", {"list": "trans_list", "key": ["key"], "last": {"more": "N"}, "rows": 20},
     "BA13.yaml: paging.last: is set, but more is missing"),
    (LIST, "paging.rows", 30, "BA13.yaml: paging.rows: is more than the list can have; expected: at most 20"),
    (LIST, "response.fields.1", "key an(700)", "BA13.yaml: paging.key: is too long for next_page"),
    (LOAN, "paging", LIST["paging"], "BA22.yaml: paging: is set, but the API has no pages"),
    (LOAN, "response_codes", {"0001": "40499"}, "BA22.yaml: response_codes.0001: is no rsp_code of the standard"),
    (LOAN, "api", "CD01", "BA22.yaml: api: is no API of the industry bank"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "path", "value", "problem"), PROBLEMS)
def test_a_wrong_message_is_a_problem_of_its_file(compile_small, message, path, value, problem):
    institution, problems = compile_small(LINK, {f"{message['api']}.yaml": change(message, path, value)})
    assert institution is None
    assert [text for text in problems if problem in text], problems


LINK_PROBLEMS = [
    ("header", [*HEADER, "msg_type an(1)"], "header[4]: repeats the name msg_type"),
    ("header", [*HEADER, {"list": "rows", "times": 2, "fields": ["a an(1)"]}], "header: has a list or an optional"),
    ("header", [*HEADER, "bank an(3) = $bank"], "header[4]: has the unknown value $bank"),
    ("header", ["no n(4)", "length n(4) = $length", *HEADER], "header[1]: has the length at another place than"),
    ("framing", {"offset": 4}, "header: has no length field; expected: a field = $length at offset 4"),
    ("response_code.field", "code", "response.fields: do not have the field code of response_code"),
    ("response_code.codes", {"0000": "00000", "1": "49999"}, "response_code.codes.1: is no rsp_code of the standard"),
    ("response_code.codes", {"0000": "50005"}, "response_code.codes: has no success; expected: a code of the core"),
    ("management", {"field": "mgmt", "codes": {"test": "301"}}, "management.field: is no field of the telegram"),
    ("management", {"field": "resp_code", "codes": {"test": "30142"}},
     "management.codes.test: does not fit in the field resp_code; expected: at most 4 characters"),
    ("management", {"field": "resp_code", "codes": {}, "ok": "00000"},
     "management.ok: does not fit in the field resp_code; expected: at most 4 characters"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "problem"), LINK_PROBLEMS)
def test_a_wrong_link_is_a_problem(compile_small, path, value, problem):
    institution, problems = compile_small(change(LINK, path, value), {"BA22.yaml": LOAN})
    assert institution is None
    assert [text for text in problems if problem in text], problems


def test_a_response_field_named_like_the_asset_repeats_it(compile_small):
    message = change(LOAN, "response.fields", ["account_num an(20)", *LOAN["response"]["fields"]])
    institution, _ = compile_small(LINK, {"BA22.yaml": message})
    conversion = institution.conversions["BA22"]
    context = {"account_num": "110", "unique_number": "1"}
    values = {"resp_code": "0000", "balance_amt": "1", "loan_principal": "1"}
    assert conversion.decode_response(encode_response(conversion, values, context), context).is_success
    with pytest.raises(ConversionError) as caught:
        conversion.decode_response(encode_response(conversion, values, {**context, "account_num": "111"}), context)
    assert (caught.value.field, caught.value.offset) == ("account_num", 24)


def test_a_problem_of_the_header_is_reported_once(compile_small):
    _, problems = compile_small(change(LINK, "header", [*HEADER, "a date(5)"]), {"a.yaml": LOAN, "b.yaml": LIST})
    assert problems == ["link.yaml: header[4]: has a length that date cannot have; expected: 6 or 8 bytes"]


def test_problems_of_all_files_are_reported_at_once(compile_small):
    files = {"a.yaml": change(LOAN, "api", "XX01"), "b.yaml": change(LIST, "paging.rows", 30), "c.yaml": LOAN,
             "d.yaml": LOAN}  # fmt: skip
    link = change(LINK, "response_code.codes", {"0000": "00000", "1": "49999"})
    _, problems = compile_small(link, files)
    assert [problem.partition(":")[0] for problem in problems] == ["link.yaml", "a.yaml", "b.yaml", "d.yaml"]
    assert problems[-1].startswith("d.yaml: api: is also that of c.yaml")


def test_every_offered_api_needs_a_file(compile_small):
    _, problems = compile_small(LINK, {"BA22.yaml": LOAN}, offered=["BA22", "BA23", "BA01"])
    assert [problem.partition(",")[0] for problem in problems] == [
        "link.yaml: has no file for BA01",
        "link.yaml: has no file for BA23",
    ]


def test_fields_may_have_korean_names(compile_small):
    message = change(LOAN, "response.fields", ["대출잔액 amount(15)", "원금 amount(15)"])
    message = change(message, "answer", {"balance_amt": "대출잔액", "loan_principal": "원금"})
    assert compile_small(LINK, {"BA22.yaml": message})[1] == []


def test_a_length_field_of_the_header_is_used(compile_small):
    link = change(LINK, "header", [*HEADER, "length n(4) = $length"]) | {"framing": {"offset": 20}}
    institution, problems = compile_small(link, {"BA22.yaml": LOAN})
    assert problems == []
    assert institution.link.framing.end == 24


def test_an_unknown_sign_of_an_amount_has_its_place(compile_small):
    fields = ["balance_amt amount(15)", "sign an(1)", *LOAN["response"]["fields"][1:]]
    answer = {"balance_amt": {"field": "balance_amt", "minus": {"sign": "-"}}}
    institution, problems = compile_small(
        LINK, {"BA22.yaml": {**LOAN, "response": {"fields": fields}, "answer": answer}}
    )
    assert problems == []
    conversion = institution.conversions["BA22"]
    call, bodies = Call("ZBAC000001", {"account_num": "1"}), {}
    for sign in ("-", "+", "?"):
        collection = PageCollection(conversion, call)
        collection.build_request("00000001", 1_800_000_000.0)
        values = {"resp_code": "0000", "balance_amt": "15", "sign": sign, "loan_principal": "1"}
        collection.accept(encode_response(conversion, values, {"account_num": "1", "unique_number": "00000001"}))
        try:
            bodies[sign] = json.loads(collection.build_answer().body)["balance_amt"]
        except ConversionError as error:
            bodies[sign] = str(error)
    wrong = "BA22 response: offset 24: balance_amt: expected a value of minus or plus in sign"
    assert bodies == {"-": "-15", "+": "15", "?": wrong}
