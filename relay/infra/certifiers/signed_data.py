"""CMS SignedData with one signer and its content inside: read strictly, signature checked (RFC 5652, 4056, 5754).

Who the signer is and whether anybody vouches for it is not judged here.
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

from relay.domain.authorization.proof import Doubt, Unproven
from relay.infra.certifiers.strict_der import foreign, looked_over

CERTIFICATES_MOST: Final = 8
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
    "1.2.840.113549.1.1.1": None,  # rsaEncryption: the digest algorithm stands beside it
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
"""A salt is as long as a hash at most; longer numbers are no lengths."""

_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


@dataclass(frozen=True, slots=True)
class SignedContent:
    """A SignedData as it was read; nothing in it is believed yet.

    `to_verify` are the bytes under the signature, `digest` the messageDigest in them (None without attributes).
    `signed_at` is the signer's own word, in epoch seconds, None when it says nothing. `others` may hold issuers.
    """

    content: bytes = field(repr=False)
    signer: x509.Certificate = field(repr=False)
    others: tuple[x509.Certificate, ...] = field(repr=False)
    to_verify: bytes = field(repr=False)
    digest: bytes | None = field(repr=False)
    hash_algorithm: hashes.HashAlgorithm
    algorithm: str
    pss_salt: int | None
    signature: bytes = field(repr=False)
    signed_at: float | None


def read_signed(data: bytes, what: str) -> SignedContent:
    """The SignedData in `data` (DER). Raises Unproven MALFORMED with `what` when it is none that we understand."""
    looked_over(data, what)
    with foreign(what):
        envelope = cms.ContentInfo.load(data, strict=True)
        _same(envelope["content_type"].dotted, _SIGNED_DATA)
        signed = envelope["content"]
        inner = signed["encap_content_info"]
        _same(inner["content_type"].dotted, _DATA)
        content = _content(inner["content"])
        (info,) = signed["signer_infos"]
        signer, others = _certificates(signed["certificates"], info["sid"])
        digest, signed_at, to_verify = _attributes(info, content)
        name, salt = _algorithm(info)
        return SignedContent(
            content=content,
            signer=signer,
            others=others,
            to_verify=to_verify,
            digest=digest,
            hash_algorithm=_HASHES[info["digest_algorithm"]["algorithm"].dotted],
            algorithm=name,
            pss_salt=salt,
            signature=info["signature"].native,
            signed_at=signed_at,
        )


def check_signature(signed: SignedContent, what: str) -> None:
    """The signer's key signed this content. Raises Unproven SIGNATURE with `what`."""
    if signed.digest is not None:
        hashed = hashes.Hash(signed.hash_algorithm)
        hashed.update(signed.content)
        if not hmac.compare_digest(hashed.finalize(), signed.digest):
            raise Unproven(Doubt.SIGNATURE, what)
    try:
        _verify(signed)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        raise Unproven(Doubt.SIGNATURE, what) from None


def strong(key: object) -> bool:
    """Whether a public key is of a kind and size that signatures are believed of."""
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size in RSA_BITS
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES)


def _verify(signed: SignedContent) -> None:
    key, chosen = signed.signer.public_key(), signed.hash_algorithm
    if not strong(key):
        raise ValueError("weak key")
    if isinstance(key, rsa.RSAPublicKey) and signed.algorithm == "pss" and signed.pss_salt is not None:
        pss = padding.PSS(padding.MGF1(chosen), signed.pss_salt)
        key.verify(signed.signature, signed.to_verify, pss, chosen)
    elif isinstance(key, rsa.RSAPublicKey) and signed.algorithm == "pkcs1":
        key.verify(signed.signature, signed.to_verify, padding.PKCS1v15(), chosen)
    elif isinstance(key, ec.EllipticCurvePublicKey) and signed.algorithm == "ecdsa":
        key.verify(signed.signature, signed.to_verify, ec.ECDSA(chosen))
    else:
        raise ValueError("key and algorithm differ")


def _same(found: object, wanted: object) -> None:
    if found != wanted:
        raise ValueError("something else")


def _content(held: Any) -> bytes:
    """What stands inside; detached content is none (its OCTET STRING would be missing)."""
    _same((held.class_, held.method, held.tag), (0, 0, 4))
    found: bytes = held.contents
    return found


def _certificates(held: Any, sid: Any) -> tuple[x509.Certificate, tuple[x509.Certificate, ...]]:
    """The one certificate that `sid` names, and those beside it."""
    if not 1 <= len(held) <= CERTIFICATES_MOST:
        raise ValueError("no certificates, or too many")
    named: list[x509.Certificate] = []
    others: list[x509.Certificate] = []
    for choice in held:
        _same(choice.name, "certificate")
        if choice.chosen.serial_number < 1:
            raise ValueError("no serial number (RFC 5280 4.1.2.2)")
        found = x509.load_der_x509_certificate(choice.chosen.dump())
        (named if _is_named(choice.chosen, sid) else others).append(found)
    (signer,) = named
    return signer, tuple(others)


def _is_named(certificate: Any, sid: Any) -> bool:
    if sid.name == "issuer_and_serial_number":
        same_serial = certificate.serial_number == sid.chosen["serial_number"].native
        return bool(same_serial and certificate["tbs_certificate"]["issuer"].dump() == sid.chosen["issuer"].dump())
    return bool(certificate.key_identifier == sid.chosen.native)


def _attributes(info: Any, content: bytes) -> tuple[bytes | None, float | None, bytes]:
    """The messageDigest and signingTime of the signed attributes, and the bytes under the signature (RFC 5652 5.4)."""
    attributes = info["signed_attrs"]
    if not attributes:
        # RFC 5652 5.3 allows none beside plain data. Content that reads like attributes would be signed attributes of
        # something else, taken for content.
        if content[:1] == bytes([_SET_TAG]):
            raise ValueError("attributes instead of content")
        return None, None, content
    found = {attribute["type"].dotted: attribute["values"] for attribute in attributes}
    _same(len(found), len(attributes))
    (kind,), (digest,) = found[_CONTENT_TYPE], found[_MESSAGE_DIGEST]
    _same(kind.dotted, _DATA)
    signed_at = None
    if _SIGNING_TIME in found:
        (moment,) = found[_SIGNING_TIME]
        signed_at = moment.native.timestamp()
    as_sent = attributes.dump()
    _same(as_sent[0], _ATTRIBUTES_TAG)
    return digest.native, signed_at, bytes([_SET_TAG]) + as_sent[1:]


def _algorithm(info: Any) -> tuple[str, int | None]:
    """`pkcs1`, `ecdsa`, or `pss` with its salt's length; its hash is the digest algorithm's. Refuses all else."""
    digest, chosen = info["digest_algorithm"]["algorithm"].native, info["signature_algorithm"]
    name = chosen["algorithm"].dotted
    if name == _PSS:
        told = chosen["parameters"]
        _same(told["hash_algorithm"]["algorithm"].native, digest)
        _same(told["mask_gen_algorithm"]["algorithm"].native, "mgf1")
        _same(told["mask_gen_algorithm"]["parameters"]["algorithm"].native, digest)
        _same(told["trailer_field"].native, "trailer_field_bc")
        return "pss", _SALTS.index(told["salt_length"].native)
    if name in _ECDSA:
        _same(_ECDSA[name], digest)
        return "ecdsa", None
    _same(_PKCS1[name] or digest, digest)
    return "pkcs1", None
