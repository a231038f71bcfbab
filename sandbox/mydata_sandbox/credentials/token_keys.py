"""Token keys of the sandbox: a key for each algorithm that a relay may pin, and their JWK Set (RFC 7517)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

from mydata_sandbox.credentials.secret_files import write_secret

ALGORITHMS: Final = ("ES256", "RS256", "PS256", "EdDSA")

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class TokenKeyPair:
    """A key that signs access tokens, with the kid and algorithm it is pinned to."""

    kid: str
    algorithm: str
    private_key: Path
    public_key: Path


def make_token_keys(folder: Path) -> Mapping[str, TokenKeyPair]:
    """Writes a key for each algorithm and `jwks.json`. The first key signs new tokens, the others only verify."""
    folder.mkdir(mode=0o700, exist_ok=True)
    keys = load_token_keys(folder)
    for key in keys.values():
        _write_pair(key)
    jwks = [_build_jwk(key) | ({"signs_from": 0} if key.algorithm == ALGORITHMS[0] else {}) for key in keys.values()]
    (folder / "jwks.json").write_text(json.dumps({"keys": jwks}, indent=2))
    return keys


def _build_jwk(key: TokenKeyPair) -> dict[str, object]:
    public = load_pem_public_key(key.public_key.read_bytes())
    jwk = jwt.get_algorithm_by_name(key.algorithm).to_jwk(public, as_dict=True)
    jwk.pop("key_ops", None)
    return {**jwk, "kid": key.kid, "alg": key.algorithm, "use": "sig"}


def load_token_keys(folder: Path) -> Mapping[str, TokenKeyPair]:
    """Returns the keys that `make_token_keys` wrote, by algorithm."""
    return {
        algorithm: TokenKeyPair(kid, algorithm, folder / f"{kid}.pem", folder / f"{kid}.pub.pem")
        for algorithm in ALGORITHMS
        for kid in (f"dev-{algorithm.lower()}",)
    }


def _write_pair(pair: TokenKeyPair) -> None:
    key: PrivateKey
    match pair.algorithm:
        case "ES256":
            key = ec.generate_private_key(ec.SECP256R1())
        case "EdDSA":
            key = ed25519.Ed25519PrivateKey.generate()
        case _:
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    write_secret(pair.private_key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    pair.public_key.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
