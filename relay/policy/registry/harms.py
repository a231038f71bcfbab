"""What harms an organisation or service of the registry: it is cut off, re-keyed, redirected or re-timed.

A value that was in force at any time of the last week harms nobody: the way back is always open. Whatever was not in
force when the week began cannot be harmed. A release by a person begins the week anew for what it changed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, Self, TypeVar

from relay.domain.ids import normal_serial
from relay.domain.registry import Cause, Former, Organisation, OrgType, RegisteredService

REMOVED: Final = "removed"
MOVED: Final = "given to another operator"
_CERTIFIERS: Final = frozenset({OrgType.IDENTITY_CERTIFIER, OrgType.SIGNATURE_CERTIFIER})

V = TypeVar("V", bound=Organisation | RegisteredService)


@dataclass(frozen=True, slots=True)
class TimeLine(Generic[V]):
    """What one organisation or service is and was.

    `reference` was in force when the week began, or since the last release; when nothing was, it is the last value
    before. `is_old` says whether it was in force then, `is_counted` whether a sync harmed it since. `values` were in
    force within the week, None for being away.
    """

    current: V | None
    reference: V | None
    is_old: bool
    is_counted: bool
    values: tuple[V | None, ...]

    @classmethod
    def of(cls, current: V | None, steps: Sequence[Former[V]], start: int) -> Self:
        """The time line of a value with its former ones, the oldest first; the week began at `start`."""
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
        """Every value that a change may go back to."""
        return (value for value in (*self.values, self.reference) if value is not None)

    def compared(self) -> Iterator[V]:
        """The values that a change is compared with."""
        return (value for value in (self.current, self.reference) if value is not None)


class _Field(NamedTuple):
    """A part of a value that can be harmed: what it is, when a change of it harms, and how that is told."""

    words: str
    of: Callable[[Any], Any]
    harms: Callable[[Any, Any], bool]


def _differs(old: object, new: object) -> bool:
    return old != new


def _other(old: object, new: object) -> bool:
    """Another value; the first one of what had none is no other."""
    return bool(old) and old != new


def _certifier(organisation: Organisation) -> OrgType | None:
    return organisation.org_type if organisation.org_type in _CERTIFIERS else None


def _serial(organisation: Organisation) -> str:
    return normal_serial(organisation.serial_num)


def _addresses(organisation: Organisation) -> frozenset[str]:
    return frozenset(organisation.addresses)


_ORGANISATION: Final = (
    _Field("allowed to call no more", lambda one: one.calls, _other),
    _Field("given another serial_num", _serial, _other),
    _Field("given other addresses", _addresses, _other),
    _Field("no such certifier any more", _certifier, _other),
)
_SERVICE: Final = (
    _Field(MOVED, lambda one: one.operator, _differs),
    _Field("given another client_secret", lambda one: one.secret_hash, _other),
    _Field("given other callbacks", lambda one: frozenset(one.callbacks), _other),
    _Field("given other app_schemes", lambda one: frozenset(one.app_schemes), _other),
)


def harms_of_organisation(line: TimeLine[Organisation], new: Organisation | None, relay: str) -> tuple[str, ...]:
    """How a change harms an organisation, in words; () when it does not. `relay` is our own org_code."""
    slots = _Field(
        "given other transfer slots", lambda one: frozenset(one.slots) if one.relay == relay else None, _differs
    )
    return _harms(line, new, (*_ORGANISATION, slots))


def harms_of_service(line: TimeLine[RegisteredService], new: RegisteredService | None) -> tuple[str, ...]:
    """How a change harms a service, in words; () when it does not."""
    return _harms(line, new, _SERVICE)


def _harms(line: TimeLine[Any], new: Any, fields: Sequence[_Field]) -> tuple[str, ...]:
    if line.reference is None:
        return ()
    if new is None:
        return () if None in line.values else (REMOVED,)
    return tuple(field.words for field in fields if _is_harmed(line, new, field))


def _is_harmed(line: TimeLine[Any], new: Any, field: _Field) -> bool:
    value = field.of(new)
    if any(field.of(known) == value for known in line.known()):
        return False
    return any(field.harms(field.of(old), value) for old in line.compared())


def is_replaced(line: TimeLine[Organisation], new: Organisation | None) -> bool:
    """Whether certificate and addresses become others: whoever could call then need not be who it was."""
    if new is None or (_is_known(line, new, _serial) and _is_known(line, new, _addresses)):
        return False
    return any(_other(_serial(old), _serial(new)) and _addresses(old) != _addresses(new) for old in line.compared())


def _is_known(line: TimeLine[Organisation], new: Organisation, part: Callable[[Organisation], object]) -> bool:
    return any(part(known) == part(new) for known in line.known())
