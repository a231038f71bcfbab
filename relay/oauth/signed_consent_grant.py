"""grant_type password: issues a token pair for a signed consent (통합인증-002; RFC 6749 4.3).

The checks run from cheap to costly: form, tx_id, reuse; then signatures and certifier; then the 전송요구내역.
Nothing is recorded before all of them pass.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Final

from relay.domain.authorization.consent import Authentication, Consent
from relay.domain.authorization.digest import digest_text
from relay.domain.authorization.nonce import NONCE_BYTES, from_base64url, parse_nonce, to_base64url
from relay.domain.authorization.signed_consent import CertificateSigned, Defect, HashSigned, NotVerified, SignedConsent
from relay.domain.authorization.tx_id import parse_tx_id
from relay.domain.korea import date_in_korea
from relay.domain.ledger import Evidence, LedgerRefused, Reason, TokenHolder
from relay.endpoint.errors import OAuthRefusal
from relay.endpoint.forms import describe_fields
from relay.oauth.dependencies import AuthorityDependencies, TokenCall
from relay.oauth.issuing import TokenIssuer
from relay.oauth.scopes import load_scopes
from relay.policy.consent.demand import Demand, DemandContext, DemandError, RequestType, check_demand, read_demand
from relay.policy.consent.particulars import add_list_scope
from relay.policy.settings.authority import CertifierKind

TX_ID_AGE_S: Final = 3600
"""Maximum age of a tx_id: the customer signs on a phone, and a call may be repeated."""

TX_ID_AHEAD_S: Final = 300
"""Seconds that an operator's clock may be ahead of ours."""

REPEAT_S: Final = 600
"""Seconds in which the same form gets the same pair again, for operators that lost the response."""

_RETRY_S: Final = 5
_LENGTH: Final = re.compile(r"0*([0-9]{1,5})")
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")

_API: Final = "통합인증-002"
CERTIFICATE_FIELDS: Final = ("signed_person_info_req_len", "signed_person_info_req", "consent_nonce", "ucpid_nonce")
PROVIDER_FIELDS: Final = ("consent_len", "consent", "cert_tx_id")

VERIFICATION_ERRORS: Final[Mapping[Defect, tuple[str, str]]] = {
    Defect.MALFORMED: ("invalid_grant", "전자서명이 서명 대상에 대한 CMS SignedData가 아닙니다"),
    Defect.SIGNERS_DIFFER: ("invalid_grant", "두 전자서명의 인증서가 서로 다릅니다"),
    Defect.NONCE_DIFFERS: ("invalid_grant", "전자서명의 nonce가 consent_nonce 또는 ucpid_nonce와 다릅니다"),
    Defect.CONSENT_DIFFERS: ("invalid_grant", "서명된 동의에 CI 제공이 포함되지 않았습니다"),
    Defect.SIGNATURE: ("invalid_grant", "전자서명 검증에 실패하였습니다"),
    Defect.SIGNING_TIME: ("invalid_grant", "전자서명의 signingTime이 허용 시간을 벗어났습니다"),
    Defect.CERTIFICATE_EXPIRED: ("invalid_grant", "서명 인증서의 유효기간이 아닙니다"),
    Defect.CHAIN: ("invalid_grant", "ca_code의 통합인증기관이 발급한 서명 인증서가 아닙니다"),
    Defect.CERTIFICATE_REVOKED: ("invalid_grant", "서명 인증서가 폐지되었습니다"),
    Defect.IDENTITY: ("unauthorized_user", "username의 CI가 서명자와 일치하지 않습니다"),
    Defect.REVOCATION_UNKNOWN: ("temporarily_unavailable", "서명 인증서의 폐지 여부를 확인할 수 없습니다"),
    Defect.BUSY: ("temporarily_unavailable", "검증을 기다리는 전자서명이 너무 많습니다"),
    Defect.CERTIFIER_SILENT: ("temporarily_unavailable", "통합인증기관이 응답하지 않습니다"),
    Defect.CERTIFIER_BROKEN: ("temporarily_unavailable", "통합인증기관의 응답이 올바르지 않습니다"),
}
"""Error and description for each failed verification. temporarily_unavailable: it may succeed later."""


async def issue_for_consent(dependencies: AuthorityDependencies, call: TokenCall) -> dict[str, str]:
    """Returns the response body.

    Raises OAuthRefusal; LedgerRefused when another form used the tx_id or a nonce before.
    """
    signed = _read_signed_consent(call)
    _check_tx_id(dependencies, call)
    _check_certifier(dependencies, call)
    single_use = _single_use_values(signed)
    why = await dependencies.ledger.find_spent(single_use)
    if why is not None:
        return await _repeat_response(dependencies, call, why)
    try:
        consent_text = await dependencies.consent_verifier.verify(signed, call.form["ca_code"], call.now)
    except NotVerified as failure:
        error, description = VERIFICATION_ERRORS[failure.reason]
        retry = _RETRY_S if error == "temporarily_unavailable" else 0
        raise OAuthRefusal(error, description, reason=f"consent_{failure.reason}", retry_after=retry) from None
    consent = _build_consent(dependencies, call, _read_demand(call, consent_text), signed.ci)
    issuer = TokenIssuer.for_call(dependencies, call)
    pair = issuer.issue_pair(consent)
    form_digest = _hash_form(call.form)
    try:
        await dependencies.ledger.issue_integrated(
            consent, pair, single_use, _evidence(call.form), call.now, form_digest
        )
    except LedgerRefused as refused:  # a concurrent call with the same form
        return await _repeat_response(dependencies, call, refused.reason)
    return {"tx_id": signed.tx_id, **issuer.build_pair_body(consent, pair)}


async def _repeat_response(dependencies: AuthorityDependencies, call: TokenCall, why: Reason) -> dict[str, str]:
    """Returns the former response body if the form is the same, within REPEAT_S. Raises LedgerRefused otherwise."""
    form_digest, tx_id = _hash_form(call.form), call.form["tx_id"]
    holder = TokenHolder(call.client.service.client_id, call.provider.org_code)
    issued = await dependencies.ledger.find_issued(tx_id, form_digest, holder, REPEAT_S, call.now)
    if issued is None:
        raise LedgerRefused(why)
    return {"tx_id": tx_id, **TokenIssuer.for_call(dependencies, call).build_pair_body(*issued)}


def _hash_form(form: Mapping[str, str]) -> bytes:
    """Returns the SHA-256 of a form without client_secret, which may change before a repetition."""
    fields = sorted((name, value) for name, value in form.items() if name != "client_secret")
    return digest_text(json.dumps(fields))


def _invalid(name: str, allowed: str) -> OAuthRefusal:
    return OAuthRefusal.from_fault("parameter_malformed", f"{name} ({allowed})")


def _read_certificate_form(form: Mapping[str, str]) -> CertificateSigned:
    _require_fields(form, CERTIFICATE_FIELDS, "0")
    _forbid_fields(form, PROVIDER_FIELDS)
    _check_length(form, "password")
    _check_length(form, "signed_person_info_req")
    nonces = _decode(form, parse_nonce, "consent_nonce"), _decode(form, parse_nonce, "ucpid_nonce")
    if nonces[0] == nonces[1]:
        raise _invalid("ucpid_nonce", "consent_nonce와 다른 값")
    return CertificateSigned(
        tx_id=form["tx_id"],
        ci=form["username"],
        consent=_decode(form, from_base64url, "password"),
        person_info_req=_decode(form, from_base64url, "signed_person_info_req"),
        consent_nonce=nonces[0],
        ucpid_nonce=nonces[1],
    )


def _read_provider_form(form: Mapping[str, str]) -> HashSigned:
    _require_fields(form, PROVIDER_FIELDS, "1")
    _forbid_fields(form, CERTIFICATE_FIELDS)
    _check_length(form, "password")
    _check_length(form, "consent")
    _decode(form, from_base64url, "password")
    if not _PRINTABLE.fullmatch(form["cert_tx_id"]):
        raise _invalid("cert_tx_id", "공백 없는 ASCII 문자")
    return HashSigned(form["tx_id"], form["username"], form["password"], form["consent"], form["cert_tx_id"])


_AUTH_TYPES: Final[Mapping[str, tuple[CertifierKind, Callable[[Mapping[str, str]], SignedConsent]]]] = {
    "0": (CertifierKind.IDENTITY, _read_certificate_form),
    "1": (CertifierKind.SIGNATURE, _read_provider_form),
}
"""Kind of certifier and form reader of each auth_type."""


def _read_signed_consent(call: TokenCall) -> SignedConsent:
    """Returns the signed consent of the form. Raises OAuthRefusal invalid_request."""
    form = call.form
    if form["auth_type"] not in _AUTH_TYPES:
        raise _invalid("auth_type", f"{', '.join(_AUTH_TYPES)} 중 하나")
    if form["request_type"] not in frozenset(RequestType):
        raise _invalid("request_type", f"{', '.join(RequestType)} 중 하나")
    if "service_id" in form:
        raise _invalid("service_id", "기관 간 전송에만 사용")
    return _AUTH_TYPES[form["auth_type"]][1](form)


def _require_fields(form: Mapping[str, str], names: tuple[str, ...], consent_type: str) -> None:
    if missing := [name for name in names if not form.get(name)]:
        raise OAuthRefusal.from_fault("parameter_missing", describe_fields(_API, missing))
    if form["consent_type"] != consent_type:
        raise _invalid("consent_type", f"auth_type이 {form['auth_type']}이면 {consent_type}")


def _forbid_fields(form: Mapping[str, str], names: tuple[str, ...]) -> None:
    """Refuses fields of the other auth_type: they must be omitted (규격 1.1) and were never verified."""
    for name in names:
        if name in form:
            raise _invalid(name, f"auth_type이 {form['auth_type']}이면 생략")


def _check_length(form: Mapping[str, str], name: str) -> None:
    match = _LENGTH.fullmatch(form[f"{name}_len"])
    if match is None or int(match[1]) != len(form[name].encode()):
        raise _invalid(f"{name}_len", f"{name}의 바이트 길이")


def _decode(form: Mapping[str, str], read: Callable[[str], bytes], name: str) -> bytes:
    try:
        return read(form[name])
    except ValueError:
        length = f"{NONCE_BYTES}바이트의 " if read is parse_nonce else ""
        raise _invalid(name, f"{length}Base64URL") from None


def _check_tx_id(dependencies: AuthorityDependencies, call: TokenCall) -> None:
    """Checks that the tx_id names this operator, provider, relay and certifier, and a recent time."""
    try:
        tx_id = parse_tx_id(call.form["tx_id"])
    except ValueError:
        raise _invalid("tx_id", "aNS(74)") from None
    expected = (call.client.service.operator, call.provider.org_code, dependencies.settings.relay, call.form["ca_code"])
    if (tx_id.operator, tx_id.provider, tx_id.relay, tx_id.certifier) != expected:
        raise _invalid("tx_id", "호출한 기관, org_code, 중계기관, ca_code와 같은 기관코드")
    if not call.now - TX_ID_AGE_S <= tx_id.made_at <= call.now + TX_ID_AHEAD_S:
        raise _invalid("tx_id", f"생성 후 {TX_ID_AGE_S // 60}분까지")


def _check_certifier(dependencies: AuthorityDependencies, call: TokenCall) -> None:
    certifier = dependencies.settings.certifiers.get(call.form["ca_code"])
    if certifier is None:
        raise _invalid("ca_code", "중계기관에 등록된 통합인증기관")
    if certifier.kind is not _AUTH_TYPES[call.form["auth_type"]][0]:
        raise _invalid("ca_code", "auth_type을 제공하는 통합인증기관")


def _single_use_values(signed: SignedConsent) -> tuple[tuple[str, str], ...]:
    """Returns the values that may be used once. Nonces are in canonical base64url, or a variant would pass as new."""
    values: tuple[tuple[str, str], ...] = (("tx_id", signed.tx_id),)
    if isinstance(signed, CertificateSigned):
        values += tuple(("nonce", to_base64url(nonce)) for nonce in (signed.consent_nonce, signed.ucpid_nonce))
    return values


def _evidence(form: Mapping[str, str]) -> tuple[Evidence, ...]:
    """Returns 전자서명 fields unchanged (신용정보법 시행령: they prove the customer's consent)."""
    kinds = ("password", "signed_person_info_req", "consent", "cert_tx_id")
    return tuple(Evidence(kind, form[kind].encode()) for kind in kinds if kind in form)


def _read_demand(call: TokenCall, text: bytes) -> Demand:
    frame = DemandContext(
        provider=call.provider.org_code,
        operator=call.client.service.operator,
        scopes=load_scopes(call.provider.industry),
        request_type=RequestType(call.form["request_type"]),
        today=date_in_korea(call.now),
    )
    try:
        demand = read_demand(text)
        check_demand(demand, frame)
    except DemandError as fault:
        description = f"전송요구내역이 올바르지 않습니다: {fault.describe()}"
        raise OAuthRefusal(fault.error, description, reason="consent_demand") from None
    return demand


def _build_consent(dependencies: AuthorityDependencies, call: TokenCall, demand: Demand, ci: str) -> Consent:
    return Consent(
        consent_id=dependencies.random(),
        provider=call.provider.org_code,
        operator=call.client.service.operator,
        client_id=call.client.service.client_id,
        authentication=Authentication.INTEGRATED,
        particulars=add_list_scope(demand.particulars, call.provider.industry),
        given_at=call.now,
        ci=ci,
    )
