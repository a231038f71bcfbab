"""The folder of token keys: `jwks.json` holds the public keys (RFC 7517), `KID.pem` each private key.

A key in the set has `kid`, `alg`, `use` and our own member `signs_from`, the epoch second from which it signs tokens;
without it the key only verifies. Verification needs only `jwks.json`.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from relay.infra.files.regular import read_file

KEY_SET_FILE: Final = "jwks.json"
_KEY_TYPES: Final = {
    "ES256": ("EC", "P-256"),
    "RS256": ("RSA", None),
    "PS256": ("RSA", None),
    "EdDSA": ("OKP", "Ed25519"),
}
_RSA_BITS: Final = 2048
"""Minimum key size of RS256 and PS256 (RFC 7518 3.3)."""


class TokenKeyError(Exception):
    """The key folder cannot be used. The text names the file and what to do."""


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A public key, pinned to one algorithm. `signs_from` is None if it never signs."""

    kid: str
    algorithm: str
    public: Any
    signs_from: int | None


def read_keys(folder: Path) -> tuple[TokenKey, ...]:
    """Returns the keys of a folder in the order of `jwks.json`. Raises TokenKeyError."""
    file = folder / KEY_SET_FILE
    try:
        key_set = json.loads(read_file(file))
        keys = tuple(_parse_key(jwk) for jwk in key_set["keys"])
    except FileNotFoundError as error:
        raise TokenKeyError(f"{file} does not exist: create the first key with relay keys rotate") from error
    except OSError as error:
        raise TokenKeyError(f"{file} cannot be read ({error.strerror})") from error
    except (ValueError, TypeError, KeyError, NotImplementedError, jwt.PyJWTError) as error:
        raise TokenKeyError(f"{file} is not a set of public keys with kid and alg: {error}") from error
    if not keys or len({key.kid for key in keys}) < len(keys):
        raise TokenKeyError(f"{file} has no key, or a duplicate kid")
    return keys


def _parse_key(jwk: Mapping[str, Any]) -> TokenKey:
    algorithm = jwk["alg"]
    public = jwt.PyJWK(dict(jwk)).key
    is_short = jwk["kty"] == "RSA" and getattr(public, "key_size", _RSA_BITS) < _RSA_BITS
    if (jwk["kty"], jwk.get("crv")) != _KEY_TYPES[algorithm] or "d" in jwk or is_short:
        raise ValueError(f"{jwk['kid']}: not a public key for {algorithm}")
    signs_from = jwk.get("signs_from")
    if type(signs_from) not in {int, type(None)} or not isinstance(jwk["kid"], str):
        raise ValueError(f"{jwk['kid']}: signs_from must be epoch seconds, kid a string")
    return TokenKey(jwk["kid"], algorithm, public, signs_from)


def read_private_key(folder: Path, kid: str, *, validates: bool = False) -> Any:
    """Returns the private key of a kid. `validates` tests the primes of an RSA key. Raises TokenKeyError.

    PERF: the test of one key holds the interpreter for 40 ms; `relay check --files` makes it.
    """
    file = folder / f"{kid}.pem"
    try:
        content = read_file(file)
        return serialization.load_pem_private_key(content, None, unsafe_skip_rsa_key_validation=not validates)
    except OSError as error:
        raise TokenKeyError(f"{file} cannot be read ({error.strerror})") from error
    except (ValueError, TypeError) as error:
        raise TokenKeyError(f"{file} is not a private key in PEM without a passphrase") from error


def read_signing_key(folder: Path, key: TokenKey, *, validates: bool = False) -> Any:
    """Returns the private key that belongs to `key`. Raises TokenKeyError."""
    private = read_private_key(folder, key.kid, validates=validates)
    if private.public_key() != key.public:
        raise TokenKeyError(f"{folder / key.kid}.pem is not the private key of this kid")
    return private


def check_private_keys(folder: Path, keys: Iterable[TokenKey]) -> None:
    """Checks that each key that signs has its private key. Raises TokenKeyError.

    A folder without any private key only verifies: a machine with gateways alone needs none.
    """
    if not any(folder.glob("*.pem")):
        return
    for key in keys:
        if key.signs_from is not None:
            read_signing_key(folder, key, validates=True)


def add_key(folder: Path, kid: str, signs_from: int) -> TokenKey:
    """Adds an ES256 key that signs from `signs_from`. Raises TokenKeyError, OSError.

    The private key is written before the set, so that every listed key is complete.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys = read_keys(folder) if (folder / KEY_SET_FILE).exists() else ()
    if any(key.kid == kid for key in keys):
        raise TokenKeyError(f"{folder / KEY_SET_FILE} already has a key {kid}")
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(folder / f"{kid}.pem", pem, 0o600)
    key = TokenKey(kid, "ES256", private.public_key(), signs_from)
    write_key_set(folder, (*keys, key))
    return key


def write_key_set(folder: Path, keys: Iterable[TokenKey]) -> None:
    """Replaces `jwks.json` atomically."""
    _write(folder / KEY_SET_FILE, json.dumps({"keys": [to_jwk(key) for key in keys]}, indent=2).encode() + b"\n", 0o644)


def to_jwk(key: TokenKey) -> dict[str, Any]:
    """Returns a key as a JWK (RFC 7517)."""
    public = jwt.get_algorithm_by_name(key.algorithm).to_jwk(key.public, as_dict=True)
    public.pop("key_ops", None)
    jwk = {**public, "kid": key.kid, "alg": key.algorithm, "use": "sig"}
    return jwk if key.signs_from is None else {**jwk, "signs_from": key.signs_from}


def _write(file: Path, content: bytes, mode: int) -> None:
    new = file.with_name(f".{file.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as output:
        output.write(content)
        output.flush()
        os.fsync(output.fileno())
    new.replace(file)
