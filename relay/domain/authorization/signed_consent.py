"""Signed consents before their verification, and the reasons why one fails it (규격 3.2.2, 통합인증-002)."""

from dataclasses import dataclass, field
from enum import StrEnum


class Defect(StrEnum):
    """A defect that a signed consent has, in the order of the checks.

    The last four are not the consent's: it cannot be verified at present.
    """

    MALFORMED = "malformed"
    SIGNERS_DIFFER = "signers_differ"
    NONCE_DIFFERS = "nonce_differs"
    CONSENT_DIFFERS = "consent_differs"
    SIGNATURE = "signature"
    SIGNING_TIME = "signing_time"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CHAIN = "chain"
    CERTIFICATE_REVOKED = "certificate_revoked"
    IDENTITY = "identity"
    REVOCATION_UNKNOWN = "revocation_unknown"
    BUSY = "busy"
    CERTIFIER_SILENT = "certifier_silent"
    CERTIFIER_BROKEN = "certifier_broken"


class NotVerified(Exception):
    """The consent is not verified. `detail` names the field concerned, never a value."""

    def __init__(self, reason: Defect, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class CertificateSigned:
    """auth_type 0: signed with the customer's own certificate (공동인증서), whose certifier confirms the identity.

    `consent` and `person_info_req` are CMS SignedData in DER (RFC 5652); the nonces are 16 bytes each; `ci` as in the
    form (base64).
    """

    tx_id: str
    ci: str = field(repr=False)
    consent: bytes = field(repr=False)
    person_info_req: bytes = field(repr=False)
    consent_nonce: bytes = field(repr=False)
    ucpid_nonce: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class HashSigned:
    """auth_type 1: the hash of `consent`, signed at an e-signature provider (사설인증서), which verifies it itself.

    `signature` is the form's `password`, unchanged; `cert_tx_id` is the provider's id of the signing.
    """

    tx_id: str
    ci: str = field(repr=False)
    signature: str = field(repr=False)
    consent: str = field(repr=False)
    cert_tx_id: str = field(repr=False)


SignedConsent = CertificateSigned | HashSigned
