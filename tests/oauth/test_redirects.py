"""The way back to the operator."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from relay.oauth.redirects import way_back


@pytest.mark.parametrize(
    ("callback", "answer", "location"),
    [
        ("https://a.example/cb", {"code": "x", "state": "s"}, "https://a.example/cb?code=x&state=s"),
        ("https://a.example/cb?kind=1", {"code": "x"}, "https://a.example/cb?kind=1&code=x"),
        ("https://a.example", {"error_description": "a b&c=d"}, "https://a.example?error_description=a%20b%26c%3Dd"),
        ("https://a.example/cb#part", {"code": "x"}, "https://a.example/cb?code=x"),
        ("https://a.example/cb", {"error_description": "한"}, "https://a.example/cb?error_description=%ED%95%9C"),
        (
            "https://a.example/cb",
            {"state": "a\r\nSet-Cookie: b"},
            "https://a.example/cb?state=a%0D%0ASet-Cookie%3A%20b",
        ),
    ],
)
def test_the_answer_stands_in_the_query(callback, answer, location):
    assert way_back(callback, **answer) == location


def test_what_was_answered_is_what_is_read():
    answer = {"code": "a+b/c=", "state": "s", "api_tran_id": "T"}
    assert dict(parse_qsl(urlsplit(way_back("https://a.example/cb", **answer)).query)) == answer
