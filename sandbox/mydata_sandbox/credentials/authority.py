"""A certificate authority for development: issues certificates for loopback that look like EV certificates.

The standard compares their SERIALNUMBER (OID 2.5.4.5), which carries a business registration number, on every call
(규격 3.1). Nothing here is for production.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mydata_sandbox.credentials.secret_files import write_secret

DAYS: Final = 365
_EV_POLICY: Final = x509.ObjectIdentifier("2.23.140.1.1")
_DAY: Final = timedelta(days=1)
LOOPBACK_NAMES: Final = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.IPv4Address("127.0.0.1")),
    x509.IPAddress(ipaddress.IPv6Address("::1")),
)
"""Names and addresses of a certificate unless others are given."""


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """A certificate on disk with its private key; `serial_number` is the subject's, None without one."""

    certificate: Path
    private_key: Path
    serial_number: str | None


class CertificateAuthority:
    """A simulated CA that issues certificates for loopback. Its key is stored beside its certificate."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, folder: Path, stem: str) -> None:
        self._certificate = certificate
        self._key = key
        self.folder = folder
        self.certificate = folder / f"{stem}.pem"
        self.private_key = folder / f"{stem}.key.pem"

    @classmethod
    def make(cls, folder: Path, stem: str, name: str, now: datetime) -> Self:
        """Creates the CA `name` and writes it into `folder` as `stem`.pem and `stem`.key.pem."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "KR"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, name),
                x509.NameAttribute(NameOID.COMMON_NAME, name),
            ]
        )
        builder = _builder(subject, subject, key.public_key(), now - DAYS * _DAY, now + 10 * DAYS * _DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(ca=True), critical=True)
        authority = cls(builder.sign(key, hashes.SHA256()), key, folder, stem)
        authority.certificate.write_bytes(authority._certificate.public_bytes(Encoding.PEM))
        write_secret(authority.private_key, _private_pem(key))
        return authority

    @classmethod
    def load(cls, folder: Path, stem: str = "ca") -> Self:
        """Loads a CA from its files, so that it can issue more certificates."""
        certificate = x509.load_pem_x509_certificate((folder / f"{stem}.pem").read_bytes())
        key = load_pem_private_key((folder / f"{stem}.key.pem").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{stem}.key.pem holds no EC key")
        return cls(certificate, key, folder, stem)

    def issue(  # noqa: PLR0913 - each is a property of the certificate, and all but the name have defaults
        self,
        name: str,
        *,
        serial_number: str | None,
        stem: str = "",
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        server: bool = True,
        client: bool = True,
        folder: Path | None = None,
        addresses: Sequence[x509.GeneralName] = LOOPBACK_NAMES,
    ) -> CertificateFiles:
        """Issues a certificate for `name` and writes it as `stem`.pem and `stem`.key.pem (default: the name).

        Without `serial_number` the subject has none. The times default to yesterday and a year from now.
        """
        now = datetime.now(UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        begin, end = not_before or now - _DAY, not_after or now + DAYS * _DAY
        builder = _builder(_subject(name, serial_number), self._certificate.subject, key.public_key(), begin, end)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(ca=False), critical=True)
        builder = builder.add_extension(_purposes(server=server, client=client), critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
        )
        policies = x509.CertificatePolicies([x509.PolicyInformation(_EV_POLICY, None)])
        signed = builder.add_extension(policies, critical=False).sign(self._key, hashes.SHA256())
        target = folder or self.folder
        pair = CertificateFiles(target / f"{stem or name}.pem", target / f"{stem or name}.key.pem", serial_number)
        pair.certificate.write_bytes(signed.public_bytes(Encoding.PEM))
        write_secret(pair.private_key, _private_pem(key))
        return pair


def _subject(name: str, serial_number: str | None) -> x509.Name:
    attributes = [
        x509.NameAttribute(NameOID.JURISDICTION_COUNTRY_NAME, "KR"),
        x509.NameAttribute(NameOID.BUSINESS_CATEGORY, "Private Organization"),
        x509.NameAttribute(NameOID.COUNTRY_NAME, "KR"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, name),
        x509.NameAttribute(NameOID.COMMON_NAME, name),
    ]
    if serial_number is not None:
        attributes.insert(0, x509.NameAttribute(NameOID.SERIAL_NUMBER, serial_number))
    return x509.Name(attributes)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key)
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _purposes(*, server: bool, client: bool) -> x509.ExtendedKeyUsage:
    usages = ((server, ExtendedKeyUsageOID.SERVER_AUTH), (client, ExtendedKeyUsageOID.CLIENT_AUTH))
    return x509.ExtendedKeyUsage([oid for is_enabled, oid in usages if is_enabled])


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
