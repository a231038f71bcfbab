"""The relay's access token at an e-signature provider (통합인증-101), one for all institutions."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from relay.domain.authorization.signed_consent import Defect, NotVerified
from relay.infra.certifiers.rest import ApiClient

PATH: Final = "/oauth/2.0/token"
RENEW_S: Final = 60
"""A token is renewed this long before it expires, or a tenth of its lifetime if that is shorter."""

_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,1500}")
_SECONDS: Final = re.compile(r"[0-9]{1,9}")
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    renew_at: float = 0.0


class TokenSource:
    """Fetches and caches the token. Callers that need it during a fetch share that fetch.

    `clock` is monotonic, in seconds. `tasks` receives the fetch that is running; the owner of the set cancels it.
    """

    def __init__(
        self,
        api: ApiClient,
        client_id: str,
        client_secret: str,
        clock: Callable[[], float],
        tasks: set[asyncio.Task[Any]],
    ) -> None:
        self._api = api
        self._form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
            "scope": "ca",
        }
        self._clock = clock
        self._tasks = tasks
        self._token: _Token | None = None
        self._fetching: asyncio.Task[_Token] | None = None

    async def get_token(self) -> str:
        """Returns a token that does not expire soon. Raises NotVerified: CERTIFIER_SILENT, CERTIFIER_BROKEN."""
        if self._token is not None and self._clock() < self._token.renew_at:
            return self._token.value
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch())
            self._tasks.add(self._fetching)
            self._fetching.add_done_callback(self._store_fetched)
        return (await asyncio.shield(self._fetching)).value

    def discard(self, token: str) -> None:
        """Drops a token that the certifier no longer accepts; the next caller fetches another."""
        if self._token is not None and self._token.value == token:
            self._token = None

    def _store_fetched(self, task: asyncio.Task[_Token]) -> None:
        self._tasks.discard(task)
        self._fetching = None
        if not task.cancelled() and task.exception() is None:
            self._token = task.result()

    async def _fetch(self) -> _Token:
        began = self._clock()
        response = await self._api.post(PATH, {}, form=self._form)
        lifetime = _lifetime(response.body)
        token = response.body.get("access_token")
        if response.status != _OK or not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise NotVerified(Defect.CERTIFIER_BROKEN, PATH)
        return _Token(token, began + lifetime - min(RENEW_S, lifetime / 10))


def _lifetime(body: Mapping[str, Any]) -> int:
    """Returns `expires_in` in seconds: a JSON string (첨부2) or a number (RFC 6749)."""
    expires_in = body.get("expires_in")
    text = str(expires_in) if type(expires_in) is int else expires_in
    if not isinstance(text, str) or not _SECONDS.fullmatch(text):
        raise NotVerified(Defect.CERTIFIER_BROKEN, PATH)
    return int(text)
