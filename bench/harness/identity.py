"""Temporary keys, certificates and tokens of one benchmark session."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from harness.layout import CLIENT_ID, KID, OPERATOR, RELAY, SERIAL, SMALL
from relay.infra.tokens.key_folder import TokenKey, write_key_set

TOKENS: Final = 64
"""Distinct tokens in the load: too many for a cache of one, few enough for a short warm-up."""

PEM: Final = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True)
class Identity:
    """Files of this session, the key that signs tokens, and another one that does not."""

    folder: Path
    signing: rsa.RSAPrivateKey
    unknown_key: rsa.RSAPrivateKey

    def path(self, name: str) -> str:
        """Returns the path of a file."""
        return str(self.folder / name)

    def token(self, key: rsa.RSAPrivateKey | None = None, **changed: Any) -> str:
        """Returns an access token as the relay issues it, with changed claims."""
        return jwt.encode(_claims() | changed, key or self.signing, algorithm="RS256", headers={"kid": KID})

    def claims(self, org_code: str) -> list[dict[str, Any]]:
        """Returns the claims of `tokens` for the ledger; for the first institution also those of `token`."""
        jtis = [f"bench-{org_code}-{number}" for number in range(TOKENS)]
        if org_code == SMALL:
            jtis += ["bench-0", "check"]
        return [_claims() | {"jti": jti, "org_code": org_code} for jti in jtis]

    def tokens(self, org_code: str) -> list[str]:
        """Returns distinct valid tokens for one institution."""
        return [self.token(jti=f"bench-{org_code}-{number}", org_code=org_code) for number in range(TOKENS)]


def _claims() -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": RELAY,
        "aud": OPERATOR,
        "exp": now + 86400,
        "iat": now - 60,
        "jti": "bench-0",
        "scope": "bank.list bank.deposit",
        "org_code": SMALL,
        "client_id": CLIENT_ID,
    }


def _private(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _name(common: str, serial: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COUNTRY_NAME, "KR"), x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if serial:
        parts.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, serial))
    return x509.Name(parts)


def _certificate(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    ca_key: ec.EllipticCurvePrivateKey,
    usage: x509.ObjectIdentifier | None,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=usage is None, path_length=None), critical=True)
    )
    if usage is not None:
        names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))])
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        builder = builder.add_extension(names, critical=False)
    return builder.sign(ca_key, hashes.SHA256())


def serial_of(number: int) -> str:
    """Returns the SERIALNUMBER of a further operator."""
    return f"{2_000_000_000 + number}"


def make_identity(folder: Path, operators: int = 0) -> Identity:
    """Writes CA, server and operator certificates (P-256) and the RS256 key of tokens as PEM files into the folder.

    `operators` further ones get `operator.NUMBER.pem` and `operator.NUMBER.key`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("bench CA")
    (folder / "ca.pem").write_bytes(_certificate(ca_name, ca_key, ca_name, ca_key, None).public_bytes(PEM))
    further = [(f"operator.{number}", _name("operator", serial_of(number))) for number in range(operators)]
    for name, subject, usage in (
        ("server", _name("localhost"), ExtendedKeyUsageOID.SERVER_AUTH),
        ("operator", _name("operator", SERIAL), ExtendedKeyUsageOID.CLIENT_AUTH),
        *((name, subject, ExtendedKeyUsageOID.CLIENT_AUTH) for name, subject in further),
    ):
        key = ec.generate_private_key(ec.SECP256R1())
        public = _certificate(subject, key, ca_name, ca_key, usage).public_bytes(PEM)
        (folder / f"{name}.pem").write_bytes(public)
        (folder / f"{name}.key").write_bytes(_private(key))
        (folder / f"{name}.both.pem").write_bytes(public + _private(key))
        for secret in (f"{name}.key", f"{name}.both.pem"):
            (folder / secret).chmod(0o600)
    signing, unknown_key = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    public = signing.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (folder / "tokens.pub.pem").write_bytes(public)
    (folder / "token-keys").mkdir(exist_ok=True)
    write_key_set(folder / "token-keys", [TokenKey(KID, "RS256", signing.public_key(), None)])
    return Identity(folder, signing, unknown_key)
