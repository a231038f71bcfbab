"""Certificates and token keys of the sandbox: fictitious institutions, a development CA, and invalid certificates.

The subjects look like EV certificates because the standard compares their SERIALNUMBER (OID 2.5.4.5), which carries a
business registration number, on every call (규격 3.1). Nothing here is for production.
"""

import ipaddress
from collections.abc import Mapping, Sequence
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

from relay.domain.ids import INDUSTRIES
from relay.sandbox.secret_files import write_secret
from relay.sandbox.token_keys import TokenKeyPair, make_token_keys

DAYS: Final = 365
RELAY_SERIAL: Final = "999-81-00001"
OPERATOR_SERIALS: Final = ("999-81-01001", "999-81-01002")
UNREGISTERED_SERIAL: Final = "999-81-09999"
TOKEN_KEYS: Final = "token-keys"  # noqa: S105 - a folder
_EV_POLICY: Final = x509.ObjectIdentifier("2.23.140.1.1")
_DAY: Final = timedelta(days=1)
_LOOPBACK: Final = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.IPv4Address("127.0.0.1")),
    x509.IPAddress(ipaddress.IPv6Address("::1")),
)


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
        addresses: Sequence[x509.GeneralName] = _LOOPBACK,
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


@dataclass(frozen=True, slots=True)
class DevCertificates:
    """The files that `make_dev_certificates` wrote. `token_keys` are by algorithm, `providers` by industry."""

    folder: Path
    authority: CertificateAuthority
    foreign_authority: CertificateAuthority
    relay: CertificateFiles
    operators: tuple[CertificateFiles, ...]
    providers: Mapping[str, CertificateFiles]
    portal: CertificateFiles
    certifiers: tuple[CertificateFiles, ...]
    foreign_operator: CertificateFiles
    expired_operator: CertificateFiles
    future_operator: CertificateFiles
    serialless_operator: CertificateFiles
    unregistered_operator: CertificateFiles
    token_keys: Mapping[str, TokenKeyPair]

    @property
    def ca(self) -> Path:
        """The development CA's certificate."""
        return self.authority.certificate

    @property
    def foreign_ca(self) -> Path:
        """The certificate of a CA that is not trusted in the sandbox."""
        return self.foreign_authority.certificate


def make_dev_certificates(directory: Path, now: datetime, *, days: int = DAYS, force: bool = False) -> DevCertificates:
    """Make all certificates and token keys of the sandbox in `directory`, valid for `days` from `now`.

    Raises FileExistsError when the folder already has PEM files and `force` is not set.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not force and any(directory.glob("*.pem")):
        raise FileExistsError(f"{directory} already holds certificates")
    trusted_ca = CertificateAuthority.make(directory, "ca", "Relay Development CA", now)
    foreign_ca = CertificateAuthority.make(directory, "foreign-ca", "Foreign Development CA", now)
    begin, end = now - _DAY, now + days * _DAY

    def issue(
        stem: str, name: str, serial: str | None, *, server: bool = True, client: bool = True
    ) -> CertificateFiles:
        return trusted_ca.issue(
            name, stem=stem, serial_number=serial, not_before=begin, not_after=end, server=server, client=client
        )

    def issue_operator(  # each invalid certificate has one defect
        stem: str, authority: CertificateAuthority, serial: str | None, first: datetime = begin, last: datetime = end
    ) -> CertificateFiles:
        return authority.issue(
            f"Simulated {stem}", stem=stem, serial_number=serial, not_before=first, not_after=last, server=False
        )

    return DevCertificates(
        folder=directory,
        authority=trusted_ca,
        foreign_authority=foreign_ca,
        relay=issue("relay", "Simulated Relay", RELAY_SERIAL),
        operators=tuple(
            issue_operator(f"operator-{number}", trusted_ca, serial)
            for number, serial in enumerate(OPERATOR_SERIALS, 1)
        ),
        providers={
            industry: issue(
                f"provider-{industry}", f"Simulated {industry} provider", f"999-81-02{number:03}", client=False
            )
            for number, industry in enumerate(INDUSTRIES, 1)
        },
        portal=issue("portal", "Simulated Portal", "999-82-03001"),
        certifiers=tuple(
            issue(f"certifier-{number}", f"Simulated Certifier {number}", f"999-81-0400{number}") for number in (1, 2)
        ),
        foreign_operator=issue_operator("operator-foreign", foreign_ca, OPERATOR_SERIALS[0]),
        expired_operator=issue_operator(
            "operator-expired", trusted_ca, OPERATOR_SERIALS[0], now - 60 * _DAY, now - 30 * _DAY
        ),
        future_operator=issue_operator(
            "operator-future", trusted_ca, OPERATOR_SERIALS[0], now + 30 * _DAY, now + 60 * _DAY
        ),
        serialless_operator=issue_operator("operator-serialless", trusted_ca, None),
        unregistered_operator=issue_operator("operator-unregistered", trusted_ca, UNREGISTERED_SERIAL),
        token_keys=make_token_keys(directory / TOKEN_KEYS),
    )


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
