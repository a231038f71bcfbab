from dataclasses import replace
from datetime import date

import pytest

from relay.domain.authorization.consent import Asset, Particulars, Target
from relay.domain.institution import Holding
from relay.oauth.pages.choices import (
    ConsentPage,
    build_particulars,
    find_contradictions,
    find_mistakes,
    initial_choices,
    read_choices,
)
from relay.oauth.pages.questions import build_sections, select_questions
from relay.policy.consent.demand import UNTIL_WITHDRAWN
from relay.policy.consent.particulars import add_list_scope, find_flaws, get_scopes
from relay.standard.catalogue import load_catalogue

TODAY = date(2026, 11, 22)
SCOPES = get_scopes("bank", load_catalogue())
HELD = [
    Holding(("bank.deposit",), Asset("1001"), "one"),
    Holding(("bank.deposit", "bank.loan"), Asset("1002", "001"), "minus"),
    Holding(("bank.loan",), Asset("3001"), "loan"),
]


def page_of(held=HELD, today=TODAY, former=None):
    sections = build_sections(SCOPES, held, "r")
    return ConsentPage(sections, select_questions("bank", sections), today, former)


PAGE = page_of()
KEYS = {row.label: row.key for section in PAGE.sections for row in section.rows}
GOOD = {
    "asset.bank.deposit": (KEYS["one"],),
    "is_scheduled": ("yes",),
    "is_consent_trans_memo": ("no",),
    "end_date": ("2027-11-22",),
    "purpose": ("본인신용정보 통합조회 서비스 이용",),
    "period": ("withdrawn",),
}


def chosen(form, page=PAGE):
    return build_particulars(page, read_choices(page, form))


def assets_by_scope(particulars):
    return {target.scope: target.assets and {asset.asset for asset in target.assets} for target in particulars.targets}


def mistakes(form, page=PAGE):
    return set(find_mistakes(page, read_choices(page, form)))


def test_a_completed_form_is_a_valid_consent():
    particulars = chosen(GOOD)
    assert particulars.targets == (Target("bank.deposit", (Asset("1001"),)),)
    assert (particulars.is_scheduled, particulars.fnd_cycle, particulars.add_cycle) == (True, "1/w", "1/w")
    assert (particulars.end_date, particulars.period) == (date(2027, 11, 22), UNTIL_WITHDRAWN)
    assert (particulars.is_consent_trans_memo, particulars.is_consent_trans_category) == (False, None)
    assert find_flaws(add_list_scope(particulars, "bank"), SCOPES, TODAY) == ()


def test_no_scheduled_transfer_has_no_cycle():
    particulars = chosen(GOOD | {"is_scheduled": ("no",), "period": ("end",)})
    assert (particulars.is_scheduled, particulars.fnd_cycle, particulars.add_cycle, particulars.period) == (
        False,
        "",
        "",
        date(2027, 11, 22),
    )


@pytest.mark.parametrize(
    ("ticks", "targets"),
    [
        ({"all.bank.deposit": ("yes",)}, {"bank.deposit": None, "bank.loan": {"1002"}}),
        ({"asset.bank.deposit": (KEYS["minus"],)}, {"bank.deposit": {"1002"}, "bank.loan": {"1002"}}),
        (
            {"asset.bank.deposit": (KEYS["minus"],), "asset.bank.loan": (KEYS["loan"],)},
            {"bank.deposit": {"1002"}, "bank.loan": {"1002", "3001"}},
        ),
        (
            {"all.bank.loan": ("yes",), "asset.bank.deposit": (KEYS["one"], KEYS["minus"])},
            {"bank.deposit": {"1001", "1002"}, "bank.loan": None},
        ),
        ({"all.bank.loan": ("yes",), "asset.bank.loan": (KEYS["loan"],)}, {"bank.loan": None}),
    ],
)
def test_a_minus_account_is_chosen_as_deposit_and_as_loan(ticks, targets):
    rest = {name: value for name, value in GOOD.items() if not name.startswith("asset.")}
    particulars = chosen(rest | ticks)
    chosen_assets = assets_by_scope(particulars)
    assert chosen_assets == targets
    assert find_flaws(add_list_scope(particulars, "bank"), SCOPES, TODAY) == ()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"asset.bank.deposit": ()}, "assets"),
        ({"asset.bank.deposit": ("not a key",)}, "assets"),
        ({"asset.bank.deposit": (), "asset.bank.loan": (KEYS["one"],)}, "assets"),
        ({"asset.bank.deposit": (), "all.card.card": ("yes",)}, "assets"),
        ({"asset.bank.deposit": (), "all.bank.deposit": ("yes", "yes")}, "assets"),
        ({"is_scheduled": ()}, "is_scheduled"),
        ({"is_scheduled": ("perhaps",)}, "is_scheduled"),
        ({"is_scheduled": ("yes", "no")}, "is_scheduled"),
        ({"is_consent_trans_memo": ()}, "is_consent_trans_memo"),
        ({"end_date": ()}, "end_date"),
        ({"end_date": ("",)}, "end_date"),
        ({"end_date": ("2026-11-21",)}, "end_date"),
        ({"end_date": ("2027-11-23",)}, "end_date"),
        ({"end_date": ("2027-02-30",)}, "end_date"),
        ({"end_date": ("tomorrow",)}, "end_date"),
        ({"purpose": ("something else",)}, "purpose"),
        ({"period": ("for ever",)}, "period"),
    ],
)
def test_each_mistake_names_its_field(changed, field):
    assert mistakes(GOOD | changed) == {field}
    with pytest.raises(ValueError, match="mistakes"):
        chosen(GOOD | changed)


@pytest.mark.parametrize("day", ["2026-11-22", "20270101"])
def test_days_may_be_written_with_and_without_hyphens(day):
    assert mistakes(GOOD | {"end_date": (day,)}) == set()


def test_mistakes_of_an_empty_form_are_in_page_order():
    fields = list(find_mistakes(PAGE, read_choices(PAGE, {})))
    assert fields == ["assets", "is_consent_trans_memo", "is_scheduled", "end_date", "purpose", "period"]


def test_without_assets_the_list_can_be_consented_for_a_week():
    empty = page_of(())
    rest = {name: value for name, value in GOOD.items() if not name.startswith("asset.")}
    assert mistakes(rest, empty) == {"end_date"}
    particulars = chosen(rest | {"end_date": ("2026-11-29",)}, empty)
    assert find_flaws(add_list_scope(particulars, "bank"), SCOPES, TODAY) == ()


def test_initially_nothing_is_chosen():
    first = initial_choices(PAGE)
    assert (first.whole_scopes, first.ticked, first.is_scheduled) == (frozenset(), frozenset(), "")
    assert (first.end_date, first.answers) == ("2027-11-22", {"is_consent_trans_memo": ""})
    assert find_mistakes(PAGE, first).keys() == {"assets", "is_scheduled", "is_consent_trans_memo"}


FORMER = Particulars(
    is_scheduled=True,
    end_date=date(2026, 12, 1),
    purpose="signed elsewhere",
    period=date(2026, 12, 1),
    targets=(
        Target("bank.list"),
        Target("bank.deposit", (Asset("1002", "001"), Asset("gone"))),
        Target("bank.loan"),
        Target("bank.irp"),
    ),
    fnd_cycle="1/w",
    add_cycle="1/w",
    is_consent_trans_memo=True,
)


def test_the_former_choices_are_shown_with_a_new_end():
    shown = initial_choices(page_of(former=FORMER))
    assert shown.whole_scopes == {"bank.loan"}
    assert shown.ticked == {("bank.deposit", KEYS["minus"]), ("bank.loan", KEYS["loan"])}
    assert (shown.is_scheduled, shown.end_date, shown.period) == ("yes", "2027-11-22", "end")
    assert shown.purpose == "본인신용정보 통합조회 서비스 이용"
    assert shown.answers == {"is_consent_trans_memo": "yes"}


def test_a_missing_flag_of_the_consent_is_shown_as_no():
    shown = initial_choices(page_of(former=replace(FORMER, is_consent_trans_memo=None, period=UNTIL_WITHDRAWN)))
    assert (shown.answers["is_consent_trans_memo"], shown.period) == ("no", "withdrawn")


ALL_DEPOSITS = replace(FORMER, targets=(Target("bank.list"), Target("bank.deposit")))
ALL = {"all.bank.deposit": ("yes",)}


@pytest.mark.parametrize(
    ("former", "ticks", "is_asked"),
    [
        (None, (), False),
        (None, ("one",), True),
        (None, ("one", "minus"), False),
        (ALL_DEPOSITS, (), True),
        (ALL_DEPOSITS, ("one",), True),
        (ALL_DEPOSITS, ("one", "minus"), False),
    ],
)
def test_all_together_with_some_assets_needs_an_answer(former, ticks, is_asked):
    page = page_of(former=former)
    form = GOOD | ALL | {"asset.bank.deposit": tuple(KEYS[tick] for tick in ticks)}
    assert mistakes(form, page) == ({"which.bank.deposit"} if is_asked else set())
    assert find_contradictions(page, read_choices(page, form)) == ({"bank.deposit"} if is_asked else set())


@pytest.mark.parametrize(("meant", "assets"), [("all", None), ("ticked", {"1001"})])
def test_the_answer_decides_between_all_and_the_ticked(meant, assets):
    page = page_of(former=ALL_DEPOSITS)
    particulars = chosen(GOOD | ALL | {"which.bank.deposit": (meant,)}, page)
    chosen_assets = assets_by_scope(particulars)
    assert chosen_assets["bank.deposit"] == assets


@pytest.mark.parametrize("meant", [(), ("perhaps",), ("all", "ticked")])
def test_without_an_answer_nothing_is_consented(meant):
    with pytest.raises(ValueError, match="mistakes"):
        chosen(GOOD | ALL | {"which.bank.deposit": meant})


def test_the_consent_in_force_can_be_confirmed_as_shown():
    page = page_of(former=replace(FORMER, targets=(Target("bank.list"), Target("bank.deposit"), Target("bank.loan"))))
    shown = initial_choices(page)
    assert find_mistakes(page, shown) == {}
    assert build_particulars(page, shown).targets == (Target("bank.deposit"), Target("bank.loan"))


@pytest.mark.parametrize(("today", "last"), [(date(2028, 2, 29), date(2029, 2, 28)), (TODAY, date(2027, 11, 22))])
def test_a_consent_lasts_a_year_at_most(today, last):
    assert page_of(today=today).last_day == last


def test_ticked_assets_are_not_printed():
    assert KEYS["one"] not in repr(read_choices(PAGE, GOOD))
