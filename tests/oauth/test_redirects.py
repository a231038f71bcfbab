from urllib.parse import parse_qsl, urlsplit

import pytest

from relay.oauth.redirects import build_callback_url


@pytest.mark.parametrize(
    ("callback", "parameters", "location"),
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
def test_parameters_are_added_to_the_query(callback, parameters, location):
    assert build_callback_url(callback, **parameters) == location


def test_parameters_survive_the_encoding():
    parameters = {"code": "a+b/c=", "state": "s", "api_tran_id": "T"}
    assert dict(parse_qsl(urlsplit(build_callback_url("https://a.example/cb", **parameters)).query)) == parameters
