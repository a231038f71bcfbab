"""grant_type password: a consent the customer signed becomes a pair of tokens (통합인증-002; RFC 6749 4.3).

Cheap questions first: the form, the tx_id, what was spent; then signatures and the certifier's word; then what the
customer demands. Nothing is recorded before all of it is good.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Final

from relay.domain.authorization.consent import KOREA, Authentication, Consent
from relay.domain.authorization.nonce import NONCE_BYTES, from_base64url, nonce_of, to_base64url
from relay.domain.authorization.proof import CertificateSigned, Doubt, HashSigned, SignedConsent, Unproven
from relay.domain.authorization.tx_id import tx_id_of
from relay.domain.ledger import Evidence, Holder, NotGranted, Why
from relay.endpoint.errors import OAuthRefusal
from relay.oauth.issuing import Mint
from relay.oauth.services import Authority, TokenCall
from relay.policy.consent.demand import Demand, DemandFault, Frame, RequestType, fit, read_demand
from relay.policy.consent.particulars import Scopes, scopes_of, with_list_scope
from relay.policy.settings.authority import CertifierKind
from relay.standard.catalogue import load_catalogue

TX_ID_AGE_S: Final = 3600
"""A tx_id is at most an hour old: the customer signs on a phone, and a call may be repeated."""

TX_ID_AHEAD_S: Final = 300
"""So far ahead of ours may an operator's clock be."""

AGAIN_S: Final = 600
"""So long the same form gets the same pair again: an operator that lost the answer asks once more."""

_RETRY_S: Final = 5
_LENGTH: Final = re.compile(r"0*([0-9]{1,5})")
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")

CERTIFICATE: Final = ("signed_person_info_req_len", "signed_person_info_req", "consent_nonce", "ucpid_nonce")
PROVIDER: Final = ("consent_len", "consent", "cert_tx_id")

UNPROVEN: Final[Mapping[Doubt, tuple[str, str]]] = {
    Doubt.MALFORMED: ("invalid_grant", "전자서명이 서명 대상에 대한 CMS SignedData가 아닙니다"),
    Doubt.SIGNERS_DIFFER: ("invalid_grant", "두 전자서명의 인증서가 서로 다릅니다"),
    Doubt.NONCE_DIFFERS: ("invalid_grant", "전자서명의 nonce가 consent_nonce 또는 ucpid_nonce와 다릅니다"),
    Doubt.CONSENT_DIFFERS: ("invalid_grant", "서명된 동의에 CI 제공이 포함되지 않았습니다"),
    Doubt.SIGNATURE: ("invalid_grant", "전자서명 검증에 실패하였습니다"),
    Doubt.SIGNING_TIME: ("invalid_grant", "전자서명의 signingTime이 허용 시간을 벗어났습니다"),
    Doubt.CERTIFICATE_EXPIRED: ("invalid_grant", "서명 인증서의 유효기간이 아닙니다"),
    Doubt.CHAIN: ("invalid_grant", "ca_code의 통합인증기관이 발급한 서명 인증서가 아닙니다"),
    Doubt.CERTIFICATE_REVOKED: ("invalid_grant", "서명 인증서가 폐지되었습니다"),
    Doubt.IDENTITY: ("unauthorized_user", "username의 CI가 서명자와 일치하지 않습니다"),
    Doubt.REVOCATION_UNKNOWN: ("temporarily_unavailable", "서명 인증서의 폐지 여부를 확인할 수 없습니다"),
    Doubt.BUSY: ("temporarily_unavailable", "검증을 기다리는 전자서명이 너무 많습니다"),
    Doubt.CERTIFIER_SILENT: ("temporarily_unavailable", "통합인증기관이 응답하지 않습니다"),
    Doubt.CERTIFIER_BROKEN: ("temporarily_unavailable", "통합인증기관의 응답이 올바르지 않습니다"),
}
"""What a client is told when a consent is not proven. What could not be judged now may be tried again."""


async def grant(authority: Authority, call: TokenCall) -> dict[str, str]:
    """The answer's body. Raises OAuthRefusal; NotGranted when a tx_id or nonce was used before, by another form."""
    signed = _signed(call)
    _check_tx_id(authority, call)
    _check_certifier(authority, call)
    spent = _spent(signed)
    why = await authority.ledger.is_spent(spent)
    if why is not None:
        return await _answered_again(authority, call, why)
    try:
        text = await authority.proofs.prove(signed, call.form["ca_code"], call.now)
    except Unproven as doubt:
        error, said = UNPROVEN[doubt.doubt]
        retry = _RETRY_S if error == "temporarily_unavailable" else 0
        if retry:
            authority.complain(f"certifier {call.form['ca_code']}", str(doubt))
        raise OAuthRefusal(error, said, reason=f"consent_{doubt.doubt}", retry_after=retry) from None
    consent = _consent(authority, call, _demanded(call, text), signed.ci)
    mint = Mint.of(authority, call)
    pair = mint.pair(consent)
    form = _digest_of(call.form)
    try:
        await authority.ledger.issue_integrated(consent, pair, spent, _evidence(call.form), call.now, form)
    except NotGranted as refused:  # the same form, sent twice at once
        return await _answered_again(authority, call, refused.why)
    return {"tx_id": signed.tx_id, **mint.pair_answer(consent, pair)}


async def _answered_again(authority: Authority, call: TokenCall, why: Why) -> dict[str, str]:
    """The body that the same form was answered within AGAIN_S, token by token. Raises NotGranted for another form."""
    form, tx_id = _digest_of(call.form), call.form["tx_id"]
    holder = Holder(call.client.service.client_id, call.provider.org_code)
    issued = await authority.ledger.issued_for(tx_id, form, holder, AGAIN_S, call.now)
    if issued is None:
        raise NotGranted(why)
    return {"tx_id": tx_id, **Mint.of(authority, call).pair_answer(*issued)}


def _digest_of(form: Mapping[str, str]) -> bytes:
    """What a form is known again by: all of it, but for the client's secret, which may change in between."""
    said = sorted((name, value) for name, value in form.items() if name != "client_secret")
    return hashlib.sha256(json.dumps(said).encode()).digest()


def _invalid(name: str, allowed: str) -> OAuthRefusal:
    return OAuthRefusal.of("parameter_malformed", f"{name} ({allowed})")


def _by_certificate(form: Mapping[str, str]) -> CertificateSigned:
    _present(form, CERTIFICATE, "0")
    _absent(form, PROVIDER)
    _length(form, "password")
    _length(form, "signed_person_info_req")
    nonces = _decoded(form, nonce_of, "consent_nonce"), _decoded(form, nonce_of, "ucpid_nonce")
    if nonces[0] == nonces[1]:
        raise _invalid("ucpid_nonce", "consent_nonce와 다른 값")
    return CertificateSigned(
        tx_id=form["tx_id"],
        ci=form["username"],
        consent=_decoded(form, from_base64url, "password"),
        person_info_req=_decoded(form, from_base64url, "signed_person_info_req"),
        consent_nonce=nonces[0],
        ucpid_nonce=nonces[1],
    )


def _by_provider(form: Mapping[str, str]) -> HashSigned:
    _present(form, PROVIDER, "1")
    _absent(form, CERTIFICATE)
    _length(form, "password")
    _length(form, "consent")
    _decoded(form, from_base64url, "password")
    if not _PRINTABLE.fullmatch(form["cert_tx_id"]):
        raise _invalid("cert_tx_id", "공백 없는 ASCII 문자")
    return HashSigned(form["tx_id"], form["username"], form["password"], form["consent"], form["cert_tx_id"])


_WAYS: Final[Mapping[str, tuple[CertifierKind, Callable[[Mapping[str, str]], SignedConsent]]]] = {
    "0": (CertifierKind.IDENTITY, _by_certificate),
    "1": (CertifierKind.SIGNATURE, _by_provider),
}
"""auth_type to the kind of certifier and how the form is read."""


def _signed(call: TokenCall) -> SignedConsent:
    """What the form brings to be proven. Raises OAuthRefusal invalid_request."""
    form = call.form
    if form["auth_type"] not in _WAYS:
        raise _invalid("auth_type", f"{', '.join(_WAYS)} 중 하나")
    if form["request_type"] not in frozenset(RequestType):
        raise _invalid("request_type", f"{', '.join(RequestType)} 중 하나")
    if "service_id" in form:
        raise _invalid("service_id", "기관 간 전송에만 사용")
    return _WAYS[form["auth_type"]][1](form)


def _present(form: Mapping[str, str], names: tuple[str, ...], consent_type: str) -> None:
    missing = next((name for name in names if not form.get(name)), None)
    if missing is not None:
        raise OAuthRefusal.of("parameter_missing", missing)
    if form["consent_type"] != consent_type:
        raise _invalid("consent_type", f"auth_type이 {form['auth_type']}이면 {consent_type}")


def _absent(form: Mapping[str, str], names: tuple[str, ...]) -> None:
    """What belongs to the other way is left out (규격 1.1); sent all the same it could only be believed by mistake."""
    for name in names:
        if name in form:
            raise _invalid(name, f"auth_type이 {form['auth_type']}이면 생략")


def _length(form: Mapping[str, str], name: str) -> None:
    told = _LENGTH.fullmatch(form[f"{name}_len"])
    if told is None or int(told[1]) != len(form[name].encode()):
        raise _invalid(f"{name}_len", f"{name}의 바이트 길이")


def _decoded(form: Mapping[str, str], read: Callable[[str], bytes], name: str) -> bytes:
    try:
        return read(form[name])
    except ValueError:
        length = f"{NONCE_BYTES}바이트의 " if read is nonce_of else ""
        raise _invalid(name, f"{length}Base64URL") from None


def _check_tx_id(authority: Authority, call: TokenCall) -> None:
    """The tx_id names this operator, provider, relay and certifier, and a moment lately."""
    try:
        told = tx_id_of(call.form["tx_id"])
    except ValueError:
        raise _invalid("tx_id", "aNS(74)") from None
    wanted = (call.client.service.operator, call.provider.org_code, authority.office.relay, call.form["ca_code"])
    if (told.operator, told.provider, told.relay, told.certifier) != wanted:
        raise _invalid("tx_id", "호출한 기관, org_code, 중계기관, ca_code와 같은 기관코드")
    if not call.now - TX_ID_AGE_S <= told.made_at <= call.now + TX_ID_AHEAD_S:
        raise _invalid("tx_id", f"생성 후 {TX_ID_AGE_S // 60}분까지")


def _check_certifier(authority: Authority, call: TokenCall) -> None:
    certifier = authority.office.certifiers.get(call.form["ca_code"])
    if certifier is None:
        raise _invalid("ca_code", "중계기관에 등록된 통합인증기관")
    if certifier.kind is not _WAYS[call.form["auth_type"]][0]:
        raise _invalid("ca_code", "auth_type을 제공하는 통합인증기관")


def _spent(signed: SignedConsent) -> tuple[tuple[str, str], ...]:
    """What is used once. A nonce is remembered in one spelling, or another spelling would be another nonce."""
    used: tuple[tuple[str, str], ...] = (("tx_id", signed.tx_id),)
    if isinstance(signed, CertificateSigned):
        used += tuple(("nonce", to_base64url(nonce)) for nonce in (signed.consent_nonce, signed.ucpid_nonce))
    return used


def _evidence(form: Mapping[str, str]) -> tuple[Evidence, ...]:
    """전자서명, kept as it came (신용정보법 시행령: the consent is proven by what the customer signed)."""
    kinds = ("password", "signed_person_info_req", "consent", "cert_tx_id")
    return tuple(Evidence(kind, form[kind].encode()) for kind in kinds if kind in form)


def _demanded(call: TokenCall, text: bytes) -> Demand:
    frame = Frame(
        provider=call.provider.org_code,
        operator=call.client.service.operator,
        scopes=_scopes(call.provider.industry),
        request_type=RequestType(call.form["request_type"]),
        today=datetime.fromtimestamp(call.now, KOREA).date(),
    )
    try:
        demand = read_demand(text)
        fit(demand, frame)
    except DemandFault as fault:
        said = f"전송요구내역이 올바르지 않습니다: {fault.member} ({fault.allowed})"
        raise OAuthRefusal(fault.error, said, reason="consent_demand") from None
    return demand


@cache
def _scopes(industry: str) -> Scopes:
    """The scopes that the standard has for an industry (규격 3.9)."""
    return scopes_of(industry, load_catalogue())


def _consent(authority: Authority, call: TokenCall, demand: Demand, ci: str) -> Consent:
    return Consent(
        consent_id=authority.random(),
        provider=call.provider.org_code,
        operator=call.client.service.operator,
        client_id=call.client.service.client_id,
        authentication=Authentication.INTEGRATED,
        particulars=with_list_scope(demand.particulars, call.provider.industry),
        given_at=call.now,
        ci=ci,
    )
