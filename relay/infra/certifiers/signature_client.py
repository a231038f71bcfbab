"""auth_type 1: the e-signature provider verifies its own signatures (통합인증-104, `/v1/ca/sign_verification`)."""

import asyncio
import hmac
from collections.abc import Mapping
from typing import Any, Final

from relay.domain.api import SUCCESS
from relay.domain.authorization.signed_consent import Defect, HashSigned, NotVerified
from relay.infra.certifiers.rest import ApiClient, ApiResponse
from relay.infra.certifiers.token_source import TokenSource
from relay.infra.fair_semaphore import FairSemaphore

PATH: Final = "/v1/ca/sign_verification"

_OK: Final = 200
_UNAUTHORIZED: Final = 401
_REFUSED: Final = frozenset({400, 404})
"""The certifier has no such signature transaction, or its identifiers do not match."""

_RESULTS: Final[Mapping[str | bool, bool]] = {"true": True, "false": False, True: True, False: False}
"""Booleans are JSON strings (첨부2); implementations of 2021 send JSON booleans."""


class SignatureClient:
    """Client of one certifier. `timeout_s` bounds a whole verification, including the wait for a turn and the token."""

    def __init__(self, api: ApiClient, tokens: TokenSource, timeout_s: float, turns: FairSemaphore) -> None:
        self._api = api
        self._timeout_s = timeout_s
        self._turns = turns
        self._tokens = tokens

    async def verify(self, signed: HashSigned, customer: bytes) -> None:
        """Asks the certifier whether the customer of `signed.ci` signed this consent.

        `customer` identifies the customer for fair queueing. Raises NotVerified: SIGNATURE, IDENTITY, CERTIFIER_SILENT,
        CERTIFIER_BROKEN; QueueFull.
        """
        try:
            async with asyncio.timeout(self._timeout_s), self._turns.hold(customer):
                response = await self._request(signed)
        except TimeoutError as error:
            raise NotVerified(Defect.CERTIFIER_SILENT, PATH) from error
        rsp_code = response.body.get("rsp_code")
        if response.status in _REFUSED and isinstance(rsp_code, str) and rsp_code:
            raise NotVerified(Defect.SIGNATURE, "password")
        if response.status != _OK or rsp_code != SUCCESS or response.body.get("tx_id") != signed.tx_id:
            raise NotVerified(Defect.CERTIFIER_BROKEN, PATH)
        _check_result(response.body, signed.ci)

    async def _request(self, signed: HashSigned) -> ApiResponse:
        """Requests the verification; replaces a rejected token once, because the certifier may have lost it."""
        token = await self._tokens.get_token()
        response = await self._send(signed, token)
        if response.status != _UNAUTHORIZED:
            return response
        self._tokens.discard(token)
        return await self._send(signed, await self._tokens.get_token())

    async def _send(self, signed: HashSigned, token: str) -> ApiResponse:
        body = {
            "tx_id": signed.tx_id,
            "cert_tx_id": signed.cert_tx_id,
            "signed_consent_len": str(len(signed.signature)),
            "signed_consent": signed.signature,
            "consent_type": "1",
            "consent_len": str(len(signed.consent.encode())),
            "consent": signed.consent,
        }
        return await self._api.post(PATH, {"Authorization": f"Bearer {token}"}, json=body)


def _check_result(body: Mapping[str, Any], ci: str) -> None:
    result, user_ci = body.get("result"), body.get("user_ci")
    if not isinstance(result, str | bool) or result not in _RESULTS:
        raise NotVerified(Defect.CERTIFIER_BROKEN, "result")
    if not _RESULTS[result]:
        raise NotVerified(Defect.SIGNATURE, "password")
    if not isinstance(user_ci, str) or not user_ci:
        raise NotVerified(Defect.CERTIFIER_BROKEN, "user_ci")
    if not hmac.compare_digest(user_ci.encode(errors="surrogatepass"), ci.encode()):
        raise NotVerified(Defect.IDENTITY, "username")
