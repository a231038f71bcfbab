"""The simulated e-signature provider, called by an operator and a relay."""

import pytest
from aiohttp.test_utils import TestClient, TestServer
from mydata_sandbox.certifiers.signature import SignatureCertifier
from mydata_sandbox.world.ci import get_ci
from mydata_sandbox.world.model import CUSTOMERS

CI = get_ci(CUSTOMERS[0])
TRAN_ID = "ZRLA000001R00000000000001"
FORM = {"grant_type": "client_credentials", "client_id": "relay1", "client_secret": "s3cret", "scope": "ca"}


class Caller:
    """A client of the certifier with its token."""

    def __init__(self, client, certifier):
        self.client, self.certifier, self.token = client, certifier, ""

    async def sign_in(self, **changed):
        async with self.client.post("/oauth/2.0/token", data={**FORM, **changed}) as answer:
            body = await answer.json()
        self.token = body.get("access_token", "")
        return answer.status, body

    async def ask(self, name, **fields):
        headers = {"Authorization": f"Bearer {self.token}", "x-api-tran-id": TRAN_ID}
        async with self.client.post(f"/v1/ca/{name}", json=fields, headers=headers) as answer:
            assert answer.headers["x-api-tran-id"] == TRAN_ID
            return answer.status, await answer.json()

    async def signing(self, consent="{}", tx_id="MD_1"):
        """Signs one consent. Returns cert_tx_id and signature."""
        consents = [{"tx_id": tx_id, "consent": consent}]
        _, body = await self.ask("sign_request", sign_tx_id="s1", user_ci=CI, consent_list=consents)
        cert_tx_id = body["cert_tx_id"]
        _, result = await self.ask("sign_result", sign_tx_id="s1", cert_tx_id=cert_tx_id)
        return cert_tx_id, result["signed_consent_list"][0]["signed_consent"]

    async def verification(self, **changed):
        cert_tx_id, signature = await self.signing()
        fields = {"tx_id": "MD_1", "cert_tx_id": cert_tx_id, "signed_consent": signature, "consent": "{}"}
        return await self.ask("sign_verification", **{**fields, **changed})


@pytest.fixture
async def caller():
    certifier = SignatureCertifier({"relay1": "s3cret"})
    async with TestClient(TestServer(certifier.application())) as client:
        made = Caller(client, certifier)
        await made.sign_in()
        yield made


async def test_a_client_gets_a_token(caller):
    status, body = await caller.sign_in()
    assert (status, body["token_type"], body["scope"]) == (200, "Bearer", "ca")
    assert int(body["expires_in"]) > 0


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"client_id": "unknown"}, "invalid_client"),
        ({"client_secret": "guess"}, "invalid_client"),
        ({"client_secret": "비밀"}, "invalid_client"),
        ({"scope": "manage"}, "invalid_request"),
        ({"grant_type": "password"}, "invalid_request"),
    ],
)
async def test_a_wrong_token_request_is_refused(caller, changed, error):
    assert await caller.sign_in(**changed) == (400, {"error": error})


async def test_a_signed_consent_is_verified_with_its_customer(caller):
    status, body = await caller.verification()
    assert (status, body["result"], body["user_ci"], body["tx_id"]) == (200, "true", CI, "MD_1")


@pytest.mark.parametrize("changed", [{"consent": '{"more":1}'}, {"signed_consent": "Zm9yZ2Vk"}])
async def test_a_changed_consent_or_signature_is_not_valid(caller, changed):
    status, body = await caller.verification(**changed)
    assert (status, body["result"]) == (200, "false")


@pytest.mark.parametrize("changed", [{"cert_tx_id": "unknown"}, {"tx_id": "MD_2"}])
async def test_an_unknown_signing_is_40011(caller, changed):
    status, body = await caller.verification(**changed)
    assert (status, body["rsp_code"]) == (400, "40011")


async def test_a_result_requires_its_sign_tx_id(caller):
    cert_tx_id, _ = await caller.signing()
    status, body = await caller.ask("sign_result", sign_tx_id="another", cert_tx_id=cert_tx_id)
    assert (status, body["rsp_code"]) == (400, "40011")


async def test_an_unknown_customer_is_40020(caller):
    status, body = await caller.ask("sign_request", sign_tx_id="s", user_ci="c3RyYW5nZXI=", consent_list=[])
    assert (status, body["rsp_code"]) == (400, "40020")


async def test_missing_fields_are_40001(caller):
    status, body = await caller.ask("sign_verification", tx_id="MD_1")
    assert (status, body["rsp_code"]) == (400, "40001")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b'"\xff"', b'{"consent_list":[1]}', b'{"user_ci":[]}'])
async def test_an_invalid_body_is_40001(caller, body):
    headers = {"Authorization": f"Bearer {caller.token}"}
    async with caller.client.post("/v1/ca/sign_request", data=body, headers=headers) as answer:
        assert (answer.status, (await answer.json())["rsp_code"]) == (400, "40001")


@pytest.mark.parametrize("consents", [[{"tx_id": "MD_1", "consent": 1}], [{"tx_id": "MD_1"}], "MD_1", None])
async def test_invalid_consents_are_40001(caller, consents):
    status, body = await caller.ask("sign_request", sign_tx_id="s1", user_ci=CI, consent_list=consents)
    assert (status, body["rsp_code"]) == (400, "40001")


async def test_a_revoked_token_is_40101(caller):
    caller.certifier.forget_tokens()
    status, body = await caller.ask("sign_result")
    assert (status, body["rsp_code"]) == (401, "40101")
