"""Calls the portal (지원-001, -002, -003, -005): shares one token, retries, records each attempt."""

import asyncio
import base64
import json
import os
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from relay.domain.jobs import PortalCall
from relay.domain.portal import PortalDown, PortalRefused
from relay.infra.diagnostics.outages import OutageLog
from relay.infra.files.reading_thread import ReadingThread
from relay.infra.portal.connection import PortalConnection, PortalRequest, RawResponse
from relay.infra.portal.responses import CANCELLED, Response, Verdict, check_rsp_code, judge_response
from relay.infra.portal.token_source import TokenSource, check_token
from relay.policy.settings.portal import PortalSettings

TOKEN: Final = "지원-001"  # noqa: S105 - an API
_MAX_BACKOFF_S: Final = 60.0
_UNAUTHORIZED: Final = 401

RecordCall = Callable[[PortalCall], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Effects:
    """Side effects that tests replace: epoch seconds, monotonic seconds, random bytes, sleep."""

    clock: Callable[[], float] = time.time
    ticks: Callable[[], float] = time.monotonic
    random: Callable[[int], bytes] = os.urandom
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class PortalClient:
    """Implements Portal over HTTP. `relay` is our org_code, `context` is None for a leased line.

    `record_call` records each attempt. `client_secret` runs on a thread for each token, so that a new secret applies
    without a restart.
    """

    def __init__(
        self,
        settings: PortalSettings,
        relay: str,
        context: ssl.SSLContext | None,
        client_secret: Callable[[], str],
        record_call: RecordCall,
        effects: Effects | None = None,
    ) -> None:
        self._settings = settings
        self._relay = relay
        self._client_secret = client_secret
        self._record_call = record_call
        self._effects = effects or Effects()
        self._connection = PortalConnection(settings, context)
        self._outage = OutageLog("portal", self._effects.ticks)
        self._tokens = TokenSource(self._fetch_token, self._effects.ticks)

    async def organisations(self, since: str) -> Mapping[str, Any]:
        """Returns the body of 지원-002 unchanged. `since` is a search_timestamp. Raises PortalDown, PortalRefused."""
        request = PortalRequest("지원-002", "GET", f"/v1/mgmts/orgs?search_timestamp={since}")
        _, response = await self._call(request)
        return response.body

    async def services(self, since: str) -> Mapping[str, Any]:
        """Returns the body of 지원-003 unchanged. Raises PortalDown, PortalRefused."""
        request = PortalRequest("지원-003", "GET", f"/v1/mgmts/services?search_timestamp={since}")
        _, response = await self._call(request)
        return response.body

    async def send_statistics(self, body: Mapping[str, Any]) -> tuple[str, str]:
        """Sends 지원-005. Returns its tran_id and the rsp_code of its acceptance. Raises PortalDown, PortalRefused."""
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        request = PortalRequest("지원-005", "POST", "/v1/mgmts/statistics/provider", json=content)
        tran_id, response = await self._call(request)
        return tran_id, response.rsp_code

    async def close(self) -> None:
        """Closes open connections."""
        await self._connection.close()

    async def _call(self, request: PortalRequest) -> tuple[str, Response]:
        """Sends with the token, and once more with another one if the portal rejects it (RFC 6750 3.1)."""
        token = await self._tokens.get_token()
        try:
            return await self._send(request, token)
        except PortalRefused as refused:
            if refused.status != _UNAUTHORIZED:
                raise
        try:
            return await self._send(request, await self._tokens.get_token(rejected=token))
        except PortalRefused as refused:
            if refused.status == _UNAUTHORIZED:
                raise PortalDown(str(refused)) from refused
            raise

    async def _fetch_token(self) -> Mapping[str, Any]:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._settings.calls.client_id,
            "client_secret": await ReadingThread(self._client_secret, "portal-client-secret").result,
            "scope": "manage",
        }
        try:
            _, response = await self._send(PortalRequest(TOKEN, "POST", "/mgmts/oauth/2.0/token", form=form), "")
        except PortalRefused as refused:  # the credential is refused, not the call
            raise PortalDown(str(refused)) from refused
        return response.body

    async def _send(self, request: PortalRequest, token: str) -> tuple[str, Response]:
        """Sends until a response is accepted or refused, or no attempts remain. Raises PortalDown, PortalRefused."""
        attempts = self._settings.timeouts.attempts
        for attempt in range(1, attempts + 1):
            tran_id, response = await self._attempt(request, token, attempt)
            if response.verdict is Verdict.ACCEPTED:
                return tran_id, response
            if response.verdict is Verdict.REFUSED:
                raise PortalRefused(response.status, response.rsp_code, request.api_id)
            if response.verdict is Verdict.FAILED or attempt == attempts:
                break
            await self._effects.sleep(self._backoff(attempt))
        raise PortalDown(f"{request.api_id}: {response.outcome} ({attempt} of {attempts} attempts)")

    async def _attempt(self, request: PortalRequest, token: str, attempt: int) -> tuple[str, Response]:
        """Makes one attempt and records it, also when it fails. Each attempt has its own tran_id (첨부14)."""
        tran_id = f"{self._relay}R{base64.b32encode(self._effects.random(9)).decode()[:14]}"
        headers = {"x-api-tran-id": tran_id}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        at, started = self._effects.clock(), self._effects.ticks()
        response, ended = CANCELLED, None
        try:
            raw = await self._connection.send(request, headers)
            ended = self._effects.ticks()
            response = await judge_response(raw, tran_id, check_token if request.api_id == TOKEN else check_rsp_code)
            self._log_outage(raw, response)
        finally:
            took_ms = ((self._effects.ticks() if ended is None else ended) - started) * 1000
            call = PortalCall(
                at=at,
                api_id=request.api_id,
                tran_id=tran_id,
                attempt=attempt,
                status=response.status,
                rsp_code=response.rsp_code,
                took_ms=took_ms,
                outcome=response.outcome,
            )
            await self._record_call(call)
        return tran_id, response

    def _log_outage(self, raw: RawResponse, response: Response) -> None:
        """Logs the portal's outages. A refusal (4xx) is none; every other failure is."""
        if response.verdict in {Verdict.ACCEPTED, Verdict.REFUSED}:
            self._outage.record_success()
        else:
            self._outage.record_failure(raw.cause or f"answer status={response.status}")

    def _backoff(self, attempt: int) -> float:
        """Returns seconds to wait: full jitter up to a bound that doubles, at most a minute."""
        longest = min(_MAX_BACKOFF_S, self._settings.timeouts.backoff_s * 2.0 ** (attempt - 1))
        return longest * int.from_bytes(self._effects.random(4)) / 2**32
