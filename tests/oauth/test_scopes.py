import pytest

from relay.oauth.scopes import load_scopes


@pytest.mark.parametrize("industry", ["bank", "card"])
def test_scopes_are_those_of_the_industry_and_read_once(industry):
    scopes = load_scopes(industry)
    assert {scope.partition(".")[0] for scope in scopes} == {industry}
    assert load_scopes(industry) is scopes
