"""Certificates and token keys of the sandbox: fictitious parties of a development CA, and invalid certificates."""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509

from mydata_sandbox.credentials.authority import DAYS, LOOPBACK_NAMES, CertificateAuthority, CertificateFiles
from mydata_sandbox.credentials.token_keys import TokenKeyPair, load_token_keys, make_token_keys
from relay.domain.ids import INDUSTRIES

RELAY_SERIAL: Final = "999-81-00001"
OPERATOR_SERIALS: Final = ("999-81-01001", "999-81-01002")
UNREGISTERED_SERIAL: Final = "999-81-09999"
TOKEN_KEYS: Final = "token-keys"  # noqa: S105 - a folder
_FOREIGN_CA: Final = "foreign-ca"
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DevCertificates:
    """The files of `make_dev_certificates`. `token_keys` are by algorithm, `providers` by industry."""

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


@dataclass(frozen=True, slots=True)
class _Subject:
    """The subject of a certificate, its file's name, and whether it is for servers and clients."""

    stem: str
    name: str
    serial: str | None
    server: bool = True
    client: bool = True


def make_dev_certificates(
    directory: Path, now: datetime, *, days: int = DAYS, force: bool = False, hosts: Sequence[str] = ()
) -> DevCertificates:
    """Makes all certificates and token keys of the sandbox in `directory`, valid for `days` from `now`.

    They are valid on loopback, and at `hosts` (names or addresses).
    Raises FileExistsError when the folder already has PEM files and `force` is not set.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not force and any(directory.glob("*.pem")):
        raise FileExistsError(f"{directory} already holds certificates")
    trusted_ca = CertificateAuthority.make(directory, "ca", "Relay Development CA", now)
    foreign_ca = CertificateAuthority.make(directory, _FOREIGN_CA, "Foreign Development CA", now)
    names = (*LOOPBACK_NAMES, *map(_build_name, hosts))

    def issue(
        subject: _Subject, authority: CertificateAuthority = trusted_ca, first: int = -1, last: int = days
    ) -> None:
        authority.issue(
            subject.name,
            stem=subject.stem,
            serial_number=subject.serial,
            not_before=now + first * _DAY,
            not_after=now + last * _DAY,
            server=subject.server,
            client=subject.client,
            addresses=names,
        )

    for subject in _iter_subjects():
        issue(subject)
    # each invalid certificate has one defect
    issue(_operator("foreign", OPERATOR_SERIALS[0]), foreign_ca)
    issue(_operator("expired", OPERATOR_SERIALS[0]), first=-60, last=-30)
    issue(_operator("future", OPERATOR_SERIALS[0]), first=30, last=60)
    issue(_operator("serialless", None))
    issue(_operator("unregistered", UNREGISTERED_SERIAL))
    make_token_keys(directory / TOKEN_KEYS)
    return load_dev_certificates(directory)


def load_dev_certificates(directory: Path) -> DevCertificates:
    """Returns the files that `make_dev_certificates` wrote. Raises FileNotFoundError when there is no CA."""

    def find(stem: str, serial: str | None) -> CertificateFiles:
        return CertificateFiles(directory / f"{stem}.pem", directory / f"{stem}.key.pem", serial)

    by_stem = {subject.stem: find(subject.stem, subject.serial) for subject in _iter_subjects()}
    return DevCertificates(
        folder=directory,
        authority=CertificateAuthority.load(directory),
        foreign_authority=CertificateAuthority.load(directory, _FOREIGN_CA),
        relay=by_stem["relay"],
        operators=tuple(pair for stem, pair in by_stem.items() if stem.startswith("operator-")),
        providers={industry: by_stem[f"provider-{industry}"] for industry in INDUSTRIES},
        portal=by_stem["portal"],
        certifiers=tuple(pair for stem, pair in by_stem.items() if stem.startswith("certifier-")),
        foreign_operator=find("operator-foreign", OPERATOR_SERIALS[0]),
        expired_operator=find("operator-expired", OPERATOR_SERIALS[0]),
        future_operator=find("operator-future", OPERATOR_SERIALS[0]),
        serialless_operator=find("operator-serialless", None),
        unregistered_operator=find("operator-unregistered", UNREGISTERED_SERIAL),
        token_keys=load_token_keys(directory / TOKEN_KEYS),
    )


def _iter_subjects() -> Iterator[_Subject]:
    yield _Subject("relay", "Simulated Relay", RELAY_SERIAL)
    for number, serial in enumerate(OPERATOR_SERIALS, 1):
        yield _operator(str(number), serial)
    for number, industry in enumerate(INDUSTRIES, 1):
        yield _Subject(f"provider-{industry}", f"Simulated {industry} provider", f"999-81-02{number:03}", client=False)
    yield _Subject("portal", "Simulated Portal", "999-82-03001")
    for number in (1, 2):
        yield _Subject(f"certifier-{number}", f"Simulated Certifier {number}", f"999-81-0400{number}")


def _operator(suffix: str, serial: str | None) -> _Subject:
    return _Subject(f"operator-{suffix}", f"Simulated operator-{suffix}", serial, server=False)


def _build_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
