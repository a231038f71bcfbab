"""PKI of the simulated certificate certifier: CA, CRL, certificates of customers and of the UCPID service.

The certificates resemble those of the accredited CAs: RSA with SHA-256, keyUsage for signing, no extendedKeyUsage.
The intermediate CA is left out. Everything is fictitious and lasts as long as the sandbox's folder.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from mydata_sandbox.credentials.secret_files import write_secret
from mydata_sandbox.world.model import CUSTOMERS, Customer

ORGANIZATION: Final = "Simulated Certificates"
_DAY: Final = timedelta(days=1)
_DAYS: Final = 365
_RSA_BITS: Final = 2048
_POLICY: Final = x509.ObjectIdentifier("1.2.410.200005.1.1.4")
"""It resembles the policy of bank certificates of the accredited CAs."""

_SIGNING: Final = frozenset({"digital_signature", "content_commitment"})
_SIGNING_AND_DECRYPTION: Final = _SIGNING | {"key_encipherment"}
_ISSUING: Final = frozenset({"key_cert_sign", "crl_sign"})
_USAGES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class SigningIdentity:
    """A certificate with its private key."""

    certificate: x509.Certificate
    private_key: PrivateKey = field(repr=False)

    @classmethod
    def load(cls, folder: Path, stem: str) -> "SigningIdentity":
        """Loads `stem`.pem and `stem`.key.pem. Raises TypeError for a key of another kind."""
        certificate = x509.load_pem_x509_certificate((folder / f"{stem}.pem").read_bytes())
        key = load_pem_private_key((folder / f"{stem}.key.pem").read_bytes(), None)
        if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise TypeError(f"{stem}.key.pem holds no RSA or EC key")
        return cls(certificate, key)


@dataclass(frozen=True, slots=True)
class CertifierPki:
    """Paths of the PKI. The relay's settings use `root`, `crl`, `relay` with its key, and `responder`."""

    folder: Path

    @property
    def root(self) -> Path:
        """The CA that signed the customers' certificates."""
        return self.folder / "customers-ca.pem"

    @property
    def crl(self) -> Path:
        """The CA's empty revocation list, PEM."""
        return self.folder / "customers-crl.pem"

    @property
    def relay(self) -> Path:
        """The relay's certificate at the UCPID service."""
        return self.folder / "ucpid-relay.pem"

    @property
    def relay_key(self) -> Path:
        """The private key of `relay`."""
        return self.folder / "ucpid-relay.key.pem"

    @property
    def responder(self) -> Path:
        """The certificate with which the UCPID service signs its responses."""
        return self.folder / "ucpid-responder.pem"

    def identity(self, stem: str) -> SigningIdentity:
        """Loads an identity: `ucpid-relay`, `ucpid-responder`, or `customer-N`."""
        return SigningIdentity.load(self.folder, stem)

    def customer(self, customer: Customer) -> SigningIdentity:
        """Loads the certificate with which a simulated customer signs (공동인증서)."""
        return self.identity(f"customer-{customer.number}")


def make_certifier_pki(folder: Path, now: datetime) -> CertifierPki:
    """Writes the PKI into `folder` (created when missing), valid for a year from `now` (with a time zone)."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    pki = CertifierPki(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    root = issue(_build_name("Simulated Customers CA"), key, None, _ISSUING, now)
    ca = SigningIdentity(root, key)
    _write(folder, "customers-ca", ca)
    crl = x509.CertificateRevocationListBuilder(root.subject, now - _DAY, now + _DAYS * _DAY).sign(key, hashes.SHA256())
    pki.crl.write_bytes(crl.public_bytes(Encoding.PEM))
    _write(folder, "ucpid-relay", _make_identity(ca, "Simulated Relay", _SIGNING_AND_DECRYPTION, now))
    _write(folder, "ucpid-responder", _make_identity(ca, "Simulated UCPID Service", _SIGNING, now))
    for customer in CUSTOMERS:
        _write(
            folder,
            f"customer-{customer.number}",
            _make_identity(ca, f"{customer.name}()00{customer.number}", _SIGNING, now),
        )
    return pki


def issue(
    subject: x509.Name, key: PrivateKey, issuer: SigningIdentity | None, usage: frozenset[str], now: datetime
) -> x509.Certificate:
    """Returns a certificate for `key`, self-signed without `issuer`. It is a CA with `key_cert_sign`."""
    issuer_name, signing_key = (issuer.certificate.subject, issuer.private_key) if issuer else (subject, key)
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer_name, public_key=key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - _DAY).not_valid_after(now + _DAYS * _DAY)
    if "key_cert_sign" in usage:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    usages = x509.KeyUsage(**{name: name in usage for name in _USAGES})
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key())
    policies = x509.CertificatePolicies([x509.PolicyInformation(_POLICY, None)])
    for extension, critical in ((usages, True), (authority, False), (policies, False)):
        builder = builder.add_extension(extension, critical=critical)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return builder.sign(signing_key, hashes.SHA256())


def _make_identity(ca: SigningIdentity, common_name: str, usage: frozenset[str], now: datetime) -> SigningIdentity:
    key = rsa.generate_private_key(65537, _RSA_BITS)
    return SigningIdentity(issue(_build_name(common_name), key, ca, usage, now), key)


def _build_name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "KR"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "personal"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _write(folder: Path, stem: str, identity: SigningIdentity) -> None:
    (folder / f"{stem}.pem").write_bytes(identity.certificate.public_bytes(Encoding.PEM))
    secret = identity.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_secret(folder / f"{stem}.key.pem", secret)
