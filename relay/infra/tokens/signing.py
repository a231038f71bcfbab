"""Signs tokens with the keys of a folder and reads signed tokens (규격 3.1; RFC 7515)."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from jwt.algorithms import ECAlgorithm
from jwt.utils import der_to_raw_signature

from relay.domain.authorization.digest import digest_text
from relay.domain.authorization.token import ACCESS, Claims
from relay.infra.tokens.key_folder import TokenKey, TokenKeyError, read_keys, read_signing_key
from relay.infra.tokens.verification import Verifier, VerifyingKey

_MAX_TOKEN_BYTES: Final = 1500
"""Maximum bytes of 접근토큰 and 리프레시 토큰, aNS(1500)."""


def _build_ecdsa() -> ECDSA:
    """Returns deterministic ECDSA (RFC 6979) if OpenSSL supports it (3.2 and later)."""
    try:
        return ECDSA(SHA256(), deterministic_signing=True)
    except UnsupportedAlgorithm:
        return ECDSA(SHA256())


_ECDSA: Final = _build_ecdsa()


class RepeatableES256(ECAlgorithm):
    """ES256 with deterministic signatures: a repeated call gets the same token."""

    def __init__(self) -> None:
        super().__init__(ECAlgorithm.SHA256, SECP256R1)

    def sign(self, msg: bytes, key: EllipticCurvePrivateKey) -> bytes:
        """Returns the signature in the format of JWS."""
        return der_to_raw_signature(key.sign(msg, _ECDSA), key.curve)


class TokenTooLong(ValueError):
    """The token would be longer than the standard allows."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, pinned to one algorithm. It signs from `signs_from` (epoch seconds) until a newer key does."""

    kid: str
    algorithm: str
    signs_from: int
    private: Any = field(repr=False)


class TokenSigner:
    """Implements TokenSigner of `domain.authorization.ports`. The signing time of a token selects its key.

    So signing the same claims for the same time gives the same header, and every verifier knows a new key before it
    signs.
    """

    def __init__(self, keys: Iterable[SigningKey], verifier: Verifier) -> None:
        self._newest_first = sorted(keys, key=lambda key: key.signs_from, reverse=True)
        self._verifier = verifier
        self._jws = jwt.PyJWS()
        self._jws.unregister_algorithm("ES256")
        self._jws.register_algorithm("ES256", RepeatableES256())

    @classmethod
    def from_folder(cls, folder: Path, issuer: str, leeway: float) -> Self:
        """Builds a signer from a key folder: keys with `signs_from` sign, all keys verify. Raises TokenKeyError."""
        keys = read_keys(folder)
        verifying = {key.kid: VerifyingKey(key.algorithm, key.public) for key in keys}
        return cls(_load_signing_keys(folder, keys), Verifier(verifying, issuer, leeway))

    def sign(self, claims: Mapping[str, object], now: int) -> tuple[str, bytes]:
        """Returns a token (JWS compact), signed by the newest key at second `now`, and SHA-256 of its signing input.

        Raises TokenKeyError if no key signs yet, TokenTooLong over 1500 bytes. PERF: ES256 costs 90 us.
        """
        key = self._select_key(now)
        payload = json.dumps(claims, separators=(",", ":"), sort_keys=True).encode()
        token = self._jws.encode(payload, key.private, key.algorithm, {"kid": key.kid})
        if len(token) > _MAX_TOKEN_BYTES:
            raise TokenTooLong(f"a token of {len(token)} bytes")
        return token, digest_text(token.rpartition(".")[0])

    def read(self, token: str, now: int, use: str = ACCESS) -> Claims:
        """Returns the claims of a token of this issuer for `use` at epoch second `now`. Raises Refusal (40101)."""
        return self._verifier.verify(token.encode(), now, use)

    def issued(self, token: str) -> Claims:
        """Returns the claims of an issued access or refresh token, also an expired one. Raises Refusal (40101)."""
        return self._verifier.issued(token.encode())

    def _select_key(self, now: int) -> SigningKey:
        for key in self._newest_first:
            if key.signs_from <= now:
                return key
        raise TokenKeyError("no key signs yet: create one with relay keys rotate")


def _load_signing_keys(folder: Path, keys: Iterable[TokenKey]) -> Iterable[SigningKey]:
    for key in keys:
        if key.signs_from is not None:
            yield SigningKey(key.kid, key.algorithm, key.signs_from, read_signing_key(folder, key))
