"""Calls that the gateway forwards, and responses."""

import pytest

from relay.endpoint.calls import EndpointResponse, ForwardedCall, Note, build_error_response
from relay.endpoint.errors import OAuthRefusal


def test_a_note_has_headers_for_known_values_only():
    assert Note().headers() == {}
    assert Note(api_code="AU02", reason="code_spent").headers() == {
        "x-relay-api-code": "AU02",
        "x-relay-reason": "code_spent",
    }


@pytest.mark.parametrize(
    ("values", "value"), [((), ""), (("first",), "first"), (("first", "second"), ""), (("first", "first"), "")]
)
def test_a_repeated_header_has_no_value(values, value):
    assert ForwardedCall("", frozenset(), "", None, {"x-user-ci": values}, b"").single_header("x-user-ci") == value


def test_a_call_and_its_answer_show_nothing_of_the_customer():
    call = ForwardedCall("", frozenset(), "", "state=PRIVATE", {"x-user-ci": ("PRIVATE",)}, b"code=PRIVATE")
    response = EndpointResponse(200, {"access_token": "PRIVATE"}, {"Location": "PRIVATE"})
    assert "PRIVATE" not in f"{call} {response}"


def test_a_refusal_is_json_with_retry_after():
    response = build_error_response(OAuthRefusal("temporarily_unavailable", "later", retry_after=5))
    assert (response.status, response.headers) == (503, {"Retry-After": "5"})
    assert response.body == {"error": "temporarily_unavailable", "error_description": "later"}
    assert build_error_response(OAuthRefusal("invalid_client", "no")).headers == {}
