"""auth_type 0 without the certifier: checks the two documents that one customer signed (통합인증-002).

Pure: takes bytes and the time, returns the consent's text. It takes milliseconds: run it on a thread.
"""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from relay.domain.authorization.nonce import parse_nonce
from relay.domain.authorization.signed_consent import CertificateSigned, Defect, NotVerified
from relay.domain.strict_json import read_object
from relay.infra.certifiers.chains import TrustStore
from relay.infra.certifiers.signed_data import SignedContent, check_signature, parse_signed_data
from relay.infra.certifiers.strict_der import check_der, reject_malformed
from relay.standard.ucpid import VERSION, PersonInfoReq

MAX_SIGNATURE_AGE_S: Final = 3600
"""Maximum age of a signature: the lifetime of a tx_id."""

MAX_CLOCK_AHEAD_S: Final = 300
"""A customer's clock may be ahead of ours by this much."""

_MAX_INFORMATION_BYTES: Final = 9
"""Maximum length in bytes of an agreement's BIT STRING, which has five bits. Parsing takes quadratic time."""

_CONSENT: Final = "password"
_PERSON: Final = "signed_person_info_req"


@dataclass(frozen=True, slots=True)
class ExaminedConsent:
    """The consent's text (UTF-8 JSON) and the certificate that signed both consent and PersonInfoReq."""

    text: bytes = field(repr=False)
    signer: x509.Certificate = field(repr=False)


def examine(signed: CertificateSigned, trust: TrustStore, now: int) -> ExaminedConsent:
    """Checks that one certificate of the certifier signed both documents recently, with the nonces of the form.

    `now` is in epoch seconds. Raises NotVerified; its detail is the form field.
    """
    consent, person = parse_signed_data(signed.consent, _CONSENT), parse_signed_data(signed.person_info_req, _PERSON)
    text, consent_nonce = _parse_consent(consent.content)
    person_nonce = _parse_person(person.content)
    if consent.signer.public_bytes(Encoding.DER) != person.signer.public_bytes(Encoding.DER):
        raise NotVerified(Defect.SIGNERS_DIFFER, _PERSON)
    if not hmac.compare_digest(consent_nonce, signed.consent_nonce):
        raise NotVerified(Defect.NONCE_DIFFERS, "consent_nonce")
    if not hmac.compare_digest(person_nonce, signed.ucpid_nonce):
        raise NotVerified(Defect.NONCE_DIFFERS, "ucpid_nonce")
    for document, detail in ((consent, _CONSENT), (person, _PERSON)):
        check_signature(document, detail)
        _check_signing_time(document, now, detail)
    trust.check(
        consent.signer,
        (*consent.other_certificates, *person.other_certificates),
        datetime.fromtimestamp(now, UTC),
        _CONSENT,
    )
    return ExaminedConsent(text, consent.signer)


def _check_signing_time(document: SignedContent, now: int, detail: str) -> None:
    if (
        document.signed_at is not None
        and not now - MAX_SIGNATURE_AGE_S <= document.signed_at <= now + MAX_CLOCK_AHEAD_S
    ):
        raise NotVerified(Defect.SIGNING_TIME, detail)


def _parse_consent(content: bytes) -> tuple[bytes, bytes]:
    """Returns consent text and nonce of `{"consent": ..., "consentNonce": ...}`; other members are malformed."""
    with reject_malformed(_CONSENT):
        members = read_object(content)
        if members.keys() != {"consent", "consentNonce"}:
            raise ValueError("unexpected members")
        return _consent_text(members["consent"]), parse_nonce(members["consentNonce"])


def _consent_text(consent: str | Mapping[str, Any]) -> bytes:
    """Returns a consent as UTF-8 JSON. It comes as a string of JSON or as an object."""
    if isinstance(consent, str):
        return consent.encode()
    if not isinstance(consent, dict):
        raise TypeError("neither string nor object")
    return json.dumps(consent, ensure_ascii=False, separators=(",", ":")).encode()


def _parse_person(content: bytes) -> bytes:
    """Returns the nonce of a PersonInfoReq. Raises NotVerified: MALFORMED, CONSENT_DIFFERS if it grants no CI."""
    check_der(content, _PERSON)
    with reject_malformed(_PERSON):
        request = PersonInfoReq.load(content, strict=True)
        if len(request["agreement"]["information"].contents) > _MAX_INFORMATION_BYTES:
            raise ValueError("too many bits in the agreement")
        person = request.native  # parses everything, so that malformed parts are noticed
        if person["version"] != VERSION:
            raise ValueError("unsupported version")
        if "ci" not in person["agreement"]["information"]:
            raise NotVerified(Defect.CONSENT_DIFFERS, _PERSON)
        nonce: bytes = person["nonce"]
        return nonce
