"""Calls to the portal (지원-001, -002, -003, -005): one token, own times and retries, each attempt recorded."""

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
from relay.domain.portal import PortalAway, PortalRefused
from relay.infra.diagnostics.outages import OutageLog
from relay.infra.files.reading_thread import ReadingThread
from relay.infra.portal.answers import GIVEN_UP, Answer, Verdict, judged, lacks_code
from relay.infra.portal.connection import Heard, Line, Wanted
from relay.infra.portal.token import Token, lacks_token
from relay.policy.settings.portal import PortalSettings

TOKEN: Final = "지원-001"  # noqa: S105 - an API
_WAIT_MOST_S: Final = 60.0
_UNAUTHORIZED: Final = 401

Called = Callable[[PortalCall], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Effects:
    """What differs between the world and a test: epoch seconds, monotonic seconds, random bytes, waiting."""

    clock: Callable[[], float] = time.time
    ticks: Callable[[], float] = time.monotonic
    random: Callable[[int], bytes] = os.urandom
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class PortalClient:
    """The Portal over HTTP. `relay` is our org_code, `context` None on a leased line, `called` records each attempt.

    `client_secret` is asked on a thread each time a token is fetched, so that a new one counts without a start.
    """

    def __init__(
        self,
        settings: PortalSettings,
        relay: str,
        context: ssl.SSLContext | None,
        client_secret: Callable[[], str],
        called: Called,
        effects: Effects | None = None,
    ) -> None:
        self._settings = settings
        self._relay = relay
        self._client_secret = client_secret
        self._called = called
        self._effects = effects or Effects()
        self._line = Line(settings, context)
        self._outage = OutageLog("portal", self._effects.ticks)
        self._token = Token(self._fetch_token, self._effects.ticks)

    async def organisations(self, since: str) -> Mapping[str, Any]:
        """The body of 지원-002, JSON as it came. `since` is a search_timestamp. Raises PortalAway, PortalRefused."""
        wanted = Wanted("지원-002", "GET", f"/v1/mgmts/orgs?search_timestamp={since}")
        _, answer = await self._call(wanted)
        return answer.body

    async def services(self, since: str) -> Mapping[str, Any]:
        """The body of 지원-003, JSON as it came. Raises PortalAway, PortalRefused."""
        wanted = Wanted("지원-003", "GET", f"/v1/mgmts/services?search_timestamp={since}")
        _, answer = await self._call(wanted)
        return answer.body

    async def send_statistics(self, body: Mapping[str, Any]) -> tuple[str, str]:
        """Send 지원-005; the tran_id it went with and the rsp_code of its acceptance. Raises as above."""
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        wanted = Wanted("지원-005", "POST", "/v1/mgmts/statistics/provider", json=content)
        tran_id, answer = await self._call(wanted)
        return tran_id, answer.rsp_code

    def renew(self, context: ssl.SSLContext | None) -> None:
        """Show another certificate from the next attempt on."""
        self._line.context = context

    async def close(self) -> None:
        """Give back what is open."""
        await self._line.close()

    async def _call(self, wanted: Wanted) -> tuple[str, Answer]:
        """Ask with the token; once with another one when the portal does not take it (RFC 6750 3.1)."""
        token = await self._token.current()
        try:
            return await self._ask(wanted, token)
        except PortalRefused as refused:
            if refused.status != _UNAUTHORIZED:
                raise
        try:
            return await self._ask(wanted, await self._token.current(spent=token))
        except PortalRefused as refused:
            if refused.status == _UNAUTHORIZED:
                raise PortalAway(str(refused)) from refused
            raise

    async def _fetch_token(self) -> Mapping[str, Any]:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._settings.calls.client_id,
            "client_secret": await ReadingThread(self._client_secret, "portal-client-secret").result,
            "scope": "manage",
        }
        try:
            _, answer = await self._ask(Wanted(TOKEN, "POST", "/mgmts/oauth/2.0/token", form=form), "")
        except PortalRefused as refused:  # of us, not of what we wanted to say: nothing was said yet
            raise PortalAway(str(refused)) from refused
        return answer.body

    async def _ask(self, wanted: Wanted, token: str) -> tuple[str, Answer]:
        """Ask until an answer means something, or attempts are spent. Raises PortalAway, PortalRefused."""
        attempts = self._settings.timeouts.attempts
        for attempt in range(1, attempts + 1):
            tran_id, answer = await self._attempt(wanted, token, attempt)
            if answer.verdict is Verdict.TAKEN:
                return tran_id, answer
            if answer.verdict is Verdict.REFUSED:
                raise PortalRefused(answer.status, answer.rsp_code, wanted.api_id)
            if answer.verdict is Verdict.HOPELESS or attempt == attempts:
                break
            await self._effects.sleep(self._wait(attempt))
        raise PortalAway(f"{wanted.api_id}: {answer.outcome} ({attempt} of {attempts} attempts)")

    async def _attempt(self, wanted: Wanted, token: str, attempt: int) -> tuple[str, Answer]:
        """One attempt, recorded however it ends. The tran_id names this attempt alone (첨부14)."""
        tran_id = f"{self._relay}R{base64.b32encode(self._effects.random(9)).decode()[:14]}"
        headers = {"x-api-tran-id": tran_id}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        at, begun = self._effects.clock(), self._effects.ticks()
        answer, ended = GIVEN_UP, None
        try:
            heard = await self._line.ask(wanted, headers)
            ended = self._effects.ticks()
            answer = await judged(heard, tran_id, lacks_token if wanted.api_id == TOKEN else lacks_code)
            self._log_outage(heard, answer)
        finally:
            took_ms = ((self._effects.ticks() if ended is None else ended) - begun) * 1000
            call = PortalCall(
                at, wanted.api_id, tran_id, attempt, answer.status, answer.rsp_code, took_ms, answer.outcome
            )
            await self._called(call)
        return tran_id, answer

    def _log_outage(self, heard: Heard, answer: Answer) -> None:
        """A refusal (4xx) is an answer; everything else that is no success is an outage of the portal."""
        if answer.verdict in {Verdict.TAKEN, Verdict.REFUSED}:
            self._outage.succeeded()
        else:
            self._outage.failed(heard.cause or f"answer status={answer.status}")

    def _wait(self, attempt: int) -> float:
        """Full jitter: any time up to twice as long as before, a minute at most."""
        longest = min(_WAIT_MOST_S, self._settings.timeouts.backoff_s * 2.0 ** (attempt - 1))
        return longest * int.from_bytes(self._effects.random(4)) / 2**32
