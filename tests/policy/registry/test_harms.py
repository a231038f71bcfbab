"""Harms of organisations and services, and their timelines."""

from dataclasses import replace

import pytest

from relay.domain.registry import Cause, FormerValue, Organisation, OrgType, RegisteredService
from relay.policy.registry.harms import REMOVED, Timeline, find_organisation_harms, find_service_harms, is_replaced

RELAY = "RLAY000001"
NOW, WEEK = 1_800_000_000, 1_800_000_000 - 7 * 86_400
ONE = Organisation("OPER000001", OrgType.OPERATOR, "가상 사업자", "999-81-00001", ("192.0.2.1",))
MEMBER = replace(ONE, org_type=OrgType.THROUGH_RELAY, relay=RELAY, slots=("0100:0700",))
CERTIFIER = replace(ONE, org_type=OrgType.IDENTITY_CERTIFIER, serial_num="", addresses=())
SERVICE = RegisteredService("client1", "OPER000001", "서비스", "hash", ("https://one.example/cb",), ("one",))
OTHER = {"serial_num": "other", "addresses": ("192.0.2.9",)}


def make_timeline(current, *steps):
    """Returns a timeline. Former values are (seconds before NOW, value, cause), the oldest first."""
    return Timeline.of(current, [FormerValue(NOW - ago, value, cause) for ago, value, cause in steps], WEEK)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (ONE, None, REMOVED),
        (ONE, {"addresses": ("192.0.2.9",)}, "given other addresses"),
        (ONE, {"addresses": ("192.0.2.1", "192.0.2.9")}, "given other addresses"),
        (ONE, {"serial_num": "other"}, "given another serial_num"),
        (ONE, {"serial_num": ""}, "given another serial_num"),
        (ONE, {"org_type": OrgType.OTHER}, "allowed to call no more"),
        (MEMBER, {"slots": ("1300:1900",)}, "given other transfer slots"),
        (MEMBER, {"slots": ()}, "given other transfer slots"),
        (replace(MEMBER, slots=()), {"slots": ("1300:1900",)}, "given other transfer slots"),
        (MEMBER, {"relay": "RLAY000002"}, "given other transfer slots"),
        (CERTIFIER, {"org_type": OrgType.OTHER}, "no such certifier any more"),
        (CERTIFIER, {"org_type": OrgType.SIGNATURE_CERTIFIER}, "no such certifier any more"),
    ],
)
def test_removal_and_other_certificates_or_addresses_are_harms(before, after, words):
    new = None if after is None else replace(before, **after)
    assert find_organisation_harms(make_timeline(before), new, RELAY) == (words,)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (ONE, {"name": "새 이름"}),
        (ONE, {"serial_num": "999 81 00001"}),
        (ONE, {"slots": ("0900:0901",)}),
        (ONE, {"domain": "new.example"}),
        (replace(ONE, addresses=("192.0.2.1", "192.0.2.2")), {"addresses": ("192.0.2.2", "192.0.2.1")}),
        (CERTIFIER, {"serial_num": "first"}),
        (CERTIFIER, {"addresses": ("192.0.2.1",)}),
    ],
)
def test_a_change_of_unused_values_is_no_harm(before, after):
    assert find_organisation_harms(make_timeline(before), replace(before, **after), RELAY) == ()


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (None, (REMOVED,)),
        ({"operator": "OPER000002"}, ("given to another operator",)),
        ({"secret_hash": "other"}, ("given another client_secret",)),
        ({"callbacks": ("https://other.example/cb",)}, ("given other callbacks",)),
        ({"callbacks": ("https://one.example/cb", "https://other.example/cb")}, ("given other callbacks",)),
        ({"callbacks": (), "app_schemes": ("other",)}, ("given other callbacks", "given other app_schemes")),
        ({"name": "새 이름", "secret_mark": b"other"}, ()),
    ],
)
def test_a_service_is_removed_rekeyed_or_redirected(after, words):
    assert find_service_harms(make_timeline(SERVICE), None if after is None else replace(SERVICE, **after)) == words


def test_a_first_callback_is_no_harm():
    before = replace(SERVICE, callbacks=(), app_schemes=(), secret_hash="")
    assert find_service_harms(make_timeline(before), SERVICE) == ()


X, Y = replace(ONE, addresses=("192.0.2.8",)), replace(ONE, addresses=("192.0.2.9",))
AGO = 3600


@pytest.mark.parametrize(
    ("known", "new", "harmed"),
    [
        (make_timeline(X, (AGO, ONE, Cause.COUNTED)), ONE, False),
        (make_timeline(X, (AGO, ONE, Cause.COUNTED)), Y, True),
        (make_timeline(Y, (AGO, ONE, Cause.COUNTED), (AGO, X, Cause.COUNTED)), X, False),
        (make_timeline(Y, (AGO, ONE, Cause.COUNTED), (AGO, X, Cause.RELEASED)), ONE, False),
        (make_timeline(X, (8 * 86_400, ONE, Cause.COUNTED)), ONE, True),
        (make_timeline(ONE, (AGO, None, Cause.SYNC)), None, False),
        (make_timeline(ONE, (AGO, None, Cause.SYNC)), Y, False),
        (make_timeline(None, (AGO, ONE, Cause.COUNTED)), ONE, False),
        (make_timeline(None, (AGO, ONE, Cause.COUNTED)), Y, True),
        (make_timeline(None, (30 * 86_400, ONE, Cause.COUNTED)), Y, True),
        (make_timeline(ONE, (AGO, None, Cause.RELEASED)), Y, True),
        (make_timeline(ONE, (AGO, None, Cause.RELEASED)), None, False),
        (make_timeline(None), Y, False),
    ],
    ids=[
        "back",
        "further",
        "back_to_one_between",
        "back_behind_a_release",
        "back_to_what_was_long_ago",
        "newcomer_goes",
        "newcomer_changes",
        "back_from_being_away",
        "back_as_another",
        "back_as_another_after_long",
        "released_newcomer_changes",
        "released_newcomer_goes",
        "unknown",
    ],
)
def test_a_return_to_a_value_of_the_last_week_is_no_harm(known, new, harmed):
    assert bool(find_organisation_harms(known, new, RELAY)) == harmed


@pytest.mark.parametrize(
    ("known", "new", "replaced"),
    [
        (make_timeline(ONE), replace(ONE, **OTHER), True),
        (make_timeline(ONE), replace(ONE, serial_num="other"), False),
        (make_timeline(ONE), None, False),
        (make_timeline(None), ONE, False),
        (make_timeline(X, (AGO, ONE, Cause.COUNTED)), replace(X, serial_num="other"), True),
        (make_timeline(X, (AGO, ONE, Cause.RELEASED)), replace(X, serial_num="other"), False),
        (make_timeline(X, (8 * 86_400, ONE, Cause.COUNTED)), replace(X, serial_num="other"), False),
        (make_timeline(None, (AGO, ONE, Cause.COUNTED)), replace(ONE, **OTHER), True),
        (make_timeline(replace(ONE, **OTHER), (AGO, ONE, Cause.RELEASED)), ONE, False),
        (make_timeline(CERTIFIER), replace(CERTIFIER, **OTHER), False),
    ],
)
def test_certificate_and_addresses_are_replaced_within_a_week(known, new, replaced):
    assert is_replaced(known, new) == replaced


def test_a_timeline_counts_harms_since_the_last_release():
    assert make_timeline(X, (AGO, ONE, Cause.COUNTED)).is_counted
    assert not make_timeline(X, (8 * 86_400, ONE, Cause.COUNTED)).is_counted
    assert not make_timeline(X, (AGO, ONE, Cause.COUNTED), (AGO, Y, Cause.RELEASED)).is_counted
    assert [make_timeline(ONE).is_old, make_timeline(ONE, (AGO, None, Cause.SYNC)).is_old] == [True, False]
