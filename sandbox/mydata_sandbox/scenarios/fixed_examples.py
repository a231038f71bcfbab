"""Examples of token and support APIs for the documents of the standard. Secrets, tokens and signatures are invented."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mydata_sandbox.checks.weeks import days_of
from mydata_sandbox.parties import (
    APP_SCHEME,
    INSTITUTIONS,
    OPERATORS,
    RELAY_CODE,
    RELAY_NAME,
    SIGNATURE_CERTIFIER,
)
from mydata_sandbox.portal.rows import Service, build_certifier_row, build_org_row, build_service_row, group_by_operator
from mydata_sandbox.world.ci import get_ci
from mydata_sandbox.world.model import CUSTOMERS
from relay.domain.registry import Organisation, OrgType

Example = dict[str, Any]

_OPERATOR, _, _SERVICES = OPERATORS[0]
_CLIENT_ID, _SERVICE_NAME = _SERVICES[0]
_BANK, _BANK_NAME = INSTITUTIONS["bank"]
_CALLBACK: Final = "https://operator.example/callback"
_SECRET: Final = "Kq7Zr2Wm9Xv4Bn1C"  # noqa: S105 - invented
_CODE: Final = "authorization-code-of-an-example"
_ACCESS: Final = "access.token.of-an-example"
_REFRESH: Final = "refresh.token.of-an-example"
_SCOPE: Final = "bank.list bank.deposit bank.loan"
_SUCCESS: Final = {"rsp_code": "00000", "rsp_msg": "성공"}
_NOW: Final = "20261120093000"
_SUNDAY: Final = "20261115"
_CLIENT: Final = {"client_id": _CLIENT_ID, "client_secret": _SECRET}
_TX_ID: Final = f"MD_{_OPERATOR}_{_BANK}_{RELAY_CODE}_{SIGNATURE_CERTIFIER}_{_NOW}_000000000001"
_CONSENT: Final = '{"snd_org_code":"' + _BANK + '","rcv_org_code":"' + _OPERATOR + '"}'
_SIGNATURE: Final = "c2lnbmF0dXJl"
_MANAGE: Final = {
    "request": {"grant_type": "client_credentials", **_CLIENT, "scope": "manage"},
    "response": {"token_type": "Bearer", "access_token": _ACCESS, "expires_in": "31536000", "scope": "manage"},
}
_TIMES: Final = {"rsp_avg": "35", "rsp_total": "4235", "rsp_stdev": "6"}
_COUNTS: Final = {"success_api_cnt": "120", "fail_api_cnt": "1"}
_SLOTS: Final = ("00", "01")
_SCHEDULED: Final = "1"
_TOKENS: Final = {
    "token_type": "Bearer",
    "access_token": _ACCESS,
    "expires_in": "7776000",
    "refresh_token": _REFRESH,
    "refresh_token_expires_in": "31536000",
    "scope": _SCOPE,
}


def build_oauth_examples() -> dict[str, Example]:
    """Returns the examples of token APIs by api_id."""
    form = {"org_code": _BANK, **_CLIENT}
    return {
        "개별인증-001": {
            "request": {
                "x-user-ci": get_ci(CUSTOMERS[0]),
                "org_code": _BANK,
                "response_type": "code",
                "client_id": _CLIENT_ID,
                "redirect_uri": _CALLBACK,
                "app_scheme": APP_SCHEME,
                "state": "f3a9c2",
            },
            "response": {"code": _CODE, "state": "f3a9c2", "api_tran_id": f"{_OPERATOR}M00000000000001"},
        },
        "개별인증-002": {
            "request": {**form, "grant_type": "authorization_code", "code": _CODE, "redirect_uri": _CALLBACK},
            "response": _TOKENS,
        },
        "개별인증-003": {
            "request": {**form, "grant_type": "refresh_token", "refresh_token": _REFRESH},
            "response": {"token_type": "Bearer", "access_token": _ACCESS, "expires_in": "7776000"},
        },
        "개별인증-004": {"request": {**form, "token": _ACCESS}, "response": _SUCCESS},
        "통합인증-002": {"request": form | _build_signed_form(), "response": {"tx_id": _TX_ID} | _TOKENS},
    }


def _build_signed_form() -> dict[str, str]:
    """Returns the fields of a signature by an e-signature provider; `password` is no real signature."""
    return {
        "tx_id": _TX_ID,
        "grant_type": "password",
        "ca_code": SIGNATURE_CERTIFIER,
        "username": get_ci(CUSTOMERS[0]),
        "request_type": "1",
        "password_len": str(len(_SIGNATURE)),
        "password": _SIGNATURE,
        "auth_type": "1",
        "consent_type": "1",
        "consent_len": str(len(_CONSENT)),
        "consent": _CONSENT,
        "cert_tx_id": "CERT0000000001",
    }


def build_support_examples() -> dict[str, Example]:
    """Returns the examples of the support APIs that the portal calls, by api_id."""
    consent = {"org_code": _OPERATOR, "scope": _SCOPE, "consent_date": "20261101", "consent_end_date": "20271101"}
    service = {"client_id": _CLIENT_ID, "consent_cnt": "1", "consent_list": [consent]}
    week = {"org_code": RELAY_CODE, "org_type": "03", "inquiry_date": _SUNDAY, "type": "0"}
    return {
        "지원-101": _MANAGE,
        "지원-102": {"request": {"org_code": _BANK}, "response": _SUCCESS | {"availability": "01"}},
        "지원-103": {
            "request": {"org_code": _BANK, "user_ci": get_ci(CUSTOMERS[0])},
            "response": _SUCCESS | {"is_member": "true", "service_cnt": "1", "service_list": [service]},
        },
        "지원-104": {"request": week, "response": _SUCCESS},
    }


def build_portal_examples() -> dict[str, Example]:
    """Returns the examples of the support APIs that the portal offers, by api_id."""
    organisations = (_build_member(), _build_relay())
    orgs = [build_org_row(organisation, "I") for organisation in organisations]
    for_certifiers = [row for organisation in organisations if (row := build_certifier_row(organisation, "I"))]
    service = Service(_CLIENT_ID, _OPERATOR, _SERVICE_NAME, _SECRET, (_CALLBACK,), (APP_SCHEME,))
    services = group_by_operator([(_OPERATOR, build_service_row(service, "I"))])
    since = {"search_timestamp": "0"}
    return {
        "지원-001": _MANAGE,
        "지원-002": {"request": since, "response": _build_list_answer("org", orgs)},
        "지원-003": {"request": since, "response": _build_list_answer("org", services)},
        "지원-004": {"request": {"client_id": _CLIENT_ID} | _build_operator_week(), "response": _SUCCESS},
        "지원-005": {"request": {"org_code": _BANK} | _build_institution_week(), "response": _SUCCESS},
        "지원-006": {"request": since, "response": _build_list_answer("org", for_certifiers)},
    }


def _build_list_answer(name: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {**_SUCCESS, "search_timestamp": _NOW, f"{name}_cnt": str(len(rows)), f"{name}_list": list(rows)}


def _build_member() -> Organisation:
    """Returns an institution that uses the relay."""
    return Organisation(
        _BANK,
        OrgType.THROUGH_RELAY,
        _BANK_NAME,
        "123-45-67890",
        ("192.0.2.10",),
        relay=RELAY_CODE,
        industry="bank",
        slots=("0000:2400",),
    )


def _build_relay() -> Organisation:
    addresses = ("192.0.2.20",)
    return Organisation(RELAY_CODE, OrgType.RELAY, RELAY_NAME, "234-56-78901", addresses, domain="relay.example")


def _build_operator_week() -> dict[str, Any]:
    """Returns a week of an operator's statistics (지원-004)."""
    org = {"org_code": _BANK} | _build_api_types(_TIMES | _COUNTS)
    return _build_week({"org_cnt": "1", "org_list": [org]})


def _build_institution_week() -> dict[str, Any]:
    """Returns a week of an institution's statistics (지원-005)."""
    service = {"org_code": _OPERATOR, "client_id": _CLIENT_ID} | _build_api_types(_COUNTS)
    return _build_week({"mydata_svc_cnt": "1", "mydata_svc_list": [service]})


def _build_week(lines: Mapping[str, Any]) -> dict[str, Any]:
    days = [{"stat_date": day, **lines} for day in days_of(_SUNDAY)]
    return {
        "type": _SCHEDULED,
        "inquiry_date": _SUNDAY,
        "stat_date_cnt": str(len(days)),
        "stat_date_list": days,
    }


def _build_api_types(counts: Mapping[str, str]) -> dict[str, Any]:
    slots = [{"tm_slot": slot, **counts} for slot in _SLOTS]
    rows = [{"api_type": "BA01", "tm_slot_cnt": str(len(slots)), "tm_slot_list": slots}]
    return {"api_type_cnt": str(len(rows)), "api_type_list": rows}
