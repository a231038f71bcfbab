"""Token calls: a client secret for each service, and a refresh token that the ledger knows."""

import hashlib
import secrets
from datetime import UTC, datetime
from functools import cache
from urllib.parse import urlencode

from fixtures.gateway_environment import BANK, ONE, request
from fixtures.ledger_writer import generate_ci
from fixtures.token_factory import TokenFactory
from harness.seed_tokens import SeedToken, build_consent
from mydata_sandbox.credentials.tokens import sign

from relay.domain.authorization.issued_tokens import TokenKind, TokenPair, TokenRecord
from relay.infra.tokens.client_secrets import hash_secret

SECRET = "Q7fG2k9Lm4Xc1Vb8"
SERVICE = f"{ONE}SVC01"


@cache
def _hash() -> str:
    return hash_secret(SECRET)


def add_secrets(directory: dict) -> dict:
    """Returns the directory with a client secret for each service."""
    for operator in directory["operators"]:
        for service in operator["services"]:
            service["client_secret_hash"] = _hash()
    return directory


def record_refresh_token(writer, key) -> str:
    """Records a consent at the bank with an access and a refresh token. Returns the refresh token."""
    now = datetime.now(UTC)
    at = int(now.timestamp())
    claims = TokenFactory.claims(ONE, BANK, "bank")
    consent = build_consent(SeedToken(claims, generate_ci()), now)
    refresh = claims | {"jti": secrets.token_hex(16), "exp": at + 86_400, "use": "refresh"}
    pair = TokenPair(_record(claims, TokenKind.ACCESS, consent, at), _record(refresh, TokenKind.REFRESH, consent, at))
    writer.run(writer.ledger.issue_integrated(consent, pair, (), (), at))
    return sign(refresh, key)


def _record(claims, kind, consent, at) -> TokenRecord:
    digest = hashlib.sha256(claims["jti"].encode()).digest()
    scopes = " ".join(consent.particulars.scopes)
    return TokenRecord(claims["jti"], kind, consent.consent_id, scopes, at, claims["exp"], digest)


def build_refresh(call, refresh_token: str) -> bytes:
    """Returns the request that refreshes a token."""
    form = {"grant_type": "refresh_token", "org_code": BANK, "client_id": SERVICE, "client_secret": SECRET}
    fields = {"Host": "relay.test", "x-api-tran-id": call.tran_id, "Content-Type": "application/x-www-form-urlencoded"}
    return request("POST", "/oauth/2.0/token", fields, urlencode(form | {"refresh_token": refresh_token}).encode())
