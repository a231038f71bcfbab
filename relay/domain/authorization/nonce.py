"""Nonces and signatures as text: base64url or base64, read so that one value has one reading (RFC 4648 3.5)."""

import base64
import re
from typing import Final

NONCE_BYTES: Final = 16
"""재전송 방지 값: 16 random bytes (통합인증-002)."""

_ALPHABETS: Final = (re.compile(r"[A-Za-z0-9_-]+={0,2}"), re.compile(r"[A-Za-z0-9+/]+={0,2}"))


def from_base64url(text: str) -> bytes:
    """The bytes behind base64url, padded or not. Raises ValueError for any other alphabet and for loose bits."""
    return _decoded(text, _ALPHABETS[:1])


def nonce_of(text: str) -> bytes:
    """The 16 bytes of a nonce, in base64url or base64: both are in use. Raises ValueError."""
    found = _decoded(text, _ALPHABETS)
    if len(found) != NONCE_BYTES:
        raise ValueError("a nonce has 16 bytes")
    return found


def to_base64url(value: bytes) -> str:
    """base64url without padding: the one spelling under which a value is remembered."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _decoded(text: str, alphabets: tuple[re.Pattern[str], ...]) -> bytes:
    if not any(alphabet.fullmatch(text) for alphabet in alphabets):
        raise ValueError("no base64")
    bare = text.rstrip("=").replace("+", "-").replace("/", "_")
    missing = "=" * (-len(bare) % 4)
    if text[len(bare) :] not in ("", missing):
        raise ValueError("no base64: padded wrongly")
    found = base64.urlsafe_b64decode(bare + missing)
    if to_base64url(found) != bare:
        raise ValueError("no base64 of whole bytes")
    return found
