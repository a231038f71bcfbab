"""What a customer can be known by, sealed: AES-256-GCM to read it again, HMAC-SHA256 to find it again.

A blob: length of the kid (1 byte), kid, nonce (12 bytes), ciphertext with tag. The first key seals, all of them open:
keys change without a day on which something cannot be read.
"""

import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32
_NONCE: Final = 12
_KID_MOST: Final = 255
_MARKED: Final = b"a customer key of this ledger"


class SealBroken(Exception):
    """Something sealed cannot be opened. The text names the key, never what was sealed."""


@dataclass(frozen=True, slots=True)
class CustomerKey:
    """A key by its name; `key` is 32 random bytes."""

    kid: str
    key: bytes = field(repr=False)


class Sealer:
    """Seals and opens what belongs to customers, and makes what they are found by.

    Needs one key or more, each of 32 bytes and with a kid of its own; raises ValueError for others.
    """

    def __init__(self, keys: Sequence[CustomerKey]) -> None:
        if not keys:
            raise ValueError("no customer key")
        if len({key.kid for key in keys}) < len(keys):
            raise ValueError("two customer keys of the same kid")
        for key in keys:
            if len(key.key) != KEY_BYTES:
                raise ValueError(f"the customer key {key.kid} is not {KEY_BYTES} bytes long")
        self._ciphers = {_named(key.kid): AESGCM(_derived(key.key, b"seal")) for key in keys}
        self._finders = tuple(_derived(key.key, b"find") for key in keys)
        self._head = next(iter(self._ciphers))
        self._marks = {key.kid: hmac.digest(_derived(key.key, b"mark"), _MARKED, hashlib.sha256) for key in keys}

    def __repr__(self) -> str:
        return f"Sealer({', '.join(head[1:].decode() for head in self._ciphers)})"

    @property
    def marks(self) -> Mapping[str, bytes]:
        """What tells each key from another of its name, by kid: 32 bytes that neither open nor find anything."""
        return MappingProxyType(self._marks)

    @property
    def heads(self) -> tuple[bytes, ...]:
        """What blobs begin with, a head for each key."""
        return tuple(self._ciphers)

    def seal(self, text: bytes, place: str) -> bytes:
        """A blob of `text` that opens at `place` only: a row's name, so that blobs cannot change rows."""
        nonce = os.urandom(_NONCE)
        return self._head + nonce + self._ciphers[self._head].encrypt(nonce, text, place.encode())

    def unseal(self, blob: bytes, place: str) -> bytes:
        """What was sealed. Raises SealBroken: a key that is not there, another place, another content."""
        head = blob[: 1 + blob[0]] if blob else b""
        cipher = self._ciphers.get(head)
        if cipher is None:
            raise SealBroken(f"no customer key {head[1:].decode('ascii', 'replace')!r} to open {_kind(place)}")
        start = len(head) + _NONCE
        try:
            return cipher.decrypt(blob[len(head) : start], blob[start:], place.encode())
        except (InvalidTag, ValueError) as error:
            raise SealBroken(f"the customer key {head[1:].decode()!r} does not open {_kind(place)}") from error

    def is_current(self, blob: bytes) -> bool:
        """Whether the first key sealed this."""
        return blob.startswith(self._head)

    def customer(self, ci: str) -> bytes:
        """What a customer is kept under: 32 bytes."""
        return _found_by(self._finders[0], ci)

    def customers(self, ci: str) -> tuple[bytes, ...]:
        """All that a customer may have been kept under, that of the first key first."""
        return tuple(_found_by(key, ci) for key in self._finders)


def _named(kid: str) -> bytes:
    raw = kid.encode("ascii")
    if not 0 < len(raw) <= _KID_MOST:
        raise ValueError("a kid has 1 to 255 characters")
    return bytes([len(raw)]) + raw


def _derived(key: bytes, use: bytes) -> bytes:
    """Each use has a key of its own (RFC 5869): what finds or marks never opens."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"mydata-relay ledger " + use).derive(key)


def _found_by(key: bytes, ci: str) -> bytes:
    return hmac.digest(key, ci.encode(), hashlib.sha256)


def _kind(place: str) -> str:
    return place.partition(":")[0]
