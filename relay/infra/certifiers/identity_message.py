"""UCPIDRequest, signed by the relay, and UCPIDResponse, which the certifier signs and encrypts for the relay.

Pure except for the randomness of signatures. It takes milliseconds: run it on a thread.
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

from relay.domain.authorization.signed_consent import CertificateSigned, Defect, NotVerified
from relay.infra.certifiers.signed_data import check_signature, parse_signed_data
from relay.infra.certifiers.strict_der import check_der, reject_malformed
from relay.standard.ucpid import OK, VERSION, IspReqInfo, PersonInfo, UcpidRequest, UcpidResponse

_RESPONSE: Final = "UCPIDResponse"


@dataclass(frozen=True, slots=True)
class RelayIdentity:
    """The relay at a certifier: its code and certificate, with the RSA key that signs requests and decrypts responses.

    `responders` are the only certificates whose keys may sign the certifier's responses.
    """

    cp_code: str
    certificate: x509.Certificate
    private_key: rsa.RSAPrivateKey = field(repr=False)
    responders: tuple[x509.Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class IdentityRequest:
    """One UCPIDRequest in DER, and the values that its response must repeat."""

    message: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    issuer_key_hash: bytes
    cp_request_number: str


def build_request(
    relay: RelayIdentity, signed: CertificateSigned, signer: x509.Certificate, nonce: bytes
) -> IdentityRequest:
    """Builds the request for a signer: an IspReqInfo, signed by us, with our `nonce` and the PersonInfoReq."""
    info = IspReqInfo(
        {
            "version": VERSION,
            "nonce": nonce,
            "cp_request_number": signed.tx_id,
            "sealed_for": asn1_x509.Certificate.load(relay.certificate.public_bytes(Encoding.DER)),
            "signed_person_info_req": cms.ContentInfo.load(signed.person_info_req),
        }
    )
    builder = pkcs7.PKCS7SignatureBuilder().set_data(info.dump())
    builder = builder.add_signer(relay.certificate, relay.private_key, hashes.SHA256())
    signed_info = builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoCapabilities])
    key_hash = _issuer_key_hash(signer)
    request = UcpidRequest(
        {
            "version": VERSION,
            "issuer_key_hash": key_hash,
            "cp_code": relay.cp_code,
            "request": cms.ContentInfo.load(signed_info),
        }
    )
    return IdentityRequest(request.dump(), nonce, key_hash, signed.tx_id)


def check_response(relay: RelayIdentity, request: IdentityRequest, response: bytes, ci: str, now: int) -> None:
    """Checks that the certifier confirms the signer as the customer with this `ci`.

    Raises NotVerified: IDENTITY if it does not, CERTIFIER_BROKEN for every response that does not answer the request:
    that is never the customer's fault.
    """
    try:
        confirmed = _parse_ci(relay, request, response, now)
    except NotVerified as doubt:
        raise NotVerified(Defect.CERTIFIER_BROKEN, doubt.detail) from None
    if confirmed is None or not hmac.compare_digest(confirmed.encode(), ci.encode()):
        raise NotVerified(Defect.IDENTITY, "username")


def _parse_ci(relay: RelayIdentity, request: IdentityRequest, message: bytes, now: int) -> str | None:
    """Returns the confirmed CI, or None if the certifier does not confirm."""
    check_der(message, _RESPONSE)
    with reject_malformed(_RESPONSE):
        response = UcpidResponse.load(message, strict=True)
        if response["version"].native != VERSION or response["issuer_key_hash"].native != request.issuer_key_hash:
            raise ValueError("not the response to this request")
        if response["status"]["code"].native != OK:
            return None
        encrypted = response["person"].untag().dump()
        person = parse_signed_data(
            pkcs7.pkcs7_decrypt_der(encrypted, relay.certificate, relay.private_key, []), _RESPONSE
        )
    check_signature(person, _RESPONSE)
    _check_responder(relay, person.signer, now)
    check_der(person.content, _RESPONSE)
    with reject_malformed(_RESPONSE):
        return _select_ci(PersonInfo.load(person.content, strict=True).native, request, relay.cp_code)


def _check_responder(relay: RelayIdentity, signer: x509.Certificate, now: int) -> None:
    """Checks the signer against the pinned responders: a chain proves nothing, customers have certificates too."""
    moment = datetime.fromtimestamp(now, UTC)
    if signer not in relay.responders or not signer.not_valid_before_utc <= moment <= signer.not_valid_after_utc:
        raise NotVerified(Defect.CHAIN, _RESPONSE)


def _select_ci(person: Mapping[str, Any], request: IdentityRequest, cp_code: str) -> str:
    """Returns the current of two CIs. Raises ValueError if the response does not repeat the request."""
    matches = (
        person["version"] == VERSION,
        hmac.compare_digest(person["nonce"], request.nonce),
        person["cp_request_number"] == request.cp_request_number,
        person["cp_code"] == cp_code,
    )
    if not all(matches):
        raise ValueError("not the response to this request")
    ci = person["ci"] if person["ci_update"] % 2 else person["ci2"]
    if not isinstance(ci, str) or not ci:
        raise ValueError("no CI")
    return ci


def _issuer_key_hash(signer: x509.Certificate) -> bytes:
    """Returns the authority key identifier of a certificate (RFC 5280 4.2.1.1), or b"" if it has none."""
    try:
        key_id = signer.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return b""
    return key_id or b""
