"""The street's token keys: one of each algorithm a relay may pin, and the set that tells of them (RFC 7517)."""

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

from relay.sandbox.secret_files import keep

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
    """A key for each algorithm, by algorithm, and `jwks.json`: the first signs new tokens, the others only verify."""
    folder.mkdir(mode=0o700, exist_ok=True)
    made = {algorithm: _pair(folder, algorithm) for algorithm in ALGORITHMS}
    rows = [_row(key) | ({"signs_from": 0} if key.algorithm == ALGORITHMS[0] else {}) for key in made.values()]
    (folder / "jwks.json").write_text(json.dumps({"keys": rows}, indent=2))
    return made


def _row(key: TokenKeyPair) -> dict[str, object]:
    public = load_pem_public_key(key.public_key.read_bytes())
    row = jwt.get_algorithm_by_name(key.algorithm).to_jwk(public, as_dict=True)
    row.pop("key_ops", None)
    return {**row, "kid": key.kid, "alg": key.algorithm, "use": "sig"}


def _pair(folder: Path, algorithm: str) -> TokenKeyPair:
    kid = f"dev-{algorithm.lower()}"
    key: PrivateKey
    match algorithm:
        case "ES256":
            key = ec.generate_private_key(ec.SECP256R1())
        case "EdDSA":
            key = ed25519.Ed25519PrivateKey.generate()
        case _:
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private, public = folder / f"{kid}.pem", folder / f"{kid}.pub.pem"
    keep(private, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return TokenKeyPair(kid, algorithm, private, public)
