"""Client secrets against slow hashes, off the loop; what was right a moment ago is right again (RFC 6749 2.3.1, 10.10).

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

from relay.infra.fair_semaphore import Turns, Workers

WAITING_EACH: Final = 8
"""So many comparisons of one caller may wait for the one under way: half a second when nobody else compares. A service
has one secret, and equal calls share their comparison: who is right never has that many."""

_PHC: Final = re.compile(r"\$scrypt\$ln=([0-9]{1,2}),r=([0-9]{1,2}),p=([0-9])\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)")
_LN, _R, _P = 14, 8, 1
"""What every hash made here asks for: 16 MiB and about 70 ms."""
_COST: Final = 2**_LN * _R * _P
_PAD: Final = (10, 8)
"""ln and r of the work that fills a cheap comparison up to `_COST`."""
_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32
_MEMORY_MOST: Final = 2**31 - 1
"""The most that OpenSSL can be told to use."""


@dataclass(frozen=True, slots=True)
class _Hash:
    ln: int
    r: int
    p: int
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    @classmethod
    def read(cls, text: str) -> Self:
        found = _PHC.fullmatch(text)
        if found is None:
            raise ValueError("no scrypt hash in PHC form")
        ln, r, p = (int(found[at]) for at in (1, 2, 3))
        try:
            return cls(ln, r, p, _unpadded(found[4]), _unpadded(found[5]))
        except binascii.Error as error:
            raise ValueError("no scrypt hash in PHC form") from error

    @property
    def cost(self) -> int:
        """What a comparison costs: scrypt's time grows with the product of its three numbers."""
        cost: int = 2**self.ln * self.r * self.p
        return cost

    def of(self, secret: str) -> bytes:
        """The hash of another secret with the same cost and salt."""
        memory = min(128 * self.r * (2**self.ln + self.p + 2), _MEMORY_MOST)
        cost = {"n": 2**self.ln, "r": self.r, "p": self.p}
        return hashlib.scrypt(secret.encode(), salt=self.salt, maxmem=memory, dklen=len(self.digest), **cost)

    def __str__(self) -> str:
        return f"$scrypt$ln={self.ln},r={self.r},p={self.p}${_base64(self.salt)}${_base64(self.digest)}"


def hashed(secret: str) -> str:
    """The slow hash of a secret, as `client_secret_hash` of the directory takes it; the one cost of all hashes."""
    asked = _Hash(_LN, _R, _P, os.urandom(_SALT_BYTES), bytes(_HASH_BYTES))
    return str(_Hash(_LN, _R, _P, asked.salt, asked.of(secret)))


def is_behind(secret_hash: str, secret: str) -> bool:
    """Whether this is the secret behind the hash; slow. Raises ValueError when the hash is none."""
    return _compare(secret_hash, secret, 0)


class ClientSecrets:
    """The Secrets of the authority: `threads` compare; a success is remembered for `memory_s`, at most `most` of them.

    What is remembered is an HMAC under a key of this process, never a secret. Calls with the same secret at the same
    time share one comparison: an operator that begins with fifty calls at once waits for one.

    One comparison of a caller is under way at a time, `WAITING_EACH` wait, and callers take turns: whoever sends wrong
    secrets slows down nobody else. Lanes are the callers' and not the secrets', or a stranger who names a service
    would fill its lane.

    A comparison costs what the costliest hash has cost that was compared here, `hashed`'s at least: hashes that another
    tool made, or an older relay, are told apart from unknown clients by no clock.
    """

    def __init__(self, clock: Callable[[], float], threads: int = 2, memory_s: float = 60.0, most: int = 1000) -> None:
        self._clock = clock
        self._memory_s = memory_s
        self._most = most
        self._key = os.urandom(32)
        self._right: OrderedDict[bytes, float] = OrderedDict()
        self._running: dict[bytes, asyncio.Task[bool]] = {}
        self._cost = _COST
        self._workers = Workers(threads, Turns(threads, 1, waiting_each=WAITING_EACH), "client-secret")

    async def fit(self, whose: str, secret_hash: str, secret: str) -> bool:
        """Whether this is the secret behind the hash; `whose` names the caller, "" for all whom nobody knows.

        A client without a hash ("") costs the same and never fits. Raises ValueError when the hash is none, Crowded
        when too many comparisons of the caller wait already.
        """
        secret_hash = secret_hash or _UNKNOWN
        mark = hmac.digest(self._key, f"{whose}\0{secret_hash}\0{secret}".encode(), "sha256")
        if self._right.get(mark, 0.0) > self._clock():
            return True
        self._cost = max(self._cost, _Hash.read(secret_hash).cost)
        running = self._running.get(mark)
        if running is None:
            running = asyncio.create_task(self._workers.run(whose, partial(_compare, secret_hash, secret, self._cost)))
            self._running[mark] = running
            running.add_done_callback(partial(self._compared, mark))
        fits = await asyncio.shield(running)  # one caller who goes away must not cancel the others
        if fits:
            self._remember(mark)
        return fits

    def close(self) -> None:
        """End the threads; what they compare just now is finished first, what waits is not begun."""
        for running in tuple(self._running.values()):
            running.cancel()
        self._workers.close()

    def _compared(self, mark: bytes, running: asyncio.Task[bool]) -> None:
        del self._running[mark]
        if not running.cancelled():
            running.exception()  # looked at, for its callers may all have gone away

    def _remember(self, mark: bytes) -> None:
        self._right[mark] = self._clock() + self._memory_s
        self._right.move_to_end(mark)
        while len(self._right) > self._most:
            self._right.popitem(last=False)


def _compare(secret_hash: str, secret: str, cost: int) -> bool:
    """Whether the secret is behind the hash, after work of `cost` in all."""
    known = _Hash.read(secret_hash)
    fits = hmac.compare_digest(known.of(secret), known.digest)
    ln, r = _PAD
    if (parts := (cost - known.cost) // (2**ln * r)) > 0:
        _Hash(ln, r, parts, b"", bytes(_HASH_BYTES)).of(secret)
    return fits


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode().rstrip("=")


def _unpadded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


_UNKNOWN: Final = str(_Hash(_LN, _R, _P, bytes(_SALT_BYTES), bytes(_HASH_BYTES)))
"""The hash of no secret, for clients that are not known."""
