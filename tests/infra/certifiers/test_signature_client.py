import asyncio

import pytest

from relay.domain.authorization.signed_consent import Defect, HashSigned, NotVerified
from relay.infra.certifiers.rest import ApiResponse
from relay.infra.certifiers.signature_client import PATH, SignatureClient
from relay.infra.fair_semaphore import FairSemaphore


class FakeCertifier:
    """API client and token source in one; returns `answers` in turn, then a valid one."""

    def __init__(self, tx_id, ci):
        self.valid = {"rsp_code": "00000", "rsp_msg": "", "tx_id": tx_id, "result": "true", "user_ci": ci}
        self.answers, self.requests, self.tokens, self.gate = [], [], ["one", "two", "three"], asyncio.Event()
        self.gate.set()

    async def post(self, path, headers, *, form=None, json=None):
        self.requests.append((path, headers, json))
        await self.gate.wait()
        status, changed = self.answers.pop(0) if self.answers else (200, {})
        return ApiResponse(
            status, {name: value for name, value in {**self.valid, **changed}.items() if value is not None}
        )

    async def get_token(self):
        return self.tokens[0]

    def discard(self, token):
        self.tokens.remove(token)


@pytest.fixture
def sent(make):
    return HashSigned(make.TX_ID, make.CI, "c2lnbmF0dXJl", make.CONSENT, "cert-tx-1")


@pytest.fixture
def certifier(make):
    return FakeCertifier(make.TX_ID, make.CI)


@pytest.fixture
def verify(certifier, sent):
    """Verifies; returns the doubt, or "good"."""

    async def run(timeout_s=5.0, turns=None):
        client = SignatureClient(certifier, certifier, timeout_s, turns or FairSemaphore(4, 2))
        try:
            await client.verify(sent, b"customer")
        except NotVerified as unproven:
            return unproven.reason
        return "good"

    return run


async def test_a_verification_request_has_the_documented_fields(verify, certifier, sent):
    assert await verify() == "good"
    ((path, headers, json),) = certifier.requests
    assert (path, headers) == (PATH, {"Authorization": "Bearer one"})
    assert json == {
        "tx_id": sent.tx_id,
        "cert_tx_id": "cert-tx-1",
        "signed_consent_len": "12",
        "signed_consent": "c2lnbmF0dXJl",
        "consent_type": "1",
        "consent_len": str(len(sent.consent.encode())),
        "consent": sent.consent,
    }


ANSWERS = {
    "true as a boolean": ((200, {"result": True}), "good"),
    "false": ((200, {"result": "false"}), Defect.SIGNATURE),
    "false as a boolean": ((200, {"result": False}), Defect.SIGNATURE),
    "1": ((200, {"result": 1}), Defect.CERTIFIER_BROKEN),
    "yes": ((200, {"result": "yes"}), Defect.CERTIFIER_BROKEN),
    "a list": ((200, {"result": ["true"]}), Defect.CERTIFIER_BROKEN),
    "no result": ((200, {"result": None}), Defect.CERTIFIER_BROKEN),
    "another customer": ((200, {"user_ci": "b3RoZXI="}), Defect.IDENTITY),
    "a customer that is a surrogate": ((200, {"user_ci": "\ud800"}), Defect.IDENTITY),
    "no customer": ((200, {"user_ci": None}), Defect.CERTIFIER_BROKEN),
    "an empty customer": ((200, {"user_ci": ""}), Defect.CERTIFIER_BROKEN),
    "a customer that is a number": ((200, {"user_ci": 7}), Defect.CERTIFIER_BROKEN),
    "another transaction": ((200, {"tx_id": "MD_OTHER"}), Defect.CERTIFIER_BROKEN),
    "another code": ((200, {"rsp_code": "50001"}), Defect.CERTIFIER_BROKEN),
    "no such signature": ((400, {"rsp_code": "40011"}), Defect.SIGNATURE),
    "not found": ((404, {"rsp_code": "40402"}), Defect.SIGNATURE),
    "refused without a code": ((400, {"rsp_code": None}), Defect.CERTIFIER_BROKEN),
    "too much": ((429, {"rsp_code": "42901"}), Defect.CERTIFIER_BROKEN),
    "broken": ((500, {"rsp_code": "50001"}), Defect.CERTIFIER_BROKEN),
}


@pytest.mark.parametrize("kind", ANSWERS)
async def test_a_response_confirms_or_raises_a_doubt(verify, certifier, kind):
    answer, wanted = ANSWERS[kind]
    certifier.answers = [answer]
    assert await verify() == wanted
    assert len(certifier.requests) == 1


async def test_a_rejected_token_is_replaced(verify, certifier):
    certifier.answers = [(401, {"rsp_code": "40101"})]
    assert await verify() == "good"
    assert [headers["Authorization"] for _, headers, _ in certifier.requests] == ["Bearer one", "Bearer two"]


async def test_a_certifier_that_rejects_every_token_is_broken(verify, certifier):
    certifier.answers = [(401, {"rsp_code": "40101"})] * 2
    assert await verify() is Defect.CERTIFIER_BROKEN
    assert len(certifier.requests) == 2


async def test_the_timeout_bounds_the_whole_request(verify, certifier):
    certifier.gate.clear()
    assert await verify(timeout_s=0.05) is Defect.CERTIFIER_SILENT


async def test_the_timeout_includes_waiting_for_a_turn(verify, certifier):
    turns = FairSemaphore(1, 1)
    await turns.acquire(b"another customer")
    assert await verify(timeout_s=0.05, turns=turns) is Defect.CERTIFIER_SILENT
    assert certifier.requests == []
