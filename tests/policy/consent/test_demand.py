"""The signed demand: strict parsing, and checks against the call that brings it."""

import json
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.authorization.consent import Asset, Target
from relay.policy.consent.demand import (
    MAX_CONSENT_BYTES,
    DemandContext,
    DemandError,
    RequestType,
    check_demand,
    read_demand,
)
from relay.policy.consent.particulars import get_scopes
from relay.standard.catalogue import load_catalogue

TODAY = date(2024, 7, 15)
GOOD = {
    "snd_org_code": "ZBAA000001",
    "rcv_org_code": "ZOPA000001",
    "is_scheduled": "true",
    "fnd_cycle": "1/w",
    "add_cycle": "1/w",
    "end_date": "20250715",
    "purpose": "통합자산 조회",
    "period": "99991231",
    "target_info": [
        {"scope": "bank.list"},
        {"scope": "bank.deposit", "asset_list": [{"asset": "1002003004005"}, {"asset": "10020030", "seqno": "001"}]},
        {"scope": "bank.loan", "asset_list": [{"asset": "all_asset"}]},
    ],
    "is_consent_trans_memo": "false",
}
CONTEXT = DemandContext(
    "ZBAA000001", "ZOPA000001", get_scopes("bank", load_catalogue()), RequestType.ASSETS, today=TODAY
)
LISTS = {"target_info": [{"scope": "bank.list"}], "end_date": "20240722", "period": "20240722"}
FOR_LISTS = {"request_type": RequestType.LISTS}
AT_PAGES = {"request_type": None}
ABSENT = ...


def build_text(**changed):
    members = {name: value for name, value in {**GOOD, **changed}.items() if value is not ABSENT}
    return json.dumps(members, ensure_ascii=False).encode()


def get_fault(content, context=CONTEXT):
    """Return error and member of a refused demand, None for a valid one."""
    try:
        check_demand(read_demand(content), context)
    except DemandError as fault:
        return fault.error, fault.member
    return None


def test_every_member_is_read():
    demand = read_demand(build_text())
    particulars = demand.particulars
    assert (demand.sender, demand.receiver) == ("ZBAA000001", "ZOPA000001")
    assert (particulars.is_scheduled, particulars.fnd_cycle, particulars.add_cycle) == (True, "1/w", "1/w")
    assert (particulars.end_date, particulars.period) == (date(2025, 7, 15), date(9999, 12, 31))
    assert (particulars.purpose, particulars.is_consent_trans_memo) == ("통합자산 조회", False)
    assert particulars.is_consent_merchant_name_regno is particulars.is_consent_trans_category is None
    assert particulars.targets == (
        Target("bank.list"),
        Target("bank.deposit", (Asset("1002003004005"), Asset("10020030", "001"))),
        Target("bank.loan"),
    )


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"is_scheduled": True},
        {"is_scheduled": "false", "fnd_cycle": ABSENT, "add_cycle": ABSENT},
        {"is_scheduled": False},
        {"service_id": "SERVICE0001"},
        {"is_consent_trans_memo": ABSENT},
        {"is_consent_trans_memo": True, "is_consent_merchant_name_regno": False},
        {"end_date": "20240715"},
        {"purpose": "가" * 50},
        {"target_info": [{"scope": "bank.irp", "asset_list": [{"asset": "all_asset"}]}]},
    ],
    ids=str,
)
def test_a_valid_demand_is_accepted(changed):
    assert get_fault(build_text(**changed)) is None


def test_cycles_are_ignored_without_scheduled_transfer():
    particulars = read_demand(build_text(is_scheduled="false")).particulars
    assert (particulars.fnd_cycle, particulars.add_cycle) == ("", "")


def build_targets(**changed):
    members = {"scope": "bank.deposit", "asset_list": [{"asset": "1"}], **changed}
    return [{name: value for name, value in members.items() if value is not ABSENT}]


@pytest.mark.parametrize(
    ("changed", "member"),
    [
        *(({name: ABSENT}, name) for name in GOOD if name != "is_consent_trans_memo"),
        *(({name: None}, name) for name in GOOD),
        *(({name: 7}, name) for name in GOOD),
        *(({name: []}, name) for name in GOOD),
        *(({name: ""}, name) for name in GOOD if name != "purpose"),
        ({"unknown": "x"}, "consent"),
        ({"service_id": "X" * 23}, "service_id"),
        ({"snd_org_code": "ZBAA00001"}, "snd_org_code"),
        ({"is_scheduled": "yes"}, "is_scheduled"),
        ({"is_scheduled": "True"}, "is_scheduled"),
        ({"is_scheduled": 1}, "is_scheduled"),
        ({"is_consent_trans_memo": "0"}, "is_consent_trans_memo"),
        ({"is_scheduled": "false", "fnd_cycle": "weekly"}, "fnd_cycle"),
        ({"end_date": "2025-07-15"}, "end_date"),
        ({"end_date": "20250230"}, "end_date"),
        ({"end_date": "20251301"}, "end_date"),
        ({"end_date": "00000101"}, "end_date"),
        ({"end_date": "２０２５０７１５"}, "end_date"),
        ({"period": "99999999"}, "period"),
        ({"target_info": {}}, "target_info"),
        ({"target_info": ["bank.list"]}, "target_info"),
        ({"target_info": [{"scope": "bank.list"}] * 2}, "target_info"),
        ({"target_info": build_targets(more="x")}, "target_info"),
        ({"target_info": build_targets(scope=ABSENT)}, "scope"),
        ({"target_info": build_targets(scope="BANK.DEPOSIT")}, "scope"),
        ({"target_info": build_targets(scope="bank.deposit bank.loan")}, "scope"),
        ({"target_info": [{"scope": "bank.list", "asset_list": [{"asset": "all_asset"}]}]}, "asset_list"),
        ({"target_info": build_targets(asset_list=ABSENT)}, "asset_list"),
        ({"target_info": build_targets(asset_list=[])}, "asset_list"),
        ({"target_info": build_targets(asset_list="all_asset")}, "asset_list"),
        ({"target_info": build_targets(asset_list=["all_asset"])}, "asset_list"),
        ({"target_info": build_targets(asset_list=[{"asset": "1"}] * 2)}, "asset_list"),
        ({"target_info": build_targets(asset_list=[{"asset": "1"}, {"asset": "all_asset"}])}, "asset_list"),
        ({"target_info": build_targets(asset_list=[{"asset": "all_asset", "seqno": "001"}])}, "asset_list"),
        ({"target_info": build_targets(asset_list=[{"asset": "1", "more": "x"}])}, "asset_list"),
        ({"target_info": build_targets(asset_list=[{"seqno": "001"}])}, "asset"),
        ({"target_info": build_targets(asset_list=[{"asset": 1}])}, "asset"),
        ({"target_info": build_targets(asset_list=[{"asset": "1 2"}])}, "asset"),
        ({"target_info": build_targets(asset_list=[{"asset": "1", "seqno": ""}])}, "seqno"),
    ],
    ids=str,
)
def test_a_malformed_member_is_named(changed, member):
    with pytest.raises(DemandError) as caught:
        read_demand(build_text(**changed))
    assert (caught.value.error, caught.value.member) == ("invalid_request", member)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"snd_org_code":"ZBAA000001","snd_org_code":"ZBAA000002"}',
        build_text().replace(b'"asset": "1002003004005"', b'"asset": "1", "asset": "2"'),
        build_text().replace(b'"20250715"', b"NaN"),
        build_text() + b" {}",
        b"[" * 3000,
        build_text(purpose="x" * MAX_CONSENT_BYTES),
    ],
    ids=["nothing", "list", "half", "no text", "doubled", "doubled inside", "NaN", "two", "deep", "long"],
)
def test_text_that_is_no_object_of_7000_bytes_is_refused(content):
    assert get_fault(content) == ("invalid_request", "consent")


@pytest.mark.parametrize(
    ("changed", "context", "fault"),
    [
        ({"snd_org_code": "ZBAB000001"}, {}, ("invalid_grant", "snd_org_code")),
        ({"rcv_org_code": "ZOPB000001"}, {}, ("invalid_grant", "rcv_org_code")),
        ({"end_date": "20240714"}, {}, ("invalid_grant", "end_date")),
        ({"end_date": "20250716"}, {}, ("invalid_request", "end_date")),
        ({**LISTS, "end_date": "20240723"}, FOR_LISTS, ("invalid_request", "end_date")),
        ({**LISTS, "period": "20240723"}, FOR_LISTS, ("invalid_request", "period")),
        ({**LISTS, "period": "99991231"}, FOR_LISTS, ("invalid_request", "period")),
        ({"end_date": "20240722", "period": "20240722"}, FOR_LISTS, ("invalid_scope", "target_info")),
        (LISTS, {}, ("invalid_scope", "target_info")),
        ({"period": "20250715"}, {}, ("invalid_request", "period")),
        ({"period": "99991230"}, {}, ("invalid_request", "period")),
        ({"is_consent_trans_category": "false"}, {}, ("invalid_request", "is_consent_trans_category")),
        ({"is_consent_trans_category": "true"}, AT_PAGES, ("invalid_request", "is_consent_trans_category")),
        ({"target_info": build_targets(scope="card.card")}, {}, ("invalid_scope", "scope")),
        ({"target_info": build_targets(scope="bank.everything")}, {}, ("invalid_scope", "scope")),
        ({**LISTS, "target_info": [{"scope": "card.list"}]}, FOR_LISTS, ("invalid_scope", "scope")),
        ({"target_info": build_targets(asset_list=[{"asset": "x" * 21}])}, {}, ("invalid_request", "asset")),
        ({"fnd_cycle": "1/d"}, {}, ("invalid_request", "fnd_cycle")),
        ({"purpose": " "}, {}, ("invalid_request", "purpose")),
        ({"purpose": "가" * 51}, {}, ("invalid_request", "purpose")),
        ({"purpose": "a\nb"}, {}, ("invalid_request", "purpose")),
        ({"period": "20240714"}, {}, ("invalid_request", "period")),
    ],
    ids=str,
)
def test_a_demand_for_another_call_is_refused(changed, context, fault):
    assert get_fault(build_text(**changed), replace(CONTEXT, **context)) == fault


@pytest.mark.parametrize(
    ("changed", "context", "allowed"),
    [
        ({"end_date": "20240714"}, {}, "20240715부터"),
        ({"end_date": "20250716"}, {}, "20240715부터 20250715까지"),
        ({**LISTS, "end_date": "20240723"}, FOR_LISTS, "20240715부터 20240722까지"),
        ({**LISTS, "period": "20240723"}, FOR_LISTS, "20240715부터 20240722까지"),
        ({"period": "20250715"}, {}, "request_type이 1이면 99991231"),
        (LISTS, {}, "request_type이 1이면 목록 조회 외의 scope 1개 이상"),
        ({"end_date": "2025-07-15"}, {}, "DATE, YYYYMMDD"),
        ({"is_consent_trans_memo": "0"}, {}, "true, false 중 하나"),
        ({"snd_org_code": "ZBAA00001"}, {}, "aN(10)"),
    ],
    ids=str,
)
def test_a_refusal_names_what_is_allowed(changed, context, allowed):
    with pytest.raises(DemandError) as caught:
        check_demand(read_demand(build_text(**changed)), replace(CONTEXT, **context))
    assert caught.value.allowed == allowed


def test_a_demand_for_lists_only_lasts_a_week():
    assert get_fault(build_text(**LISTS), replace(CONTEXT, **FOR_LISTS)) is None


@pytest.mark.parametrize("changed", [{}, LISTS, {"period": "20250715"}], ids=str)
def test_a_demand_of_an_institutions_pages_has_no_request_type(changed):
    assert get_fault(build_text(**changed), replace(CONTEXT, **AT_PAGES)) is None


def test_a_fault_does_not_repeat_a_value():
    with pytest.raises(DemandError) as caught:
        read_demand(build_text(end_date="secret"))
    assert str(caught.value) == "invalid_request: end_date"
    assert caught.value.__cause__ is None


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["true", "bank.list", "20250101"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["scope", "asset_list", "asset"]), inner)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*GOOD, "more"]), json_values, max_size=4))
def test_any_json_is_a_demand_or_a_fault(changed):
    fault = get_fault(build_text(**changed))
    assert fault is None or fault[0] in {"invalid_request", "invalid_grant", "invalid_scope"}


def test_all_wrong_members_are_named_at_once():
    with pytest.raises(DemandError) as refused:
        check_demand(
            read_demand(build_text(end_date="20300101", purpose=" ", is_consent_trans_category="true")), CONTEXT
        )
    assert (refused.value.error, refused.value.member) == ("invalid_request", "end_date")
    assert refused.value.describe() == (
        "end_date (20240715부터 20250715까지), purpose (1~150바이트의 문자열), "
        "is_consent_trans_category (해당 업권에서는 생략)"
    )
