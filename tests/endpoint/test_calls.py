"""What the gateway hands over and takes back."""

import pytest

from relay.endpoint.calls import Answer, Call, Note, refused
from relay.endpoint.errors import OAuthRefusal


def test_a_note_tells_what_is_known_and_nothing_else():
    assert Note().headers() == {}
    assert Note(api_code="AU02", reason="code_spent").headers() == {
        "x-relay-api-code": "AU02",
        "x-relay-reason": "code_spent",
    }


@pytest.mark.parametrize(("values", "told"), [((), ""), (("one",), "one"), (("one", "two"), ""), (("one", "one"), "")])
def test_a_header_that_stands_twice_is_no_header(values, told):
    assert Call("", frozenset(), "", None, {"x-user-ci": values}, b"").header("x-user-ci") == told


def test_a_call_and_its_answer_show_nothing_of_the_customer():
    call = Call("", frozenset(), "", "state=PRIVATE", {"x-user-ci": ("PRIVATE",)}, b"code=PRIVATE")
    answer = Answer(200, {"access_token": "PRIVATE"}, {"Location": "PRIVATE"})
    assert "PRIVATE" not in f"{call} {answer}"


def test_a_refusal_is_told_by_json_and_when_to_come_again():
    answer = refused(OAuthRefusal("temporarily_unavailable", "later", retry_after=5))
    assert (answer.status, answer.headers) == (503, {"Retry-After": "5"})
    assert answer.body == {"error": "temporarily_unavailable", "error_description": "later"}
    assert refused(OAuthRefusal("invalid_client", "no")).headers == {}
