"""Rows of 지원-002, -003 and -006, with the fields of each kind of institution (규격 7장)."""

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
    """서비스: a row of 지원-003 with the plain secret."""

    client_id: str
    operator: str
    name: str
    client_secret: str = field(repr=False)
    callbacks: tuple[str, ...] = ()
    app_schemes: tuple[str, ...] = ()


def build_org_row(organisation: Organisation, op_type: str) -> Row:
    """Returns an institution's row of 지원-002. A deleted one has only code and type."""
    row: dict[str, Any] = {
        "op_type": op_type,
        "org_code": organisation.org_code,
        "org_type": organisation.org_type.value,
    }
    if op_type == DELETED:
        return row
    if organisation.org_type in _WITH_RECEIVERS:
        row["is_rcv_org"] = "true" if organisation.is_receiver else "false"
    number = _build_number(organisation.org_code)
    row |= {
        "org_name": organisation.name,
        "org_regno": f"{number[:3]}-{number[3:5]}-{number[5:10]}",
        "corp_regno": number,
        "address": "서울특별시 가상구 가상로 1",
    }
    if organisation.org_type is not OrgType.IDENTITY_CERTIFIER:
        row["serial_num"] = organisation.serial_num
    if organisation.org_type is not OrgType.THROUGH_RELAY:
        row["domain"] = organisation.domain
        row |= _build_list("domain_ip", [organisation.domain] if organisation.domain else ())
    if organisation.relay:
        row["relay_org_code"] = organisation.relay
    if organisation.org_type in _MEMBERS:
        row |= {"industry": organisation.industry, "auth_type": "03"} | _build_list("np_time", organisation.slots)
    if organisation.org_type is OrgType.IDENTITY_CERTIFIER:
        row |= {"cert_issuer_dn": organisation.cert_issuer_dn, "cert_oid": organisation.cert_oid}
    return row | _build_list("ip", organisation.addresses)


def build_certifier_row(organisation: Organisation, op_type: str) -> Row | None:
    """Returns an institution's row of 지원-006, None for types that are not in this list."""
    if organisation.org_type not in _FOR_CERTIFIERS:
        return None
    row: dict[str, Any] = {
        "org_code": organisation.org_code,
        "op_type": op_type,
        "org_type": organisation.org_type.value,
    }
    if op_type == DELETED:
        return row
    row["org_name"] = organisation.name
    if organisation.org_type is OrgType.THROUGH_RELAY:
        row["relay_org_code"] = organisation.relay
    else:
        row["domain"] = organisation.domain
    if organisation.org_type is not OrgType.OPERATOR:
        row["cp_code"] = f"{organisation.org_code}CP"
    if organisation.org_type in _WITH_SERVER:
        row["server_cert_issuer_dn"] = "CN=가상공동인증"
        row["server_cert_subject_dn"] = f"CN={organisation.name}"
        row |= _build_list("ip", organisation.addresses)
    return row


def build_service_row(service: Service, op_type: str) -> Row:
    """Returns a service's row of 지원-003. A deleted one has only name and client_id."""
    row: dict[str, Any] = {"service_name": service.name, "op_type": op_type, "client_id": service.client_id}
    if op_type == DELETED:
        return row
    row["client_secret"] = service.client_secret
    return row | _build_list("redirect_uri", service.callbacks) | _build_list("app_scheme", service.app_schemes)


def group_by_operator(rows: Iterable[tuple[str, Row]]) -> list[Row]:
    """Returns the `org_list` of 지원-003: service rows grouped by operator."""
    rows_by_operator: dict[str, list[Row]] = {}
    for operator, row in rows:
        rows_by_operator.setdefault(operator, []).append(row)
    return [
        {"org_code": operator, "service_cnt": str(len(services)), "service_list": services}
        for operator, services in rows_by_operator.items()
    ]


def _build_list(name: str, values: Sequence[str]) -> dict[str, Any]:
    """Returns `name`_cnt and `name`_list, without an empty list (core 1.1)."""
    fields: dict[str, Any] = {f"{name}_cnt": str(len(values))}
    if values:
        fields[f"{name}_list"] = [{name: value} for value in values]
    return fields


def _build_number(org_code: str) -> str:
    """Returns 13 digits of a fictitious registration number."""
    return str(int.from_bytes(hashlib.sha256(org_code.encode()).digest()[:8]))[:13].zfill(13)
