"""Who vouches for a signer: the chain to a certifier's roots, by cryptography's path builder (RFC 5280 6)."""

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

from relay.domain.authorization.proof import Doubt, Unproven
from relay.infra.certifiers.revocation import Revocations
from relay.infra.certifiers.signed_data import strong
from relay.infra.certifiers.strict_der import foreign

DEPTH_MOST: Final = 3
"""CAs between signer and root at most; the accredited CAs have one."""

_PURPOSES: Final = frozenset(
    {
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.EMAIL_PROTECTION,
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
        x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36"),  # documentSigning, RFC 9336
    }
)
"""One of these when a signer's certificate names purposes at all; those of the accredited CAs name none."""


class Trust:
    """A certifier's roots and CRLs. Every certificate given as root is an anchor, also one that another CA signed."""

    def __init__(self, roots: Sequence[x509.Certificate], revocations: Revocations) -> None:
        self._store = Store(list(roots))
        self._revocations = revocations

    def check(self, signer: x509.Certificate, others: Sequence[x509.Certificate], now: datetime, what: str) -> None:
        """`signer` may sign, is vouched for at `now` (with a time zone), and was not taken back.

        Raises Unproven with `what`: CERTIFICATE_EXPIRED, CHAIN, CERTIFICATE_REVOKED, REVOCATION_UNKNOWN, MALFORMED.
        """
        with foreign(what):
            self._check(signer, others, now, what)

    def _check(self, signer: x509.Certificate, others: Sequence[x509.Certificate], now: datetime, what: str) -> None:
        if not signer.not_valid_before_utc <= now <= signer.not_valid_after_utc:
            raise Unproven(Doubt.CERTIFICATE_EXPIRED, what)
        builder = PolicyBuilder().store(self._store).time(now).max_chain_depth(DEPTH_MOST)
        verifier = builder.extension_policies(ca_policy=_ISSUER, ee_policy=_SIGNER).build_client_verifier()
        try:
            chain = verifier.verify(signer, list(others)).chain
        except VerificationError:
            raise Unproven(Doubt.CHAIN, what) from None
        if not all(strong(certificate.public_key()) for certificate in chain):
            raise Unproven(Doubt.CHAIN, what)
        self._revocations.check(pairwise(chain), now, what)


def _may_issue(_policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage) -> None:
    if not usage.key_cert_sign:
        raise ValueError("may sign no certificates")


def _may_sign(_policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage) -> None:
    if not (usage.digital_signature or usage.content_commitment):
        raise ValueError("may sign nothing")


def _no_ca(_policy: Policy, _certificate: x509.Certificate, basic: x509.BasicConstraints | None) -> None:
    if basic is not None and basic.ca:
        raise ValueError("a CA signs no consent")


def _for_signing(_policy: Policy, _certificate: x509.Certificate, purposes: x509.ExtendedKeyUsage | None) -> None:
    if purposes is not None and _PURPOSES.isdisjoint(purposes):
        raise ValueError("made for something else")


_AGNOSTIC: Final = Criticality.AGNOSTIC
_ISSUER: Final = (
    ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, _AGNOSTIC, None)  # the verifier itself looks at cA and pathLenConstraint
    .require_present(x509.KeyUsage, _AGNOSTIC, _may_issue)
    .may_be_present(x509.CertificatePolicies, _AGNOSTIC, None)
)
_SIGNER: Final = (
    ExtensionPolicy.permit_all()
    .may_be_present(x509.BasicConstraints, _AGNOSTIC, _no_ca)
    .require_present(x509.KeyUsage, _AGNOSTIC, _may_sign)
    .may_be_present(x509.ExtendedKeyUsage, _AGNOSTIC, _for_signing)
    .may_be_present(x509.CertificatePolicies, _AGNOSTIC, None)
)
