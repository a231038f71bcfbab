"""본인확인: asks a certifier over TCP whose certificate this is (UCPID): 4 bytes length, big-endian, then DER."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from relay.domain.authorization.nonce import NONCE_BYTES
from relay.domain.authorization.signed_consent import CertificateSigned, Defect, NotVerified
from relay.infra.certifiers.examination import ExaminedConsent
from relay.infra.certifiers.identity_message import RelayIdentity, build_request, check_response
from relay.infra.fair_semaphore import FairSemaphore, FairThreadPool
from relay.policy.settings.authority import IdentityServiceSettings as Endpoint

MAX_RESPONSE_BYTES: Final = 65_536
"""Maximum bytes of a response; one with a 4 KiB certificate chain has about 8 KiB."""

_LENGTH: Final = 4


class IdentityClient:
    """Client of one certifier. Each request has its own connection; `timeout_s` includes waiting for a turn."""

    def __init__(
        self,
        endpoint: Endpoint,
        relay: RelayIdentity,
        timeout_s: float,
        turns: FairSemaphore,
        random: Callable[[int], bytes],
    ) -> None:
        self._endpoint = endpoint
        self._relay = relay
        self._timeout_s = timeout_s
        self._turns = turns
        self._random = random

    async def confirm(
        self, signed: CertificateSigned, examined: ExaminedConsent, customer: bytes, verifiers: FairThreadPool, now: int
    ) -> None:
        """Asks the certifier whether the signer is the customer of `signed.ci`.

        `customer` identifies the customer for fair queueing. Raises NotVerified: IDENTITY, CERTIFIER_SILENT,
        CERTIFIER_BROKEN; QueueFull.
        """
        nonce = self._random(NONCE_BYTES)
        request = await verifiers.run(customer, partial(build_request, self._relay, signed, examined.signer, nonce))
        try:
            async with asyncio.timeout(self._timeout_s), self._turns.hold(customer):
                response = await self._send(request.message)
        except (OSError, EOFError, UnicodeError) as error:  # TimeoutError is an OSError; UnicodeError: invalid host
            raise NotVerified(Defect.CERTIFIER_SILENT) from error
        await verifiers.run(customer, partial(check_response, self._relay, request, response, signed.ci, now))

    async def _send(self, message: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self._endpoint.host, self._endpoint.port)
        try:
            writer.write(len(message).to_bytes(_LENGTH, "big") + message)
            await writer.drain()
            length = int.from_bytes(await reader.readexactly(_LENGTH), "big")
            if not 0 < length <= MAX_RESPONSE_BYTES:
                raise NotVerified(Defect.CERTIFIER_BROKEN, "length")
            return await reader.readexactly(length)
        finally:
            writer.close()
