from datetime import date

import pytest
from mydata_sandbox.operator.request_values import SOURCES, MissingValue, build_next_page, build_request

from relay.standard.catalogue import load_catalogue

CATALOGUE = load_catalogue()
TODAY = date(2026, 1, 31)
FIXED = {"org_code": "ZBAA000001", "client_id": "c"}


def build(api_id, answers):
    return build_request(CATALOGUE.apis[api_id], FIXED, answers, TODAY)


def test_a_list_request_starts_at_the_beginning():
    assert build("은행-001", {}) == {"org_code": "ZBAA000001", "search_timestamp": "0", "limit": "20"}


def test_a_loan_request_takes_a_loan_account():
    rows = [
        {"account_num": "1", "account_type": "1001", "is_consent": "true"},
        {"account_num": "2", "account_type": "3100", "is_consent": "false"},
        {"account_num": "3", "account_type": "3100", "seqno": "7", "is_consent": "true"},
    ]
    params = build("은행-008", {"은행-001": [{"account_list": rows[:1]}, {"account_list": rows[1:]}]})
    assert (params["account_num"], params["seqno"]) == ("3", "7")


def test_an_account_in_an_inner_row_is_taken():
    rows = [{"fob_id": "f", "is_consent": "true", "is_charge": "true", "account_list": [{"account_id": "a"}]}]
    assert build("전금-003", {"전금-001": [{"fob_list": rows}]}) == {
        "org_code": "ZBAA000001",
        "fob_id": "f",
        "account_id": "a",
        "search_timestamp": "0",
    }


def test_a_missing_value_is_an_error():
    with pytest.raises(MissingValue, match="카드-001"):
        build("카드-002", {"카드-001": [{"card_list": []}]})


def test_dates_are_within_the_narrowest_limits():
    answers = {"통신-001": [{"telecom_list": [{"mgmt_id": "m"}]}]}
    days, months, month = (build(f"통신-00{number}", answers) for number in (4, 3, 2))
    assert (days["from_date"], days["to_date"]) == ("20260101", "20260131")
    assert (months["from_month"], months["to_month"]) == ("202511", "202601")
    assert month["charge_month"] == "202512"


def test_a_later_page_has_no_timestamp():
    assert build_next_page({"org_code": "o", "search_timestamp": "0"}, "c") == {"org_code": "o", "next_page": "c"}


def test_sources_name_apis_and_fields_of_the_standard():
    for api_id, sources in SOURCES.items():
        request = CATALOGUE.apis[api_id].request
        names = {field.name for field in (*request.path, *request.query, *request.body)}
        for source in sources:
            assert set(source.fields) <= names
            listed = {field.name for field in CATALOGUE.apis[source.api_id].response.body}
            assert source.rows in listed
