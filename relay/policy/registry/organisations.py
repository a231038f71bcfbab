"""Reads organisations of the portal (지원-002) and compares them with the registry.

Values that the relay uses are checked strictly; unused ones (postal addresses, registration numbers, server domains)
never stop a sync. Counts, duplicates and unknown organisations are checked, so that an incomplete or contradictory list
is never applied. A full list is complete: organisations that are missing in it are removed.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from relay.domain.ids import normalize_serial
from relay.domain.registry import Organisation, OrgType, RegisteredService, Registry, RegistryChanges
from relay.policy.registry.messages import (
    ANY,
    EVERYTHING,
    OP,
    ORG,
    check_unique,
    is_up_to_date,
    list_rows,
    next_timestamp,
)
from relay.policy.registry.rows import Problems, Row, TextFormat
from relay.policy.settings.scalars import SERIAL_PATTERN, SLOT_CLOCK_PATTERN

_CODES: Final = tuple(org_type.value for org_type in OrgType)
_MEMBER_TYPES: Final = frozenset({OrgType.OWN_API, OrgType.THROUGH_RELAY})
_WITHOUT_SERIAL: Final = frozenset({OrgType.IDENTITY_CERTIFIER})
"""지원-002: serial_num is required for all types but these."""
_MAX_SLOTS: Final = 3
_MAX_ADDRESSES: Final = 999
"""`ip_cnt` has three digits. Gateways check each address of an operator when it calls."""
_WIDEST: Final = {4: 16, 6: 32}
"""Prefix length of the widest network accepted as addresses of one institution, by IP version."""

_TYPE: Final = TextFormat(re.compile("|".join(_CODES)), 2, f"is none of {', '.join(_CODES)}")
_NAME: Final = TextFormat(ANY, 60, "is longer than 60 bytes or not printable")
_SERIAL: Final = TextFormat(SERIAL_PATTERN, 20, "is not 1 to 20 letters, digits, hyphens or blanks")
_IP: Final = TextFormat(re.compile(r"[0-9A-Fa-f.:/]+"), 43, "is no address")
_SLOT: Final = TextFormat(
    re.compile(f"(?:{SLOT_CLOCK_PATTERN.pattern}):(?:{SLOT_CLOCK_PATTERN.pattern})"),
    9,
    "is not hhmm:hhmm, for example 0100:0700",
)


@dataclass(frozen=True, slots=True)
class ListedOrganisations:
    """지원-002: current organisations by org_code, None for removed ones, and the next search_timestamp."""

    organisations: Mapping[str, Organisation | None]
    timestamp: str


def read_organisations(body: Mapping[str, Any], registry: Registry, since: str) -> ListedOrganisations:
    """Reads a body of 지원-002 that was requested with `since`. Raises InvalidBody."""
    problems = Problems()
    root = Row("", body, problems)
    if is_up_to_date(root, since):
        problems.raise_if_any()
        return ListedOrganisations({}, since)
    organisations: dict[str, Organisation | None] = {}
    places: dict[str, str] = {}
    for row in list_rows(root):
        org_code, op_type = row.required("org_code", ORG), row.required("op_type", OP)
        check_unique(row, "org_code", org_code, places)
        organisations[org_code] = None if op_type == "D" else _organisation(row, org_code)
    if since == EVERYTHING:
        if not any(organisations.values()):
            problems.add("org_list", "holds no organisation, though everything was requested")
        organisations = dict.fromkeys(registry.organisations) | organisations
    timestamp = next_timestamp(root, since)
    problems.raise_if_any()
    return ListedOrganisations(organisations, timestamp)


def compare_with_registry(
    registry: Registry,
    listed: ListedOrganisations,
    services: Mapping[str, RegisteredService | None],
    services_timestamp: str,
) -> RegistryChanges:
    """Returns the differences from the registry. A removed organisation takes its services along."""
    orgs = {code: org for code, org in listed.organisations.items() if org != registry.organisations.get(code)}
    gone = {code for code, org in orgs.items() if org is None}
    orphans = {service.client_id: None for service in registry.services.values() if service.operator in gone}
    services_now = orphans | dict(services)
    return RegistryChanges(
        orgs,
        {name: service for name, service in services_now.items() if service != registry.services.get(name)},
        listed.timestamp,
        services_timestamp,
    )


def _organisation(row: Row, org_code: str) -> Organisation:
    code = row.required("org_type", _TYPE)
    org_type = OrgType(code) if code else OrgType.OTHER
    organisation = Organisation(
        org_code=org_code,
        org_type=org_type,
        name=row.required("org_name", _NAME),
        serial_num=_serial(row, code),
        addresses=_addresses(row),
        is_receiver=row.boolean("is_rcv_org"),
        relay=row.required("relay_org_code", ORG, f"org_type {code}")
        if org_type is OrgType.THROUGH_RELAY
        else row.text("relay_org_code", ORG),
        industry=row.displayed("industry", 10),
        slots=_slots(row) if org_type in _MEMBER_TYPES else (),
        domain=row.displayed("domain", 70),
        cert_issuer_dn=row.displayed("cert_issuer_dn", 300),
        cert_oid=row.displayed("cert_oid", 300),
    )
    if code and organisation.may_call and not organisation.addresses:
        row.add_problem("ip_list", f"holds no address (org_type {code})")
    return organisation


def _serial(row: Row, code: str) -> str:
    if not code or OrgType(code) in _WITHOUT_SERIAL:
        return row.text("serial_num", _SERIAL)
    serial = row.required("serial_num", _SERIAL, f"org_type {code}")
    if serial and not normalize_serial(serial):
        row.add_problem("serial_num", _SERIAL.words)
    return serial


def _addresses(row: Row) -> tuple[str, ...]:
    """Returns `ip_list`, sorted and without duplicates, so that the order makes no difference."""
    addresses = set()
    for entry in row.rows("ip_list", "ip_cnt", _MAX_ADDRESSES):
        address = _address(entry)
        if address is not None:
            addresses.add(address)
    return tuple(sorted(addresses))


def _address(entry: Row) -> str | None:
    text = entry.required("ip", _IP)
    if not text:
        return None
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        entry.add_problem("ip", _IP.words)
        return None
    first = network.network_address
    if network.prefixlen < _WIDEST[network.version] or getattr(first, "ipv4_mapped", None) or first.is_unspecified:
        entry.add_problem("ip", "is no address of one institution")
    return str(first) if network.num_addresses == 1 else str(network)


def _slots(row: Row) -> tuple[str, ...]:
    slots = [entry.required("np_time", _SLOT) for entry in row.rows("np_time_list", "np_time_cnt", _MAX_SLOTS)]
    return tuple(sorted(set(slots)))
