"""Seals the position in a list as `next_page`: encrypted, authentic, and bound to the call that received it."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from relay.domain.fault import FAULTS, Refusal

KEY_BYTES: Final = 32
"""The least length of a sealing key."""

MAX_CURSOR: Final = 1000
"""next_page is aNS(1000)."""

MAX_KEY_BYTES: Final = 600
"""Bound of the continuation key of a core: with its seal it fits in next_page."""

UNBOUND_PARAMETERS: Final = frozenset({"next_page", "limit", "search_timestamp"})
"""Parameters that may differ between the pages of a list."""

NEXT_PAGE_FORM: Final = "next_page (같은 조회의 이전 응답에 있는 값)"
"""Describes the parameter in refusals."""

_PURPOSE: Final = b"mydata-relay next_page 1"


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page begins: the continuation key of its first telegram, and the rows of it that earlier pages had."""

    key: tuple[str, ...] = ()
    skip: int = 0


def compute_binding(consent: str, org_code: str, api_code: str, parameters: Mapping[str, str]) -> bytes:
    """Returns what a cursor is bound to: consent (or token), institution, API and parameters of a call."""
    bound = sorted((name, value) for name, value in parameters.items() if name not in UNBOUND_PARAMETERS)
    return json.dumps([consent, org_code, api_code, bound]).encode()


class CursorSeal:
    """Seals and opens cursors with AES-SIV (RFC 5297). It needs no nonce: equal positions have equal cursors."""

    def __init__(self, key: bytes) -> None:
        """Derives the key of cursors from a secret of at least KEY_BYTES. Raises ValueError for a shorter one."""
        if len(key) < KEY_BYTES:
            raise ValueError(f"a sealing key has at least {KEY_BYTES} bytes")
        self._cipher = AESSIV(HKDF(SHA256(), 64, None, _PURPOSE).derive(key))

    def seal(self, position: Position, binding: bytes) -> str:
        """Returns the value of next_page. Raises ValueError when it would be too long."""
        content = json.dumps([position.skip, *position.key], ensure_ascii=False, separators=(",", ":")).encode()
        cursor = base64.urlsafe_b64encode(self._cipher.encrypt(content, [_PURPOSE, binding])).rstrip(b"=").decode()
        if len(cursor) > MAX_CURSOR:
            raise ValueError("the continuation key is too long for next_page")
        return cursor

    def open(self, cursor: str, binding: bytes) -> Position:
        """Returns the position of a cursor. Raises Refusal (40001) for one that was not sealed for this call."""
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
            skip, *key = json.loads(self._cipher.decrypt(sealed, [_PURPOSE, binding]))
        except (InvalidTag, ValueError):
            raise Refusal(FAULTS["parameter_malformed"], NEXT_PAGE_FORM) from None
        return Position(tuple(key), skip)
