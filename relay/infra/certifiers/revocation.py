"""Which certificates were taken back: the CRLs of a certifier, believed only while they are fresh (RFC 5280 5, 6.3)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from relay.domain.authorization.proof import Doubt, Unproven
from relay.infra.certifiers.signed_data import strong

_HASHES: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_UNDERSTOOD: Final = x509.IssuingDistributionPoint.oid


class RevocationList:
    """One CRL, its serial numbers indexed once; the CRLs of the accredited CAs hold many thousands."""

    def __init__(self, crl: x509.CertificateRevocationList) -> None:
        self._crl = crl
        self._revoked = frozenset(entry.serial_number for entry in crl)
        self._vouched: set[bytes] = set()
        self._scope = _scope(crl)
        self._plain = all(not extension.critical or extension.oid == _UNDERSTOOD for extension in crl.extensions)

    def covers(self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> bool:
        """Whether this list, now, tells for `certificate` whether `issuer` took it back."""
        return (
            self._crl.issuer == issuer.subject
            and self._plain
            and self._fresh(now)
            and _in_scope(self._scope, certificate)
            and self._signed_by(issuer)
        )

    def names(self, certificate: x509.Certificate) -> bool:
        """Whether the certificate was taken back, or is on hold."""
        return certificate.serial_number in self._revoked

    def _fresh(self, now: datetime) -> bool:
        end = self._crl.next_update_utc
        return self._crl.last_update_utc <= now and end is not None and now < end

    def _signed_by(self, issuer: x509.Certificate) -> bool:
        seen = issuer.fingerprint(hashes.SHA256())
        if seen not in self._vouched and _signature_fits(self._crl, issuer):
            self._vouched.add(seen)
        return seen in self._vouched


class Revocations:
    """The CRLs of one certifier. Without any, nothing is looked up: the certifier judges as it confirms."""

    def __init__(self, crls: Iterable[x509.CertificateRevocationList]) -> None:
        self._lists = tuple(map(RevocationList, crls))

    def check(self, chain: Iterable[tuple[x509.Certificate, x509.Certificate]], now: datetime, what: str) -> None:
        """No certificate of the chain, each with its issuer, was taken back.

        Raises Unproven with `what`: CERTIFICATE_REVOKED, or REVOCATION_UNKNOWN when no fresh list of the issuer covers
        one: an old list is no list, or holding back the newest would keep revoked certificates alive.
        """
        if not self._lists:
            return
        for certificate, issuer in chain:
            covering = [each for each in self._lists if each.covers(certificate, issuer, now)]
            if any(each.names(certificate) for each in covering):
                raise Unproven(Doubt.CERTIFICATE_REVOKED, what)
            if not covering:
                raise Unproven(Doubt.REVOCATION_UNKNOWN, what)


def _signature_fits(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    key = issuer.public_key()
    if not strong(key) or not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        return False
    try:
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
        return isinstance(crl.signature_hash_algorithm, _HASHES) and usage.crl_sign and crl.is_signature_valid(key)
    except (x509.ExtensionNotFound, InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False


def _scope(crl: x509.CertificateRevocationList) -> x509.IssuingDistributionPoint | None:
    try:
        return crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    except x509.ExtensionNotFound:
        return None


def _in_scope(scope: x509.IssuingDistributionPoint | None, certificate: x509.Certificate) -> bool:
    """The accredited CAs cut their CRLs into parts; a part covers those that point at it (RFC 5280 5.2.5)."""
    if scope is None:
        return True
    if scope.indirect_crl or scope.only_some_reasons or scope.only_contains_attribute_certs or scope.relative_name:
        return False
    if scope.only_contains_user_certs if _is_ca(certificate) else scope.only_contains_ca_certs:
        return False
    return scope.full_name is None or not _points(certificate).isdisjoint(scope.full_name)


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _points(certificate: x509.Certificate) -> frozenset[x509.GeneralName]:
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(name for point in points for name in point.full_name or ())
