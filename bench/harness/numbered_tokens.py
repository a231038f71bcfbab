"""Tokens that differ in a number only, which the load generator writes (`--tokens`). Their signature is not genuine."""

import base64
import json
import time
from typing import Any, Final

from harness.layout import CLIENT_ID, KID, OPERATOR, RELAY, SMALL

DIGITS: Final = 12
ZERO: Final = "MDAwMDAwMDAwMDAw"
"""Base64 of twelve zeros: what the load generator replaces."""

_SIGNATURE: Final = "A" * 342
"""As long as a signature of RS256."""


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def make_token(number: int, org_code: str = SMALL, operator: str = OPERATOR, client_id: str = CLIENT_ID) -> str:
    """Returns a token. Its jti is NUMBER.ORG_CODE.OPERATOR.CLIENT_ID; the number is at a multiple of three bytes."""
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": RELAY,
        "aud": operator,
        "exp": now + 86_400,
        "iat": now - 60,
        "scope": "bank.list bank.deposit",
        "org_code": org_code,
        "client_id": client_id,
    }
    jti = f"{number:0{DIGITS}}.{org_code}.{operator}.{client_id}"
    payload = f'{{ "jti":"{jti}",{json.dumps(claims)[1:]}'
    header = json.dumps({"alg": "RS256", "kid": KID, "typ": "JWT"})
    return f"{_encode(header.encode())}.{_encode(payload.encode())}.{_SIGNATURE}"
