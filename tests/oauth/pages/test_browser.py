import pytest

from relay.oauth.pages.browser import Browser, cookie_name

ONE, OTHER = Browser("a" * 43), Browser("b" * 43)


def test_a_browser_is_read_from_its_cookie():
    assert Browser.from_cookies({cookie_name("r1"): "a" * 43}, "r1") == ONE
    assert Browser.from_cookies({cookie_name("r2"): "a" * 43}, "r1") is None


def test_cookie_names_are_host_only_and_hide_the_request():
    assert cookie_name("r1").startswith("__Host-relay-")
    assert cookie_name("r1") != cookie_name("r2")
    assert "r1" not in cookie_name("r1").removeprefix("__Host-relay-")


@pytest.mark.parametrize("value", [None, "", "a" * 31, "a" * 129, "a" * 42 + "=", "가" * 43])
def test_a_malformed_cookie_is_no_browser(value):
    assert Browser.from_cookies({} if value is None else {cookie_name("r1"): value}, "r1") is None


def test_digests_differ_by_browser_and_by_request():
    digests = {ONE.digest("r1"), ONE.digest("r2"), OTHER.digest("r1")}
    assert len(digests) == 3
    assert {len(digest) for digest in digests} == {32}


def test_a_form_token_is_valid_for_its_browser_and_request():
    token = ONE.form_token("r1")
    assert ONE.is_form_token("r1", token)
    assert not (ONE.is_form_token("r2", token))
    assert not (OTHER.is_form_token("r1", token))
    assert not (ONE.is_form_token("r1", ""))
    assert not (ONE.is_form_token("r1", "가"))


def test_the_secret_is_neither_in_the_token_nor_printed():
    assert ONE.secret not in ONE.form_token("r1")
    assert ONE.secret not in repr(ONE)
