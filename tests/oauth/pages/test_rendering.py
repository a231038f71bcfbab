import pytest
from jinja2 import UndefinedError

from relay.oauth.pages.problems import SILENT
from relay.oauth.pages.rendering import STYLE, page, policy_of, problem_page


def test_a_page_loads_nothing_but_our_style_and_sends_forms_only_to_us():
    assert policy_of() == (
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    assert "form-action 'self' https://a.example moabogi:;" in policy_of(("https://a.example", "moabogi:"))


def test_a_value_that_a_template_misses_is_an_error():
    with pytest.raises(UndefinedError):
        page("login.html")


def test_a_problem_is_told_with_its_status_and_perhaps_a_way_on():
    assert "다시 시도하기" not in problem_page(SILENT).text
    answer = problem_page(SILENT, '/again"><script>')
    assert answer.status == 503
    assert "<script>" not in answer.text


def test_the_style_is_ours_and_loads_nothing():
    assert b"focus-visible" in STYLE
    assert b"url(" not in STYLE
    assert b"@import" not in STYLE
