"""Certificate chains from a signer to a certifier's roots, built by cryptography (RFC 5280 6)."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from relay.domain.authorization.signed_consent import Defect, NotVerified
from relay.infra.certifiers.revocation import Revocations
from relay.infra.certifiers.signed_data import is_strong_key
from relay.infra.certifiers.strict_der import reject_malformed

MAX_DEPTH: Final = 3
"""Maximum number of CAs between signer and root; the accredited CAs have one."""

_PURPOSES: Final = frozenset(
    {
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.EMAIL_PROTECTION,
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
        x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36"),  # documentSigning, RFC 9336
    }
)
"""A signer's certificate that names purposes must name one of these; those of the accredited CAs name none."""


class TrustStore:
    """Roots and CRLs of a certifier. Each given root is a trust anchor, even if another CA signed it."""

    def __init__(self, roots: Sequence[x509.Certificate], revocations: Revocations) -> None:
        self._store = Store(list(roots))
        self._revocations = revocations

    def check(self, signer: x509.Certificate, others: Sequence[x509.Certificate], now: datetime, detail: str) -> None:
        """Checks that `signer` may sign, chains to a root at `now` (timezone-aware), and is not revoked.

        Raises NotVerified with `detail`: CERTIFICATE_EXPIRED, CHAIN, CERTIFICATE_REVOKED, REVOCATION_UNKNOWN or
        MALFORMED.
        """
        with reject_malformed(detail):
            self._check(signer, others, now, detail)

    def _check(self, signer: x509.Certificate, others: Sequence[x509.Certificate], now: datetime, detail: str) -> None:
        if not signer.not_valid_before_utc <= now <= signer.not_valid_after_utc:
            raise NotVerified(Defect.CERTIFICATE_EXPIRED, detail)
        builder = PolicyBuilder().store(self._store).time(now).max_chain_depth(MAX_DEPTH)
        verifier = builder.extension_policies(ca_policy=_ISSUER, ee_policy=_SIGNER).build_client_verifier()
        try:
            chain = verifier.verify(signer, list(others)).chain
        except VerificationError:
            raise NotVerified(Defect.CHAIN, detail) from None
        if not all(is_strong_key(certificate.public_key()) for certificate in chain):
            raise NotVerified(Defect.CHAIN, detail)
        self._revocations.check(pairwise(chain), now, detail)


def _require_cert_sign(_policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage) -> None:
    if not usage.key_cert_sign:
        raise ValueError("may not sign certificates")


def _require_signature_usage(_policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage) -> None:
    if not (usage.digital_signature or usage.content_commitment):
        raise ValueError("may not sign")


def _reject_ca(_policy: Policy, _certificate: x509.Certificate, basic: x509.BasicConstraints | None) -> None:
    if basic is not None and basic.ca:
        raise ValueError("is a CA")


def _require_signing_purpose(
    _policy: Policy, _certificate: x509.Certificate, purposes: x509.ExtendedKeyUsage | None
) -> None:
    if purposes is not None and _PURPOSES.isdisjoint(purposes):
        raise ValueError("has no signing purpose")


_AGNOSTIC: Final = Criticality.AGNOSTIC
_ISSUER: Final = (
    ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, _AGNOSTIC, None)  # the verifier checks cA and pathLenConstraint itself
    .require_present(x509.KeyUsage, _AGNOSTIC, _require_cert_sign)
    .may_be_present(x509.CertificatePolicies, _AGNOSTIC, None)
)
_SIGNER: Final = (
    ExtensionPolicy.permit_all()
    .may_be_present(x509.BasicConstraints, _AGNOSTIC, _reject_ca)
    .require_present(x509.KeyUsage, _AGNOSTIC, _require_signature_usage)
    .may_be_present(x509.ExtendedKeyUsage, _AGNOSTIC, _require_signing_purpose)
    .may_be_present(x509.CertificatePolicies, _AGNOSTIC, None)
)
