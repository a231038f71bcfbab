import json

import pytest

from relay.policy.mediation.field_uses import (
    describe_demand,
    describe_source,
    find_answer_uses,
    iter_counts,
    iter_plans,
)
from relay.policy.mediation.settings import TelegramMessage


@pytest.fixture
def uses_of(institution, all_files):
    """Returns a function: the uses of the fields of an API's response."""

    def find(api_code):
        conversion = institution.conversions[api_code]
        message = TelegramMessage.model_validate_json(json.dumps(all_files.messages[f"{api_code}.yaml"]), strict=True)
        return find_answer_uses(conversion.api, message, conversion)

    return find


@pytest.mark.parametrize(
    ("api_code", "path", "uses"),
    [
        ("BA04", ("trans_list", "tran_time"), ["trans_list[].trans_dtime"]),
        ("BA04", ("trans_list", "kind"), ["trans_list[].trans_type by code table"]),
        ("BA04", ("resp_code",), ["rsp_code"]),
        ("BA04", ("next_no",), ["next_page"]),
        ("BA04", ("more",), ["more rows if Y"]),
        ("BA13", ("trades", "trans_no"), ["trans_list[].trans_no", "next_page"]),
        ("BA21", ("repay_org_code",), ["repay_org_code", "condition of repay_account_num"]),
        ("BA23", ("trans_list", "interests"), ["trans_list[].int_amt", "trans_list[].int_list"]),
        ("BA23", ("trans_list", "interests", "int_rate"), ["trans_list[].int_list[].int_rate"]),
    ],
)
def test_a_field_of_a_response_has_its_uses(uses_of, api_code, path, uses):
    assert uses_of(api_code)[path] == uses


def test_fields_that_nothing_uses_are_absent(uses_of):
    assert ("trans_list", "branch") not in uses_of("BA04")


def test_a_field_of_a_request_has_its_source(institution):
    conversion = institution.conversions["BA04"]
    sources = {path: describe_source(plan, conversion) for path, plan in iter_plans(conversion.request.parts)}
    assert sources[("account_num",)] == "parameter account_num"
    assert sources[("bank_code",)] == "constant 099"
    assert sources[("tran_code",)] == "the transaction code A004"
    assert sources[("next_no",)] == "the continuation key next_no"
    assert sources[("resp_code",)] == ""


def test_a_field_of_a_response_has_its_demand(institution):
    conversion = institution.conversions["BA04"]
    demands = {path: describe_demand(plan, conversion) for path, plan in iter_plans(conversion.response.parts)}
    assert demands[("msg_type",)] == "must be 0210"
    assert demands[("account_num",)] == "must be that of the request: parameter account_num"
    assert demands[("send_date",)] == ""


def test_counts_are_named_with_their_lists(institution):
    counts = dict(iter_counts(institution.conversions["BA23"].response.parts))
    assert counts == {("row_count",): "trans_list", ("trans_list", "int_count"): "interests"}
