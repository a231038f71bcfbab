"""Revocation by the CRLs of a certifier, which count only while they are current (RFC 5280 5, 6.3)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from relay.domain.authorization.signed_consent import Defect, NotVerified
from relay.infra.certifiers.signed_data import is_strong_key

_HASHES: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_SUPPORTED: Final = x509.IssuingDistributionPoint.oid


class RevocationList:
    """One CRL with its serial numbers indexed; the CRLs of the accredited CAs hold many thousands."""

    def __init__(self, crl: x509.CertificateRevocationList) -> None:
        self._crl = crl
        self._revoked = frozenset(entry.serial_number for entry in crl)
        self._verified_issuers: set[bytes] = set()
        self._scope = _get_scope(crl)
        self._is_supported = all(not extension.critical or extension.oid == _SUPPORTED for extension in crl.extensions)

    def covers(self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> bool:
        """Returns whether this list is current and states the revocation of `certificate` by `issuer`."""
        return (
            self._crl.issuer == issuer.subject
            and self._is_supported
            and self._is_current(now)
            and _is_in_scope(self._scope, certificate)
            and self._is_signed_by(issuer)
        )

    def is_revoked(self, certificate: x509.Certificate) -> bool:
        """Returns whether the certificate is revoked or on hold."""
        return certificate.serial_number in self._revoked

    def _is_current(self, now: datetime) -> bool:
        end = self._crl.next_update_utc
        return self._crl.last_update_utc <= now and end is not None and now < end

    def _is_signed_by(self, issuer: x509.Certificate) -> bool:
        fingerprint = issuer.fingerprint(hashes.SHA256())
        if fingerprint not in self._verified_issuers and _has_valid_signature(self._crl, issuer):
            self._verified_issuers.add(fingerprint)
        return fingerprint in self._verified_issuers


class Revocations:
    """The CRLs of one certifier. Without CRLs nothing is checked: the certifier does it when it confirms."""

    def __init__(self, crls: Iterable[x509.CertificateRevocationList]) -> None:
        self._lists = tuple(map(RevocationList, crls))

    def check(self, chain: Iterable[tuple[x509.Certificate, x509.Certificate]], now: datetime, detail: str) -> None:
        """Checks that no certificate of the chain (pairs of certificate and issuer) is revoked.

        Raises NotVerified with `detail`: CERTIFICATE_REVOKED, or REVOCATION_UNKNOWN if no current list of the issuer
        covers one. An outdated list does not count: otherwise withholding the newest would hide revocations.
        """
        if not self._lists:
            return
        for certificate, issuer in chain:
            covering = [crl for crl in self._lists if crl.covers(certificate, issuer, now)]
            if any(crl.is_revoked(certificate) for crl in covering):
                raise NotVerified(Defect.CERTIFICATE_REVOKED, detail)
            if not covering:
                raise NotVerified(Defect.REVOCATION_UNKNOWN, detail)


def _has_valid_signature(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    key = issuer.public_key()
    if not is_strong_key(key) or not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        return False
    try:
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
        return isinstance(crl.signature_hash_algorithm, _HASHES) and usage.crl_sign and crl.is_signature_valid(key)
    except (x509.ExtensionNotFound, InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False


def _get_scope(crl: x509.CertificateRevocationList) -> x509.IssuingDistributionPoint | None:
    try:
        return crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    except x509.ExtensionNotFound:
        return None


def _is_in_scope(scope: x509.IssuingDistributionPoint | None, certificate: x509.Certificate) -> bool:
    """Returns whether a partitioned CRL of an accredited CA covers a certificate (RFC 5280 5.2.5)."""
    if scope is None:
        return True
    if scope.indirect_crl or scope.only_some_reasons or scope.only_contains_attribute_certs or scope.relative_name:
        return False
    if scope.only_contains_user_certs if _is_ca(certificate) else scope.only_contains_ca_certs:
        return False
    return scope.full_name is None or not _distribution_points(certificate).isdisjoint(scope.full_name)


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _distribution_points(certificate: x509.Certificate) -> frozenset[x509.GeneralName]:
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(name for point in points for name in point.full_name or ())
