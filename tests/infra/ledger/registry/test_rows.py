"""Organisations and services are the same again, from rows and from the text of a sync that is held."""

import json
from dataclasses import fields, replace

import pytest

from relay.domain.registry import Organisation, OrgType, RegisteredService, RegistryChanges
from relay.infra.ledger.database.portal_tables import ORGANISATIONS, SERVICES
from relay.infra.ledger.registry.rows import (
    changes_id,
    changes_of,
    changes_text,
    organisation_of,
    organisation_values,
    service_of,
    service_values,
)

BANK = Organisation(
    "ZBAA000001", OrgType.THROUGH_RELAY, "가나은행", "1018100001", ("192.0.2.1",), False, "ZRAA000001", "bank"
)
SERVICE = RegisteredService("svc1", "ZOPA000001", "모아보기", "$scrypt$hash", ("https://one.example/cb",), (), b"\xff")
CHANGES = RegistryChanges({"ZBAA000001": BANK, "ZBAA000002": None}, {"svc1": SERVICE, "svc2": None}, "1", "2")

OTHERWISE = {str: "x", tuple: ("x",), bool: True, OrgType: OrgType.OTHER}


def columns(table):
    return {column.name for column in table.c} - {"number"}


def test_a_row_has_every_column_and_gives_the_same_again():
    assert set(organisation_values(BANK.org_code, BANK)) == columns(ORGANISATIONS)
    assert organisation_of(organisation_values(BANK.org_code, BANK)) == BANK
    assert set(service_values("svc1", SERVICE)) == columns(SERVICES)
    assert service_of(service_values("svc1", SERVICE)) == SERVICE


def test_who_is_gone_leaves_a_name_and_nothing_else():
    values = [organisation_values("ZBAA000001", None), service_values("svc1", None)]
    assert [organisation_of(values[0]), service_of(values[1])] == [None, None]
    told = [{name: value for name, value in each.items() if value not in ("", "[]", b"", False)} for each in values]
    assert told == [{"org_code": "ZBAA000001", "org_type": "99", "gone": True}, {"client_id": "svc1", "gone": True}]


def test_a_held_sync_is_the_same_again():
    assert changes_of(changes_text(CHANGES)) == CHANGES


def test_a_held_sync_is_text_that_any_database_takes():
    strange = replace(BANK, name="\x00 \ud800 가")
    text = changes_text(RegistryChanges({"one": strange}, {}, "1", "2"))
    assert text.isascii()
    assert json.loads(text)["organisations"]["one"]["name"] == strange.name


@pytest.mark.parametrize("field", [field.name for field in fields(Organisation)][1:])
def test_every_field_of_an_organisation_names_another_sync(field):
    other = replace(BANK, **{field: OTHERWISE[type(getattr(BANK, field))]})
    assert changes_id(RegistryChanges({"one": other}, {}, "", "")) != changes_id(
        RegistryChanges({"one": BANK}, {}, "", "")
    )


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (replace(SERVICE, secret_hash="$scrypt$salted anew"), True),
        (replace(SERVICE, secret_mark=b"\xfe"), False),
        (replace(SERVICE, callbacks=()), False),
        (None, False),
    ],
)
def test_the_same_secret_is_the_same_sync_whatever_its_salt(other, same):
    one, two = (RegistryChanges({}, {"svc1": each}, "1", "1") for each in (SERVICE, other))
    assert (changes_id(one) == changes_id(two)) is same


def test_the_portals_timestamps_name_no_other_sync():
    assert changes_id(replace(CHANGES, orgs_timestamp="9")) == changes_id(CHANGES)
