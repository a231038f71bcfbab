"""Who takes part: operators, their services, and the peer at the other end of a connection."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Peer:
    """Who holds the client certificate of a connection, and from which address it comes.

    `serial` is the normal form of the certificate's SERIALNUMBER (OID 2.5.4.5); "" when the certificate has none;
    None when the link is a leased line without mutual TLS, where the address alone tells who calls (규격 3.1).
    """

    serial: str | None
    address: str


@dataclass(frozen=True, slots=True)
class Service:
    """서비스: what an operator registered at the portal under one client_id (지원-003)."""

    client_id: str
    name: str
    operator: str
    callbacks: tuple[str, ...] = ()
    app_schemes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operator:
    """마이데이터사업자 as the directory knows it (지원-002): org_code, normal serial, caller addresses or networks.

    `subject_codes` are the letters (주체구분코드, 첨부14) that its `x-api-tran-id` may have behind its org_code.
    """

    org_code: str
    name: str
    serial: str
    addresses: tuple[str, ...]
    services: tuple[Service, ...]
    subject_codes: str = "M"
