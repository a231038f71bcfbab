"""What the portal tells of services (지원-003): whose they are, their callbacks, their secrets still in clear.

As strict as the reading of organisations. A service never has two operators. Those of organisations that go, or that
the registry does not know, open nothing: they are left out and counted, and stop nobody's going.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from relay.domain.registry import Registry
from relay.policy.registry.messages import ANY, EVERYTHING, OP, ORG, listed, next_timestamp, once, up_to_date
from relay.policy.registry.organizations import ToldOrganisations
from relay.policy.registry.rows import Form, Problems, Row
from relay.policy.settings.portal import SyncLimits

_CALLBACKS_MOST: Final = 4
_APP_SCHEMES_MOST: Final = 9
"""The most that their counts can tell (지원-003): 4 by rule, one digit."""
_LIMITS: Final = SyncLimits()
_NAME: Final = Form(ANY, 30, "is longer than 30 bytes or not printable")
_CLIENT: Final = Form(re.compile(r"[0-9A-Za-z]{1,50}"), 50, "is not 1 to 50 letters or digits")
_SECRET: Final = Form(re.compile(r"[0-9A-Za-z]{1,50}"), 50, "is not 1 to 50 letters or digits")
_URI: Final = Form(re.compile(r"https://[!-~]+"), 100, "is no https:// address of at most 100 bytes")
_SCHEME: Final = Form(re.compile(r"[!-~]+"), 100, "is longer than 100 bytes or not printable ASCII")


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
class ToldServices:
    """지원-003: services by client_id as they are now, None for those that are gone; when to ask from next.

    `left_out` counts those of organisations that go or are unknown, unless they are told as gone themselves.
    """

    told: Mapping[str, ToldService | None]
    timestamp: str
    left_out: int = 0


def read_services(
    body: Mapping[str, Any],
    registry: Registry,
    organisations: ToldOrganisations,
    since: str,
    limits: SyncLimits = _LIMITS,
) -> ToldServices:
    """A body of 지원-003 that was asked for with `since`, after `organisations` were heard. Raises Unfit."""
    problems = Problems()
    root = Row("", body, problems)
    if up_to_date(root, since):
        problems.judge()
        return ToldServices({}, since)
    heard = _HeardServices(organisations, registry)
    operators: dict[str, str] = {}
    left_out = 0
    for org in listed(root, limits.operators):
        operator = org.needed("org_code", ORG)
        once(org, "org_code", operator, operators)
        if operator and not heard.stays(operator):
            left_out += _living(org.values.get("service_list"))
            continue
        for row in org.rows("service_list", "service_cnt", limits.services_each):
            heard.hear(row, operator)
    heard.compare(full=since == EVERYTHING)
    timestamp = next_timestamp(root, since)
    problems.judge()
    told = dict.fromkeys(heard.dropped) | heard.told
    told = dict.fromkeys(registry.services) | told if since == EVERYTHING else told
    return ToldServices(told, timestamp, left_out)


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
        client_id, op_type = row.needed("client_id", _CLIENT), row.needed("op_type", OP)
        if op_type == "D":
            first, _ = self.dropped.setdefault(client_id, (row, operator))
        else:
            first = self.rows.setdefault(client_id, row)
            self.told[client_id] = _service(row, client_id, operator)
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
            if owned is not None and owned.operator not in {one.operator, dropper} and self.stays(owned.operator):
                self.rows[client_id].wrong("client_id", "belongs to another operator")

    def stays(self, operator: str) -> bool:
        """Whether the registry knows this organisation once this sync is taken."""
        return self.organisations.told.get(operator, self.registry.organisations.get(operator)) is not None


def _living(services: object) -> int:
    """How many rows of a list that nobody reads tell of a service that is not gone."""
    rows = services if isinstance(services, list) else []
    return sum(not isinstance(row, dict) or row.get("op_type") != "D" for row in rows)


def _service(row: Row, client_id: str, operator: str) -> ToldService:
    if not row.given("redirect_uri_cnt") and not row.given("redirect_uri_list"):
        row.wrong("redirect_uri_list", "is missing")
    return ToldService(
        client_id,
        operator,
        row.needed("service_name", _NAME),
        row.needed("client_secret", _SECRET),
        _callbacks(row),
        tuple(
            each.needed("app_scheme", _SCHEME)
            for each in row.rows("app_scheme_list", "app_scheme_cnt", _APP_SCHEMES_MOST)
        ),
    )


def _app_schemes(row: Row) -> tuple[str, ...]:
    rows = row.rows("app_scheme_list", "app_scheme_cnt", _APP_SCHEMES_MOST)
    return tuple(each.needed("app_scheme", _SCHEME) for each in rows)


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
