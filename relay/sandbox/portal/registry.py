"""The portal's registry: institutions and services, what changed since when, and the timestamps that tell it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar

from relay.domain.authorization.consent import KOREA
from relay.domain.registry import Organisation
from relay.sandbox.portal.rows import DELETED, Row, Service, by_operator, row_for_certifiers, row_of, service_row

EVERYTHING: Final = "0"
"""The search_timestamp of a full load."""

_STAMP: Final = "%Y%m%d%H%M%S"
_T = TypeVar("_T")


class Unknown(LookupError):
    """There is no such institution or service; says which."""


@dataclass(frozen=True, slots=True)
class _Entry(Generic[_T]):
    """What is registered, when it came and when it changed last (search_timestamps)."""

    what: _T
    came: str
    changed: str
    gone: bool = False


class PretendedRegistry:
    """Changes are numbered by search_timestamps (YYYYMMDDhhmmss, Korea) that grow with each of them.

    `clock` tells the moment with a time zone. Two changes within a second get seconds of their own, so that nobody who
    asks between them misses one.
    """

    def __init__(
        self, organisations: Iterable[Organisation], services: Iterable[Service], clock: Callable[[], datetime]
    ) -> None:
        self._clock = clock
        self._told = EVERYTHING
        first = self._later()
        self._organisations = {one.org_code: _Entry(one, first, first) for one in organisations}
        self._services = {one.client_id: _Entry(one, first, first) for one in services}

    @property
    def organisations(self) -> dict[str, Organisation]:
        """The institutions that are registered, by org_code."""
        return {code: entry.what for code, entry in self._organisations.items() if not entry.gone}

    @property
    def services(self) -> dict[str, Service]:
        """The services that are registered, by client_id."""
        return {client_id: entry.what for client_id, entry in self._services.items() if not entry.gone}

    def put(self, one: Organisation) -> None:
        """Register an institution, or what it is from now on."""
        self._put(self._organisations, one.org_code, one)

    def put_service(self, one: Service) -> None:
        """Register a service, or what it is from now on."""
        self._put(self._services, one.client_id, one)

    def change(self, org_code: str, **changes: Any) -> None:
        """Change fields of an institution (`serial_num`, `addresses`, `name`...). Raises Unknown."""
        known = self.organisations.get(org_code)
        if known is None:
            raise Unknown(org_code)
        self.put(replace(known, **changes))

    def remove(self, org_code: str) -> None:
        """Remove an institution together with its services. Raises Unknown."""
        self._remove(self._organisations, org_code)
        for client_id in [client_id for client_id, one in self.services.items() if one.operator == org_code]:
            self._remove(self._services, client_id)

    def remove_service(self, client_id: str) -> None:
        """Remove a service. Raises Unknown."""
        self._remove(self._services, client_id)

    def org_list(self, since: str) -> list[Row]:
        """The rows of 지원-002: all that changed after the search_timestamp `since`, everything for "0"."""
        return [row_of(one, op_type) for one, op_type in _changed(self._organisations, since)]

    def org_list_for_certifiers(self, since: str) -> list[Row]:
        """The rows of 지원-006."""
        rows = (row_for_certifiers(one, op_type) for one, op_type in _changed(self._organisations, since))
        return [row for row in rows if row is not None]

    def service_list(self, since: str) -> list[Row]:
        """The rows of 지원-003, services below their operators."""
        changed = _changed(self._services, since)
        return by_operator((one.operator, service_row(one, op_type)) for one, op_type in changed)

    def timestamp(self) -> str:
        """The search_timestamp to ask with next; whatever changes from now on is later."""
        self._told = max(self._told, self._now())
        return self._told

    def _put(self, entries: dict[str, _Entry[_T]], name: str, what: _T) -> None:
        former, moment = entries.get(name), self._later()
        came = moment if former is None or former.gone else former.came
        entries[name] = _Entry(what, came, moment)

    def _remove(self, entries: dict[str, _Entry[_T]], name: str) -> None:
        known = entries.get(name)
        if known is None or known.gone:
            raise Unknown(name)
        entries[name] = replace(known, changed=self._later(), gone=True)

    def _now(self) -> str:
        return self._clock().astimezone(KOREA).strftime(_STAMP)

    def _later(self) -> str:
        """A moment after every one that was told or used."""
        if self._told == EVERYTHING:
            return self.timestamp()
        last = datetime.strptime(self._told, _STAMP).replace(tzinfo=KOREA)
        self._told = max(self._now(), (last + timedelta(seconds=1)).strftime(_STAMP))
        return self._told


def _changed(entries: dict[str, _Entry[_T]], since: str) -> Iterator[tuple[_T, str]]:
    """What a caller does not know who asks with `since`, each with its op_type."""
    for entry in entries.values():
        if since == EVERYTHING:
            if not entry.gone:
                yield entry.what, "I"
        elif entry.changed > since:
            yield entry.what, DELETED if entry.gone else "I" if entry.came > since else "M"
