import pytest

from relay.domain.authorization.consent import Asset
from relay.domain.ids import INDUSTRIES
from relay.domain.institution import Holding
from relay.oauth.pages.questions import LABELS, QUESTIONS, build_sections, select_questions
from relay.policy.call.withheld import FLAGS
from relay.policy.consent.particulars import get_scopes
from relay.standard.catalogue import load_catalogue


def scopes(industry):
    return get_scopes(industry, load_catalogue())


def held(scope, *more, asset="1"):
    return Holding((scope, *more), Asset(asset), f"label {asset}")


def test_exactly_the_scopes_of_the_standard_have_labels():
    chosen = {scope for industry in INDUSTRIES for scope in scopes(industry) if not scope.endswith(".list")}
    assert set(LABELS) == chosen


def test_every_flag_of_the_standard_is_a_question():
    assert {question.name for question in QUESTIONS} == set(FLAGS)


def test_scopes_without_the_customers_assets_are_not_shown():
    assert [section.scope for section in build_sections(scopes("bank"), [held("bank.loan")], "r")] == ["bank.loan"]


def test_scopes_without_assets_are_always_offered():
    offered = build_sections(scopes("card"), [], "r")
    assert [section.scope for section in offered] == ["card.point", "card.bill", "card.loan"]
    assert not any(section.rows for section in offered)


def test_an_asset_of_two_scopes_is_listed_once():
    (section,) = build_sections(scopes("bank"), [held("bank.deposit", "bank.loan")], "r")
    assert (section.scope, section.rows[0].scopes) == ("bank.deposit", ("bank.deposit", "bank.loan"))


def test_a_scope_of_another_industry_is_not_shown():
    assert build_sections(scopes("bank"), [held("card.card")], "r") == ()


def test_keys_differ_by_asset_and_request():
    rows = [held("bank.loan", asset="1001"), held("bank.loan", asset="1002")]
    keys = [row.key for name in ("r1", "r2") for row in build_sections(scopes("bank"), rows, name)[0].rows]
    assert len(set(keys)) == 4
    assert not any("1001" in key for key in keys)


@pytest.mark.parametrize(
    ("industry", "names"),
    [
        ("bank", ["is_consent_trans_memo"]),
        ("invest", ["is_consent_trans_memo"]),
        ("card", ["is_consent_merchant_name_regno"]),
        ("telecom", ["is_consent_merchant_name_regno"]),
        ("efin", ["is_consent_trans_memo", "is_consent_merchant_name_regno", "is_consent_trans_category"]),
        ("insu", []),
        ("p2p", []),
    ],
)
def test_each_industry_has_its_questions(industry, names):
    assert [question.name for question in select_questions(industry, ())] == names


def test_a_bank_with_prepaid_cards_asks_about_merchants():
    sections = build_sections(scopes("bank"), [held("bank.prepaid")], "r")
    assert [question.name for question in select_questions("bank", sections)][-1] == "is_consent_merchant_name_regno"


def test_assets_and_labels_are_not_printed():
    (section,) = build_sections(scopes("bank"), [held("bank.loan", asset="1001")], "r")
    assert "1001" not in repr(section)
