import pytest

from relay.policy.mediation.conversion import Call, add_position, build_context
from relay.policy.mediation.errors import ConversionError

NOW = 1_800_000_000.0
ACCOUNT = {"account_num": "110200300400", "seqno": "1", "search_timestamp": "0"}


def test_times_of_a_context_are_those_of_korea():
    context = build_context(Call("ZBAC000001", {"today": "x", "account_num": "1"}, user_ci="ci"), "7", NOW)
    assert (context["today"], context["time"], context["now"]) == ("20270115", "170000", "20270115170000")
    assert (context["account_num"], context["user_ci"], context["unique_number"]) == ("1", "ci", "7")


def test_a_position_has_its_key_by_field(institution):
    paging = institution.conversions["BA04"].paging
    context = {}
    add_position(context, paging, (), 20)
    assert context == {"rows": "20", "page": "first", "key": "", "key.next_date": "", "key.next_no": ""}
    add_position(context, paging, ("20260131", "12"), 20)
    assert (context["page"], context["key"], context["key.next_no"]) == ("next", "20260131", "12")


def test_a_parameter_that_does_not_fit_is_named(core):
    bank = core("BA22", {**ACCOUNT, "account_num": "1" * 21})
    with pytest.raises(ConversionError) as caught:
        bank.conversion.encode_request(bank.context())
    assert str(caught.value) == "BA22 request: offset 190: account_num: expected at most 20 characters"


def test_a_failure_needs_no_body(core):
    bank = core("BA22", ACCOUNT)
    telegram = bank.respond({}, code="1001")
    response = bank.decode(b"%06d" % 96 + telegram[6:102])
    assert (response.rsp_code, response.core_code, response.table) == ("40402", "1001", None)
    assert not response.is_success


def test_a_response_code_may_be_in_the_body(files):
    files.link["header"][-3:] = ["filler(49)"]
    files.link["management"]["fields"].append("resp_code an(4)")
    message = files.messages["BA22.yaml"]
    message["response"]["fields"].insert(0, "resp_code an(4)")
    files.messages = {"BA22.yaml": message}
    institution, problems = files.compile()
    assert problems == []
    assert not institution.conversions["BA22"].codes.is_in_header


def test_a_message_may_have_response_codes_of_its_own(files, core):
    files.messages["BA22.yaml"]["response_codes"] = {"1001": "40305", "1009": "40402"}
    institution, _ = files.compile()
    codes = institution.conversions["BA22"].codes.codes
    assert (codes["1001"], codes["1009"], codes["0000"]) == ("40305", "40402", "00000")
