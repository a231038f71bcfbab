"""UCPIDRequest and UCPIDResponse between us and a certifier: signed by us, signed and sealed for us by it.

Pure but for the signature's own randomness. It costs milliseconds and belongs on a thread.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from asn1crypto import cms
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from relay.domain.authorization.proof import CertificateSigned, Doubt, Unproven
from relay.infra.certifiers.signed_data import check_signature, read_signed
from relay.infra.certifiers.strict_der import foreign, looked_over
from relay.standard.ucpid import OK, VERSION, IspReqInfo, PersonInfo, UcpidRequest, UcpidResponse

_ANSWER: Final = "UCPIDResponse"


@dataclass(frozen=True, slots=True)
class OurIdentity:
    """We at a certifier: the code it gave us, our certificate with its RSA key (it signs and opens what is sealed).

    `responders` are the certificates whose keys sign the certifier's answers; no other key is believed.
    """

    cp_code: str
    certificate: x509.Certificate
    private_key: rsa.RSAPrivateKey = field(repr=False)
    responders: tuple[x509.Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """One UCPIDRequest in DER, and what its answer must repeat."""

    message: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    issuer_key_hash: bytes
    cp_request_number: str


def question(us: OurIdentity, signed: CertificateSigned, signer: x509.Certificate, nonce: bytes) -> Question:
    """Ask who signed: the customer's PersonInfoReq in an IspReqInfo with our `nonce`, signed by us."""
    info = IspReqInfo(
        {
            "version": VERSION,
            "nonce": nonce,
            "cp_request_number": signed.tx_id,
            "sealed_for": asn1_x509.Certificate.load(us.certificate.public_bytes(Encoding.DER)),
            "signed_person_info_req": cms.ContentInfo.load(signed.person_info_req),
        }
    )
    builder = pkcs7.PKCS7SignatureBuilder().set_data(info.dump())
    builder = builder.add_signer(us.certificate, us.private_key, hashes.SHA256())
    sealed = builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoCapabilities])
    key_hash = _issuer_key_hash(signer)
    request = UcpidRequest(
        {
            "version": VERSION,
            "issuer_key_hash": key_hash,
            "cp_code": us.cp_code,
            "request": cms.ContentInfo.load(sealed),
        }
    )
    return Question(request.dump(), nonce, key_hash, signed.tx_id)


def answered(us: OurIdentity, asked: Question, message: bytes, ci: str, now: int) -> None:
    """The certifier says that the signer is the customer with this `ci`.

    Raises Unproven: IDENTITY when it does not, CERTIFIER_BROKEN when its answer is none to our question, whatever is
    wrong with it: that is never the customer's fault.
    """
    try:
        told = _told(us, asked, message, now)
    except Unproven as doubt:
        raise Unproven(Doubt.CERTIFIER_BROKEN, doubt.detail) from None
    if told is None or not hmac.compare_digest(told.encode(), ci.encode()):
        raise Unproven(Doubt.IDENTITY, "username")


def _told(us: OurIdentity, asked: Question, message: bytes, now: int) -> str | None:
    """The CI told; None when the certifier does not confirm."""
    looked_over(message, _ANSWER)
    with foreign(_ANSWER):
        response = UcpidResponse.load(message, strict=True)
        if response["version"].native != VERSION or response["issuer_key_hash"].native != asked.issuer_key_hash:
            raise ValueError("no answer to this")
        if response["status"]["code"].native != OK:
            return None
        sealed = response["person"].untag().dump()
        person = read_signed(pkcs7.pkcs7_decrypt_der(sealed, us.certificate, us.private_key, []), _ANSWER)
    check_signature(person, _ANSWER)
    _of_a_responder(us, person.signer, now)
    looked_over(person.content, _ANSWER)
    with foreign(_ANSWER):
        return _ci_in(PersonInfo.load(person.content, strict=True).native, asked, us.cp_code)


def _of_a_responder(us: OurIdentity, signer: x509.Certificate, now: int) -> None:
    """Pinned, not chained: any customer of the certifier has a certificate under its roots."""
    moment = datetime.fromtimestamp(now, UTC)
    if signer not in us.responders or not signer.not_valid_before_utc <= moment <= signer.not_valid_after_utc:
        raise Unproven(Doubt.CHAIN, _ANSWER)


def _ci_in(found: Mapping[str, Any], asked: Question, cp_code: str) -> str:
    """The valid one of two CIs, when the answer repeats what was asked. Raises ValueError."""
    repeated = (
        found["version"] == VERSION,
        hmac.compare_digest(found["nonce"], asked.nonce),
        found["cp_request_number"] == asked.cp_request_number,
        found["cp_code"] == cp_code,
    )
    if not all(repeated):
        raise ValueError("no answer to this")
    ci = found["ci"] if found["ci_update"] % 2 else found["ci2"]
    if not isinstance(ci, str) or not ci:
        raise ValueError("no CI")
    return ci


def _issuer_key_hash(signer: x509.Certificate) -> bytes:
    """The key identifier of whoever issued the certificate (RFC 5280 4.2.1.1); empty when it names none."""
    try:
        named = signer.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return b""
    return named or b""
