"""Base URLs are part of each request line to an institution, so ambiguous or unsafe URLs are refused."""

import pytest
from pydantic import TypeAdapter, ValidationError

from relay.policy.settings.scalars import BaseUrl

URL = TypeAdapter(BaseUrl)


@pytest.mark.parametrize(
    "url",
    [
        "https://bank.example/a b", "https://bank.example/a\nb", "https://bank.example/é", "https://bank.example/../x",
        "https://bank.example/%2e", "https://bank.example//x", "https://bank example", "https://@bank.example",
        "https://bank.example:", "https://bank.example?", "https://bank.example#", "https://bank.example:99999",
        "https://127.1", "https://2130706433", "ftp://bank.example", "//bank.example", "",
    ],
)  # fmt: skip
def test_an_ambiguous_base_url_is_refused(url):
    with pytest.raises(ValidationError):
        URL.validate_python(url)


@pytest.mark.parametrize(
    ("url", "parsed"),
    [
        ("https://bank.example", "https://bank.example"),
        ("https://bank.example:8443/mydata/", "https://bank.example:8443/mydata"),
        ("http://192.0.2.7:8080", "http://192.0.2.7:8080"),
        ("http://[2001:db8::7]:8080/v", "http://[2001:db8::7]:8080/v"),
    ],
)
def test_a_base_url_loses_its_trailing_slash(url, parsed):
    assert URL.validate_python(url) == parsed
