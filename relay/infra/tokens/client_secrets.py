"""Compares client secrets with slow hashes on threads; caches recent successes (RFC 6749 2.3.1, 10.10).

A hash is scrypt (RFC 7914) in PHC form: `$scrypt$ln=14,r=8,p=1$SALT$HASH`, base64 without padding.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Self

from relay.infra.fair_semaphore import FairSemaphore, FairThreadPool

MAX_WAITING_PER_CALLER: Final = 8
"""Comparisons of one caller that may wait for its running one: half a second on idle threads. A service has one secret
and equal calls share a comparison, so a caller with the right secret never has that many."""

_PHC: Final = re.compile(r"\$scrypt\$ln=([0-9]{1,2}),r=([0-9]{1,2}),p=([0-9])\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)")
_LN, _R, _P = 14, 8, 1
"""Cost of every hash made here: 16 MiB and about 70 ms."""
_COST: Final = 2**_LN * _R * _P
_PAD: Final = (10, 8)
"""ln and r of the extra work that brings a cheap comparison up to `_COST`."""
_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32
_MAX_MEMORY_BYTES: Final = 2**31 - 1
"""Maximum memory limit that OpenSSL accepts."""


@dataclass(frozen=True, slots=True)
class _Hash:
    ln: int
    r: int
    p: int
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _PHC.fullmatch(text)
        if match is None:
            raise ValueError("not a scrypt hash in PHC form")
        ln, r, p = (int(match[group]) for group in (1, 2, 3))
        try:
            return cls(ln, r, p, _decode(match[4]), _decode(match[5]))
        except binascii.Error as error:
            raise ValueError("not a scrypt hash in PHC form") from error

    @property
    def cost(self) -> int:
        """Cost of a comparison: the time of scrypt grows with the product of its three parameters."""
        cost: int = 2**self.ln * self.r * self.p
        return cost

    def derive(self, secret: str) -> bytes:
        """Returns the digest of a secret with this cost and salt."""
        maxmem = min(128 * self.r * (2**self.ln + self.p + 2), _MAX_MEMORY_BYTES)
        parameters = {"n": 2**self.ln, "r": self.r, "p": self.p}
        return hashlib.scrypt(secret.encode(), salt=self.salt, maxmem=maxmem, dklen=len(self.digest), **parameters)

    def __str__(self) -> str:
        return f"$scrypt$ln={self.ln},r={self.r},p={self.p}${_encode(self.salt)}${_encode(self.digest)}"


def hash_secret(secret: str) -> str:
    """Returns the slow hash of a secret for `client_secret_hash` of the directory. All hashes have one cost."""
    unset = _Hash(_LN, _R, _P, os.urandom(_SALT_BYTES), bytes(_HASH_BYTES))
    return str(_Hash(_LN, _R, _P, unset.salt, unset.derive(secret)))


def matches_hash(secret_hash: str, secret: str) -> bool:
    """Returns whether a secret matches a hash; slow. Raises ValueError if the hash is malformed."""
    return compare_secret(secret_hash, secret, 0)


def compare_secret(secret_hash: str, secret: str, cost: int) -> bool:
    """Returns whether a secret matches a hash, after work of `cost` in total."""
    expected = _Hash.parse(secret_hash)
    matches = hmac.compare_digest(expected.derive(secret), expected.digest)
    ln, r = _PAD
    if (p := (cost - expected.cost) // (2**ln * r)) > 0:
        _Hash(ln, r, p, b"", bytes(_HASH_BYTES)).derive(secret)
    return matches


class ClientSecrets:
    """A SecretChecker of `domain.authorization.ports`. At most `max_cached` successes are cached for `memory_s`.

    The cache holds an HMAC under a key of this process, never a secret. Concurrent calls with the same secret share one
    comparison: an operator that begins with fifty calls waits for one.

    Each caller has one running comparison, at most `MAX_WAITING_PER_CALLER` waiting ones, and a fair share of the
    threads: wrong secrets delay only their sender. Queues are per caller, not per secret: otherwise anyone could fill
    the queue of a service by sending its name.

    Every comparison costs as much as the costliest hash compared so far, at least as much as `hash_secret`. So timing
    does not distinguish hashes of other tools or older relays from unknown clients.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        threads: int = 2,
        memory_s: float = 60.0,
        max_cached: int = 1000,
        compare: Callable[[str, str, int], bool] = compare_secret,
    ) -> None:
        self._clock = clock
        self._memory_s = memory_s
        self._max_cached = max_cached
        self._key = os.urandom(32)
        self._compare = compare
        self._cache: OrderedDict[bytes, float] = OrderedDict()
        self._running: dict[bytes, asyncio.Task[bool]] = {}
        self._cost = _COST
        self._workers = FairThreadPool(
            threads, FairSemaphore(threads, 1, waiting_each=MAX_WAITING_PER_CALLER), "client-secret"
        )

    async def matches(self, caller: str, secret_hash: str, secret: str) -> bool:
        """Returns whether a secret matches a hash. `caller` is "" for all unknown callers.

        A client without a hash ("") costs the same and never matches. Raises ValueError if the hash is malformed,
        QueueFull if too many comparisons of the caller are waiting.
        """
        secret_hash = secret_hash or _UNKNOWN
        digest = hmac.digest(self._key, f"{caller}\0{secret_hash}\0{secret}".encode(), "sha256")
        if self._cache.get(digest, 0.0) > self._clock():
            return True
        self._cost = max(self._cost, _Hash.parse(secret_hash).cost)
        running = self._running.get(digest)
        if running is None:
            running = asyncio.create_task(
                self._workers.run(caller, partial(self._compare, secret_hash, secret, self._cost))
            )
            self._running[digest] = running
            running.add_done_callback(partial(self._end_comparison, digest))
        matches = await asyncio.shield(running)  # a cancelled caller must not cancel the others
        if matches:
            self._store(digest)
        return matches

    def close(self) -> None:
        """Stops the threads. Running comparisons finish; waiting ones are cancelled."""
        for running in tuple(self._running.values()):
            running.cancel()
        self._workers.close()

    def _end_comparison(self, digest: bytes, running: asyncio.Task[bool]) -> None:
        del self._running[digest]
        if not running.cancelled():
            running.exception()  # marks it as retrieved: all callers may be gone

    def _store(self, digest: bytes) -> None:
        self._cache[digest] = self._clock() + self._memory_s
        self._cache.move_to_end(digest)
        while len(self._cache) > self._max_cached:
            self._cache.popitem(last=False)


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


_UNKNOWN: Final = str(_Hash(_LN, _R, _P, bytes(_SALT_BYTES), bytes(_HASH_BYTES)))
"""A hash that no secret matches, for unknown clients."""
