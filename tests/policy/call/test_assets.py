"""40105: calls about assets without the customer's consent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.fault import Refusal
from relay.domain.ids import INDUSTRIES
from relay.policy.call.assets import compile_asset_check, encode_assets
from relay.standard.catalogue import load_catalogue

APIS = load_catalogue().apis
ACCOUNT, OTHER = "1002003004005", "1002003004006"
WHOLE = {"bank.deposit": frozenset({(ACCOUNT, "")})}
PART = {"bank.deposit": frozenset({(ACCOUNT, "001")})}


def check(api_id, scope, parameters, assets):
    try:
        compile_asset_check(APIS[api_id], scope)(parameters, encode_assets(assets))
    except Refusal as refusal:
        return refusal.fault.name, refusal.detail
    return None


@pytest.mark.parametrize(
    ("assets", "parameters"),
    [
        ({"bank.deposit": None}, {"account_num": OTHER}),
        ({"bank.deposit": None}, {}),  # missing parameters are reported by the parameter check
        (WHOLE, {"account_num": ACCOUNT}),
        (WHOLE, {"account_num": ACCOUNT, "seqno": "001"}),
        (WHOLE, {"account_num": ACCOUNT, "seqno": ""}),
        (WHOLE, {"account_num": int(ACCOUNT)}),
        ({"bank.deposit": frozenset({("9007199254740992", "")})}, {"account_num": 9007199254740992}),
        (PART, {"account_num": ACCOUNT, "seqno": "001"}),
        ({"bank.deposit": frozenset({(ACCOUNT, "1")})}, {"account_num": ACCOUNT, "seqno": 1}),
        ({"bank.deposit": frozenset({(ACCOUNT, ""), (ACCOUNT, "001")})}, {"account_num": ACCOUNT}),
    ],
)
def test_a_consented_asset_passes(assets, parameters):
    assert check("은행-004", "bank.deposit", parameters, assets) is None


@pytest.mark.parametrize(
    ("assets", "parameters"),
    [
        (WHOLE, {"account_num": OTHER}),
        (WHOLE, {"account_num": OTHER, "seqno": ACCOUNT}),
        (WHOLE, {}),
        (WHOLE, {"account_num": ""}),
        (WHOLE, {"account_num": None}),
        (WHOLE, {"account_num": float(ACCOUNT)}),
        ({"bank.deposit": frozenset({("9007199254740993", "")})}, {"account_num": 9007199254740993}),
        (WHOLE, {"account_num": [ACCOUNT]}),
        (WHOLE, {"account_num": f" {ACCOUNT}"}),
        (WHOLE, {"card_id": ACCOUNT}),
        (PART, {"account_num": ACCOUNT}),
        (PART, {"account_num": ACCOUNT, "seqno": ""}),
        (PART, {"account_num": ACCOUNT, "seqno": "002"}),
        (PART, {"account_num": ACCOUNT, "seqno": True}),
        (PART, {"account_num": OTHER, "seqno": "001"}),
        ({"bank.deposit": frozenset()}, {"account_num": ACCOUNT}),
        ({"bank.deposit": frozenset({("", "")})}, {"account_num": ""}),
        ({"bank.deposit": frozenset({("True", "")})}, {"account_num": True}),
        ({"bank.loan": None}, {"account_num": ACCOUNT}),
        ({}, {"account_num": ACCOUNT}),
    ],
)
def test_any_other_asset_is_refused_naming_its_field(assets, parameters):
    assert check("은행-004", "bank.deposit", parameters, assets) == ("asset_not_consented", "account_num")


@pytest.mark.parametrize(
    "name", [f"{ACCOUNT}\t\nbank.deposit\t2", "\n", "\t", f"{ACCOUNT}\t", f"{ACCOUNT}\t\n", "1\x002"]
)
@pytest.mark.parametrize("field", ["account_num", "seqno"])
def test_a_name_with_control_characters_names_no_asset(name, field):
    assets = {"bank.deposit": frozenset({(ACCOUNT, "001"), ("2", ""), ("2", "001"), (name, ""), (OTHER, name)})}
    parameters = {"account_num": OTHER, field: name}
    assert check("은행-004", "bank.deposit", parameters, assets) == ("asset_not_consented", "account_num")


@pytest.mark.parametrize("scope", ["bank", "bank.dep", "deposit", "bank.deposit.x"])
def test_a_part_of_a_scope_gives_no_consent(scope):
    for assets in ({scope: None}, {scope: frozenset({(ACCOUNT, "")})}):
        assert check("은행-004", "bank.deposit", {"account_num": ACCOUNT}, assets) is not None


@given(st.lists(st.text("0123456789-\t\n A가", max_size=4)), st.text("0123456789-\t\n A가", max_size=9), st.booleans())
def test_no_other_name_is_accepted(names, name, by_seqno):
    pairs = frozenset(("1", each) if by_seqno else (each, "") for each in names)
    parameters = {"account_num": "1", "seqno": name} if by_seqno else {"account_num": name}
    accepted = check("은행-004", "bank.deposit", parameters, {"bank.list": None, "bank.deposit": pairs}) is None
    usable = name.isprintable() and bool(name)
    assert accepted == ((usable and name in names) or (by_seqno and "" in names))


def test_an_api_without_seqno_needs_consent_without_seqno():
    assets = {"invest.account": frozenset({(ACCOUNT, "001")})}
    assert check("금투-002", "invest.account", {"account_num": ACCOUNT, "seqno": "001"}, assets) is not None


def test_the_seqno_of_a_bill_is_not_an_asset():
    assert check("카드-005", "card.bill", {"seqno": "9", "charge_month": "202401"}, {"card.bill": frozenset()}) is None


@pytest.mark.parametrize("industry", INDUSTRIES)
def test_every_api_accepts_only_the_consented_asset(industry):
    for api in load_catalogue().iter_apis(industry, later=True):
        if not api.asset:
            assert check(api.api_id, api.scope_for(industry), {}, {}) is None
            continue
        scope = api.scope_for(industry)
        check_call = compile_asset_check(api, scope)
        check_call({api.asset.field: "A1"}, encode_assets({scope: frozenset({("A1", "")})}))
        for assets in ({scope: frozenset({("A2", "")})}, {scope: frozenset()}, {f"{industry}.list": None}):
            with pytest.raises(Refusal) as refusal:
                check_call({api.asset.field: "A1"}, encode_assets(assets))
            assert (refusal.value.fault.rsp_code, refusal.value.detail) == ("40105", api.asset.field)


@given(
    st.frozensets(st.tuples(st.sampled_from("ABC"), st.sampled_from(["", "1", "2"]))),
    st.sampled_from("ABC"),
    st.sampled_from(["", "1", "2"]),
)
def test_accepted_assets_were_consented_whole_or_by_seqno(pairs, asset, seqno):
    passes = check("은행-002", "bank.deposit", {"account_num": asset, "seqno": seqno}, {"bank.deposit": pairs}) is None
    assert passes == ((asset, "") in pairs or (seqno != "" and (asset, seqno) in pairs))
