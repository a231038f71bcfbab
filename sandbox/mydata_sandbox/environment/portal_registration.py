"""Builds the simulated portal of a sandbox, with all its institutions and operators registered."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from mydata_sandbox.environment.model import Portal, SandboxEnvironment
from mydata_sandbox.parties import (
    APP_SCHEME,
    CERTIFIER_NAMES,
    IDENTITY_CERTIFIER,
    OPERATORS,
    PORTAL_CODE,
    PORTAL_NAME,
    RELAY_CODE,
    RELAY_NAME,
    SIGNATURE_CERTIFIER,
)
from mydata_sandbox.portal.application import SimulatedPortal
from mydata_sandbox.portal.registry import SimulatedRegistry
from mydata_sandbox.portal.rows import Service
from mydata_sandbox.portal.service import PortalService
from mydata_sandbox.sockets import build_url
from relay.domain.api import Catalogue
from relay.domain.registry import Organisation, OrgType

_ALWAYS: Final = ("0000:2400",)
"""정기적 전송 가능 시간대 of all institutions."""


def now() -> datetime:
    """Returns the current time in UTC."""
    return datetime.now(UTC)


def build_portal(
    environment: SandboxEnvironment, portal: Portal, catalogue: Catalogue, clock: Callable[[], datetime] = now
) -> SimulatedPortal:
    """Returns the portal of a sandbox with all parties registered and no calls received."""
    registry = SimulatedRegistry(iter_organisations(environment, portal), iter_services(environment), clock)
    return SimulatedPortal(PortalService(registry, portal.accounts.values(), catalogue, clock))


def iter_organisations(environment: SandboxEnvironment, portal: Portal) -> Iterator[Organisation]:
    """Yields the relay, its members, operators, both certifiers and the portal."""
    addresses = environment.addresses

    def build(org_code: str, kind: OrgType, name: str, url: str, serial: str | None) -> Organisation:
        return Organisation(org_code, kind, name, serial or "", addresses, domain=urlsplit(url).netloc)

    certificates, certifiers = environment.certificates, environment.certifiers
    yield build(RELAY_CODE, OrgType.RELAY, RELAY_NAME, environment.gateway, certificates.relay.serial_number)
    for member in environment.institutions.values():
        yield Organisation(
            member.org_code,
            OrgType.THROUGH_RELAY,
            member.name,
            member.serial_num,
            addresses,
            relay=RELAY_CODE,
            industry=member.industry,
            slots=_ALWAYS,
        )
    for operator in environment.operators:
        serial = operator.identity.serial_number
        yield build(operator.org_code, OrgType.OPERATOR, operator.name, operator.callback, serial)
    yield Organisation(
        IDENTITY_CERTIFIER,
        OrgType.IDENTITY_CERTIFIER,
        CERTIFIER_NAMES[IDENTITY_CERTIFIER],
        addresses=addresses,
        domain=urlsplit(build_url(certifiers.identity_listener)).netloc,
        cert_issuer_dn="cn=SandboxCA",
        cert_oid="1.2.410.0.1",
    )
    name, serial = CERTIFIER_NAMES[SIGNATURE_CERTIFIER], certifiers.pair.serial_number
    yield build(SIGNATURE_CERTIFIER, OrgType.SIGNATURE_CERTIFIER, name, certifiers.signature, serial)
    yield build(PORTAL_CODE, OrgType.PORTAL, PORTAL_NAME, portal.url, portal.identity.serial_number)


def iter_services(environment: SandboxEnvironment) -> Iterator[Service]:
    """Yields all services of all operators, with their secrets at the relay."""
    names = {client_id: name for _, _, services in OPERATORS for client_id, name in services}
    for operator in environment.operators:
        for client_id, secret in zip(operator.client_ids, operator.client_secrets, strict=True):
            yield Service(client_id, operator.org_code, names[client_id], secret, (operator.callback,), (APP_SCHEME,))
