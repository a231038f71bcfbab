"""Descriptions of registry changes."""

from dataclasses import replace

import pytest

from relay.domain.registry import (
    Discard,
    Organisation,
    OrgType,
    PartySet,
    RegisteredService,
    Registry,
    RegistryChanges,
)
from relay.policy.registry.changes import describe_differences, drop_discarded, select

ONE = Organisation("ZOPA000001", OrgType.OPERATOR, "One", "123-45-67890", ("192.0.2.1",))
SERVICE = RegisteredService("one1", "ZOPA000001", "Service", "$scrypt$old", ("https://one.example/cb",), (), b"old")
KNOWN = Registry({ONE.org_code: ONE}, {SERVICE.client_id: SERVICE})


def describe(organisations=None, services=None):
    return list(describe_differences(KNOWN, RegistryChanges(organisations or {}, services or {}, "1", "1")))


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (None, "- organisation ZOPA000001 One"),
        (replace(ONE, name="Two"), "~ organisation ZOPA000001 Two: name One -> Two"),
        (
            replace(ONE, serial_num="", addresses=("192.0.2.2", "::1")),
            "~ organisation ZOPA000001 One: serial_num 123-45-67890 -> none; addresses 192.0.2.1 -> 192.0.2.2, ::1",
        ),
        (
            replace(ONE, org_type=OrgType.OTHER, is_receiver=True),
            "~ organisation ZOPA000001 One: org_type 03 -> 99; is_receiver no -> yes",
        ),
        (replace(ONE, addresses=()), "~ organisation ZOPA000001 One: addresses 192.0.2.1 -> none"),
    ],
)
def test_a_change_of_an_organisation_is_a_line(changed, line):
    assert describe({ONE.org_code: changed}) == [line]


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (None, "- service one1 Service"),
        (replace(SERVICE, app_schemes=("one",)), "~ service one1 Service: app_schemes none -> one"),
        (replace(SERVICE, secret_hash="$scrypt$new", secret_mark=b"new"), "~ service one1 Service; another secret"),
        (
            replace(SERVICE, operator="ZOPB000001", secret_hash="$scrypt$new"),
            "~ service one1 Service: operator ZOPA000001 -> ZOPB000001; another secret",
        ),
    ],
)
def test_a_change_of_a_service_is_a_line_without_its_secret(changed, line):
    assert describe(services={"one1": changed}) == [line]


def test_a_new_party_is_named():
    new = replace(ONE, org_code="ZOPC000001", name="Three")
    assert describe({"ZOPC000001": new}, {"three1": replace(SERVICE, client_id="three1")}) == [
        "+ organisation ZOPC000001 Three",
        "+ service three1 Service",
    ]


def test_a_removed_unknown_party_has_no_name():
    assert describe({"ZOPD000001": None}) == ["- organisation ZOPD000001"]


def test_no_changes_have_no_description():
    assert describe() == []


BOTH = RegistryChanges({"ZOPA000001": None, "ZOPA000002": ONE}, {"one1": None, "two1": SERVICE}, "1", "2")


def test_only_chosen_changes_are_selected():
    assert select(BOTH, PartySet(frozenset({"ZOPA000001"}), frozenset({"two1", "unknown"}))) == RegistryChanges(
        {"ZOPA000001": None}, {"two1": SERVICE}, "1", "2"
    )


@pytest.mark.parametrize(
    ("organisations", "services", "left", "remarks"),
    [
        ({}, {}, (2, 2), ()),
        ({"ZOPA000001": None}, {}, (1, 2), ("1 change left out, discarded: wrong",)),
        ({"ZOPA000001": ONE}, {"one1": SERVICE}, (2, 2), ()),
        ({"ZOPA000002": ONE}, {"one1": None}, (1, 1), ("2 changes left out, discarded: wrong",)),
        ({"ZOPA000009": None}, {}, (2, 2), ()),
    ],
)
def test_discarded_changes_are_skipped_while_they_are_repeated(organisations, services, left, remarks):
    discarded = [Discard(1, "wrong", RegistryChanges(organisations, services, "", ""))]
    changes, actual_remarks = drop_discarded(BOTH, discarded)
    assert (len(changes.organisations), len(changes.services)) == left
    assert actual_remarks == remarks
    assert (changes.orgs_timestamp, changes.services_timestamp) == ("1", "2")
