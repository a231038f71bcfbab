"""APIs as JSON objects; the command's tests hold the fields."""

from relay.runtime.commands.apis.field_rows import build_api_object
from relay.standard.catalogue import load_catalogue


def test_an_api_has_its_period_and_members_of_lists():
    row = build_api_object(load_catalogue().apis["은행-004"])
    assert row["period"]["scheduled_days"] == 31
    (trans_list,) = (field for field in row["response"]["body"] if field["name"] == "trans_list")
    assert "trans_amt" in {field["name"] for field in trans_list["fields"]}


def test_values_that_an_api_does_not_have_are_null():
    row = build_api_object(load_catalogue().apis["지원-101"])
    assert (row["api_code"], row["version"], row["cycle"], row["period"]) == (None, None, None, None)
