"""Tests of the tables of rules and cases, and that the page of rules has each of them."""

import re
from pathlib import Path

import pytest

from relay.policy.answers.rules import Rule
from relay.policy.conformance.case import ADAPTED_CASES, API_CASES, CASES, INAPPLICABLE, REASONS, WHOLE_CASES
from relay.policy.conformance.error_cases import ERROR_CASES
from relay.policy.conformance.rule import GROUP_TITLES, Text
from relay.policy.conformance.rules import RULES

HANGUL = re.compile("[가-힣]")
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "conformance.md"


def test_the_rules_of_watched_answers_have_the_same_names():
    assert set(Rule) <= set(RULES)


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_a_rule_has_texts_in_both_languages(rule):
    assert rule.source
    assert rule.group in GROUP_TITLES
    for text in (rule.expected, rule.remedy):
        assert HANGUL.search(text.ko)
        assert text.ko.endswith(".")
        assert text.en.endswith(".")
        assert not HANGUL.search(text.en.replace("첨부", ""))


def test_cases_and_wrong_calls_name_rules_of_the_table():
    assert {name for case in CASES.values() for name in case.rules} <= set(RULES)
    assert {error.rule for error in ERROR_CASES} <= set(RULES)
    assert {error.case for error in ERROR_CASES} <= set(API_CASES)
    assert all(error.rule in CASES[error.case].rules for error in ERROR_CASES)


def test_cases_are_of_an_api_or_of_the_institution():
    assert set(API_CASES) | set(WHOLE_CASES) == set(CASES)
    assert set(CASES) > ADAPTED_CASES
    assert set(REASONS) > INAPPLICABLE


def test_a_text_has_two_languages():
    assert (Text("가", "a").get("ko"), Text("가", "a").get("en")) == ("가", "a")


def test_the_page_of_rules_has_each_rule():
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.read_text().splitlines()]
    documented = [row for row in rows if row and row[0].startswith("`")]
    assert documented[: len(RULES)] == [
        [f"`{rule.name}`", rule.source, rule.expected.en, rule.remedy.en] for rule in RULES.values()
    ]
    assert [row[0].strip("`") for row in documented[len(RULES) :]] == list(CASES)
