import pytest
from pydantic import ValidationError

from relay.policy.mediation.json_api.settings import JsonLink, RequestSettings, ResponseSettings
from relay.policy.mediation.settings import NumberedPaging


def test_defaults_are_those_of_the_page():
    link = JsonLink(response_code={"statuses": {"404": "40402"}})
    assert (link.charset, link.path, link.forms.date, link.max_bytes) == ("UTF-8", "", "YYYYMMDD", 1_048_576)
    assert (RequestSettings(path="/a").method, ResponseSettings().at) == ("GET", "$")


@pytest.mark.parametrize("path", ["", "a", "/a b", "/a?b", "/a#b", "/a\n", "//x", "http://a/b"])
def test_a_path_is_no_url(path):
    if path == "//x":
        assert RequestSettings(path=path).path == path
        return
    with pytest.raises(ValidationError):
        RequestSettings(path=path)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"by": "key"}, "key: is missing, but by is key"),
        ({"by": "page", "key": ("a",)}, "key: is set, but by is page"),
        ({"by": "offset", "pages": "a"}, "pages: does not fit"),
        ({"by": "offset", "fixed": True}, "fixed: is set, but by is offset"),
        ({"by": "key", "key": ("a",), "first": 1}, "first: is set, but by is key"),
        ({"by": "key", "key": ("a",), "total": "a"}, "total: does not fit"),
        ({"by": "page", "total": "a", "more": {"b": ("1",)}}, "total: does not fit"),
        ({"by": "page", "total": "a", "pages": "b"}, "pages: is set, and total, too"),
    ],
)
def test_a_list_continues_in_one_way(values, words):
    with pytest.raises(ValidationError, match=words):
        NumberedPaging(list="a", **values)
