"""A simulated 전자서명인증사업자 (사설인증서): 통합인증-101 to -104 over HTTP. Its customers sign immediately.

Only fields of -102 and -103 that the sandbox needs are there. For -104 see docs/reference/integrated-authentication.md.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from mydata_sandbox.world.ci import CUSTOMER_BY_CI

TOKEN_S: Final = 86_400
_TRAN_ID: Final = "x-api-tran-id"

Answer = Mapping[str, Any]


class Refused(Exception):
    """An error response of the certifier: HTTP status and rsp_code."""

    def __init__(self, status: int, rsp_code: str) -> None:
        super().__init__(rsp_code)
        self.status = status
        self.rsp_code = rsp_code


@dataclass(slots=True)
class Signing:
    """One signing of one customer: signatures and hashes of the consents, by tx_id."""

    sign_tx_id: str
    user_ci: str = field(repr=False)
    signatures: dict[str, str] = field(default_factory=dict, repr=False)
    consents: dict[str, bytes] = field(default_factory=dict, repr=False)


class SignatureCertifier:
    """The certifier with its customers, clients (client_id to secret), issued tokens and signings.

    A customer's signature is an HMAC with the customer's key: only this certifier can verify it.
    """

    def __init__(self, clients: Mapping[str, str]) -> None:
        self._clients = dict(clients)
        self._tokens: set[str] = set()
        self._signings: dict[str, Signing] = {}
        self._keys = {ci: secrets.token_bytes(32) for ci in CUSTOMER_BY_CI}

    def application(self) -> web.Application:
        """Returns the API as an aiohttp application, to be served behind TLS."""
        app = web.Application(client_max_size=65_536)
        app.router.add_post("/oauth/2.0/token", self._token)
        for name, answer in (
            ("sign_request", self._sign_request),
            ("sign_result", self._sign_result),
            ("sign_verification", self.verify_signature),
        ):
            app.router.add_post(f"/v1/ca/{name}", self._build_handler(answer))
        return app

    def forget_tokens(self) -> None:
        """Revokes all issued tokens."""
        self._tokens.clear()

    async def _token(self, request: web.Request) -> web.Response:
        """통합인증-101."""
        form = await request.post()
        secret = self._clients.get(str(form.get("client_id", "")))
        if secret is None or not hmac.compare_digest(secret.encode(), str(form.get("client_secret", "")).encode()):
            return web.json_response({"error": "invalid_client"}, status=400)
        if (form.get("grant_type"), form.get("scope")) != ("client_credentials", "ca"):
            return web.json_response({"error": "invalid_request"}, status=400)
        token = secrets.token_urlsafe(24)
        self._tokens.add(token)
        body = {"token_type": "Bearer", "access_token": token, "expires_in": str(TOKEN_S), "scope": "ca"}
        return web.json_response(body, headers={_TRAN_ID: request.headers.get(_TRAN_ID, "")})

    def _build_handler(self, answer: Callable[[Any], Answer]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            status, body = 200, dict[str, Any]()
            try:
                self._check_token(request)
                body = {"rsp_code": "00000", "rsp_msg": "성공", **answer(await request.json())}
            except Refused as refused:
                status, body = refused.status, {"rsp_code": refused.rsp_code, "rsp_msg": "실패"}
            except (KeyError, TypeError, AttributeError, ValueError):  # no JSON, or missing fields
                status, body = 400, {"rsp_code": "40001", "rsp_msg": "실패"}
            return web.json_response(body, status=status, headers={_TRAN_ID: request.headers.get(_TRAN_ID, "")})

        return handle

    def _check_token(self, request: web.Request) -> None:
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self._tokens:
            raise Refused(401, "40101")

    def _sign_request(self, fields: Any) -> Answer:
        """통합인증-102. A real customer confirms in an app; this one signs immediately."""
        key = self._keys.get(fields["user_ci"])
        if key is None:
            raise Refused(400, "40020")
        signing = Signing(fields["sign_tx_id"], fields["user_ci"])
        for consent in fields["consent_list"]:
            digest = hashlib.sha256(consent["consent"].encode()).digest()
            signing.consents[consent["tx_id"]] = digest
            signing.signatures[consent["tx_id"]] = _sign(key, consent["tx_id"], digest)
        cert_tx_id = secrets.token_hex(20)
        self._signings[cert_tx_id] = signing
        return {"cert_tx_id": cert_tx_id}

    def _sign_result(self, fields: Any) -> Answer:
        """통합인증-103."""
        signing = self._signings.get(fields["cert_tx_id"])
        if signing is None or signing.sign_tx_id != fields["sign_tx_id"]:
            raise Refused(400, "40011")
        rows = [
            {"signed_consent_len": str(len(value)), "signed_consent": value, "tx_id": tx_id}
            for tx_id, value in signing.signatures.items()
        ]
        return {"signed_consent_cnt": str(len(rows)), "signed_consent_list": rows}

    def verify_signature(self, fields: Any) -> Answer:
        """통합인증-104: whether this unchanged consent was signed, and the customer's CI."""
        signing = self._signings.get(fields["cert_tx_id"])
        if signing is None or fields["tx_id"] not in signing.consents:
            raise Refused(400, "40011")
        digest = hashlib.sha256(fields["consent"].encode()).digest()
        expected = _sign(self._keys[signing.user_ci], fields["tx_id"], digest)
        is_valid = (
            hmac.compare_digest(expected, fields["signed_consent"]) and digest == signing.consents[fields["tx_id"]]
        )
        return {"tx_id": fields["tx_id"], "result": "true" if is_valid else "false", "user_ci": signing.user_ci}


def encode_base64url(value: bytes) -> str:
    """Returns base64url without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _sign(key: bytes, tx_id: str, digest: bytes) -> str:
    return encode_base64url(hmac.digest(key, tx_id.encode() + digest, "sha256"))
