"""Who stands around the relay, ready for a plan: from the portal's registry, or a file where there is none."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from relay.domain.ids import normal_serial
from relay.domain.party import Operator, Service
from relay.domain.registry import Organisation, RegisteredService, Registry
from relay.policy.call.access import Caller, Callers
from relay.policy.call.slot import compile_slots
from relay.policy.settings.directory import Directory
from relay.policy.settings.portal import PortalSettings

_NAME = "종합포털"
_ANY_RECEIVER: Final = "MC"
_PORTAL: Final = "P"
_OPEN_LEAST: Final = 6 * 60
"""Minutes of a day that a member's slots open at least."""


@dataclass(frozen=True, slots=True)
class Parties:
    """What a plan is told: who may call, and the transfer slots of members whose slots the portal tells, by org_code.

    Slots told by the portal stand above those of the institution's own file.
    """

    callers: Callers
    slots: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of_file(cls, directory: Directory) -> Self:
        """The parties of `directory.yaml`."""
        return cls(Callers.of(map(Caller.of, operators_in(directory))))


def operators_in(directory: Directory) -> Iterator[Operator]:
    """The operators of `directory.yaml`. It does not tell them from other receivers, so that they may use M and C."""
    for entry in directory.operators:
        services = tuple(
            Service(one.client_id, one.name, entry.org_code, one.callbacks, one.app_schemes) for one in entry.services
        )
        serial = normal_serial(entry.serial_num)
        yield Operator(entry.org_code, entry.name, serial, entry.addresses, services, _ANY_RECEIVER)


def operators_of(registry: Registry) -> Iterator[Operator]:
    """Everyone the registry lets call, with their services."""
    services: dict[str, list[RegisteredService]] = {}
    for service in registry.services.values():
        services.setdefault(service.operator, []).append(service)
    for one in registry.organisations.values():
        if one.calls and one.serial_num:
            yield _operator(one, services.get(one.org_code, []))


def _operator(one: Organisation, services: list[RegisteredService]) -> Operator:
    told = tuple(
        Service(each.client_id, each.name, one.org_code, each.callbacks, each.app_schemes) for each in services
    )
    return Operator(one.org_code, one.name, normal_serial(one.serial_num), one.addresses, told, one.subject_codes)


def slots_of(registry: Registry, relay: str) -> Mapping[str, tuple[str, ...]]:
    """The transfer slots that the registry tells of this relay's members.

    Those that open less than six hours a day are none (규격 3.3.3): `0900:0900` would close all scheduled calls.
    """
    members = (one for one in registry.organisations.values() if one.relay == relay and one.slots)
    return {one.org_code: one.slots for one in members if sum(compile_slots(one.slots)) >= _OPEN_LEAST}


def portal_of(settings: PortalSettings) -> Caller:
    """The portal as a caller: of the support APIs, and of 공통-001 like any operator (core 6.1)."""
    client_ids = (settings.offers.client_id, *settings.offers.services)
    services = tuple(Service(client_id, _NAME, settings.org_code) for client_id in client_ids)
    serial = normal_serial(settings.serial_num)
    return Caller.of(Operator(settings.org_code, _NAME, serial, settings.addresses, services, _PORTAL))
