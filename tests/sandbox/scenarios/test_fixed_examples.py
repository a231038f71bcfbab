"""Examples of token and support APIs."""

import pytest
from mydata_sandbox.checks.conformance import find_strict_violations
from mydata_sandbox.checks.field_types import is_value
from mydata_sandbox.scenarios.fixed_examples import build_oauth_examples, build_portal_examples, build_support_examples

from relay.domain.api import Presence
from relay.standard.catalogue import load_catalogue

APIS = load_catalogue().apis
EXAMPLES = build_oauth_examples() | build_support_examples() | build_portal_examples()


def test_every_api_without_an_industry_has_an_example():
    assert set(EXAMPLES) == {api_id for api_id, api in APIS.items() if not api.industries}


@pytest.mark.parametrize("api_id", EXAMPLES)
def test_the_response_conforms_to_the_standard(api_id):
    assert find_strict_violations(APIS[api_id], EXAMPLES[api_id]["response"]) == []


@pytest.mark.parametrize("api_id", EXAMPLES)
def test_the_request_has_values_of_its_fields(api_id):
    request, message = EXAMPLES[api_id]["request"], APIS[api_id].request
    fields = {field.name: field for field in (*message.header, *message.query, *message.body)}
    assert set(request) <= set(fields)
    assert {field.name for field in (*message.query, *message.body) if field.presence is Presence.REQUIRED} <= set(
        request
    )
    assert all(is_value(fields[name], value) for name, value in request.items() if isinstance(value, str))
