"""Client secrets as the portal tells them (지원-003): hashed slowly off the loop, recognised when they come again."""

import asyncio
import hmac
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from relay.infra.tokens.client_secrets import hashed, is_behind

THREADS: Final = 2
KEY_BYTES_LEAST: Final = 32
_KEY_NAME_BYTES: Final = 4
_MARK_BYTES: Final = 32


class PortalSecrets:
    """The Hasher of the sync. `key` makes the marks: 32 random bytes at least, the same for all instances.

    With another key every secret is hashed once more. Two threads hash, at most.
    """

    def __init__(self, key: bytes, threads: int = THREADS) -> None:
        if len(key) < KEY_BYTES_LEAST:
            raise ValueError(f"the key of secret marks has fewer than {KEY_BYTES_LEAST} bytes")
        self._key = key
        self._key_name = hmac.digest(key, b"name of the key of marks", "sha256")[:_KEY_NAME_BYTES]
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="portal-secret")

    def mark(self, client_id: str, secret: str) -> bytes:
        """What tells whether a service's secret is the same as before; it opens nothing and can only be made here.

        It begins with the name of its key.
        """
        digest = hmac.digest(self._key, f"{client_id}\0{secret}".encode(), "sha256")
        return (self._key_name + digest)[:_MARK_BYTES]

    def is_comparable(self, mark: bytes) -> bool:
        """Whether a mark was made with this key: then another mark is another secret."""
        return mark.startswith(self._key_name)

    async def hashed(self, secrets: Sequence[str]) -> Sequence[str]:
        """The slow hashes of these secrets, in their order. Whoever stops waiting stops what is not begun."""
        loop = asyncio.get_running_loop()
        return await asyncio.gather(*(loop.run_in_executor(self._threads, hashed, secret) for secret in secrets))

    async def fit(self, pairs: Sequence[tuple[str, str]]) -> Sequence[bool]:
        """Whether each of these is a secret and its slow hash, in their order."""
        loop = asyncio.get_running_loop()
        compared = (loop.run_in_executor(self._threads, is_behind, one_hash, secret) for secret, one_hash in pairs)
        return await asyncio.gather(*compared)

    def close(self) -> None:
        """End the threads; what they hash just now is finished first, what waits is not begun."""
        self._threads.shutdown(wait=True, cancel_futures=True)
