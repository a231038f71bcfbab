"""Certificates that end soon: warned about at a start, at a reload, every day, and by `relay check`."""

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509

from relay.runtime.settings.expired_certificates import Certificates, read_certificates
from relay.runtime.settings.file_references import ReferenceKind, find_references
from relay.runtime.settings.loading import LoadedSettings
from relay.runtime.settings.problems import SettingsProblem, format_path

WARNED_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class EndingCertificate:
    """A certificate of a file, its subject, and when it ends or has ended."""

    file: str
    kind: ReferenceKind
    name: str
    ends: datetime

    def count_days(self, now: datetime) -> int:
        """Returns the full days that are left, below zero once it has ended."""
        return (self.ends - now) // timedelta(days=1)


def find_ending(certificates: Certificates, now: datetime) -> Iterator[EndingCertificate]:
    """Yields each certificate that ends within `WARNED_DAYS` or has ended, chains and bundles included."""
    limit = now + timedelta(days=WARNED_DAYS)
    parsed: dict[bytes, list[tuple[str, datetime]]] = {}
    for (file, kind), content in certificates.items():
        if content not in parsed:
            parsed[content] = list(_parse(content))
        yield from (EndingCertificate(file, kind, name, ends) for name, ends in parsed[content] if ends < limit)


def find_ending_warnings(path: Path, loaded: LoadedSettings, now: datetime) -> Iterator[SettingsProblem]:
    """Yields a warning for each key whose file has a certificate that ends soon. Those that have ended are problems."""
    ending = [certificate for certificate in find_ending(read_certificates(loaded), now) if certificate.ends >= now]
    pairs = list(zip(loaded.provider_files, loaded.providers, strict=True))
    for reference in find_references(path.absolute(), loaded.settings, pairs):
        for certificate in ending:
            if (certificate.file, certificate.kind) == (reference.target, reference.kind):
                days = certificate.count_days(now)
                wrong = f"{certificate.name} ends {certificate.ends:%Y-%m-%d}, in {days} days"
                allowed = f"a certificate that is valid for more than {WARNED_DAYS} days"
                yield SettingsProblem(format_path(reference.file), reference.key, wrong, allowed)


def _parse(content: bytes) -> Iterator[tuple[str, datetime]]:
    """Yields subject and end of each certificate of a PEM file. Nothing if it cannot be read: the role reports it."""
    try:
        for certificate in x509.load_pem_x509_certificates(content):
            yield certificate.subject.rfc4514_string(), certificate.not_valid_after_utc
    except ValueError:  # OpenSSL accepts bundles that cryptography does not
        yield from _parse_bundle(content)


def _parse_bundle(content: bytes) -> Iterator[tuple[str, datetime]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=content.decode("ascii", "replace"))
    except (ssl.SSLError, ValueError):
        return
    for certificate in context.get_ca_certs():
        yield _format_name(certificate), _read_end(certificate)


def _format_name(certificate: Mapping[str, object]) -> str:
    return f"serial {certificate.get('serialNumber')}"


def _read_end(certificate: Mapping[str, object]) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
