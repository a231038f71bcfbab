"""What the portal tells (지원-002, 지원-003), read into the registry's nouns, and what it changes there.

Strict about everything the relay goes by, blind to what it does not use (addresses on paper, registration numbers,
server domains), which must not stop a sync. Counts, doubles and strangers are looked at, so that half a list or a list
that contradicts itself is never taken. A full list is everything there is: what is not in it is gone.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from relay.domain.ids import ORG_CODE, normal_serial
from relay.domain.registry import Organisation, OrgType, RegisteredService, Registry, RegistryChanges
from relay.policy.rows import Form, Problems, Row
from relay.policy.scalars import SERIAL, SLOT_CLOCK

EVERYTHING: Final = "0"
"""The search_timestamp that asks for everything (core 1.7)."""

_UP_TO_DATE: Final = "00001"
_CODES: Final = tuple(one.value for one in OrgType)
_MEMBER_TYPES: Final = frozenset({OrgType.OWN_API, OrgType.THROUGH_RELAY})
_WITHOUT_SERIAL: Final = frozenset({OrgType.IDENTITY_CERTIFIER})
"""지원-002: serial_num is told of everybody but these."""
_SLOTS_MOST: Final = 3
_CALLBACKS_MOST: Final = 4
_WIDEST: Final = {4: 16, 6: 32}
"""The widest network that is taken for the addresses of one institution, by IP version: prefix length."""

_ANY: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
"""No control characters, nothing that turns the direction of writing, no half of a character."""

_ORG: Final = Form(ORG_CODE, 10, "is not 10 letters or digits")
_OP: Final = Form(re.compile("[IMD]"), 1, "is not I, M or D")
_TYPE: Final = Form(re.compile("|".join(_CODES)), 2, f"is none of {', '.join(_CODES)}")
_NAME: Final = Form(_ANY, 60, "is longer than 60 bytes or not printable")
_SERVICE_NAME: Final = Form(_ANY, 30, "is longer than 30 bytes or not printable")
_SERIAL: Final = Form(SERIAL, 20, "is not 1 to 20 letters, digits, hyphens or blanks")
_STAMP: Final = Form(re.compile(r"[0-9]{1,14}"), 14, "is not 1 to 14 digits")
_RSP_CODE: Final = Form(re.compile(r"[0-9A-Za-z]{5}"), 5, "is not 5 letters or digits")
_CLIENT: Final = Form(re.compile(r"[0-9A-Za-z]{1,50}"), 50, "is not 1 to 50 letters or digits")
_SECRET: Final = Form(re.compile(r"[0-9A-Za-z]{1,50}"), 50, "is not 1 to 50 letters or digits")
_URI: Final = Form(re.compile(r"https://[!-~]+"), 100, "is no https:// address of at most 100 bytes")
_SCHEME: Final = Form(re.compile(r"[!-~]+"), 100, "is longer than 100 bytes or not printable ASCII")
_IP: Final = Form(re.compile(r"[0-9A-Fa-f.:/]+"), 43, "is no address")
_SLOT: Final = Form(
    re.compile(f"(?:{SLOT_CLOCK.pattern}):(?:{SLOT_CLOCK.pattern})"), 9, "is not hhmm:hhmm, for example 0100:0700"
)


@dataclass(frozen=True, slots=True)
class ToldService:
    """A service as 지원-003 tells it, its secret still in clear: to be hashed and forgotten."""

    client_id: str
    operator: str
    name: str
    secret: str = field(repr=False)
    callbacks: tuple[str, ...] = ()
    app_schemes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToldOrganisations:
    """지원-002: organisations by org_code as they are now, None for those that are gone; when to ask from next."""

    told: Mapping[str, Organisation | None]
    timestamp: str


@dataclass(frozen=True, slots=True)
class ToldServices:
    """지원-003: services by client_id as they are now, None for those that are gone; when to ask from next."""

    told: Mapping[str, ToldService | None]
    timestamp: str


def read_organisations(body: Mapping[str, Any], registry: Registry, since: str) -> ToldOrganisations:
    """A body of 지원-002 that was asked for with `since`. Raises Unfit."""
    problems = Problems()
    root = Row("", body, problems)
    if _up_to_date(root, since):
        problems.judge()
        return ToldOrganisations({}, since)
    told: dict[str, Organisation | None] = {}
    places: dict[str, str] = {}
    for row in _list(root):
        org_code, op_type = row.needed("org_code", _ORG), row.needed("op_type", _OP)
        _once(row, "org_code", org_code, places)
        told[org_code] = None if op_type == "D" else _organisation(row, org_code)
    if since == EVERYTHING:
        if not any(told.values()):
            problems.add("org_list", "holds nobody, though everything was asked for")
        told = dict.fromkeys(registry.organisations) | told
    timestamp = _timestamp(root, since)
    problems.judge()
    return ToldOrganisations(told, timestamp)


def read_services(
    body: Mapping[str, Any], registry: Registry, organisations: ToldOrganisations, since: str
) -> ToldServices:
    """A body of 지원-003 that was asked for with `since`, after `organisations` were heard. Raises Unfit."""
    problems = Problems()
    root = Row("", body, problems)
    if _up_to_date(root, since):
        problems.judge()
        return ToldServices({}, since)
    heard = _HeardServices(organisations, registry)
    operators: dict[str, str] = {}
    for org in _list(root):
        operator = org.needed("org_code", _ORG)
        _once(org, "org_code", operator, operators)
        for row in org.rows("service_list", "service_cnt"):
            heard.hear(row, operator)
    heard.compare(full=since == EVERYTHING)
    timestamp = _timestamp(root, since)
    problems.judge()
    told = dict.fromkeys(heard.dropped) | heard.told
    return ToldServices(dict.fromkeys(registry.services) | told if since == EVERYTHING else told, timestamp)


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


def _up_to_date(root: Row, since: str) -> bool:
    """Whether the portal says that nothing changed (00001); to a question for everything that is no answer."""
    if root.text("rsp_code", _RSP_CODE) == _UP_TO_DATE:
        if since == EVERYTHING:
            root.wrong("rsp_code", "says up to date, though everything was asked for")
        return True
    return False


def _list(root: Row) -> Iterator[Row]:
    """`org_list`, whose count has to be told: half a list must be seen."""
    if not root.given("org_cnt"):
        root.wrong("org_cnt", "is missing")
    return root.rows("org_list", "org_cnt")


def _timestamp(root: Row, since: str) -> str:
    """When to ask from next: what the portal says; everything when it says nothing, or its time went backwards."""
    said = root.text("search_timestamp", _STAMP)
    return said if said and int(said) and int(said) >= int(since) else EVERYTHING


def _once(row: Row, name: str, value: str, places: dict[str, str]) -> None:
    first = places.setdefault(value, row.place) if value else row.place
    if first != row.place:
        row.wrong(name, f"stands twice, first at {first}")


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
        row.needed("relay_org_code", _ORG, f"org_type {code}")
        if org_type is OrgType.THROUGH_RELAY
        else row.text("relay_org_code", _ORG),
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
    for entry in row.rows("ip_list", "ip_cnt"):
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


@dataclass(frozen=True, slots=True)
class _HeardServices:
    """Services as they are read. One that moves may stand twice: dropped by one operator, told of another.

    `rows` are those of `told`; `dropped` has the row and the operator that it stands under.
    """

    organisations: ToldOrganisations
    registry: Registry
    told: dict[str, ToldService] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    dropped: dict[str, tuple[Row, str]] = field(default_factory=dict)

    def hear(self, row: Row, operator: str) -> None:
        """Read one row."""
        client_id, op_type = row.needed("client_id", _CLIENT), row.needed("op_type", _OP)
        if op_type == "D":
            first, _ = self.dropped.setdefault(client_id, (row, operator))
        else:
            first = self.rows.setdefault(client_id, row)
            self.told[client_id] = _service(row, client_id, operator)
            if operator and not self._stays(operator):
                row.wrong("client_id", "belongs to an organisation that the registry does not know")
        if client_id and first is not row:
            row.wrong("client_id", f"stands twice, first at {first.place}")

    def compare(self, *, full: bool) -> None:
        """Tell what contradicts itself or the registry: nobody takes or drops what another operator keeps."""
        for client_id, (row, operator) in self.dropped.items():
            one, owned = self.told.get(client_id), self.registry.services.get(client_id)
            if one is not None and one.operator == operator:
                row.wrong("client_id", f"stands twice, also at {self.rows[client_id].place}")
            elif one is None and owned is not None and owned.operator != operator:
                row.wrong("client_id", "belongs to another operator")
        for client_id, one in () if full else self.told.items():
            owned = self.registry.services.get(client_id)
            _, dropper = self.dropped.get(client_id, (None, ""))
            if owned is not None and owned.operator not in {one.operator, dropper} and self._stays(owned.operator):
                self.rows[client_id].wrong("client_id", "belongs to another operator")

    def _stays(self, operator: str) -> bool:
        return self.organisations.told.get(operator, self.registry.organisations.get(operator)) is not None


def _service(row: Row, client_id: str, operator: str) -> ToldService:
    if not row.given("redirect_uri_cnt") and not row.given("redirect_uri_list"):
        row.wrong("redirect_uri_list", "is missing")
    return ToldService(
        client_id,
        operator,
        row.needed("service_name", _SERVICE_NAME),
        row.needed("client_secret", _SECRET),
        _callbacks(row),
        tuple(each.needed("app_scheme", _SCHEME) for each in row.rows("app_scheme_list", "app_scheme_cnt")),
    )


def _callbacks(row: Row) -> tuple[str, ...]:
    found = []
    for entry in row.rows("redirect_uri_list", "redirect_uri_cnt", _CALLBACKS_MOST):
        uri = entry.needed("redirect_uri", _URI)
        if uri and not _goes_to_a_host(uri):
            entry.wrong("redirect_uri", "names no host, or holds a user, or a fragment (RFC 6749 3.1.2)")
        found.append(uri)
    return tuple(dict.fromkeys(found))


def _goes_to_a_host(uri: str) -> bool:
    try:
        url = urlsplit(uri)
        return bool(url.hostname) and "@" not in url.netloc and "#" not in uri and url.port != 0
    except ValueError:  # no port, no IPv6 address
        return False
