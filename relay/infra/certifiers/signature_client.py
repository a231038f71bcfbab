"""auth_type 1: an e-signature provider verifies its own signatures (통합인증-104, `/v1/ca/sign_verification`)."""

import asyncio
import hmac
from collections.abc import Mapping
from typing import Any, Final

from relay.domain.authorization.proof import Doubt, HashSigned, Unproven
from relay.infra.certifiers.credential import Credential
from relay.infra.certifiers.rest import Line, Said
from relay.infra.fair_semaphore import Turns

PATH: Final = "/v1/ca/sign_verification"

_OK: Final = 200
_UNAUTHORIZED: Final = 401
_REFUSED: Final = frozenset({400, 404})
"""The certifier knows no such signing, or its numbers do not fit."""

_RESULTS: Final[Mapping[str | bool, bool]] = {"true": True, "false": False, True: True, False: False}
"""Booleans are JSON texts (첨부2); code of 2021 writes JSON booleans."""


class SignatureDesk:
    """The desk of one certifier. `timeout_s` for all of a question: waiting for a turn and getting a token, too."""

    def __init__(self, line: Line, credential: Credential, timeout_s: float, turns: Turns) -> None:
        self._line = line
        self._timeout_s = timeout_s
        self._turns = turns
        self._credential = credential

    async def verify(self, signed: HashSigned, whose: bytes) -> None:
        """The certifier says that this consent was signed, by the customer of `signed.ci`.

        Raises Unproven: SIGNATURE, IDENTITY, CERTIFIER_SILENT, CERTIFIER_BROKEN; Crowded.
        """
        try:
            async with asyncio.timeout(self._timeout_s), self._turns.turn(whose):
                said = await self._said(signed)
        except TimeoutError as error:
            raise Unproven(Doubt.CERTIFIER_SILENT, PATH) from error
        rsp_code = said.body.get("rsp_code")
        if said.status in _REFUSED and isinstance(rsp_code, str) and rsp_code:
            raise Unproven(Doubt.SIGNATURE, "password")
        if said.status != _OK or rsp_code != "00000" or said.body.get("tx_id") != signed.tx_id:
            raise Unproven(Doubt.CERTIFIER_BROKEN, PATH)
        _judge(said.body, signed.ci)

    async def _said(self, signed: HashSigned) -> Said:
        """A token that was taken back is replaced, once: the certifier may have lost it."""
        token = await self._credential.token()
        said = await self._asked(signed, token)
        if said.status != _UNAUTHORIZED:
            return said
        self._credential.forget(token)
        return await self._asked(signed, await self._credential.token())

    async def _asked(self, signed: HashSigned, token: str) -> Said:
        question = {
            "tx_id": signed.tx_id,
            "cert_tx_id": signed.cert_tx_id,
            "signed_consent_len": str(len(signed.signature)),
            "signed_consent": signed.signature,
            "consent_type": "1",
            "consent_len": str(len(signed.consent.encode())),
            "consent": signed.consent,
        }
        return await self._line.post(PATH, {"Authorization": f"Bearer {token}"}, json=question)


def _judge(body: Mapping[str, Any], ci: str) -> None:
    result, told = body.get("result"), body.get("user_ci")
    if not isinstance(result, str | bool) or result not in _RESULTS:
        raise Unproven(Doubt.CERTIFIER_BROKEN, "result")
    if not _RESULTS[result]:
        raise Unproven(Doubt.SIGNATURE, "password")
    if not isinstance(told, str) or not told:
        raise Unproven(Doubt.CERTIFIER_BROKEN, "user_ci")
    if not hmac.compare_digest(told.encode(errors="surrogatepass"), ci.encode()):
        raise Unproven(Doubt.IDENTITY, "username")
