"""What the portal tells of organisations (지원-002), and what it changes in the registry.

Strict about everything the relay goes by, blind to what it does not use (addresses on paper, registration numbers,
server domains), which must not stop a sync. Counts, doubles and strangers are looked at, so that half a list or a list
that contradicts itself is never taken. A full list is everything there is: what is not in it is gone.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from relay.domain.ids import normal_serial
from relay.domain.registry import Organisation, OrgType, RegisteredService, Registry, RegistryChanges
from relay.policy.registry.messages import ANY, EVERYTHING, OP, ORG, listed, next_timestamp, once, up_to_date
from relay.policy.registry.rows import Form, Problems, Row
from relay.policy.settings.scalars import SERIAL, SLOT_CLOCK

_CODES: Final = tuple(one.value for one in OrgType)
_MEMBER_TYPES: Final = frozenset({OrgType.OWN_API, OrgType.THROUGH_RELAY})
_WITHOUT_SERIAL: Final = frozenset({OrgType.IDENTITY_CERTIFIER})
"""지원-002: serial_num is told of everybody but these."""
_SLOTS_MOST: Final = 3
_ADDRESSES_MOST: Final = 999
"""`ip_cnt` has three digits. Gateways look at each address of an operator when it calls."""
_WIDEST: Final = {4: 16, 6: 32}
"""The widest network that is taken for the addresses of one institution, by IP version: prefix length."""

_TYPE: Final = Form(re.compile("|".join(_CODES)), 2, f"is none of {', '.join(_CODES)}")
_NAME: Final = Form(ANY, 60, "is longer than 60 bytes or not printable")
_SERIAL: Final = Form(SERIAL, 20, "is not 1 to 20 letters, digits, hyphens or blanks")
_IP: Final = Form(re.compile(r"[0-9A-Fa-f.:/]+"), 43, "is no address")
_SLOT: Final = Form(
    re.compile(f"(?:{SLOT_CLOCK.pattern}):(?:{SLOT_CLOCK.pattern})"), 9, "is not hhmm:hhmm, for example 0100:0700"
)


@dataclass(frozen=True, slots=True)
class ToldOrganisations:
    """지원-002: organisations by org_code as they are now, None for those that are gone; when to ask from next."""

    told: Mapping[str, Organisation | None]
    timestamp: str


def read_organisations(body: Mapping[str, Any], registry: Registry, since: str) -> ToldOrganisations:
    """A body of 지원-002 that was asked for with `since`. Raises Unfit."""
    problems = Problems()
    root = Row("", body, problems)
    if up_to_date(root, since):
        problems.judge()
        return ToldOrganisations({}, since)
    told: dict[str, Organisation | None] = {}
    places: dict[str, str] = {}
    for row in listed(root):
        org_code, op_type = row.needed("org_code", ORG), row.needed("op_type", OP)
        once(row, "org_code", org_code, places)
        told[org_code] = None if op_type == "D" else _organisation(row, org_code)
    if since == EVERYTHING:
        if not any(told.values()):
            problems.add("org_list", "holds nobody, though everything was asked for")
        told = dict.fromkeys(registry.organisations) | told
    timestamp = next_timestamp(root, since)
    problems.judge()
    return ToldOrganisations(told, timestamp)


def changes_of(
    registry: Registry,
    organisations: ToldOrganisations,
    services: Mapping[str, RegisteredService | None],
    services_timestamp: str,
) -> RegistryChanges:
    """What differs from the registry, and nothing else. An organisation that goes takes its services along."""
    orgs = {code: one for code, one in organisations.told.items() if one != registry.organisations.get(code)}
    gone = {code for code, one in orgs.items() if one is None}
    orphans = {one.client_id: None for one in registry.services.values() if one.operator in gone}
    told = orphans | dict(services)
    return RegistryChanges(
        orgs,
        {client_id: one for client_id, one in told.items() if one != registry.services.get(client_id)},
        organisations.timestamp,
        services_timestamp,
    )


def _organisation(row: Row, org_code: str) -> Organisation:
    code = row.needed("org_type", _TYPE)
    org_type = OrgType(code) if code else OrgType.OTHER
    made = Organisation(
        org_code,
        org_type,
        row.needed("org_name", _NAME),
        _serial(row, code),
        _addresses(row),
        row.boolean("is_rcv_org"),
        row.needed("relay_org_code", ORG, f"org_type {code}")
        if org_type is OrgType.THROUGH_RELAY
        else row.text("relay_org_code", ORG),
        row.unused("industry", 10),
        _slots(row) if org_type in _MEMBER_TYPES else (),
        row.unused("domain", 70),
        row.unused("cert_issuer_dn", 300),
        row.unused("cert_oid", 300),
    )
    if code and made.calls and not made.addresses:
        row.wrong("ip_list", f"holds no address (org_type {code})")
    return made


def _serial(row: Row, code: str) -> str:
    if not code or OrgType(code) in _WITHOUT_SERIAL:
        return row.text("serial_num", _SERIAL)
    found = row.needed("serial_num", _SERIAL, f"org_type {code}")
    if found and not normal_serial(found):
        row.wrong("serial_num", _SERIAL.words)
    return found


def _addresses(row: Row) -> tuple[str, ...]:
    """`ip_list`, each once and in one order, so that only a real difference is one."""
    found = set()
    for entry in row.rows("ip_list", "ip_cnt", _ADDRESSES_MOST):
        address = _address(entry)
        if address is not None:
            found.add(address)
    return tuple(sorted(found))


def _address(entry: Row) -> str | None:
    written = entry.needed("ip", _IP)
    if not written:
        return None
    try:
        network = ipaddress.ip_network(written, strict=False)
    except ValueError:
        entry.wrong("ip", _IP.words)
        return None
    first = network.network_address
    if network.prefixlen < _WIDEST[network.version] or getattr(first, "ipv4_mapped", None) or first.is_unspecified:
        entry.wrong("ip", "is no address of one institution")
    return str(first) if network.num_addresses == 1 else str(network)


def _slots(row: Row) -> tuple[str, ...]:
    found = [entry.needed("np_time", _SLOT) for entry in row.rows("np_time_list", "np_time_cnt", _SLOTS_MOST)]
    return tuple(sorted(set(found)))
