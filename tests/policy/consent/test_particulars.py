"""Particulars of a consent: their rules, their encoding, the assets they allow."""

import json
from dataclasses import replace
from datetime import date, timedelta

import pytest
from mydata_sandbox.checks.conformance import find_strict_violations

from relay.domain.authorization.consent import Asset, Particulars, Target
from relay.domain.ids import INDUSTRIES
from relay.policy.consent.particulars import add_list_scope, collect_assets, encode_particulars, find_flaws, get_scopes
from relay.standard.catalogue import load_catalogue

TODAY = date(2024, 7, 15)
FOREVER = date(9999, 12, 31)
SCOPES = {industry: get_scopes(industry, load_catalogue()) for industry in INDUSTRIES}
LIST = Target("bank.list")
ACCOUNTS = Target("bank.deposit", (Asset("1002003004005"), Asset("1002003004006", "001")))
WHOLE = Particulars(
    is_scheduled=True,
    end_date=date(2025, 7, 15),
    purpose="통합조회 및 자산관리 서비스 이용",
    period=FOREVER,
    targets=(LIST, ACCOUNTS, Target("bank.loan")),
    fnd_cycle="1/w",
    add_cycle="1/w",
    is_consent_trans_memo=False,
)
ON_DEMAND = replace(WHOLE, is_scheduled=False, fnd_cycle="", add_cycle="")


def get_flaws(particulars, industry="bank", today=TODAY):
    return [flaw.member for flaw in find_flaws(particulars, SCOPES[industry], today)]


@pytest.mark.parametrize(
    ("industry", "words"),
    [
        ("bank", "list deposit invest loan irp prepaid"),
        ("card", "list card point bill loan prepaid"),
        ("invest", "list account irp"),
        ("insu", "list insurance loan irp"),
        ("efin", "list prepaid paid"),
        ("capital", "list loan"),
        ("ginsu", "list insurance"),
        ("telecom", "list mgmt"),
        ("p2p", "list lending"),
        ("bond", "list bond"),
        ("usury", "list bond"),
    ],
)
def test_scopes_of_an_industry_follow_the_standard(industry, words):
    assert list(SCOPES[industry]) == [f"{industry}.{word}" for word in words.split()]


def test_a_scope_has_the_fields_that_name_its_assets():
    rules = SCOPES["bank"]
    assert (rules["bank.deposit"].asset.name, rules["bank.deposit"].seqno.name) == ("account_num", "seqno")
    assert (rules["bank.irp"].asset.name, rules["bank.irp"].seqno) == ("account_num", None)
    assert (rules["bank.list"].asset, rules["bank.list"].seqno) == (None, None)
    assert [scope for scope, rule in SCOPES["card"].items() if not rule.asset] == [
        "card.list", "card.point", "card.bill", "card.loan",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "particulars",
    [
        WHOLE,
        ON_DEMAND,
        replace(WHOLE, end_date=TODAY),
        replace(WHOLE, period=WHOLE.end_date),
        replace(WHOLE, targets=(LIST,), end_date=TODAY + timedelta(days=7)),
        replace(WHOLE, targets=(LIST, Target("bank.prepaid", (Asset("A" * 64),)))),
        replace(WHOLE, targets=(Target("bank.deposit", (Asset("110-234-567890"),)),)),
        replace(WHOLE, purpose="가" * 50),
    ],
)
def test_valid_particulars_have_no_flaw(particulars):
    assert get_flaws(particulars) == []


@pytest.mark.parametrize(
    ("changed", "members"),
    [
        ({"end_date": date(2024, 7, 14)}, ["end_date"]),
        ({"end_date": date(2025, 7, 16)}, ["end_date"]),
        ({"end_date": date(2024, 7, 23), "targets": (LIST,)}, ["end_date"]),
        ({"period": date(2024, 7, 14)}, ["period"]),
        ({"fnd_cycle": ""}, ["fnd_cycle"]),
        ({"add_cycle": "1/d"}, ["add_cycle"]),
        ({"is_scheduled": False}, ["fnd_cycle", "add_cycle"]),
        ({"purpose": ""}, ["purpose"]),
        ({"purpose": " "}, ["purpose"]),
        ({"purpose": "가" * 50 + "a"}, ["purpose"]),
        ({"purpose": "줄\n바꿈"}, ["purpose"]),
        ({"purpose": "\ud800"}, ["purpose"]),
        ({"targets": ()}, ["target_info"]),
        ({"targets": (LIST, Target("card.card"))}, ["scope"]),
        ({"targets": (LIST, Target("manage"))}, ["scope"]),
        ({"targets": (LIST, ACCOUNTS, Target("bank.deposit"))}, ["scope"]),
        ({"targets": (Target("bank.list", (Asset("1"),)), ACCOUNTS)}, ["asset_list"]),
        ({"targets": (LIST, Target("bank.deposit", ()))}, ["asset_list"]),
        ({"targets": (LIST, Target("bank.deposit", (Asset("1"), Asset("1"))))}, ["asset_list"]),
        ({"targets": (LIST, Target("bank.deposit", (Asset(""),)))}, ["asset"]),
        ({"targets": (LIST, Target("bank.deposit", (Asset("1" * 21),)))}, ["asset"]),
        ({"targets": (LIST, Target("bank.deposit", (Asset("1\n2"),)))}, ["asset"]),
        ({"targets": (LIST, Target("bank.deposit", (Asset("1", "12345678"),)))}, ["seqno"]),
        ({"targets": (LIST, Target("bank.irp", (Asset("1", "001"),)))}, ["seqno"]),
    ],
)
def test_each_flaw_names_its_member(changed, members):
    assert get_flaws(replace(WHOLE, **changed)) == members


@pytest.mark.parametrize("scope", ["card.point", "card.bill", "card.loan"])
def test_assets_are_refused_where_api_calls_name_none(scope):
    targets = (Target("card.list"), Target(scope, (Asset("C1"),)))
    limited = replace(WHOLE, targets=targets, is_consent_trans_memo=None)
    assert get_flaws(limited, "card") == ["asset_list"]
    assert get_flaws(replace(limited, targets=(Target("card.list"), Target(scope))), "card") == []


@pytest.mark.parametrize(
    ("today", "last"),
    [(date(2024, 2, 29), date(2025, 2, 28)), (date(2023, 2, 28), date(2024, 2, 28)), (TODAY, date(2025, 7, 15))],
)
def test_a_consent_lasts_at_most_one_year(today, last):
    assert get_flaws(replace(WHOLE, end_date=last), today=today) == []
    assert get_flaws(replace(WHOLE, end_date=last + timedelta(days=1)), today=today) == ["end_date"]


@pytest.mark.parametrize(
    ("flag", "industries"),
    [
        ("is_consent_trans_memo", {"bank", "invest", "efin"}),
        ("is_consent_merchant_name_regno", {"bank", "card", "efin", "telecom"}),
        ("is_consent_trans_category", {"efin"}),
    ],
)
@pytest.mark.parametrize("value", [True, False])
def test_a_flag_is_allowed_in_its_industries_only(flag, industries, value):
    flags = {"is_consent_trans_memo": None, flag: value}
    flaws = {}
    for industry in INDUSTRIES:
        lists = replace(WHOLE, targets=(Target(f"{industry}.list"),), end_date=TODAY, **flags)
        flaws[industry] = get_flaws(lists, industry)
    assert flaws == {industry: [] if industry in industries else [flag] for industry in INDUSTRIES}


@pytest.mark.parametrize(
    ("changed", "allowed"),
    [
        ({"end_date": date(2024, 7, 14)}, "20240715부터 20250715까지"),
        ({"end_date": date(2025, 7, 16)}, "20240715부터 20250715까지"),
        ({"end_date": date(2024, 7, 23), "targets": (LIST,)}, "20240715부터 20240722까지"),
        ({"period": date(2024, 7, 14)}, "20240715부터"),
        ({"fnd_cycle": ""}, "is_scheduled가 true이면 1/w, 아니면 생략"),
        ({"purpose": ""}, "1~150바이트의 문자열"),
        ({"targets": (LIST, Target("card.card"))},
         "bank.list, bank.deposit, bank.invest, bank.loan, bank.irp, bank.prepaid 중 하나"),
        ({"targets": (LIST, Target("bank.deposit", (Asset("1" * 21),)))}, "aN(20)"),
        ({"targets": (LIST, Target("bank.irp", (Asset("1", "001"),)))}, "bank.irp에서는 생략"),
    ],
)  # fmt: skip
def test_a_flaw_names_what_is_allowed(changed, allowed):
    assert [flaw.allowed for flaw in find_flaws(replace(WHOLE, **changed), SCOPES["bank"], TODAY)] == [allowed]


def test_flaws_repeat_no_value():
    hostile = replace(
        WHOLE, purpose="비밀" * 99, targets=(Target("비밀"), Target("bank.irp", (Asset("비밀" * 11, "비밀"),)))
    )
    flaws = find_flaws(hostile, SCOPES["bank"], TODAY)
    assert len(flaws) == 4
    assert not any("비밀" in flaw.allowed or "비밀" in flaw.member for flaw in flaws)


@pytest.mark.parametrize("is_scheduled", [True, False])
@pytest.mark.parametrize(
    "flags", [{}, dict.fromkeys(("is_consent_trans_memo", "is_consent_merchant_name_regno"), True)]
)
def test_the_encoding_conforms_to_the_standard(is_scheduled, flags):
    particulars = replace(WHOLE if is_scheduled else ON_DEMAND, **flags)
    api = load_catalogue().apis["정보제공-공통-002"]
    body = json.loads(encode_particulars(particulars))
    assert find_strict_violations(api, body) == []
    order = [field.name for field in api.response.body]
    assert list(body) == [name for name in order if name in body]
    assert ("fnd_cycle" in body, "add_cycle" in body) == (is_scheduled, is_scheduled)


def test_every_encoded_value_is_a_string():
    assert json.loads(encode_particulars(WHOLE)) == {
        "rsp_code": "00000",
        "rsp_msg": "성공",
        "is_scheduled": "true",
        "fnd_cycle": "1/w",
        "add_cycle": "1/w",
        "end_date": "20250715",
        "purpose": "통합조회 및 자산관리 서비스 이용",
        "period": "99991231",
        "is_consent_trans_memo": "false",
    }


def test_assets_are_not_encoded():
    assert b"1002003004005" not in encode_particulars(WHOLE)


def test_assets_are_pairs_by_scope_and_none_for_all():
    assert collect_assets(WHOLE) == {
        "bank.list": None,
        "bank.deposit": {("1002003004005", ""), ("1002003004006", "001")},
        "bank.loan": None,
    }


def test_the_list_scope_is_added_if_missing():
    bare = replace(WHOLE, targets=(ACCOUNTS,))
    assert add_list_scope(bare, "bank").targets == (LIST, ACCOUNTS)
    assert add_list_scope(WHOLE, "bank") is WHOLE
