"""Reads services of the portal (지원-003): their operators, callbacks and secrets, still in clear.

As strict as the reading of organisations. A service never has two operators. Services of removed or unknown
organisations are useless: they are skipped and counted, and never stop the removal of an organisation.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from relay.domain.registry import Registry
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
from relay.policy.registry.organisations import ListedOrganisations
from relay.policy.registry.rows import Problems, Row, TextFormat
from relay.policy.settings.portal import SyncLimits

_MAX_CALLBACKS: Final = 4
_MAX_APP_SCHEMES: Final = 9
"""Maximum values of their counts (지원-003): 4 by rule, one digit."""
_LIMITS: Final = SyncLimits()
_NAME: Final = TextFormat(ANY, 30, "is longer than 30 bytes or not printable")
_CLIENT: Final = TextFormat(re.compile(r"[0-9A-Za-z]{1,50}"), 50, "is not 1 to 50 letters or digits")
_SECRET: Final = TextFormat(re.compile(r"[0-9A-Za-z]{1,50}"), 50, "is not 1 to 50 letters or digits")
_URI: Final = TextFormat(re.compile(r"https://[!-~]+"), 100, "is no https:// address of at most 100 bytes")
_SCHEME: Final = TextFormat(re.compile(r"[!-~]+"), 100, "is longer than 100 bytes or not printable ASCII")


@dataclass(frozen=True, slots=True)
class ListedService:
    """A service of 지원-003, its secret still in clear: it must be hashed and dropped."""

    client_id: str
    operator: str
    name: str
    secret: str = field(repr=False)
    callbacks: tuple[str, ...] = ()
    app_schemes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ListedServices:
    """지원-003: current services by client_id, None for removed ones, and the next search_timestamp.

    `left_out` counts services of removed or unknown organisations, unless they are listed as removed themselves.
    """

    services: Mapping[str, ListedService | None]
    timestamp: str
    left_out: int = 0


def read_services(
    body: Mapping[str, Any],
    registry: Registry,
    organisations: ListedOrganisations,
    since: str,
    limits: SyncLimits = _LIMITS,
) -> ListedServices:
    """Reads a body of 지원-003 that was requested with `since`, after `organisations`. Raises InvalidBody."""
    problems = Problems()
    root = Row("", body, problems)
    if is_up_to_date(root, since):
        problems.raise_if_any()
        return ListedServices({}, since)
    reader = _ServiceReader(organisations, registry)
    operators: dict[str, str] = {}
    left_out = 0
    for org in list_rows(root, limits.operators):
        operator = org.required("org_code", ORG)
        check_unique(org, "org_code", operator, operators)
        if operator and not reader.is_registered(operator):
            left_out += _count_live(org.values.get("service_list"))
            continue
        for row in org.rows("service_list", "service_cnt", limits.services_each):
            reader.read(row, operator)
    reader.compare(full=since == EVERYTHING)
    timestamp = next_timestamp(root, since)
    problems.raise_if_any()
    services = dict.fromkeys(reader.dropped) | reader.services
    services = dict.fromkeys(registry.services) | services if since == EVERYTHING else services
    return ListedServices(services, timestamp, left_out)


@dataclass(frozen=True, slots=True)
class _ServiceReader:
    """Services read so far. A moved service may be listed twice: removed by one operator, listed by another.

    `rows` are the rows of `services`; `dropped` has the row of a removed service and the operator that listed it.
    """

    organisations: ListedOrganisations
    registry: Registry
    services: dict[str, ListedService] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    dropped: dict[str, tuple[Row, str]] = field(default_factory=dict)

    def read(self, row: Row, operator: str) -> None:
        """Reads one row."""
        client_id, op_type = row.required("client_id", _CLIENT), row.required("op_type", OP)
        if op_type == "D":
            first, _ = self.dropped.setdefault(client_id, (row, operator))
        else:
            first = self.rows.setdefault(client_id, row)
            self.services[client_id] = _service(row, client_id, operator)
        if client_id and first is not row:
            row.add_problem("client_id", f"stands twice, first at {first.place}")

    def compare(self, *, full: bool) -> None:
        """Adds problems for contradictions: no operator takes or removes a service that another one keeps."""
        for client_id, (row, operator) in self.dropped.items():
            service, registered = self.services.get(client_id), self.registry.services.get(client_id)
            if service is not None and service.operator == operator:
                row.add_problem("client_id", f"stands twice, also at {self.rows[client_id].place}")
            elif service is None and registered is not None and registered.operator != operator:
                row.add_problem("client_id", "belongs to another operator")
        for client_id, service in () if full else self.services.items():
            registered = self.registry.services.get(client_id)
            _, dropper = self.dropped.get(client_id, (None, ""))
            if (
                registered is not None
                and registered.operator not in {service.operator, dropper}
                and self.is_registered(registered.operator)
            ):
                self.rows[client_id].add_problem("client_id", "belongs to another operator")

    def is_registered(self, operator: str) -> bool:
        """Returns whether the registry knows this organisation after this sync."""
        return self.organisations.organisations.get(operator, self.registry.organisations.get(operator)) is not None


def _count_live(services: object) -> int:
    """Returns how many rows of an unread list are services that are not removed."""
    rows = services if isinstance(services, list) else []
    return sum(not isinstance(row, dict) or row.get("op_type") != "D" for row in rows)


def _service(row: Row, client_id: str, operator: str) -> ListedService:
    if not row.has("redirect_uri_cnt") and not row.has("redirect_uri_list"):
        row.add_problem("redirect_uri_list", "is missing")
    return ListedService(
        client_id=client_id,
        operator=operator,
        name=row.required("service_name", _NAME),
        secret=row.required("client_secret", _SECRET),
        callbacks=_callbacks(row),
        app_schemes=_app_schemes(row),
    )


def _app_schemes(row: Row) -> tuple[str, ...]:
    rows = row.rows("app_scheme_list", "app_scheme_cnt", _MAX_APP_SCHEMES)
    return tuple(entry.required("app_scheme", _SCHEME) for entry in rows)


def _callbacks(row: Row) -> tuple[str, ...]:
    uris = []
    for entry in row.rows("redirect_uri_list", "redirect_uri_cnt", _MAX_CALLBACKS):
        uri = entry.required("redirect_uri", _URI)
        if uri and not _has_host(uri):
            entry.add_problem("redirect_uri", "names no host, or holds a user, or a fragment (RFC 6749 3.1.2)")
        uris.append(uri)
    return tuple(dict.fromkeys(uris))


def _has_host(uri: str) -> bool:
    try:
        url = urlsplit(uri)
        return bool(url.hostname) and "@" not in url.netloc and "#" not in uri and url.port != 0
    except ValueError:  # no port, no IPv6 address
        return False
