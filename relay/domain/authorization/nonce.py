"""Strict base64url and base64 for nonces and signatures: every text has one reading (RFC 4648 3.5)."""

import base64
import re
from typing import Final

NONCE_BYTES: Final = 16
"""재전송 방지 값: 16 random bytes (통합인증-002)."""

_ALPHABETS: Final = (re.compile(r"[A-Za-z0-9_-]+={0,2}"), re.compile(r"[A-Za-z0-9+/]+={0,2}"))


def from_base64url(text: str) -> bytes:
    """Decodes base64url, padded or not. Raises ValueError for another alphabet and for non-zero trailing bits."""
    return _decode(text, _ALPHABETS[:1])


def parse_nonce(text: str) -> bytes:
    """Decodes a nonce of 16 bytes, in base64url or base64: both are in use. Raises ValueError."""
    nonce = _decode(text, _ALPHABETS)
    if len(nonce) != NONCE_BYTES:
        raise ValueError("a nonce has 16 bytes")
    return nonce


def to_base64url(value: bytes) -> str:
    """Encodes base64url without padding, the one spelling that is stored."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _decode(text: str, alphabets: tuple[re.Pattern[str], ...]) -> bytes:
    if not any(alphabet.fullmatch(text) for alphabet in alphabets):
        raise ValueError("not base64")
    unpadded = text.rstrip("=").replace("+", "-").replace("/", "_")
    padding = "=" * (-len(unpadded) % 4)
    if text[len(unpadded) :] not in ("", padding):
        raise ValueError("not base64: wrong padding")
    value = base64.urlsafe_b64decode(unpadded + padding)
    if to_base64url(value) != unpadded:
        raise ValueError("not base64: non-zero trailing bits")
    return value
