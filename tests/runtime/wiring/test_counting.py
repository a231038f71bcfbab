"""The one way of counting knows the standard's words."""

import pytest

from relay.domain.exchange import Exchange
from relay.runtime.wiring.counting import counting


def exchange(**fields):
    made = Exchange(0.0, 1_700_000_000.0)
    told = {"provider": "ZBAA000001", "operator": "ZOPA000001", "client_id": "one1", "api_code": "BA01", "status": 200}
    for name, value in (told | fields).items():
        setattr(made, name, value)
    made.close(0.1)
    return made


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"rsp_code": "00000"}, "200_00000"),
        ({"rsp_code": "50005", "status": 500}, "500_50005"),
        ({"rsp_code": "98765", "status": 500}, "500_other"),
        ({"api_code": "AU02", "status": 400, "error": "invalid_grant"}, "400_invalid_grant"),
        ({"api_code": "AU01", "status": 302, "error": "unauthorized_user"}, "302_unauthorized_user"),
        ({"api_code": "AU02", "status": 400, "error": "invented_here"}, "400_other"),
    ],
)
def test_codes_and_errors_of_the_standard_count_by_name_and_no_others(fields, outcome):
    assert counting().line(exchange(**fields)).outcome == outcome


def test_an_api_that_the_standard_does_not_have_counts_for_nobody():
    assert counting().line(exchange(api_code="S101", rsp_code="00000")) is None


def test_it_is_made_once():
    assert counting() is counting()
