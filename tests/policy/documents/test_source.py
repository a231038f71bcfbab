"""Groups of APIs, their codes and examples."""

from relay.domain.ids import INDUSTRIES
from relay.policy.documents.source import GROUPS, get_code


def test_groups_have_every_api(source):
    assert {api.api_id for group in GROUPS for api in source.list_apis(group)} == set(source.catalogue.apis)


def test_support_apis_belong_to_the_relay_or_the_portal(source):
    assert [api.api_id for api in source.list_apis("support")] == ["지원-101", "지원-102", "지원-103", "지원-104"]
    assert len(source.list_apis("portal")) == 6


def test_codes_are_unique(source):
    codes = [get_code(api) for api in source.catalogue.apis.values()]
    assert len(set(codes)) == 91
    assert "S101" in codes


def test_every_call_of_today_has_an_example(source):
    for group in GROUPS:
        apis = source.list_apis(group)
        missing = {api.api_id for api in apis if source.get_example(api, group) is None}
        assert missing == {api.api_id for api in apis if group in api.later}


def test_every_industry_has_a_name(source):
    assert set(source.get_industry_names()) == set(INDUSTRIES)
