"""Signs tokens with the folder of token keys, and reads those that were signed (규격 3.1; RFC 7515)."""

import hashlib
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

from relay.domain.authorization.token import ACCESS, Claims
from relay.infra.tokens.key_folder import TokenKey, TokenKeyProblem, private_key, read_keys
from relay.infra.tokens.verification import Verifier, VerifyingKey

_MOST: Final = 1500
"""접근토큰 and 리프레시 토큰, aNS(1500)."""


def _deterministic() -> ECDSA:
    """ECDSA whose signature follows from key and message (RFC 6979), where OpenSSL knows it (3.2 and later)."""
    try:
        return ECDSA(SHA256(), deterministic_signing=True)
    except UnsupportedAlgorithm:
        return ECDSA(SHA256())


_ECDSA: Final = _deterministic()


class RepeatableES256(ECAlgorithm):
    """ES256 that signs the same claims to the same token: who repeats a call gets the string of before."""

    def __init__(self) -> None:
        super().__init__(ECAlgorithm.SHA256, SECP256R1)

    def sign(self, msg: bytes, key: EllipticCurvePrivateKey) -> bytes:
        """The signature, as JWS writes it."""
        return der_to_raw_signature(key.sign(msg, _ECDSA), key.curve)


class TokenTooLong(ValueError):
    """These claims make a token that the standard has no room for."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs from `signs_from` (epoch seconds) on until a newer one does, with its one algorithm."""

    kid: str
    algorithm: str
    signs_from: int
    private: Any = field(repr=False)


class FolderSigner:
    """The Signer of the authority. The key of a token is chosen by the moment it is signed for.

    So claims that are signed again for the same moment get the same header, and a key made ahead of its time is known
    to every verifier before it signs.
    """

    def __init__(self, keys: Iterable[SigningKey], verifier: Verifier) -> None:
        self._newest_first = sorted(keys, key=lambda key: key.signs_from, reverse=True)
        self._verifier = verifier
        self._jws = jwt.PyJWS()
        self._jws.unregister_algorithm("ES256")
        self._jws.register_algorithm("ES256", RepeatableES256())

    @classmethod
    def of_folder(cls, folder: Path, issuer: str, leeway: float) -> Self:
        """The keys of a folder: those with `signs_from` sign, all of them verify. Raises TokenKeyProblem."""
        keys = read_keys(folder)
        verifying = {key.kid: VerifyingKey(key.algorithm, key.public) for key in keys}
        return cls(_signing(folder, keys), Verifier(verifying, issuer, leeway))

    def sign(self, claims: Mapping[str, object], now: int) -> tuple[str, bytes]:
        """The token (JWS compact) by the newest key that signs at epoch second `now`, and SHA-256 of what it signed.

        Raises TokenKeyProblem when no key signs yet, TokenTooLong over 1500 bytes. PERF: ES256 costs 90 us.
        """
        key = self._key(now)
        payload = json.dumps(claims, separators=(",", ":"), sort_keys=True).encode()
        token = self._jws.encode(payload, key.private, key.algorithm, {"kid": key.kid})
        if len(token) > _MOST:
            raise TokenTooLong(f"a token of {len(token)} bytes")
        return token, hashlib.sha256(token.rpartition(".")[0].encode()).digest()

    def read(self, token: str, now: int, use: str = ACCESS) -> Claims:
        """Claims of one of our own tokens, meant for `use`, at epoch second `now`. Raises Refusal (40101)."""
        return self._verifier.claims(token.encode(), now, use)

    def issued(self, token: str) -> Claims:
        """Claims of an access or refresh token of ours, whatever became of it. Raises Refusal (40101)."""
        return self._verifier.issued(token.encode())

    def _key(self, now: int) -> SigningKey:
        for key in self._newest_first:
            if key.signs_from <= now:
                return key
        raise TokenKeyProblem("no key signs yet: make one with relay keys rotate")


def _signing(folder: Path, keys: Iterable[TokenKey]) -> Iterable[SigningKey]:
    for key in keys:
        if key.signs_from is not None:
            private = private_key(folder, key.kid)
            if private.public_key() != key.public:
                raise TokenKeyProblem(f"{folder / key.kid}.pem is not the private half of the key of this name")
            yield SigningKey(key.kid, key.algorithm, key.signs_from, private)
