"""The portal's registry: institutions, services, and their changes by search_timestamp."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar

from mydata_sandbox.portal.rows import (
    DELETED,
    Row,
    Service,
    build_certifier_row,
    build_org_row,
    build_service_row,
    group_by_operator,
)
from relay.domain.korea import KOREA
from relay.domain.registry import Organisation

EVERYTHING: Final = "0"
"""The search_timestamp of a full load."""

_TIMESTAMP_FORMAT: Final = "%Y%m%d%H%M%S"
_Value = TypeVar("_Value")


class Unknown(LookupError):
    """The institution or service is not registered. The message has its code."""


@dataclass(frozen=True, slots=True)
class _Entry(Generic[_Value]):
    """A registered value with the search_timestamps of its registration and its last change."""

    value: _Value
    registered: str
    changed: str
    is_deleted: bool = False


class SimulatedRegistry:
    """The registry of a simulated portal. Each change gets a greater search_timestamp (YYYYMMDDhhmmss, Korea).

    `clock` returns an aware datetime. Two changes within a second get different seconds, so that a request between
    them misses none.
    """

    def __init__(
        self, organisations: Iterable[Organisation], services: Iterable[Service], clock: Callable[[], datetime]
    ) -> None:
        self._clock = clock
        self._last_timestamp = EVERYTHING
        first = self._next_timestamp()
        self._organisations = {item.org_code: _Entry(item, first, first) for item in organisations}
        self._services = {item.client_id: _Entry(item, first, first) for item in services}

    @property
    def organisations(self) -> dict[str, Organisation]:
        """Registered institutions by org_code."""
        return {code: entry.value for code, entry in self._organisations.items() if not entry.is_deleted}

    @property
    def services(self) -> dict[str, Service]:
        """Registered services by client_id."""
        return {client_id: entry.value for client_id, entry in self._services.items() if not entry.is_deleted}

    def put(self, organisation: Organisation) -> None:
        """Registers or replaces an institution."""
        self._put(self._organisations, organisation.org_code, organisation)

    def put_service(self, service: Service) -> None:
        """Registers or replaces a service."""
        self._put(self._services, service.client_id, service)

    def change(self, org_code: str, **changes: Any) -> None:
        """Changes fields of an institution (`serial_num`, `addresses`, `name`...). Raises Unknown."""
        entry = self.organisations.get(org_code)
        if entry is None:
            raise Unknown(org_code)
        self.put(replace(entry, **changes))

    def remove(self, org_code: str) -> None:
        """Removes an institution together with its services. Raises Unknown."""
        self._remove(self._organisations, org_code)
        for client_id in [client_id for client_id, service in self.services.items() if service.operator == org_code]:
            self._remove(self._services, client_id)

    def remove_service(self, client_id: str) -> None:
        """Removes a service. Raises Unknown."""
        self._remove(self._services, client_id)

    def org_list(self, since: str) -> list[Row]:
        """Returns the rows of 지원-002 that changed after the search_timestamp `since`, all rows for "0"."""
        return [
            build_org_row(organisation, op_type) for organisation, op_type in _list_changes(self._organisations, since)
        ]

    def org_list_for_certifiers(self, since: str) -> list[Row]:
        """Returns the rows of 지원-006."""
        rows = (
            build_certifier_row(organisation, op_type)
            for organisation, op_type in _list_changes(self._organisations, since)
        )
        return [row for row in rows if row is not None]

    def service_list(self, since: str) -> list[Row]:
        """Returns the rows of 지원-003, services grouped by operator."""
        changes = _list_changes(self._services, since)
        return group_by_operator(
            (service.operator, build_service_row(service, op_type)) for service, op_type in changes
        )

    def timestamp(self) -> str:
        """Returns the search_timestamp for the next request. Later changes get a greater one."""
        self._last_timestamp = max(self._last_timestamp, self._now())
        return self._last_timestamp

    def _put(self, entries: dict[str, _Entry[_Value]], name: str, value: _Value) -> None:
        entry, timestamp = entries.get(name), self._next_timestamp()
        registered = timestamp if entry is None or entry.is_deleted else entry.registered
        entries[name] = _Entry(value, registered, timestamp)

    def _remove(self, entries: dict[str, _Entry[_Value]], name: str) -> None:
        entry = entries.get(name)
        if entry is None or entry.is_deleted:
            raise Unknown(name)
        entries[name] = replace(entry, changed=self._next_timestamp(), is_deleted=True)

    def _now(self) -> str:
        return self._clock().astimezone(KOREA).strftime(_TIMESTAMP_FORMAT)

    def _next_timestamp(self) -> str:
        """Returns a search_timestamp greater than all that were returned or used."""
        if self._last_timestamp == EVERYTHING:
            return self.timestamp()
        last = datetime.strptime(self._last_timestamp, _TIMESTAMP_FORMAT).replace(tzinfo=KOREA)
        self._last_timestamp = max(self._now(), (last + timedelta(seconds=1)).strftime(_TIMESTAMP_FORMAT))
        return self._last_timestamp


def _list_changes(entries: dict[str, _Entry[_Value]], since: str) -> Iterator[tuple[_Value, str]]:
    """Yields values that changed after `since`, each with its op_type."""
    for entry in entries.values():
        if since == EVERYTHING:
            if not entry.is_deleted:
                yield entry.value, "I"
        elif entry.changed > since:
            yield entry.value, DELETED if entry.is_deleted else "I" if entry.registered > since else "M"
