import pytest

from relay.oauth.pages.browser import Browser, cookie_of

ONE, OTHER = Browser("a" * 43), Browser("b" * 43)


def test_a_cookie_of_ours_is_a_browser():
    assert Browser.of({cookie_of("r1"): "a" * 43}, "r1") == ONE
    assert Browser.of({cookie_of("r2"): "a" * 43}, "r1") is None


def test_the_cookies_of_requests_are_kept_to_us_and_do_not_name_them():
    assert cookie_of("r1").startswith("__Host-relay-")
    assert cookie_of("r1") != cookie_of("r2")
    assert "r1" not in cookie_of("r1").removeprefix("__Host-relay-")


@pytest.mark.parametrize("value", [None, "", "a" * 31, "a" * 129, "a" * 42 + "=", "가" * 43])
def test_anything_else_is_none(value):
    assert Browser.of({} if value is None else {cookie_of("r1"): value}, "r1") is None


def test_digests_differ_by_browser_and_by_request():
    digests = {ONE.digest("r1"), ONE.digest("r2"), OTHER.digest("r1")}
    assert len(digests) == 3
    assert {len(digest) for digest in digests} == {32}


def test_a_form_token_fits_its_browser_and_request_alone():
    token = ONE.form_token("r1")
    assert ONE.fits("r1", token)
    assert not (ONE.fits("r2", token))
    assert not (OTHER.fits("r1", token))
    assert not (ONE.fits("r1", ""))
    assert not (ONE.fits("r1", "가"))


def test_neither_secret_nor_digest_can_be_told_from_a_token():
    assert ONE.secret not in ONE.form_token("r1")
    assert ONE.secret not in repr(ONE)
