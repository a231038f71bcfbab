"""Memos, merchants and categories without the customer's consent."""

import json
from datetime import date
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.authorization.consent import Particulars, Target
from relay.domain.ids import INDUSTRIES
from relay.policy.call.member_filter import MemberFilter
from relay.policy.call.withheld import FLAGS, get_withheld_fields, select_withheld
from relay.standard.catalogue import load_catalogue

APIS = load_catalogue().apis
MEMO, MERCHANT, CATEGORY = {"trans_memo"}, {"merchant_name", "merchant_regno"}, {"trans_category"}
ALL_FIELDS = frozenset(MEMO | MERCHANT | CATEGORY)
KNOWN = {
    "bank": MEMO | MERCHANT, "card": MERCHANT, "invest": MEMO, "efin": MEMO | MERCHANT | CATEGORY, "telecom": MERCHANT,
}  # fmt: skip


def particulars(**flags):
    return Particulars(False, date(2025, 7, 15), "자산관리", date(9999, 12, 31), (Target("bank.list"),), **flags)


def names(fields):
    for field in fields:
        yield field.name
        yield from names(field.fields)


def remove_members(body, fields):
    member_filter = MemberFilter(body, fields)
    while not member_filter.read(1000):
        pass
    return member_filter.result


@pytest.mark.parametrize("industry", INDUSTRIES)
@pytest.mark.parametrize("flag", [False, None])
def test_fields_without_consent_are_withheld_by_industry(industry, flag):
    assert get_withheld_fields(particulars(**dict.fromkeys(FLAGS, flag)), industry) == KNOWN.get(industry, set())


@pytest.mark.parametrize("industry", INDUSTRIES)
def test_fields_with_consent_are_not_withheld(industry):
    assert get_withheld_fields(particulars(**dict.fromkeys(FLAGS, True)), industry) == set()


@pytest.mark.parametrize(("memo", "merchant", "category"), [*product([True, False, None], repeat=3)])
def test_each_flag_stands_for_its_own_fields(memo, merchant, category):
    consented = particulars(
        is_consent_trans_memo=memo, is_consent_merchant_name_regno=merchant, is_consent_trans_category=category
    )
    expected = (set() if memo else MEMO) | (set() if merchant else MERCHANT) | (set() if category else CATEGORY)
    assert get_withheld_fields(consented, "efin") == expected


@pytest.mark.parametrize(
    ("api_id", "fields"),
    [
        ("은행-004", MEMO), ("금투-003", MEMO), ("전금-004", ALL_FIELDS), ("전금-103", ALL_FIELDS),
        ("선불-004", MERCHANT), ("카드-005", MERCHANT), ("카드-008", MERCHANT), ("카드-009", MERCHANT),
        ("통신-004", MERCHANT), ("은행-003", set()), ("은행-007", set()), ("정보제공-공통-002", set()),
    ],
)  # fmt: skip
def test_each_api_loses_the_fields_of_the_standard(api_id, fields):
    assert select_withheld(APIS[api_id], ALL_FIELDS) == fields
    assert select_withheld(APIS[api_id], frozenset()) == set()


def test_every_api_that_has_such_a_field_is_in_the_table():
    api_ids = {api.api_id for api in load_catalogue().iter_data_apis() if ALL_FIELDS & set(names(api.response.body))}
    assert api_ids | {"금투-003"} == {api_id for flag in FLAGS.values() for api_id in flag.api_ids}


@pytest.mark.parametrize("api", [api for api in APIS.values() if ALL_FIELDS & set(names(api.response.body))])
def test_no_required_field_is_withheld(api):
    def required(fields):
        return {field.name for field in fields if field.presence == "required"}.union(
            *(required(field.fields) for field in fields)
        )

    assert not ALL_FIELDS & required(api.response.body)


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ('{"rsp_code":"00000","trans_memo":"x"}', '{"rsp_code":"00000"}'),
        ('{"trans_memo":"x"}', "{}"),
        ('{"b":"1","a":[{"trans_memo":"x","n":"2"},{"n":"3","trans_memo":null}],"c":"4"}',
         '{"b":"1","a":[{"n":"2"},{"n":"3"}],"c":"4"}'),
        ('{"a":{"b":[[{"trans_memo":{"trans_memo":[1,{"x":"y"}]}}]]}}', '{"a":{"b":[[{}]]}}'),
        ('{"trans\\u005fmemo":"x","a":1.10}', '{"a":1.10}'),
        (' { "a" : [ 1.0 , -0 , 1E+5 , 12345678901234567890.10 ] }\n', '{"a":[1.0,-0,1E+5,12345678901234567890.10]}'),
        ('{"a":true,"b":false,"c":null,"d":[],"e":{},"f":""}', '{"a":true,"b":false,"c":null,"d":[],"e":{},"f":""}'),
        ('{"a":"trans_memo","b":"\\"trans_memo\\":1"}', '{"a":"trans_memo","b":"\\"trans_memo\\":1"}'),
        ('{"a":"한글\\n\\u0007\\\\"}', '{"a":"한글\\n\\u0007\\\\"}'),
        ('{"memo":"another name","trans":"too"}', '{"memo":"another name","trans":"too"}'),
        ('{"Trans_memo":"x","a":[{"transMemo":"x","TRANS_MEMO":"x","trans.memo":"x"}]}', '{"a":[{}]}'),
    ],
)  # fmt: skip
def test_members_are_removed_and_the_rest_is_unchanged(body, left):
    assert remove_members(body.encode(), frozenset(MEMO)).decode() == left


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b'"x"', b"1", b"null", b"{", b"{}{}", b'{"a":1}x', b'{"a":1,}', b"{'a':1}", b'{"a":NaN}',
        b'{"a":Infinity}', b'{"a":1,"a":2}', b'{"trans_memo":1,"trans_memo":2}', b'{"a":"\xff"}', b'{"a":01}',
        b'{"a":"\\ud800"}', b"\xef\xbb\xbf{}", b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", b"<html>",
        b'{"a":' + b"[" * 600 + b"]" * 600 + b"]}",
    ],
)  # fmt: skip
def test_an_unreadable_response_is_refused(body):
    with pytest.raises(ValueError):  # noqa: PT011 - the messages differ by reader
        remove_members(body, frozenset(MEMO))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3) | st.just("trans_memo"), inner, max_size=4)
    ),
    max_leaves=30,
)


@given(st.dictionaries(st.text(max_size=3) | st.just("trans_memo"), json_values, max_size=5))
def test_only_the_members_are_removed(response):
    def remove(value):
        if isinstance(value, dict):
            return {name: remove(member) for name, member in value.items() if name != "trans_memo"}
        return [remove(member) for member in value] if isinstance(value, list) else value

    left = json.loads(remove_members(json.dumps(response).encode(), frozenset(MEMO)))
    assert left == remove(response)
    assert json.dumps(left) == json.dumps(remove(response))  # in the same order
