"""Operators, their services, and the peer of a connection."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a connection: the serial of its client certificate, and its address.

    `serial` is the normal form of the certificate's SERIALNUMBER (OID 2.5.4.5), "" when the certificate has none. It is
    None on a leased line without mutual TLS, where the address alone identifies the caller (규격 3.1).
    """

    serial: str | None
    address: str


@dataclass(frozen=True, slots=True)
class Service:
    """서비스: a service that an operator registered at the portal, with one client_id (지원-003)."""

    client_id: str
    name: str
    operator: str
    callbacks: tuple[str, ...] = ()
    app_schemes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operator:
    """마이데이터사업자 of the directory (지원-002): org_code, normal serial, its addresses or networks.

    `subject_codes` are the letters (주체구분코드, 첨부14) that may follow the org_code in its `x-api-tran-id`.
    """

    org_code: str
    name: str
    serial: str
    addresses: tuple[str, ...]
    services: tuple[Service, ...]
    subject_codes: str = "M"
