"""Client secrets from the portal (지원-003): hashes them on threads, recognises known ones by a mark."""

import asyncio
import hmac
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from relay.infra.tokens.client_secrets import hash_secret, matches_hash

THREADS: Final = 2
MIN_KEY_BYTES: Final = 32
_KEY_NAME_BYTES: Final = 4
_MARK_BYTES: Final = 32


class PortalSecrets:
    """Implements the Hasher of the sync. `key` makes the marks: at least 32 random bytes, equal on all instances.

    With another key every secret is hashed again. `threads` bounds concurrent hashes.
    """

    def __init__(self, key: bytes, threads: int = THREADS) -> None:
        if len(key) < MIN_KEY_BYTES:
            raise ValueError(f"the key of secret marks has fewer than {MIN_KEY_BYTES} bytes")
        self._key = key
        self._key_name = hmac.digest(key, b"name of the key of marks", "sha256")[:_KEY_NAME_BYTES]
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="portal-secret")

    def mark(self, client_id: str, secret: str) -> bytes:
        """Returns a keyed digest that shows whether a service's secret changed. It begins with the name of its key."""
        digest = hmac.digest(self._key, f"{client_id}\0{secret}".encode(), "sha256")
        return (self._key_name + digest)[:_MARK_BYTES]

    def is_comparable(self, mark: bytes) -> bool:
        """Returns whether a mark was made with this key: only then another mark means another secret."""
        return mark.startswith(self._key_name)

    async def hash_all(self, secrets: Sequence[str]) -> Sequence[str]:
        """Returns the slow hashes of these secrets, in order. Cancelling it cancels the hashes not yet started."""
        loop = asyncio.get_running_loop()
        return await asyncio.gather(*(loop.run_in_executor(self._threads, hash_secret, secret) for secret in secrets))

    async def match(self, pairs: Sequence[tuple[str, str]]) -> Sequence[bool]:
        """Returns for each pair of secret and slow hash whether they match, in order."""
        loop = asyncio.get_running_loop()
        comparisons = (
            loop.run_in_executor(self._threads, matches_hash, secret_hash, secret) for secret, secret_hash in pairs
        )
        return await asyncio.gather(*comparisons)

    def close(self) -> None:
        """Stops the threads. Running hashes finish; waiting ones are cancelled."""
        self._threads.shutdown(wait=True, cancel_futures=True)
