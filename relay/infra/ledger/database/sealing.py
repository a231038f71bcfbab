"""Encryption of customer data: AES-256-GCM to read a value again, HMAC-SHA256 to look a customer up.

A blob: length of the kid (1 byte), kid, nonce (12 bytes), ciphertext with tag. The first key seals, every key unseals,
so keys can be rotated without downtime.
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
_NONCE_BYTES: Final = 12
_MAX_KID: Final = 255
_FINGERPRINTED: Final = b"a customer key of this ledger"


class UnsealError(Exception):
    """A blob cannot be unsealed. The text names the key, never the content."""


@dataclass(frozen=True, slots=True)
class CustomerKey:
    """A key and its name; `key` is 32 random bytes."""

    kid: str
    key: bytes = field(repr=False)


class Sealer:
    """Seals and unseals customer data, and computes the digests by which customers are looked up.

    Takes one key or more, each of 32 bytes and with a kid of its own; raises ValueError otherwise.
    """

    def __init__(self, keys: Sequence[CustomerKey]) -> None:
        if not keys:
            raise ValueError("no customer key")
        if len({key.kid for key in keys}) < len(keys):
            raise ValueError("two customer keys of the same kid")
        for key in keys:
            if len(key.key) != KEY_BYTES:
                raise ValueError(f"the customer key {key.kid} is not {KEY_BYTES} bytes long")
        self._ciphers = {_blob_prefix(key.kid): AESGCM(_derive_key(key.key, b"seal")) for key in keys}
        self._lookup_keys = tuple(_derive_key(key.key, b"find") for key in keys)
        self._transfer_keys = tuple(_derive_key(key.key, b"transfers") for key in keys)
        self._prefix = next(iter(self._ciphers))
        self._fingerprints = {
            key.kid: hmac.digest(_derive_key(key.key, b"mark"), _FINGERPRINTED, hashlib.sha256) for key in keys
        }

    def __repr__(self) -> str:
        return f"Sealer({', '.join(prefix[1:].decode() for prefix in self._ciphers)})"

    @property
    def fingerprints(self) -> Mapping[str, bytes]:
        """Fingerprints of the keys, by kid: 32 bytes that unseal and look up nothing."""
        return MappingProxyType(self._fingerprints)

    @property
    def transfer_keys(self) -> tuple[bytes, ...]:
        """The keys of the digests in `transfers`, the first key's first."""
        return self._transfer_keys

    @property
    def prefixes(self) -> tuple[bytes, ...]:
        """The first bytes of the blobs of each key."""
        return tuple(self._ciphers)

    def seal(self, text: bytes, context: str) -> bytes:
        """Returns a blob of `text` that unseals only in the same `context`.

        The context names the row and is authenticated (AES-GCM associated data): a blob cannot move to another row.
        """
        nonce = os.urandom(_NONCE_BYTES)
        return self._prefix + nonce + self._ciphers[self._prefix].encrypt(nonce, text, context.encode())

    def unseal(self, blob: bytes, context: str) -> bytes:
        """Returns the text. Raises UnsealError for a missing key, another context or a changed blob."""
        prefix = blob[: 1 + blob[0]] if blob else b""
        cipher = self._ciphers.get(prefix)
        if cipher is None:
            raise UnsealError(f"no customer key {prefix[1:].decode('ascii', 'replace')!r} to open {_kind(context)}")
        start = len(prefix) + _NONCE_BYTES
        try:
            return cipher.decrypt(blob[len(prefix) : start], blob[start:], context.encode())
        except (InvalidTag, ValueError) as error:
            raise UnsealError(f"the customer key {prefix[1:].decode()!r} does not open {_kind(context)}") from error

    def is_current(self, blob: bytes) -> bool:
        """Whether the first key sealed this blob."""
        return blob.startswith(self._prefix)

    def customer_digest(self, ci: str) -> bytes:
        """Returns the digest under which new rows name a customer: 32 bytes, of the first key."""
        return _customer_digest(self._lookup_keys[0], ci)

    def customer_digests(self, ci: str) -> tuple[bytes, ...]:
        """Returns all digests under which rows may name a customer, one for each key, the first key's first."""
        return tuple(_customer_digest(key, ci) for key in self._lookup_keys)


def _blob_prefix(kid: str) -> bytes:
    raw = kid.encode("ascii")
    if not 0 < len(raw) <= _MAX_KID:
        raise ValueError("a kid has 1 to 255 characters")
    return bytes([len(raw)]) + raw


def _derive_key(key: bytes, use: bytes) -> bytes:
    """Returns a key for one use (RFC 5869): the keys of look-ups and fingerprints unseal nothing."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"mydata-relay ledger " + use).derive(key)


def _customer_digest(key: bytes, ci: str) -> bytes:
    return hmac.digest(key, ci.encode(), hashlib.sha256)


def _kind(context: str) -> str:
    """Returns the kind of data, without the row's id."""
    return context.partition(":")[0]
