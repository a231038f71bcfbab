import pytest

from relay.policy.mediation.conversion import Call
from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.golden import (
    Difference,
    GoldenCall,
    build_call,
    compare_json,
    compare_outcomes,
    derive_call,
    read_stream,
    run_golden,
)

PARAMETERS = {"account_num": "110", "seqno": "1", "from_date": "20260101", "to_date": "20260131", "limit": "20"}
ROW = {
    "tran_date": "20260131", "tran_time": "235959", "trans_no": "12", "kind": "10", "trans_class": "급여",
    "currency_code": "KRW", "trans_amt": "1", "balance_amt": "1",
}  # fmt: skip


@pytest.fixture
def stream(core):
    """A request and a response of transactions, which begin with a continuation key."""
    bank = core("BA04", PARAMETERS)
    position = {"key": ("20260201", "000000000099"), "rows": 20}
    request = bank.conversion.encode_request(bank.context(**position))
    return request + bank.respond({"more": "N", "trans_list": [ROW]}, **position)


@pytest.fixture
def telegrams(institution, stream):
    return read_stream(institution.link, institution.conversions["BA04"], stream)


def run(institution, telegrams, golden, **options):
    return run_golden(institution.link, institution.conversions["BA04"], telegrams, golden, same_bytes=True, **options)


def test_the_call_is_derived_from_the_request(institution, telegrams):
    golden = derive_call(institution.conversions["BA04"], telegrams)
    assert golden.describe() == {
        "org_code": "ZBAC000001",
        "parameters": PARAMETERS,
        "key": ["20260201", "000000000099"],
    }


def test_a_response_alone_gives_what_it_repeats(institution, telegrams):
    golden = derive_call(institution.conversions["BA04"], telegrams[1:])
    assert golden.describe() == {"org_code": "ZBAC000001", "parameters": {"account_num": "110", "limit": "500"}}


def test_a_replayed_call_has_its_answer_and_no_difference(institution, telegrams):
    golden = derive_call(institution.conversions["BA04"], telegrams)
    result = run(institution, telegrams, golden)
    assert (result.differences, result.outcome["status"], result.outcome["answer"]["trans_cnt"]) == ([], 200, "1")
    assert compare_outcomes(result.outcome, result) == []


def test_a_response_of_another_account_is_an_error(institution, telegrams):
    golden = GoldenCall(Call("ZBAC000001", {**PARAMETERS, "account_num": "111", "org_code": "ZBAC000001"}))
    result = run(institution, telegrams, golden)
    assert result.outcome["error"] == (
        "BA04 response: offset 102: account_num: expected the $account_num of the request"
    )
    text = "the relay sends another value than the recorded request has"
    assert result.differences == [Difference(1, 190, "account_num", text)]


def test_a_request_alone_has_no_answer(institution, telegrams):
    golden = derive_call(institution.conversions["BA04"], telegrams)
    outcome = run(institution, telegrams[:1], golden).outcome
    assert outcome["error"] == "BA04 response: telegrams: expected at least one response"


def test_the_call_of_a_file_is_checked(institution):
    conversion = institution.conversions["BA04"]
    golden = build_call(conversion, {"org_code": "ZBAC000001", "parameters": PARAMETERS, "key": ["a", "b"]})
    assert (golden.call.parameters["limit"], golden.key) == ("20", ("a", "b"))
    with pytest.raises(ValueError, match=r"parameters\.x: is no parameter of BA04"):
        build_call(conversion, {"parameters": {"x": "1"}})


def test_garbage_is_no_stream(institution, stream):
    with pytest.raises(ConversionError):
        read_stream(institution.link, institution.conversions["BA04"], stream + b"x")


@pytest.mark.parametrize(
    ("expected", "actual", "differences"),
    [
        ({"a": "1"}, {"a": "1"}, []),
        ({"a": "1"}, {"a": "2"}, [("a", 'expected "1", is "2"')]),
        ({"a": [{"b": "1"}]}, {"a": [{"b": "1"}, {"b": "2"}]}, [("a[1]", 'expected nothing, is {"b": "2"}')]),
        ({"a": {"b": "가"}}, {"a": {}}, [("a.b", 'expected "가", is nothing')]),
        ({"a": []}, {"a": "x"}, [("a", 'expected [], is "x"')]),
    ],
)
def test_differences_of_json_have_their_path(expected, actual, differences):
    assert list(compare_json(expected, actual, "")) == differences


def test_another_number_of_telegrams_is_a_difference(institution, telegrams):
    result = run(institution, telegrams, derive_call(institution.conversions["BA04"], telegrams))
    expected = {**result.outcome, "telegrams": result.outcome["telegrams"][:1]}
    assert Difference(0, -1, "telegrams", "has 2 telegrams, the JSON file 1") in compare_outcomes(expected, result)


def test_an_error_is_the_only_difference_of_an_answer(institution, telegrams, stream):
    conversion = institution.conversions["BA04"]
    golden = derive_call(conversion, telegrams)
    expected = run(institution, telegrams, golden).outcome
    broken = read_stream(institution.link, conversion, stream.replace(b"235959", b"236059"))
    assert compare_outcomes(expected, run(institution, broken, golden)) == [
        Difference(2, 154, "trans_list[0].tran_time", "cannot be decoded: expected a time, HHMMSS")
    ]
    other = GoldenCall(Call("ZBAC000002", golden.call.parameters), golden.key)
    text = 'expected an answer, is "BA04 response: offset 17: org_code: expected the $org_code of the request"'
    assert Difference(0, -1, "error", text) in compare_outcomes(expected, run(institution, telegrams, other))
