"""A pretended 전자서명인증사업자 (사설인증서): 통합인증-101 to -104 over HTTP; its customers sign at once when asked.

Fields of -102 and -103 as far as a double needs them; those of -104: docs/reference/integrated-authentication.md.
"""

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from relay.sandbox.customers import CUSTOMER_BY_CI
from relay.sandbox.signing import base64url

TOKEN_S: Final = 86_400
_TRAN_ID: Final = "x-api-tran-id"

Answer = Mapping[str, Any]


class Refused(Exception):
    """The certifier's own error: HTTP status and rsp_code."""

    def __init__(self, status: int, rsp_code: str) -> None:
        super().__init__(rsp_code)
        self.status = status
        self.rsp_code = rsp_code


@dataclass(slots=True)
class Signing:
    """One signing of one customer: the consents' hashes signed, by tx_id."""

    sign_tx_id: str
    user_ci: str = field(repr=False)
    signatures: dict[str, str] = field(default_factory=dict, repr=False)
    consents: dict[str, bytes] = field(default_factory=dict, repr=False)


class SignatureCertifier:
    """Its customers, its clients (client_id to secret), the tokens it gave and the signings it knows.

    A customer's signature is an HMAC with a key of their own: nobody but this certifier can check it, as it should be.
    """

    def __init__(self, clients: Mapping[str, str]) -> None:
        self._clients = dict(clients)
        self._tokens: set[str] = set()
        self._signings: dict[str, Signing] = {}
        self._keys = {ci: secrets.token_bytes(32) for ci in CUSTOMER_BY_CI}

    def application(self) -> web.Application:
        """The API: mount it behind TLS."""
        app = web.Application(client_max_size=65_536)
        app.router.add_post("/oauth/2.0/token", self._token)
        for name, answer in (
            ("sign_request", self._sign_request),
            ("sign_result", self._sign_result),
            ("sign_verification", self._sign_verification),
        ):
            app.router.add_post(f"/v1/ca/{name}", self._door(answer))
        return app

    def forget_tokens(self) -> None:
        """Every token given so far is taken back."""
        self._tokens.clear()

    async def _token(self, request: web.Request) -> web.Response:
        """통합인증-101."""
        form = await request.post()
        known = self._clients.get(str(form.get("client_id", "")))
        if known is None or not hmac.compare_digest(known.encode(), str(form.get("client_secret", "")).encode()):
            return web.json_response({"error": "invalid_client"}, status=400)
        if (form.get("grant_type"), form.get("scope")) != ("client_credentials", "ca"):
            return web.json_response({"error": "invalid_request"}, status=400)
        token = secrets.token_urlsafe(24)
        self._tokens.add(token)
        told = {"token_type": "Bearer", "access_token": token, "expires_in": str(TOKEN_S), "scope": "ca"}
        return web.json_response(told, headers={_TRAN_ID: request.headers.get(_TRAN_ID, "")})

    def _door(self, answer: Callable[[Any], Answer]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answered(request: web.Request) -> web.Response:
            status, told = 200, dict[str, Any]()
            try:
                self._known(request)
                told = {"rsp_code": "00000", "rsp_msg": "성공", **answer(await request.json())}
            except Refused as refused:
                status, told = refused.status, {"rsp_code": refused.rsp_code, "rsp_msg": "실패"}
            except (KeyError, TypeError, AttributeError, ValueError):  # no JSON, or none of the fields asked for
                status, told = 400, {"rsp_code": "40001", "rsp_msg": "실패"}
            return web.json_response(told, status=status, headers={_TRAN_ID: request.headers.get(_TRAN_ID, "")})

        return answered

    def _known(self, request: web.Request) -> None:
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self._tokens:
            raise Refused(401, "40101")

    def _sign_request(self, asked: Any) -> Answer:
        """통합인증-102: the customer is asked on the phone; here they sign at once."""
        key = self._keys.get(asked["user_ci"])
        if key is None:
            raise Refused(400, "40020")
        signing = Signing(asked["sign_tx_id"], asked["user_ci"])
        for each in asked["consent_list"]:
            digest = hashlib.sha256(each["consent"].encode()).digest()
            signing.consents[each["tx_id"]] = digest
            signing.signatures[each["tx_id"]] = _signed(key, each["tx_id"], digest)
        cert_tx_id = secrets.token_hex(20)
        self._signings[cert_tx_id] = signing
        return {"cert_tx_id": cert_tx_id}

    def _sign_result(self, asked: Any) -> Answer:
        """통합인증-103."""
        signing = self._signings.get(asked["cert_tx_id"])
        if signing is None or signing.sign_tx_id != asked["sign_tx_id"]:
            raise Refused(400, "40011")
        signed = [
            {"signed_consent_len": str(len(value)), "signed_consent": value, "tx_id": tx_id}
            for tx_id, value in signing.signatures.items()
        ]
        return {"signed_consent_cnt": str(len(signed)), "signed_consent_list": signed}

    def _sign_verification(self, asked: Any) -> Answer:
        """통합인증-104: whether this consent, whole and unchanged, was signed there, and by whom."""
        signing = self._signings.get(asked["cert_tx_id"])
        if signing is None or asked["tx_id"] not in signing.consents:
            raise Refused(400, "40011")
        digest = hashlib.sha256(asked["consent"].encode()).digest()
        expected = _signed(self._keys[signing.user_ci], asked["tx_id"], digest)
        good = hmac.compare_digest(expected, asked["signed_consent"]) and digest == signing.consents[asked["tx_id"]]
        return {"tx_id": asked["tx_id"], "result": "true" if good else "false", "user_ci": signing.user_ci}


def _signed(key: bytes, tx_id: str, digest: bytes) -> str:
    return base64url(hmac.digest(key, tx_id.encode() + digest, "sha256"))
