import pytest
from jinja2 import UndefinedError

from relay.oauth.pages.error_pages import INSTITUTION_UNAVAILABLE
from relay.oauth.pages.rendering import STYLE, build_csp, render_error_page, render_page


def test_a_page_loads_only_our_styles_and_posts_only_to_us():
    assert build_csp() == (
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    assert "form-action 'self' https://a.example moabogi:;" in build_csp(("https://a.example", "moabogi:"))


def test_a_missing_template_value_is_an_error():
    with pytest.raises(UndefinedError):
        render_page("login.html")


def test_an_error_page_has_its_status_and_a_retry_link():
    assert "다시 시도하기" not in render_error_page(INSTITUTION_UNAVAILABLE).text
    response = render_error_page(INSTITUTION_UNAVAILABLE, '/again"><script>')
    assert response.status == 503
    assert "<script>" not in response.text


def test_the_stylesheet_loads_nothing():
    assert b"focus-visible" in STYLE
    assert b"url(" not in STYLE
    assert b"@import" not in STYLE
