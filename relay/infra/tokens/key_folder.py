"""The folder of token keys: `jwks.json` holds the public keys (RFC 7517), `KID.pem` the private one of each.

A key of the set has `kid`, `alg`, `use` and our own member `signs_from`, the epoch second from which it signs new
tokens; without it the key only verifies. Whoever verifies needs `jwks.json` alone.
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

SET: Final = "jwks.json"
_KINDS: Final = {"ES256": ("EC", "P-256"), "RS256": ("RSA", None), "PS256": ("RSA", None), "EdDSA": ("OKP", "Ed25519")}
_RSA_BITS: Final = 2048
"""RS256 and PS256 ask for keys of 2048 bits or more (RFC 7518 3.3)."""


class TokenKeyProblem(Exception):
    """The folder cannot be used; the text names the file and what to do."""


@dataclass(frozen=True, slots=True)
class TokenKey:
    """One key: `kid`, the one algorithm it is pinned to, its public half, from when on it signs (None: never)."""

    kid: str
    algorithm: str
    public: Any
    signs_from: int | None


def read_keys(folder: Path) -> tuple[TokenKey, ...]:
    """The keys of a folder, as `jwks.json` lists them. Raises TokenKeyProblem."""
    file = folder / SET
    try:
        found = json.loads(read_file(file))
        rows = found["keys"]
        keys = tuple(_key(row) for row in rows)
    except FileNotFoundError as error:
        raise TokenKeyProblem(f"{file} is not there: make the first key with relay keys rotate") from error
    except OSError as error:
        raise TokenKeyProblem(f"{file} cannot be read ({error.strerror})") from error
    except (ValueError, TypeError, KeyError, NotImplementedError, jwt.PyJWTError) as error:
        raise TokenKeyProblem(f"{file} is no set of public keys with kid and alg: {error}") from error
    if not keys or len({key.kid for key in keys}) < len(keys):
        raise TokenKeyProblem(f"{file} holds no key, or one kid twice")
    return keys


def _key(row: Mapping[str, Any]) -> TokenKey:
    algorithm = row["alg"]
    public = jwt.PyJWK(dict(row)).key
    short = getattr(public, "key_size", _RSA_BITS) < _RSA_BITS and row["kty"] == "RSA"
    if (row["kty"], row.get("crv")) != _KINDS[algorithm] or "d" in row or short:
        raise ValueError(f"{row['kid']}: not a public key for {algorithm}")
    signs_from = row.get("signs_from")
    if type(signs_from) not in {int, type(None)} or not isinstance(row["kid"], str):
        raise ValueError(f"{row['kid']}: signs_from is epoch seconds, kid a text")
    return TokenKey(row["kid"], algorithm, public, signs_from)


def private_key(folder: Path, kid: str) -> Any:
    """The private half of a key. Raises TokenKeyProblem."""
    file = folder / f"{kid}.pem"
    try:
        return serialization.load_pem_private_key(read_file(file), None)
    except OSError as error:
        raise TokenKeyProblem(f"{file} cannot be read ({error.strerror})") from error
    except (ValueError, TypeError) as error:
        raise TokenKeyProblem(f"{file} is no private key in PEM without a passphrase") from error


def add_key(folder: Path, kid: str, signs_from: int) -> TokenKey:
    """Make an ES256 key that signs from then on, beside those that are there. Raises TokenKeyProblem, OSError.

    The private key is there before the set tells of it, so that nobody finds half of a pair.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys = read_keys(folder) if (folder / SET).exists() else ()
    if any(key.kid == kid for key in keys):
        raise TokenKeyProblem(f"{folder / SET} has a key {kid} already")
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(folder / f"{kid}.pem", pem, 0o600)
    made = TokenKey(kid, "ES256", private.public_key(), signs_from)
    write_set(folder, (*keys, made))
    return made


def write_set(folder: Path, keys: Iterable[TokenKey]) -> None:
    """Write `jwks.json` anew, all at once: a reader sees the former set or this one."""
    _write(folder / SET, json.dumps({"keys": [row_of(key) for key in keys]}, indent=2).encode() + b"\n", 0o644)


def row_of(key: TokenKey) -> dict[str, Any]:
    """A key's row in the set."""
    public = jwt.get_algorithm_by_name(key.algorithm).to_jwk(key.public, as_dict=True)
    public.pop("key_ops", None)
    row = {**public, "kid": key.kid, "alg": key.algorithm, "use": "sig"}
    return row if key.signs_from is None else {**row, "signs_from": key.signs_from}


def _write(file: Path, content: bytes, mode: int) -> None:
    new = file.with_name(f".{file.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(file)
