"""The sandbox's own rules against the relay's, over many values. A difference is a mistake of one of them."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mydata_sandbox.checks import weeks
from mydata_sandbox.checks.conformance import find_remarks, find_violations
from mydata_sandbox.checks.field_types import is_value
from mydata_sandbox.checks.withheld import remove_members
from mydata_sandbox.world.shared import EXTRA_CONSENTS

from relay.domain.ids import INDUSTRIES
from relay.policy.answers.answer_rules import AnswerRules
from relay.policy.call import withheld
from relay.policy.call.fields import compile_field_check
from relay.policy.call.member_filter import MemberFilter
from relay.policy.statistics import weeks as relay_weeks
from relay.standard.catalogue import load_catalogue, load_rsp_codes
from relay.standard.examples import load_examples


def iter_fields(fields):
    for field in fields:
        if field.type == "array":
            yield from iter_fields(field.fields)
        elif field.type != "object":
            yield field


def distinct_fields():
    """Returns one field of each kind in the catalogue: type, length, codes, and names with a rule of their own."""
    fields = {}
    for api in load_catalogue().apis.values():
        for field in iter_fields((*api.request.query, *api.request.body, *api.response.body)):
            fields.setdefault((field.type, field.length, *field.codes, bool(compile_field_check(field)("/-"))), field)
            if field.name.endswith("_month"):
                fields.setdefault(("month", field.type, field.length), field)
    return list(fields.values())


FIELDS = distinct_fields()
TEXTS = st.one_of(
    st.text(max_size=12),
    st.text("0123456789-.+", max_size=24),
    st.text("abzABZ019 =/_+-", max_size=30),
    st.datetimes().map("{:%Y%m%d%H%M%S}".format),
    st.dates().map("{:%Y%m%d}".format),
    st.dates().map("{:%Y%m}".format),
    st.integers(0, 10**14).map("{:014}".format),
    st.integers(0, 10**8).map("{:08}".format),
    st.integers(0, 10**6).map("{:06}".format),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    st.sampled_from([code for field in FIELDS for code in field.codes] + ["true", "false", "\ud800", "가" * 30]),
)


def test_every_type_of_the_standard_is_compared():
    assert len(FIELDS) > 100
    kinds = {"A", "a", "AN", "aN", "aNS", "AH", "N", "F", "Boolean", "DATE", "DTIME"}
    assert kinds <= {field.type for field in FIELDS}


@given(TEXTS.filter(bool))
@example("20240229")
@example("00000101")
@example("20240229235960")
def test_sandbox_and_relay_accept_the_same_values(text):
    different = [
        f"{field.name} {field.type}({field.length})"
        for field in FIELDS
        if is_value(field, text) != bool(compile_field_check(field)(text))
    ]
    assert different == []


@pytest.mark.parametrize("more", ["", "0", "-", ".", "\n", "가"])
def test_sandbox_and_relay_have_the_same_limits(more):
    """Texts of just the right length, and longer ones, of each digit and letter."""
    for field in FIELDS:
        check, length = compile_field_check(field), int(field.length.partition(",")[0] or 20)
        for character in "0A a-z=가":
            for text in (character * length + more, more + character * (length - 1), character * (length + 1)):
                assert not text or is_value(field, text) == bool(check(text)), (field, text)


@given(st.integers(0, 4_000_000_000))
def test_sandbox_and_relay_count_the_same_weeks(now):
    week = weeks.last_week(now)
    assert week == relay_weeks.last_week(now)
    assert weeks.days_of(week) == relay_weeks.days_of(week)


def test_sandbox_and_relay_change_weeks_in_the_same_second():
    midnight = datetime(2026, 11, 21, 15, tzinfo=UTC)  # Sunday in Korea
    for second in range(-2, 3):
        now = (midnight + timedelta(seconds=second)).timestamp()
        assert weeks.last_week(now) == relay_weeks.last_week(now)


@pytest.mark.parametrize("day", ["20261123", "2026112", "", "20260230"])
def test_sandbox_and_relay_refuse_the_same_weeks(day):
    for rules in (weeks, relay_weeks):
        with pytest.raises(ValueError):  # noqa: PT011 - each has words of its own
            rules.days_of(day)


NAMES = frozenset({"trans_memo", "merchant_name"})
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*sorted(NAMES), "a", "\\"]), inner, max_size=3)
    ),
)


@given(st.dictionaries(st.sampled_from([*sorted(NAMES), "list"]), VALUES), st.booleans())
def test_sandbox_and_relay_remove_the_same_members(body, ascii_only):
    content = json.dumps(body, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    relays = MemberFilter(content, NAMES)
    while not relays.read(1000):
        continue
    assert json.loads(remove_members(content, NAMES)) == json.loads(relays.result)


KNOWN_DIFFERENCES = {
    ("is_consent_trans_memo", "invest"),  # the catalogue has no trans_memo in 금투-003, and 공통-002 omits it
    ("is_consent_merchant_name_regno", "bank"),  # 선불-004 of banks; 공통-002 names only card, e-finance and telecom
}
"""Consents that the relay accepts beyond the words of 공통-002."""


def test_sandbox_and_relay_know_the_same_additional_consents():
    relays = {(name, industry) for name, flag in withheld.FLAGS.items() for industry in flag.industries}
    sandboxes = {(name, industry) for industry in INDUSTRIES for name in EXTRA_CONSENTS.get(industry, ())}
    assert relays - sandboxes == KNOWN_DIFFERENCES
    assert sandboxes - relays == set()


STATUSES = {code: row.http for code, row in load_rsp_codes().items()}
ANSWERS = [
    (load_catalogue().apis[api_id], call["request"], call["response"])
    for calls in load_examples().values()
    for api_id, call in calls.items()
    if load_catalogue().apis[api_id].industries
]


def iter_places(value):
    """Yields each object and list of an answer with each of its keys."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from iter_places(value[key])


def copy(body):
    return json.loads(json.dumps(body))


@given(st.sampled_from(ANSWERS), st.data())
def test_sandbox_and_relay_find_the_same_answers_spoilt(answer, data):
    """One value of an example is replaced or removed; what depends on the call is the relay's alone."""
    api, request, body = answer[0], answer[1], copy(answer[2])
    places = list(iter_places(body))
    holder, key = places[data.draw(st.integers(0, len(places) - 1))]
    if key == "rsp_code" or data.draw(st.booleans()):
        del holder[key]
    else:
        holder[key] = data.draw(VALUES | st.sampled_from(["0", "1", "20260101", "true"]))
    own_rules = {"code_missing", "order", "period", "limit", "next_page"}
    verdict = AnswerRules(api, STATUSES).check(200, {}, json.dumps(body).encode(), request)
    relays = [rule for rule, _ in verdict.violations if rule not in own_rules]
    if body.get("rsp_code") == "00000":
        assert bool(find_violations(api, body)) == bool(relays)
        assert verdict.violations or bool(find_remarks(body)) == bool(verdict.style)
