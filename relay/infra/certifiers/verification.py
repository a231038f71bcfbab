"""Verifies signed consents at their certifiers, for the authority (통합인증-002)."""

import asyncio
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import aiohttp
from cryptography import x509

from relay.domain.authorization.digest import digest_text
from relay.domain.authorization.signed_consent import CertificateSigned, Defect, HashSigned, NotVerified, SignedConsent
from relay.domain.queue_full import QueueFull
from relay.infra.certifiers.chains import TrustStore
from relay.infra.certifiers.examination import examine
from relay.infra.certifiers.identity_client import IdentityClient
from relay.infra.certifiers.identity_message import RelayIdentity
from relay.infra.certifiers.rest import ApiClient
from relay.infra.certifiers.revocation import Revocations
from relay.infra.certifiers.signature_client import SignatureClient
from relay.infra.certifiers.token_source import TokenSource
from relay.infra.diagnostics.causes import classify_error
from relay.infra.diagnostics.outages import OutageLogs
from relay.infra.dns.connector import create_tcp_connector
from relay.infra.fair_semaphore import FairSemaphore, FairThreadPool
from relay.infra.user_agent import HEADERS
from relay.policy.settings.authority import CertifierSettings

MAX_REQUESTS: Final = 32
"""Maximum number of concurrent requests to one certifier."""

MAX_REQUESTS_PER_CUSTOMER: Final = 8
"""Maximum number of them for one customer."""


@dataclass(frozen=True, slots=True)
class IdentityCredentials:
    """Files of an identity certifier, loaded: its roots and CRLs, and the relay's identity there."""

    roots: tuple[x509.Certificate, ...]
    crls: tuple[x509.CertificateRevocationList, ...]
    relay_identity: RelayIdentity


@dataclass(frozen=True, slots=True)
class SignatureCredentials:
    """Secret and TLS context for an e-signature provider. `context` is None for a leased line (http://)."""

    client_secret: str = field(repr=False)
    context: ssl.SSLContext | None


CertifierCredentials = IdentityCredentials | SignatureCredentials


@dataclass(frozen=True, slots=True)
class _CertificateVerification:
    trust: TrustStore
    client: IdentityClient

    async def verify(self, signed: SignedConsent, customer: bytes, verifiers: FairThreadPool, now: int) -> bytes:
        if not isinstance(signed, CertificateSigned):
            raise NotVerified(Defect.MALFORMED, "auth_type")
        examined = await verifiers.run(customer, partial(examine, signed, self.trust, now))
        await self.client.confirm(signed, examined, customer, verifiers, now)
        return examined.text


@dataclass(frozen=True, slots=True)
class _ProviderVerification:
    client: SignatureClient

    async def verify(self, signed: SignedConsent, customer: bytes, _verifiers: FairThreadPool, _now: int) -> bytes:
        if not isinstance(signed, HashSigned):
            raise NotVerified(Defect.MALFORMED, "auth_type")
        await self.client.verify(signed, customer)
        return signed.consent.encode()


CompiledCertifiers = Mapping[str, _CertificateVerification | _ProviderVerification]
"""How to verify the consents of each certifier, by ca_code."""

_OUTAGES: Final = frozenset({Defect.REVOCATION_UNKNOWN, Defect.BUSY, Defect.CERTIFIER_SILENT, Defect.CERTIFIER_BROKEN})
"""Defects that are not the consent's: no consent of this certifier can be verified at present."""


class ConsentVerifier:
    """Verifies signed consents at their certifiers. Belongs to one event loop; see `open_consent_verifier`."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        relay: str,
        verifiers: FairThreadPool,
        random: Callable[[int], bytes],
        clock: Callable[[], float],
    ) -> None:
        self._session = session
        self._relay = relay
        self._verifiers = verifiers
        self._random = random
        self._clock = clock
        self._tasks: set[asyncio.Task[Any]] = set()
        self._outages = OutageLogs(clock)
        self._verifications: CompiledCertifiers = {}

    async def verify(self, signed: SignedConsent, ca_code: str, now: int) -> bytes:
        """Returns the consent (전송요구내역, JSON in UTF-8) that the customer of `signed.ci` signed.

        `now` is in epoch seconds. Raises NotVerified.
        """
        verification = self._verifications.get(ca_code)
        if verification is None:
            raise NotVerified(Defect.CHAIN, "ca_code")
        customer = digest_text(signed.ci)
        subject = f"certifier: ca_code={ca_code}"
        try:
            consent = await verification.verify(signed, customer, self._verifiers, now)
        except QueueFull:
            self._outages.record_failure(subject, f"{Defect.BUSY} detail=-")
            raise NotVerified(Defect.BUSY) from None
        except NotVerified as error:
            if error.reason in _OUTAGES:
                cause = classify_error(error) if error.__cause__ else error.reason
                self._outages.record_failure(subject, f"{cause} detail={error.detail or '-'}")
            raise
        self._outages.record_success(subject)
        return consent

    def compile_certifiers(
        self, certifiers: Iterable[tuple[CertifierSettings, CertifierCredentials]]
    ) -> CompiledCertifiers:
        """Returns the certifiers for `replace_certifiers`. Changes nothing and is safe on a thread."""
        return {
            certifier.ca_code: self._build_verification(certifier, credentials) for certifier, credentials in certifiers
        }

    def replace_certifiers(self, certifiers: CompiledCertifiers) -> None:
        """Replaces the certifiers, for new settings or files; running verifications keep theirs."""
        self._verifications = certifiers

    async def close(self) -> None:
        """Cancels running token requests."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _build_verification(
        self, certifier: CertifierSettings, credentials: CertifierCredentials
    ) -> _CertificateVerification | _ProviderVerification:
        turns = FairSemaphore(MAX_REQUESTS, MAX_REQUESTS_PER_CUSTOMER)
        if isinstance(credentials, IdentityCredentials) and certifier.identity is not None:
            trust = TrustStore(credentials.roots, Revocations(credentials.crls))
            client = IdentityClient(
                certifier.identity, credentials.relay_identity, certifier.timeout_s, turns, self._random
            )
            return _CertificateVerification(trust, client)
        if isinstance(credentials, SignatureCredentials) and certifier.signature is not None:
            endpoint, context, timeout_s = certifier.signature, credentials.context, certifier.timeout_s
            api = ApiClient(self._session, endpoint.base_url, context, timeout_s, self._relay, self._random)
            tokens = TokenSource(api, endpoint.client_id, credentials.client_secret, self._clock, self._tasks)
            return _ProviderVerification(SignatureClient(api, tokens, timeout_s, turns))
        raise TypeError("the credentials are for another kind of certifier")


@asynccontextmanager
async def open_consent_verifier(
    certifiers: Iterable[tuple[CertifierSettings, CertifierCredentials]],
    relay: str,
    threads: int,
    *,
    random: Callable[[int], bytes] = secrets.token_bytes,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[ConsentVerifier]:
    """Opens the verification for the block. `relay` is our org_code, `threads` check signatures (`verifiers`)."""
    verifiers = FairThreadPool(threads, FairSemaphore(threads, max(1, threads // 2)), "verifier")
    session = aiohttp.ClientSession(
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        connector=create_tcp_connector(limit=0, limit_per_host=MAX_REQUESTS),
        headers=HEADERS,
    )
    verification = ConsentVerifier(session, relay, verifiers, random, clock)
    try:
        verification.replace_certifiers(verification.compile_certifiers(certifiers))
        yield verification
    finally:
        await verification.close()
        await session.close()
        verifiers.close()
