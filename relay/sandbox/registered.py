"""Who of the street is registered at its portal, and the portal that knows them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final

from relay.domain.api import Catalogue
from relay.domain.registry import Organisation, OrgType
from relay.sandbox.houses import LOOPBACK, OPERATORS, PORTAL_CODE, RELAY_CODE, RELAY_NAME, Portal, Street
from relay.sandbox.papers import APP_SCHEME
from relay.sandbox.portal.application import PretendedPortal
from relay.sandbox.portal.desk import PortalDesk
from relay.sandbox.portal.registry import PretendedRegistry
from relay.sandbox.portal.rows import Service
from relay.sandbox.signing import IDENTITY_CERTIFIER, SIGNATURE_CERTIFIER

_ADDRESSES: Final = (LOOPBACK, "::1")
_ALWAYS: Final = ("0000:2400",)
"""정기적 전송 가능 시간대 of every institution here."""


def now() -> datetime:
    """The moment."""
    return datetime.now(UTC)


def portal_of(
    street: Street, portal: Portal, catalogue: Catalogue, clock: Callable[[], datetime] = now
) -> PretendedPortal:
    """The street's portal with everybody registered; nobody has called it yet."""
    registry = PretendedRegistry(organisations_of(street, portal), services_of(street), clock)
    return PretendedPortal(PortalDesk(registry, portal.accounts.values(), catalogue, clock))


def organisations_of(street: Street, portal: Portal) -> Iterator[Organisation]:
    """The relay first, then its members, operators, both certifiers and the portal itself."""

    def one(org_code: str, kind: OrgType, name: str, port: int, serial: str | None) -> Organisation:
        return Organisation(org_code, kind, name, serial or "", _ADDRESSES, domain=f"{LOOPBACK}:{port}")

    pairs, doors = street.certificates, street.certifiers
    yield one(RELAY_CODE, OrgType.RELAY, RELAY_NAME, street.gateway_port, pairs.relay.serial_number)
    for member in street.institutions.values():
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
    callback = street.callback.getsockname()[1]
    for operator in street.operators:
        yield one(operator.org_code, OrgType.OPERATOR, operator.name, callback, operator.identity.serial_number)
    yield Organisation(
        IDENTITY_CERTIFIER,
        OrgType.IDENTITY_CERTIFIER,
        "가상공동인증",
        addresses=_ADDRESSES,
        domain=f"{LOOPBACK}:{doors.identity_door.getsockname()[1]}",
        cert_issuer_dn="cn=SandboxCA",
        cert_oid="1.2.410.0.1",
    )
    door = doors.signature_door.getsockname()[1]
    yield one(SIGNATURE_CERTIFIER, OrgType.SIGNATURE_CERTIFIER, "가상사설인증", door, doors.pair.serial_number)
    door = portal.door.getsockname()[1]
    yield one(PORTAL_CODE, OrgType.PORTAL, "가상종합포털", door, portal.identity.serial_number)


def services_of(street: Street) -> Iterator[Service]:
    """Every service of every operator, with the secret it shows the relay."""
    names = {client_id: name for _, _, services in OPERATORS for client_id, name in services}
    for operator in street.operators:
        for client_id, secret in zip(operator.client_ids, operator.client_secrets, strict=True):
            yield Service(client_id, operator.org_code, names[client_id], secret, (operator.callback,), (APP_SCHEME,))
