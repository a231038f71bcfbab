"""Our access token at an e-signature provider (통합인증-101): one for all institutions, renewed in time."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from relay.domain.authorization.proof import Doubt, Unproven
from relay.infra.certifiers.rest import Line

PATH: Final = "/oauth/2.0/token"
RENEW_S: Final = 60
"""So long before its end a token is renewed, or a tenth of its life when that is shorter."""

_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,1500}")
_SECONDS: Final = re.compile(r"[0-9]{1,9}")
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    renew_at: float = 0.0


class Credential:
    """Keeps the token. Whoever asks while it is fetched waits for the same answer.

    `clock` counts seconds and never goes back. `tasks` holds what is under way: its owner ends it.
    """

    def __init__(
        self,
        line: Line,
        client_id: str,
        client_secret: str,
        clock: Callable[[], float],
        tasks: set[asyncio.Task[Any]],
    ) -> None:
        self._line = line
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

    async def token(self) -> str:
        """A token that is good for a while. Raises Unproven CERTIFIER_SILENT, CERTIFIER_BROKEN."""
        if self._token is not None and self._clock() < self._token.renew_at:
            return self._token.value
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch())
            self._tasks.add(self._fetching)
            self._fetching.add_done_callback(self._fetched)
        return (await asyncio.shield(self._fetching)).value

    def forget(self, token: str) -> None:
        """The certifier does not take this token any more; the next caller fetches another."""
        if self._token is not None and self._token.value == token:
            self._token = None

    def _fetched(self, task: asyncio.Task[_Token]) -> None:
        self._tasks.discard(task)
        self._fetching = None
        if not task.cancelled() and task.exception() is None:
            self._token = task.result()

    async def _fetch(self) -> _Token:
        began = self._clock()
        said = await self._line.post(PATH, {}, form=self._form)
        life = _life(said.body)
        token = said.body.get("access_token")
        if said.status != _OK or not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise Unproven(Doubt.CERTIFIER_BROKEN, PATH)
        return _Token(token, began + life - min(RENEW_S, life / 10))


def _life(body: Mapping[str, Any]) -> int:
    """`expires_in` in seconds, a JSON text (첨부2) or, as RFC 6749 has it, a number."""
    told = body.get("expires_in")
    text = str(told) if type(told) is int else told
    if not isinstance(text, str) or not _SECONDS.fullmatch(text):
        raise Unproven(Doubt.CERTIFIER_BROKEN, PATH)
    return int(text)
