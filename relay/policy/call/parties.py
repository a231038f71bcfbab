"""Builds callers and transfer slots for a plan from the portal's registry or, without a portal, a file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from relay.domain.ids import normalize_serial
from relay.domain.party import Operator, Service
from relay.domain.registry import Organisation, RegisteredService, Registry
from relay.policy.call.access import Caller, Callers
from relay.policy.call.slot import compile_slots
from relay.policy.settings.directory import Directory
from relay.policy.settings.portal import PortalSettings

_PORTAL_NAME: Final = "종합포털"
_OPERATOR_AND_RECEIVER_CODES: Final = "MC"
_PORTAL_CODE: Final = "P"
_MIN_OPEN_MINUTES: Final = 6 * 60
"""The slots of a member must open at least this many minutes a day."""


@dataclass(frozen=True, slots=True)
class Parties:
    """The callers of a plan, and the transfer slots that the portal has for members, by org_code.

    Slots of the portal override those of the institution's file.
    """

    callers: Callers
    slots: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def from_directory(cls, directory: Directory) -> Self:
        """Returns the parties of `directory.yaml`."""
        return cls(Callers.from_iterable(map(Caller.from_operator, iter_directory_operators(directory))))


def iter_directory_operators(directory: Directory) -> Iterator[Operator]:
    """Yields the operators of `directory.yaml`; they may use M and C: the file does not mark other receivers."""
    for entry in directory.operators:
        services = tuple(
            Service(
                client_id=service.client_id,
                name=service.name,
                operator=entry.org_code,
                callbacks=service.callbacks,
                app_schemes=service.app_schemes,
            )
            for service in entry.services
        )
        serial = normalize_serial(entry.serial_num)
        yield Operator(
            org_code=entry.org_code,
            name=entry.name,
            serial=serial,
            addresses=entry.addresses,
            services=services,
            subject_codes=_OPERATOR_AND_RECEIVER_CODES,
        )


def iter_registry_operators(registry: Registry) -> Iterator[Operator]:
    """Yields the organisations of the registry that may call, with their services."""
    services: dict[str, list[RegisteredService]] = {}
    for service in registry.services.values():
        services.setdefault(service.operator, []).append(service)
    for organisation in registry.organisations.values():
        if organisation.may_call and organisation.serial_num:
            yield _build_operator(organisation, services.get(organisation.org_code, []))


def _build_operator(organisation: Organisation, registered: list[RegisteredService]) -> Operator:
    org_code = organisation.org_code
    services = tuple(
        Service(
            client_id=service.client_id,
            name=service.name,
            operator=org_code,
            callbacks=service.callbacks,
            app_schemes=service.app_schemes,
        )
        for service in registered
    )
    serial = normalize_serial(organisation.serial_num)
    addresses, subject_codes = organisation.addresses, organisation.subject_codes
    return Operator(
        org_code=org_code,
        name=organisation.name,
        serial=serial,
        addresses=addresses,
        services=services,
        subject_codes=subject_codes,
    )


def get_member_slots(registry: Registry, relay: str) -> Mapping[str, tuple[str, ...]]:
    """Returns the transfer slots that the registry has for members of this relay, by org_code.

    Slots that open less than six hours a day are ignored (규격 3.3.3): `0900:0900` would close all scheduled calls.
    """
    slots = {member.org_code: member.slots for member in registry.organisations.values() if member.relay == relay}
    return {
        code: entries for code, entries in slots.items() if entries and sum(compile_slots(entries)) >= _MIN_OPEN_MINUTES
    }


def build_portal_caller(settings: PortalSettings) -> Caller:
    """Returns the portal as a caller of the support APIs and, like operators, of 공통-001 (core 6.1)."""
    client_ids = (settings.offers.client_id, *settings.offers.services)
    services = tuple(Service(client_id, _PORTAL_NAME, settings.org_code) for client_id in client_ids)
    serial = normalize_serial(settings.serial_num)
    return Caller.from_operator(
        Operator(
            org_code=settings.org_code,
            name=_PORTAL_NAME,
            serial=serial,
            addresses=settings.addresses,
            services=services,
            subject_codes=_PORTAL_CODE,
        )
    )
