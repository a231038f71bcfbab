"""Access tokens, good ones and every kind of forgery."""

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime

import jwt

from relay.sandbox.tokens import claims_for, scopes_of, sign
from relay.standard.catalogue import load_catalogue

ISSUER = "ZRLA000001"


def _b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _joined(header, payload, signature_of):
    signed = _b64(json.dumps(header).encode()) + b"." + _b64(payload)
    return (signed + b"." + _b64(signature_of(signed))).decode()


class Mint:
    """Makes tokens as a case describes them; one without a description is good. Each stands in the town's ledger.

    `record(claims, consent)` writes it there; `consent` lays particulars over a consent to everything.
    """

    def __init__(self, keys, record):
        self.keys = keys
        self.record = record
        self._good = {}
        self._customers = {}

    def good(self, operator, provider, industry, key="ES256"):
        """The same token each time, as an operator would send it."""
        wanted = (operator, provider, industry, key)
        if wanted not in self._good:
            claims = self.claims(operator, provider, industry)
            self._customers[wanted] = self.record(claims)
            self._good[wanted] = sign(claims, self.keys[key])
        return self._good[wanted]

    def customer(self, operator, provider, industry, key="ES256"):
        """The CI of the customer whose token `good` is."""
        self.good(operator, provider, industry, key)
        return self._customers[operator, provider, industry, key]

    @staticmethod
    def claims(operator, provider, industry):
        return claims_for(
            issuer=ISSUER,
            operator=operator,
            provider=provider,
            client_id=f"{operator}SVC01",
            scopes=scopes_of(load_catalogue(), industry),
            now=datetime.now(UTC),
        )

    def described(self, spec, operator, provider, industry):
        """A token by its description.

        `claims` are laid over good ones, `from_now` are times relative to now, `without` are taken away; `forged` names
        a forgery; `key` the signing key; `kid` what the header claims instead of its own; `padded` the length of
        the jti; `payload` is written behind the claims; `text` is sent as it is. `consent` lays particulars over a
        consent to everything, `revoked` withdraws it, `unrecorded` leaves the ledger without it.
        """
        if "text" in spec:
            return spec["text"]
        claims = self.claims(spec.get("operator", operator), spec.get("provider", provider), industry)
        claims |= spec.get("claims", {})
        claims |= {name: int(time.time()) + seconds for name, seconds in spec.get("from_now", {}).items()}
        if "padded" in spec:
            claims["jti"] = "x" * spec["padded"]
        if not spec.get("unrecorded"):
            self.record(claims, spec.get("consent", {}), spec.get("revoked", False))
        claims = {name: value for name, value in claims.items() if name not in spec.get("without", ())}
        payload = json.dumps(claims).encode()
        if "payload" in spec:
            payload = payload[:-1] + spec["payload"].encode() + b"}"
        key = self.keys[spec.get("key", "ES256")]
        match spec.get("forged"):
            case None:
                signer = jwt.PyJWS(algorithms=[key.algorithm])
                headers = {"kid": spec.get("kid", key.kid)}
                return signer.encode(payload, key.private_key.read_text(), algorithm=key.algorithm, headers=headers)
            case "public_key_as_secret":
                secret = key.public_key.read_bytes()
                header = {"alg": "HS256", "kid": key.kid}
                return _joined(header, payload, lambda signed: hmac.new(secret, signed, hashlib.sha256).digest())
            case "alg_none":
                return _joined({"alg": "none", "kid": key.kid}, payload, lambda _: b"").rstrip(".") + "."
            case "alg_none_signed":
                return _joined({"alg": "none", "kid": key.kid}, payload, lambda _: b"nothing")
            case "other_payload":
                head, _, signature = self.good(operator, provider, industry).split(".")
                return f"{head}.{_b64(payload).decode()}.{signature}"
            case other:
                raise AssertionError(f"no such forgery: {other}")
