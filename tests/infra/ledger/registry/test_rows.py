"""Organisations and services are read back from rows and from the JSON of a held sync."""

import json
from dataclasses import fields, replace

import pytest

from relay.domain.registry import Organisation, OrgType, RegisteredService, RegistryChanges
from relay.infra.ledger.database.portal_tables import ORGANISATIONS, SERVICES
from relay.infra.ledger.registry.rows import (
    dump_changes,
    dump_organisation,
    dump_service,
    hash_changes,
    read_changes,
    read_organisation,
    read_service,
)

BANK = Organisation(
    "ZBAA000001", OrgType.THROUGH_RELAY, "가나은행", "1018100001", ("192.0.2.1",), False, "ZRAA000001", "bank"
)
SERVICE = RegisteredService("svc1", "ZOPA000001", "모아보기", "$scrypt$hash", ("https://one.example/cb",), (), b"\xff")
CHANGES = RegistryChanges({"ZBAA000001": BANK, "ZBAA000002": None}, {"svc1": SERVICE, "svc2": None}, "1", "2")

OTHERWISE = {str: "x", tuple: ("x",), bool: True, OrgType: OrgType.OTHER}


def columns(table):
    return {column.name for column in table.c} - {"number"}


def test_a_row_has_every_column_and_is_read_back():
    assert set(dump_organisation(BANK.org_code, BANK)) == columns(ORGANISATIONS)
    assert read_organisation(dump_organisation(BANK.org_code, BANK)) == BANK
    assert set(dump_service("svc1", SERVICE)) == columns(SERVICES)
    assert read_service(dump_service("svc1", SERVICE)) == SERVICE


def test_a_removed_entry_keeps_only_its_key():
    values = [dump_organisation("ZBAA000001", None), dump_service("svc1", None)]
    assert [read_organisation(values[0]), read_service(values[1])] == [None, None]
    filled = [{name: value for name, value in row.items() if value not in ("", "[]", b"", False)} for row in values]
    assert filled == [{"org_code": "ZBAA000001", "org_type": "99", "gone": True}, {"client_id": "svc1", "gone": True}]


def test_a_held_sync_is_read_back():
    assert read_changes(dump_changes(CHANGES)) == CHANGES


def test_a_held_sync_is_ascii_text():
    unusual = replace(BANK, name="\x00 \ud800 가")
    text = dump_changes(RegistryChanges({"one": unusual}, {}, "1", "2"))
    assert text.isascii()
    assert json.loads(text)["organisations"]["one"]["name"] == unusual.name


@pytest.mark.parametrize("field", [field.name for field in fields(Organisation)][1:])
def test_every_field_of_an_organisation_changes_the_id(field):
    other = replace(BANK, **{field: OTHERWISE[type(getattr(BANK, field))]})
    assert hash_changes(RegistryChanges({"one": other}, {}, "", "")) != hash_changes(
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
def test_the_salt_of_a_secret_does_not_change_the_id(other, same):
    first, second = (RegistryChanges({}, {"svc1": service}, "1", "1") for service in (SERVICE, other))
    assert (hash_changes(first) == hash_changes(second)) is same


def test_the_portals_timestamps_do_not_change_the_id():
    assert hash_changes(replace(CHANGES, orgs_timestamp="9")) == hash_changes(CHANGES)
