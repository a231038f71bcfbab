"""Rows of 지원-002, -003 and -006 as a portal writes them: which institution has which fields (규격 7장)."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from relay.domain.registry import Organisation, OrgType

DELETED: Final = "D"
Row = Mapping[str, Any]

_MEMBERS: Final = frozenset({OrgType.OWN_API, OrgType.THROUGH_RELAY})
_WITH_RECEIVERS: Final = _MEMBERS | {OrgType.OTHER}
_FOR_CERTIFIERS: Final = _MEMBERS | {OrgType.OPERATOR, OrgType.RELAY}
_WITH_SERVER: Final = frozenset({OrgType.OWN_API, OrgType.RELAY})


@dataclass(frozen=True, slots=True)
class Service:
    """서비스: a row of 지원-003 with the secret itself, as the portal has it."""

    client_id: str
    operator: str
    name: str
    client_secret: str = field(repr=False)
    callbacks: tuple[str, ...] = ()
    app_schemes: tuple[str, ...] = ()


def row_of(one: Organisation, op_type: str) -> Row:
    """An institution in 지원-002. A deleted one is its code and type alone."""
    told: dict[str, Any] = {"op_type": op_type, "org_code": one.org_code, "org_type": one.org_type.value}
    if op_type == DELETED:
        return told
    if one.org_type in _WITH_RECEIVERS:
        told["is_rcv_org"] = "true" if one.is_receiver else "false"
    number = _number(one.org_code)
    told |= {
        "org_name": one.name,
        "org_regno": f"{number[:3]}-{number[3:5]}-{number[5:10]}",
        "corp_regno": number,
        "address": "서울특별시 가상구 가상로 1",
    }
    if one.org_type is not OrgType.IDENTITY_CERTIFIER:
        told["serial_num"] = one.serial_num
    if one.org_type is not OrgType.THROUGH_RELAY:
        told["domain"] = one.domain
        told |= _listed("domain_ip", [one.domain] if one.domain else ())
    if one.relay:
        told["relay_org_code"] = one.relay
    if one.org_type in _MEMBERS:
        told |= {"industry": one.industry, "auth_type": "03"} | _listed("np_time", one.slots)
    if one.org_type is OrgType.IDENTITY_CERTIFIER:
        told |= {"cert_issuer_dn": one.cert_issuer_dn, "cert_oid": one.cert_oid}
    return told | _listed("ip", one.addresses)


def row_for_certifiers(one: Organisation, op_type: str) -> Row | None:
    """An institution in 지원-006; None for those whom certifiers have nothing to do with."""
    if one.org_type not in _FOR_CERTIFIERS:
        return None
    told: dict[str, Any] = {"org_code": one.org_code, "op_type": op_type, "org_type": one.org_type.value}
    if op_type == DELETED:
        return told
    told["org_name"] = one.name
    if one.org_type is OrgType.THROUGH_RELAY:
        told["relay_org_code"] = one.relay
    else:
        told["domain"] = one.domain
    if one.org_type is not OrgType.OPERATOR:
        told["cp_code"] = f"{one.org_code}CP"
    if one.org_type in _WITH_SERVER:
        told["server_cert_issuer_dn"] = "CN=가상공동인증"
        told["server_cert_subject_dn"] = f"CN={one.name}"
        told |= _listed("ip", one.addresses)
    return told


def service_row(one: Service, op_type: str) -> Row:
    """A service in 지원-003, below its operator. A deleted one is its name and client_id alone."""
    told: dict[str, Any] = {"service_name": one.name, "op_type": op_type, "client_id": one.client_id}
    if op_type == DELETED:
        return told
    told["client_secret"] = one.client_secret
    return told | _listed("redirect_uri", one.callbacks) | _listed("app_scheme", one.app_schemes)


def by_operator(rows: Iterable[tuple[str, Row]]) -> list[Row]:
    """The `org_list` of 지원-003: service rows gathered below their operators."""
    gathered: dict[str, list[Row]] = {}
    for operator, row in rows:
        gathered.setdefault(operator, []).append(row)
    return [
        {"org_code": operator, "service_cnt": str(len(services)), "service_list": services}
        for operator, services in gathered.items()
    ]


def _listed(name: str, values: Sequence[str]) -> dict[str, Any]:
    """`name`_cnt with `name`_list, which is left out when it is empty (core 1.1)."""
    told: dict[str, Any] = {f"{name}_cnt": str(len(values))}
    if values:
        told[f"{name}_list"] = [{name: value} for value in values]
    return told


def _number(org_code: str) -> str:
    """Thirteen digits for numbers of registration that nobody has."""
    return str(int.from_bytes(hashlib.sha256(org_code.encode()).digest()[:8]))[:13].zfill(13)
