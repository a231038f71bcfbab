"""Builds the simulated portal of a sandbox, with all its institutions and operators registered."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final

from relay.domain.api import Catalogue
from relay.domain.registry import Organisation, OrgType
from relay.sandbox.config_files import APP_SCHEME
from relay.sandbox.model import LOOPBACK, OPERATORS, PORTAL_CODE, RELAY_CODE, RELAY_NAME, Portal, SandboxEnvironment
from relay.sandbox.portal.application import SimulatedPortal
from relay.sandbox.portal.registry import SimulatedRegistry
from relay.sandbox.portal.rows import Service
from relay.sandbox.portal.service import PortalService
from relay.sandbox.signing import IDENTITY_CERTIFIER, SIGNATURE_CERTIFIER

_ADDRESSES: Final = (LOOPBACK, "::1")
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

    def build(org_code: str, kind: OrgType, name: str, port: int, serial: str | None) -> Organisation:
        return Organisation(org_code, kind, name, serial or "", _ADDRESSES, domain=f"{LOOPBACK}:{port}")

    certificates, certifiers = environment.certificates, environment.certifiers
    yield build(RELAY_CODE, OrgType.RELAY, RELAY_NAME, environment.gateway_port, certificates.relay.serial_number)
    for member in environment.institutions.values():
        yield Organisation(
            member.org_code,
            OrgType.THROUGH_RELAY,
            member.name,
            member.identity.serial_number or "",
            _ADDRESSES,
            relay=RELAY_CODE,
            industry=member.industry,
            slots=_ALWAYS,
        )
    callback = environment.callback.getsockname()[1]
    for operator in environment.operators:
        yield build(operator.org_code, OrgType.OPERATOR, operator.name, callback, operator.identity.serial_number)
    yield Organisation(
        IDENTITY_CERTIFIER,
        OrgType.IDENTITY_CERTIFIER,
        "가상공동인증",
        addresses=_ADDRESSES,
        domain=f"{LOOPBACK}:{certifiers.identity_listener.getsockname()[1]}",
        cert_issuer_dn="cn=SandboxCA",
        cert_oid="1.2.410.0.1",
    )
    port = certifiers.signature_listener.getsockname()[1]
    yield build(SIGNATURE_CERTIFIER, OrgType.SIGNATURE_CERTIFIER, "가상사설인증", port, certifiers.pair.serial_number)
    port = portal.listener.getsockname()[1]
    yield build(PORTAL_CODE, OrgType.PORTAL, "가상종합포털", port, portal.identity.serial_number)


def iter_services(environment: SandboxEnvironment) -> Iterator[Service]:
    """Yields all services of all operators, with their secrets at the relay."""
    names = {client_id: name for _, _, services in OPERATORS for client_id, name in services}
    for operator in environment.operators:
        for client_id, secret in zip(operator.client_ids, operator.client_secrets, strict=True):
            yield Service(client_id, operator.org_code, names[client_id], secret, (operator.callback,), (APP_SCHEME,))
