"""Access tokens signed with the sandbox's test keys (규격 2.2)."""

import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import jwt

from mydata_sandbox.credentials.token_keys import TokenKeyPair
from relay.domain.api import Catalogue

CLAIMS: Final = frozenset({"iss", "aud", "exp", "iat", "jti", "scope", "org_code", "client_id", "cid"})
"""Claims of an access token (규격 2.2). The relay adds `cid`, its consent."""


def list_scopes(catalogue: Catalogue, industry: str) -> tuple[str, ...]:
    """Returns all scopes that the APIs of an industry require, sorted."""
    return tuple(sorted({scope for api in catalogue.iter_apis(industry) if (scope := api.scope_for(industry))}))


def claims_for(
    *,
    issuer: str,
    operator: str,
    provider: str,
    client_id: str,
    scopes: Iterable[str],
    now: datetime,
    expires: int = 3600,
) -> dict[str, Any]:
    """Returns the claims of an access token, with a new jti."""
    issued = int(now.timestamp())
    return {
        "iss": issuer,
        "aud": operator,
        "exp": issued + expires,
        "iat": issued,
        "jti": secrets.token_hex(16),
        "scope": " ".join(scopes),
        "org_code": provider,
        "client_id": client_id,
    }


def change_claims(claims: Mapping[str, Any], replaced: Iterable[str], without: Iterable[str]) -> dict[str, Any]:
    """Returns `claims` with `name=value` texts applied (JSON values are parsed) and the names of `without` removed."""
    pairs = (text.partition("=") for text in replaced)
    merged = dict(claims) | {name: _parse_value(value) for name, _, value in pairs}
    return {name: value for name, value in merged.items() if name not in set(without)}


def sign(claims: Mapping[str, Any], key: TokenKeyPair) -> str:
    """Returns a compact JWS over `claims`, with the key's alg and kid in its header."""
    payload = json.dumps(claims, separators=(",", ":"), ensure_ascii=False).encode()
    signer = jwt.PyJWS(algorithms=[key.algorithm])
    return signer.encode(payload, key.private_key.read_text(), algorithm=key.algorithm, headers={"kid": key.kid})


def _parse_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
