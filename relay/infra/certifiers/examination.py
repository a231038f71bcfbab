"""auth_type 0 as far as we can judge it alone: two signed documents of one customer (통합인증-002).

Pure: bytes and the moment in, the consent's text out. It costs milliseconds and belongs on a thread.
"""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from relay.domain.authorization.nonce import nonce_of
from relay.domain.authorization.proof import CertificateSigned, Doubt, Unproven
from relay.domain.strict_json import read_object
from relay.infra.certifiers.chains import Trust
from relay.infra.certifiers.signed_data import SignedContent, check_signature, read_signed
from relay.infra.certifiers.strict_der import foreign, looked_over
from relay.standard.ucpid import VERSION, PersonInfoReq

SIGNED_AGO_S: Final = 3600
"""A signature is at most so old: as long as a tx_id is good."""

AHEAD_S: Final = 300
"""So far ahead of ours may a customer's clock be."""

_INFORMATION_MOST: Final = 9
"""Bytes of the bits of an agreement, which has five. Reading them takes time by the square of their length."""

_CONSENT: Final = "password"
_PERSON: Final = "signed_person_info_req"


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found good: the consent's text (UTF-8 JSON) and the certificate that signed it and the PersonInfoReq."""

    text: bytes = field(repr=False)
    signer: x509.Certificate = field(repr=False)


def examine(signed: CertificateSigned, trust: Trust, now: int) -> Examined:
    """Both documents are whole, signed by one certificate of the certifier, lately, with the nonces of the form.

    `now` in epoch seconds. Raises Unproven; its detail is the form field concerned.
    """
    consent, person = read_signed(signed.consent, _CONSENT), read_signed(signed.person_info_req, _PERSON)
    text, consent_nonce = _consent_in(consent.content)
    person_nonce = _person_in(person.content)
    if consent.signer.public_bytes(Encoding.DER) != person.signer.public_bytes(Encoding.DER):
        raise Unproven(Doubt.SIGNERS_DIFFER, _PERSON)
    if not hmac.compare_digest(consent_nonce, signed.consent_nonce):
        raise Unproven(Doubt.NONCE_DIFFERS, "consent_nonce")
    if not hmac.compare_digest(person_nonce, signed.ucpid_nonce):
        raise Unproven(Doubt.NONCE_DIFFERS, "ucpid_nonce")
    for document, what in ((consent, _CONSENT), (person, _PERSON)):
        check_signature(document, what)
        _lately(document, now, what)
    trust.check(consent.signer, (*consent.others, *person.others), datetime.fromtimestamp(now, UTC), _CONSENT)
    return Examined(text, consent.signer)


def _lately(document: SignedContent, now: int, what: str) -> None:
    if document.signed_at is not None and not now - SIGNED_AGO_S <= document.signed_at <= now + AHEAD_S:
        raise Unproven(Doubt.SIGNING_TIME, what)


def _consent_in(content: bytes) -> tuple[bytes, bytes]:
    """The consent's text and the nonce beside it: `{"consent": ..., "consentNonce": ...}`, nothing else."""
    with foreign(_CONSENT):
        found = read_object(content)
        if found.keys() != {"consent", "consentNonce"}:
            raise ValueError("other members")
        return _text_of(found["consent"]), nonce_of(found["consentNonce"])


def _text_of(consent: str | Mapping[str, Any]) -> bytes:
    """The consent stands there as text that is JSON, or as the object itself."""
    if isinstance(consent, str):
        return consent.encode()
    if not isinstance(consent, dict):
        raise TypeError("neither text nor object")
    return json.dumps(consent, ensure_ascii=False, separators=(",", ":")).encode()


def _person_in(content: bytes) -> bytes:
    """The nonce of a PersonInfoReq. Raises Unproven MALFORMED; CONSENT_DIFFERS when it agrees to tell no CI."""
    looked_over(content, _PERSON)
    with foreign(_PERSON):
        read = PersonInfoReq.load(content, strict=True)
        if len(read["agreement"]["information"].contents) > _INFORMATION_MOST:
            raise ValueError("bits that no agreement has")
        found = read.native  # all of it, so that nothing in it is left unread
        if found["version"] != VERSION:
            raise ValueError("another version")
        if "ci" not in found["agreement"]["information"]:
            raise Unproven(Doubt.CONSENT_DIFFERS, _PERSON)
        nonce: bytes = found["nonce"]
        return nonce
