"""Verifies access tokens once, by pinned algorithms, and caches them until they expire (규격 2.2)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import cryptography.hazmat.backends.openssl.backend  # noqa: F401 - otherwise imported by the first signature: see EMFILE
import jwt

from relay.domain.authorization.token import ACCESS, REFRESH, Claims, NotVerified, TokenExpired, parse_claims
from relay.domain.fault import FAULTS, Refusal
from relay.domain.ids import AUTHORIZATION_FORM
from relay.infra.tokens.verification_turns import VerificationTurns
from relay.primitives.shared_values import SharedValues
from relay.primitives.two_generations import TwoGenerationCache

_TOKEN: Final = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_MAX_TOKEN_BYTES: Final = 1500
"""Maximum bytes of 접근토큰, aNS(1500)."""

_KEY_MASK: Final = 2**60 - 1
"""Bits of the hash that are the key in the cache. PERF: an int of 60 bits has 32 bytes, of 64 bits 48."""

_SIGNATURE_END: Final = -15
"""Index of the last 15 characters of the signature, 90 bits, which are compared. PERF: kept, they take 48 bytes."""

_MAX_SHARED: Final = 20_000
"""Distinct org_codes, client_ids and sets of scopes of which one instance is shared."""


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key with the one algorithm it may verify."""

    algorithm: str
    key: Any


class Verifier:
    """Verifies tokens of one issuer with its keys by `kid`. `leeway` is the allowed clock difference in seconds."""

    def __init__(self, keys: Mapping[str, VerifyingKey], issuer: str, leeway: float) -> None:
        self._keys = dict(keys)
        self._issuer = issuer
        self._leeway = leeway

    def verify(self, token: bytes, now: float, use: str = ACCESS) -> Claims:
        """Returns the claims of a token for `use` at epoch time `now`. Raises Refusal (40101), TokenExpired."""
        claims = self._check_issuer(parse_claims(self._verify_signature(token), use))
        if claims.iat > now + self._leeway:
            raise Refusal(FAULTS["token_malformed"], "iat")
        if claims.exp <= now:
            raise TokenExpired(claims)
        return claims

    def issued(self, token: bytes) -> Claims:
        """Returns the claims of an issued access or refresh token, expired or not. Raises Refusal."""
        payload = self._verify_signature(token)
        try:
            claims = parse_claims(payload)
        except Refusal:
            claims = parse_claims(payload, REFRESH)
        return self._check_issuer(claims)

    def _check_issuer(self, claims: Claims) -> Claims:
        if claims.iss != self._issuer:
            raise Refusal(FAULTS["token_untrusted"])
        return claims

    def _verify_signature(self, token: bytes) -> bytes:
        """Returns the payload of a token after checking its signature. Raises Refusal (40101)."""
        if len(token) > _MAX_TOKEN_BYTES or _TOKEN.fullmatch(token) is None:
            raise Refusal(FAULTS["token_malformed"])
        try:
            kid = jwt.get_unverified_header(token).get("kid")
        except jwt.InvalidTokenError as error:
            raise Refusal(FAULTS["token_malformed"]) from error
        verifying = self._keys.get(kid) if isinstance(kid, str) else None
        if verifying is None:
            raise Refusal(FAULTS["token_untrusted"])
        try:
            payload: bytes = jwt.api_jws.decode(token, verifying.key, algorithms=[verifying.algorithm])
        except jwt.InvalidTokenError as error:
            raise Refusal(FAULTS["token_untrusted"]) from error
        return payload


@dataclass(frozen=True, slots=True)
class CachedClaims(Claims):
    """The claims of a verified token, with the last characters of its signature."""

    signature_end: bytes


class VerifiedTokens:
    """Verifies access tokens and caches the claims of valid ones.

    The cache holds at most `max_tokens` tokens. With `turns`, one turn of the event loop verifies a limited number of
    tokens; without, all are verified at once.
    """

    def __init__(
        self,
        keys: Mapping[str, VerifyingKey],
        issuer: str,
        leeway: float,
        max_tokens: int,
        turns: VerificationTurns | None = None,
    ) -> None:
        self._verifier = Verifier(keys, issuer, leeway)
        self._cache: TwoGenerationCache[int, CachedClaims] = TwoGenerationCache(max_tokens, untracked=True)
        self._young, self._mask = self._cache.young, self._cache.mask
        self._shared = SharedValues(_MAX_SHARED)
        self._turns = turns

    def __len__(self) -> int:
        return len(self._cache)

    def verify(self, authorization: bytes, now: float) -> Claims:
        """Returns the claims of an Authorization value's token at epoch time `now`.

        Raises Refusal (40101), TokenExpired, and NotVerified if the token must wait for a later turn.

        PERF: 0.4 us cached, 70-220 us the first time. The key is Python's hash of the value, whose secret is drawn at
        the start of the process, and the end of the signature is compared: together 150 bits, most of them
        unpredictable. The value itself as the key costs 0.8 KB more for each token, a SHA-256 of it 0.6 us more.
        """
        key = hash(authorization) & _KEY_MASK
        claims = self._young[key & self._mask].get(key)
        # PERF: the usual case of the lines below, inlined. The end is a slice, `endswith` costs 0.1 us more; `exp` is a
        # float, an int costs 0.03 us more
        if claims is not None and authorization[_SIGNATURE_END:] == claims.signature_end and claims.exp > now:
            return claims
        # in the old generation, or expired, or another token with this hash
        claims = self._cache.get(key)
        if claims is None or authorization[_SIGNATURE_END:] != claims.signature_end:
            return self._verify_and_cache(authorization, key, now)
        if claims.exp <= now:
            self._cache.remove(key)
            raise TokenExpired(claims)
        return claims

    async def wait_turn(self, operator: str) -> None:
        """Waits until a token may be verified that had raised NotVerified. Operators take turns."""
        if self._turns is not None:
            await self._turns.wait(operator)

    async def clear(self) -> None:
        """Forgets all tokens, in many turns of the event loop. Many at once stop the loop."""
        await self._cache.clear_slowly()

    def _verify_and_cache(self, authorization: bytes, key: int, now: float) -> Claims:
        token = _extract_token(authorization)
        if self._turns is not None and not self._turns.take():
            raise NotVerified
        claims = self._verifier.verify(token, now)
        share = self._shared.share
        cached = CachedClaims(
            iss=share(claims.iss),
            aud=share(claims.aud),
            exp=float(claims.exp),
            iat=claims.iat,
            jti=claims.jti,
            scopes=share(claims.scopes),
            org_code=share(claims.org_code),
            client_id=share(claims.client_id),
            signature_end=authorization[_SIGNATURE_END:],
        )
        self._cache.put(key, cached)
        return cached


def _extract_token(authorization: bytes) -> bytes:
    """Returns the token of `Bearer TOKEN` (RFC 6750 2.1); the scheme is case-insensitive."""
    if authorization[:7].lower() != b"bearer ":
        raise Refusal(FAULTS["token_malformed"], AUTHORIZATION_FORM)
    return authorization[7:]  # exactly one blank: otherwise one token would have many cache keys
