"""본인확인: a certifier is asked over TCP whose certificate this is (UCPID): 4 bytes length, big-endian, then DER."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from relay.domain.authorization.nonce import NONCE_BYTES
from relay.domain.authorization.proof import CertificateSigned, Doubt, Unproven
from relay.infra.certifiers.examination import Examined
from relay.infra.certifiers.identity_message import OurIdentity, answered, question
from relay.infra.fair_semaphore import Turns, Workers
from relay.policy.settings.authority import IdentityDesk as Place

ANSWER_MOST: Final = 65_536
"""Bytes of an answer; one with a 4 KiB certificate chain has about 8 KiB."""

_LENGTH: Final = 4


class IdentityDesk:
    """The desk of one certifier. A connection for each question; `timeout_s` for all of it, waiting for a turn too."""

    def __init__(
        self, place: Place, us: OurIdentity, timeout_s: float, turns: Turns, random: Callable[[int], bytes]
    ) -> None:
        self._place = place
        self._us = us
        self._timeout_s = timeout_s
        self._turns = turns
        self._random = random

    async def confirm(
        self, signed: CertificateSigned, examined: Examined, whose: bytes, verifiers: Workers, now: int
    ) -> None:
        """The certifier says that who signed is the customer of `signed.ci`.

        Raises Unproven: IDENTITY, CERTIFIER_SILENT, CERTIFIER_BROKEN; Crowded.
        """
        nonce = self._random(NONCE_BYTES)
        asked = await verifiers.run(whose, partial(question, self._us, signed, examined.signer, nonce))
        try:
            async with asyncio.timeout(self._timeout_s), self._turns.turn(whose):
                message = await self._asked(asked.message)
        except (OSError, EOFError, UnicodeError) as error:  # TimeoutError is an OSError; a host can be no name (IDNA)
            raise Unproven(Doubt.CERTIFIER_SILENT) from error
        await verifiers.run(whose, partial(answered, self._us, asked, message, signed.ci, now))

    async def _asked(self, message: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self._place.host, self._place.port)
        try:
            writer.write(len(message).to_bytes(_LENGTH, "big") + message)
            await writer.drain()
            length = int.from_bytes(await reader.readexactly(_LENGTH), "big")
            if not 0 < length <= ANSWER_MOST:
                raise Unproven(Doubt.CERTIFIER_BROKEN, "length")
            return await reader.readexactly(length)
        finally:
            writer.close()
