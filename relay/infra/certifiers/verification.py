"""Signed consents proven, by the way each certifier has (통합인증-002): the authority's `Proofs`."""

import asyncio
import hashlib
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

from relay.domain.authorization.proof import CertificateSigned, Doubt, HashSigned, SignedConsent, Unproven
from relay.domain.queue_full import Crowded
from relay.infra.certifiers.chains import Trust
from relay.infra.certifiers.credential import Credential
from relay.infra.certifiers.examination import examine
from relay.infra.certifiers.identity_client import IdentityDesk
from relay.infra.certifiers.identity_message import OurIdentity
from relay.infra.certifiers.rest import Line
from relay.infra.certifiers.revocation import Revocations
from relay.infra.certifiers.signature_client import SignatureDesk
from relay.infra.diagnostics.causes import cause_of
from relay.infra.diagnostics.outages import OutageLog
from relay.infra.dns.connector import tcp_connector
from relay.infra.fair_semaphore import Turns, Workers
from relay.infra.user_agent import HEADERS
from relay.policy.settings.authority import Certifier

AT_ONCE: Final = 32
"""So many questions are open at one certifier, so many of them about one customer."""

AT_ONCE_EACH: Final = 8


@dataclass(frozen=True, slots=True)
class IdentityMaterials:
    """What the settings of an identity certifier point at, loaded: its roots and CRLs, and who we are there."""

    roots: tuple[x509.Certificate, ...]
    crls: tuple[x509.CertificateRevocationList, ...]
    us: OurIdentity


@dataclass(frozen=True, slots=True)
class SignatureMaterials:
    """What the settings of an e-signature provider point at, loaded. `context` None: http:// on a leased line."""

    client_secret: str = field(repr=False)
    context: ssl.SSLContext | None


Materials = IdentityMaterials | SignatureMaterials


@dataclass(frozen=True, slots=True)
class _ByCertificate:
    trust: Trust
    desk: IdentityDesk

    async def prove(self, signed: SignedConsent, whose: bytes, verifiers: Workers, now: int) -> bytes:
        if not isinstance(signed, CertificateSigned):
            raise Unproven(Doubt.MALFORMED, "auth_type")
        examined = await verifiers.run(whose, partial(examine, signed, self.trust, now))
        await self.desk.confirm(signed, examined, whose, verifiers, now)
        return examined.text


@dataclass(frozen=True, slots=True)
class _ByProvider:
    desk: SignatureDesk

    async def prove(self, signed: SignedConsent, whose: bytes, _verifiers: Workers, _now: int) -> bytes:
        if not isinstance(signed, HashSigned):
            raise Unproven(Doubt.MALFORMED, "auth_type")
        await self.desk.verify(signed, whose)
        return signed.consent.encode()


_OUT: Final = frozenset({Doubt.CERTIFIER_SILENT, Doubt.CERTIFIER_BROKEN})
"""Doubts in the certifier, not in the consent."""


class CertifierProofs:
    """Proves signed consents at the certifiers of the settings. Belongs to one event loop; made by `opened_proofs`."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        relay: str,
        verifiers: Workers,
        random: Callable[[int], bytes],
        clock: Callable[[], float],
    ) -> None:
        self._session = session
        self._relay = relay
        self._verifiers = verifiers
        self._random = random
        self._clock = clock
        self._tasks: set[asyncio.Task[Any]] = set()
        self._outages: dict[str, OutageLog] = {}
        self._ways: Mapping[str, _ByCertificate | _ByProvider] = {}

    async def prove(self, signed: SignedConsent, ca_code: str, now: int) -> bytes:
        """The consent (전송요구내역, JSON in UTF-8) that the customer of `signed.ci` signed. `now` in epoch seconds.

        Raises Unproven.
        """
        way = self._ways.get(ca_code)
        if way is None:
            raise Unproven(Doubt.CHAIN, "ca_code")
        whose = hashlib.sha256(signed.ci.encode()).digest()
        try:
            proven = await way.prove(signed, whose, self._verifiers, now)
        except Crowded:
            raise Unproven(Doubt.BUSY) from None
        except Unproven as error:
            if error.doubt in _OUT:
                self._outage(ca_code).failed(cause_of(error) if error.__cause__ else "answer")
            raise
        self._outage(ca_code).succeeded()
        return proven

    def furnish(self, certifiers: Iterable[tuple[Certifier, Materials]]) -> None:
        """From now on these certifiers, when settings or files changed; what is under way ends as it began."""
        self._ways = {certifier.ca_code: self._way(certifier, loaded) for certifier, loaded in certifiers}

    def _outage(self, ca_code: str) -> OutageLog:
        """The outage of a certifier of the settings."""
        outage = self._outages.get(ca_code)
        if outage is None:
            outage = self._outages[ca_code] = OutageLog(f"certifier: ca_code={ca_code}", self._clock)
        return outage

    async def close(self) -> None:
        """Nobody waits for an answer any more."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _way(self, certifier: Certifier, loaded: Materials) -> _ByCertificate | _ByProvider:
        turns = Turns(AT_ONCE, AT_ONCE_EACH)
        if isinstance(loaded, IdentityMaterials) and certifier.identity is not None:
            trust = Trust(loaded.roots, Revocations(loaded.crls))
            desk = IdentityDesk(certifier.identity, loaded.us, certifier.timeout_s, turns, self._random)
            return _ByCertificate(trust, desk)
        if isinstance(loaded, SignatureMaterials) and certifier.signature is not None:
            place = certifier.signature
            line = Line(self._session, place.base_url, loaded.context, certifier.timeout_s, self._relay, self._random)
            credential = Credential(line, place.client_id, loaded.client_secret, self._clock, self._tasks)
            return _ByProvider(SignatureDesk(line, credential, certifier.timeout_s, turns))
        raise TypeError("materials of another kind of certifier")


@asynccontextmanager
async def opened_proofs(
    certifiers: Iterable[tuple[Certifier, Materials]],
    relay: str,
    threads: int,
    *,
    random: Callable[[int], bytes] = secrets.token_bytes,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[CertifierProofs]:
    """Proofs for as long as the block lasts. `relay` is our org_code, `threads` check signatures (`verifiers`)."""
    verifiers = Workers(threads, Turns(threads, max(1, threads // 2)), "verifier")
    session = aiohttp.ClientSession(
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        connector=tcp_connector(limit=0, limit_per_host=AT_ONCE),
        headers=HEADERS,
    )
    proofs = CertifierProofs(session, relay, verifiers, random, clock)
    try:
        proofs.furnish(certifiers)
        yield proofs
    finally:
        await proofs.close()
        await session.close()
        verifiers.close()
