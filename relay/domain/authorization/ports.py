"""Protocols that infra implements for the authority and for the support APIs."""

from collections.abc import Mapping
from typing import Protocol

from relay.domain.authorization.token import ACCESS, Claims


class TokenSigner(Protocol):
    """Signs tokens and reads its own tokens."""

    def sign(self, claims: Mapping[str, object], now: int) -> tuple[str, bytes]:
        """Returns the token (JWS compact) and the SHA-256 of header and payload, equal for equal claims."""

    def read(self, token: str, now: int, use: str = ACCESS) -> Claims:
        """Returns the claims of our own token for `use`. Raises Refusal (40101) as the gateway does."""

    def issued(self, token: str) -> Claims:
        """Returns the claims of our access or refresh token, expired or not. Raises Refusal (40101)."""


class SecretChecker(Protocol):
    """Compares client secrets with slow hashes: in constant time, in threads, with a short cache of successes."""

    async def matches(self, caller: str, secret_hash: str, secret: str) -> bool:
        """Returns whether the secret matches the hash. The comparison waits in the queue of `caller`.

        An unknown client has no hash (""): it costs the same and never matches. Raises QueueFull.
        """
