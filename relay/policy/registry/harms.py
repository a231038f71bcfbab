"""Harms of an organisation or service of the registry: cut off, re-keyed, redirected or re-timed.

A value that was in force at any time of the last week is no harm: a change can always be undone. A value that was not
in force when the week began cannot be harmed. A release by an administrator restarts the week for what it changed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, Self, TypeVar

from relay.domain.ids import normalize_serial
from relay.domain.registry import Cause, FormerValue, Organisation, OrgType, RegisteredService

REMOVED: Final = "removed"
MOVED: Final = "given to another operator"
_CERTIFIERS: Final = frozenset({OrgType.IDENTITY_CERTIFIER, OrgType.SIGNATURE_CERTIFIER})

V = TypeVar("V", bound=Organisation | RegisteredService)


@dataclass(frozen=True, slots=True)
class Timeline(Generic[V]):
    """Current and former values of one organisation or service.

    `reference` was in force when the week began, or since the last release; else it is the last value before.
    `is_old` is whether it was in force then, `is_counted` whether a sync harmed it since. `values` were in force within
    the week, None for absence.
    """

    current: V | None
    reference: V | None
    is_old: bool
    is_counted: bool
    values: tuple[V | None, ...]

    @classmethod
    def of(cls, current: V | None, steps: Sequence[FormerValue[V]], start: int) -> Self:
        """Returns the timeline of a value and its former ones, the oldest first; the week began at `start`."""
        week = [step for step in steps if step.at > start]
        releases = [at for at, step in enumerate(week, 1) if step.cause is Cause.RELEASED]
        since = week[releases[-1] :] if releases else week
        base = since[0].value if since else current
        earlier = (step.value for step in reversed(steps[: len(steps) - len(since)]) if step.value is not None)
        reference = base if base is not None else next(earlier, None)
        counted = any(step.cause is Cause.COUNTED for step in since)
        values = (*(step.value for step in week), base, current)
        return cls(current, reference, base is not None, counted, values)

    def known(self) -> Iterator[V]:
        """Yields every value that a change may return to."""
        return (value for value in (*self.values, self.reference) if value is not None)

    def compared(self) -> Iterator[V]:
        """Yields the values that a change is compared with."""
        return (value for value in (self.current, self.reference) if value is not None)


class _Field(NamedTuple):
    """A part of a value that can be harmed: its description, how to read it, when a change of it is a harm."""

    text: str
    read: Callable[[Any], Any]
    harms: Callable[[Any, Any], bool]


def _differs(old: object, new: object) -> bool:
    return old != new


def _replaces(old: object, new: object) -> bool:
    """Returns whether a value was replaced; the first value where there was none is no replacement."""
    return bool(old) and old != new


def _certifier(organisation: Organisation) -> OrgType | None:
    return organisation.org_type if organisation.org_type in _CERTIFIERS else None


def _serial(organisation: Organisation) -> str:
    return normalize_serial(organisation.serial_num)


def _addresses(organisation: Organisation) -> frozenset[str]:
    return frozenset(organisation.addresses)


_ORGANISATION: Final = (
    _Field("allowed to call no more", lambda organisation: organisation.may_call, _replaces),
    _Field("given another serial_num", _serial, _replaces),
    _Field("given other addresses", _addresses, _replaces),
    _Field("no such certifier any more", _certifier, _replaces),
)
_SERVICE: Final = (
    _Field(MOVED, lambda service: service.operator, _differs),
    _Field("given another client_secret", lambda service: service.secret_hash, _replaces),
    _Field("given other callbacks", lambda service: frozenset(service.callbacks), _replaces),
    _Field("given other app_schemes", lambda service: frozenset(service.app_schemes), _replaces),
)


def find_organisation_harms(timeline: Timeline[Organisation], new: Organisation | None, relay: str) -> tuple[str, ...]:
    """Returns harms of an organisation by a change, in words; () for none. `relay` is our own org_code."""
    slots = _Field(
        "given other transfer slots", lambda org: frozenset(org.slots) if org.relay == relay else None, _differs
    )
    return _harms(timeline, new, (*_ORGANISATION, slots))


def find_service_harms(timeline: Timeline[RegisteredService], new: RegisteredService | None) -> tuple[str, ...]:
    """Returns harms of a service by a change, in words; () for none."""
    return _harms(timeline, new, _SERVICE)


def _harms(timeline: Timeline[Any], new: Any, fields: Sequence[_Field]) -> tuple[str, ...]:
    if timeline.reference is None:
        return ()
    if new is None:
        return () if None in timeline.values else (REMOVED,)
    return tuple(field.text for field in fields if _is_harmed(timeline, new, field))


def _is_harmed(timeline: Timeline[Any], new: Any, field: _Field) -> bool:
    value = field.read(new)
    if any(field.read(known) == value for known in timeline.known()):
        return False
    return any(field.harms(field.read(old), value) for old in timeline.compared())


def is_replaced(timeline: Timeline[Organisation], new: Organisation | None) -> bool:
    """Returns whether both certificate and addresses change: then the caller may be a different party."""
    if new is None or (_is_known(timeline, new, _serial) and _is_known(timeline, new, _addresses)):
        return False
    return any(
        _replaces(_serial(old), _serial(new)) and _addresses(old) != _addresses(new) for old in timeline.compared()
    )


def _is_known(timeline: Timeline[Organisation], new: Organisation, part: Callable[[Organisation], object]) -> bool:
    return any(part(known) == part(new) for known in timeline.known())
