"""CMS SignedData with one signer and its content inside: strict parsing and signature check (RFC 5652, 4056, 5754).

The signer's identity and certificate chain are checked elsewhere.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from asn1crypto import cms
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from relay.domain.authorization.signed_consent import Defect, NotVerified
from relay.infra.certifiers.strict_der import check_der, reject_malformed

MAX_CERTIFICATES: Final = 8
RSA_BITS: Final = range(2048, 8193)

_DATA: Final = "1.2.840.113549.1.7.1"
_SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
_CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
_MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
_SIGNING_TIME: Final = "1.2.840.113549.1.9.5"
_PSS: Final = "1.2.840.113549.1.1.10"
_ATTRIBUTES_TAG: Final = 0xA0
_SET_TAG: Final = 0x31

_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "2.16.840.1.101.3.4.2.1": hashes.SHA256(),
    "2.16.840.1.101.3.4.2.2": hashes.SHA384(),
    "2.16.840.1.101.3.4.2.3": hashes.SHA512(),
}
_PKCS1: Final[Mapping[str, str | None]] = {
    "1.2.840.113549.1.1.1": None,  # rsaEncryption: the digest algorithm is a field of its own
    "1.2.840.113549.1.1.11": "sha256",
    "1.2.840.113549.1.1.12": "sha384",
    "1.2.840.113549.1.1.13": "sha512",
}
_ECDSA: Final[Mapping[str, str]] = {
    "1.2.840.10045.4.3.2": "sha256",
    "1.2.840.10045.4.3.3": "sha384",
    "1.2.840.10045.4.3.4": "sha512",
}
_SALTS: Final = range(65)
"""A salt is at most as long as a hash."""

_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


@dataclass(frozen=True, slots=True)
class SignedContent:
    """A parsed SignedData; nothing in it is verified yet.

    `signed_bytes` are the bytes under the signature, `digest` is the messageDigest in them (None without attributes).
    `signed_at` is the signer's claim in epoch seconds, or None. `other_certificates` may include issuers.
    """

    content: bytes = field(repr=False)
    signer: x509.Certificate = field(repr=False)
    other_certificates: tuple[x509.Certificate, ...] = field(repr=False)
    signed_bytes: bytes = field(repr=False)
    digest: bytes | None = field(repr=False)
    hash_algorithm: hashes.HashAlgorithm
    algorithm: str
    pss_salt: int | None
    signature: bytes = field(repr=False)
    signed_at: float | None


def parse_signed_data(data: bytes, detail: str) -> SignedContent:
    """Parses a SignedData in DER. Raises NotVerified MALFORMED with `detail` if it is malformed or unsupported."""
    check_der(data, detail)
    with reject_malformed(detail):
        envelope = cms.ContentInfo.load(data, strict=True)
        _expect(envelope["content_type"].dotted, _SIGNED_DATA)
        signed = envelope["content"]
        inner = signed["encap_content_info"]
        _expect(inner["content_type"].dotted, _DATA)
        content = _get_content(inner["content"])
        (info,) = signed["signer_infos"]
        signer, others = _split_certificates(signed["certificates"], info["sid"])
        digest, signed_at, signed_bytes = _parse_attributes(info, content)
        name, salt = _parse_algorithm(info)
        return SignedContent(
            content=content,
            signer=signer,
            other_certificates=others,
            signed_bytes=signed_bytes,
            digest=digest,
            hash_algorithm=_HASHES[info["digest_algorithm"]["algorithm"].dotted],
            algorithm=name,
            pss_salt=salt,
            signature=info["signature"].native,
            signed_at=signed_at,
        )


def check_signature(signed: SignedContent, detail: str) -> None:
    """Checks that the signer's key signed this content. Raises NotVerified SIGNATURE with `detail`."""
    if signed.digest is not None:
        digest = hashes.Hash(signed.hash_algorithm)
        digest.update(signed.content)
        if not hmac.compare_digest(digest.finalize(), signed.digest):
            raise NotVerified(Defect.SIGNATURE, detail)
    try:
        _verify(signed)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        raise NotVerified(Defect.SIGNATURE, detail) from None


def is_strong_key(key: object) -> bool:
    """Returns whether a public key has a type and size that we accept."""
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size in RSA_BITS
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES)


def _verify(signed: SignedContent) -> None:
    key, hash_algorithm = signed.signer.public_key(), signed.hash_algorithm
    if not is_strong_key(key):
        raise ValueError("weak key")
    if isinstance(key, rsa.RSAPublicKey) and signed.algorithm == "pss" and signed.pss_salt is not None:
        pss = padding.PSS(padding.MGF1(hash_algorithm), signed.pss_salt)
        key.verify(signed.signature, signed.signed_bytes, pss, hash_algorithm)
    elif isinstance(key, rsa.RSAPublicKey) and signed.algorithm == "pkcs1":
        key.verify(signed.signature, signed.signed_bytes, padding.PKCS1v15(), hash_algorithm)
    elif isinstance(key, ec.EllipticCurvePublicKey) and signed.algorithm == "ecdsa":
        key.verify(signed.signature, signed.signed_bytes, ec.ECDSA(hash_algorithm))
    else:
        raise ValueError("key does not match the algorithm")


def _expect(value: object, expected: object) -> None:
    if value != expected:
        raise ValueError("unexpected value")


def _get_content(octets: Any) -> bytes:
    """Returns the content. Raises if the OCTET STRING is missing (detached content)."""
    _expect((octets.class_, octets.method, octets.tag), (0, 0, 4))
    content: bytes = octets.contents
    return content


def _split_certificates(choices: Any, sid: Any) -> tuple[x509.Certificate, tuple[x509.Certificate, ...]]:
    """Returns the certificate that `sid` names, and the others."""
    if not 1 <= len(choices) <= MAX_CERTIFICATES:
        raise ValueError("no certificates, or too many")
    signers: list[x509.Certificate] = []
    others: list[x509.Certificate] = []
    for choice in choices:
        _expect(choice.name, "certificate")
        if choice.chosen.serial_number < 1:
            raise ValueError("no serial number (RFC 5280 4.1.2.2)")
        certificate = x509.load_der_x509_certificate(choice.chosen.dump())
        (signers if _is_named(choice.chosen, sid) else others).append(certificate)
    (signer,) = signers
    return signer, tuple(others)


def _is_named(certificate: Any, sid: Any) -> bool:
    if sid.name == "issuer_and_serial_number":
        same_serial = certificate.serial_number == sid.chosen["serial_number"].native
        return bool(same_serial and certificate["tbs_certificate"]["issuer"].dump() == sid.chosen["issuer"].dump())
    return bool(certificate.key_identifier == sid.chosen.native)


def _parse_attributes(info: Any, content: bytes) -> tuple[bytes | None, float | None, bytes]:
    """Returns messageDigest and signingTime of the signed attributes, and the signed bytes (RFC 5652 5.4)."""
    attributes = info["signed_attrs"]
    if not attributes:
        # RFC 5652 5.3 allows that for plain data. Content that parses as attributes is refused: it could be the signed
        # attributes of another document.
        if content[:1] == bytes([_SET_TAG]):
            raise ValueError("attributes instead of content")
        return None, None, content
    values = {attribute["type"].dotted: attribute["values"] for attribute in attributes}
    _expect(len(values), len(attributes))
    (kind,), (digest,) = values[_CONTENT_TYPE], values[_MESSAGE_DIGEST]
    _expect(kind.dotted, _DATA)
    signed_at = None
    if _SIGNING_TIME in values:
        (moment,) = values[_SIGNING_TIME]
        signed_at = moment.native.timestamp()
    encoded = attributes.dump()
    _expect(encoded[0], _ATTRIBUTES_TAG)
    return digest.native, signed_at, bytes([_SET_TAG]) + encoded[1:]


def _parse_algorithm(info: Any) -> tuple[str, int | None]:
    """Returns `pkcs1`, `ecdsa`, or `pss` with its salt length. Raises if its hash is not the digest algorithm."""
    digest, algorithm = info["digest_algorithm"]["algorithm"].native, info["signature_algorithm"]
    name = algorithm["algorithm"].dotted
    if name == _PSS:
        parameters = algorithm["parameters"]
        _expect(parameters["hash_algorithm"]["algorithm"].native, digest)
        _expect(parameters["mask_gen_algorithm"]["algorithm"].native, "mgf1")
        _expect(parameters["mask_gen_algorithm"]["parameters"]["algorithm"].native, digest)
        _expect(parameters["trailer_field"].native, "trailer_field_bc")
        return "pss", _SALTS.index(parameters["salt_length"].native)
    if name in _ECDSA:
        _expect(_ECDSA[name], digest)
        return "ecdsa", None
    _expect(_PKCS1[name] or digest, digest)
    return "pkcs1", None
