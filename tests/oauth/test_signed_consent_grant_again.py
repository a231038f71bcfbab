"""통합인증-002 again: an operator that lost the response repeats the form and gets the same pair for ten minutes."""

import json
from base64 import urlsafe_b64encode
from dataclasses import replace

import pytest

from relay.oauth.signed_consent_grant import REPEAT_S
from relay.policy.settings.authority import CertifierSettings, SignatureServiceSettings

NOW = 1_800_000_000  # 2027-01-15 17:00 in Korea
CERTIFIER = "ZCAA000002"
DEMAND = {
    "snd_org_code": "ZBAA000001",
    "rcv_org_code": "ZOPA000001",
    "is_scheduled": "true",
    "fnd_cycle": "1/w",
    "add_cycle": "1/w",
    "end_date": "20271231",
    "purpose": "자산 조회",
    "period": "99991231",
    "target_info": [{"scope": "bank.deposit", "asset_list": [{"asset": "1002003004005"}]}],
}
CONSENT = json.dumps(DEMAND, ensure_ascii=False)
SIGNED = urlsafe_b64encode(b"signed consent").rstrip(b"=").decode()
FORM = {
    "tx_id": f"MD_ZOPA000001_ZBAA000001_ZRLA000001_{CERTIFIER}_20270115170000_000000000001",
    "grant_type": "password",
    "ca_code": CERTIFIER,
    "username": "Q0ktb2YtYS1jdXN0b21lci1vZi10aGUtdGVzdHM=",
    "request_type": "1",
    "password_len": str(len(SIGNED)),
    "password": SIGNED,
    "auth_type": "1",
    "consent_type": "1",
    "consent_len": str(len(CONSENT.encode())),
    "consent": CONSENT,
    "cert_tx_id": "cert-tx-1",
}


class FakeConsentVerifier:
    """Returns the consent and counts its calls."""

    def __init__(self):
        self.calls = 0

    async def verify(self, *_):
        self.calls += 1
        return CONSENT.encode()


@pytest.fixture
async def operator(operator):
    operator.authority.consent_verifier = operator.verifier = FakeConsentVerifier()
    api = SignatureServiceSettings(base_url="https://ca.example", client_id="relay1", client_secret="file:x")
    certifier = CertifierSettings(ca_code=CERTIFIER, name="06", kind="signature", signature=api)
    operator.authority.settings = replace(operator.authority.settings, certifiers={CERTIFIER: certifier})
    return operator


async def send(operator, **changed):
    form = operator.code_form("unused", code=None, redirect_uri=None) | FORM | changed
    return await operator.post("token", form)


@pytest.mark.parametrize("field", ["tx_id", "ca_code", "username", "password", "consent", "cert_tx_id"])
async def test_a_name_that_resembles_a_field_is_no_form(operator, look_alikes, field):
    for name in look_alikes(field):
        reply = await send(operator, **{name: "other"})
        assert (reply.status, reply.body["error"], reply.reason) == (400, "invalid_request", "parameter_ambiguous"), (
            name
        )
    assert operator.verifier.calls == 0


@pytest.mark.parametrize("seconds", [0, REPEAT_S])
async def test_the_same_form_gets_the_same_pair(operator, seconds):
    first = (await send(operator)).body
    operator.clock = lambda: NOW + seconds
    again = await send(operator)
    lasts = {"expires_in", "refresh_token_expires_in"}
    assert again.status == 200
    assert {name for name in first if again.body[name] != first[name]} == (lasts if seconds else set())
    assert int(first["expires_in"]) - int(again.body["expires_in"]) == seconds
    assert await operator.is_live(first["access_token"])
    assert operator.verifier.calls == 1


@pytest.mark.parametrize(
    "changed",
    [{"cert_tx_id": "cert-tx-2"}, {"username": "c29tZWJvZHkgZWxzZQ=="}, {"request_type": "0"}, {"more": "x"}],
    ids=str,
)
async def test_another_form_of_the_tx_id_gets_nothing(operator, changed):
    await send(operator)
    reply = await send(operator, **changed)
    assert (reply.status, reply.body["error"], reply.reason) == (400, "invalid_grant", "tx_id_spent")


async def test_after_ten_minutes_the_tx_id_is_spent(operator):
    await send(operator)
    operator.clock = lambda: NOW + REPEAT_S + 1
    assert (await send(operator)).reason == "tx_id_spent"


async def test_a_refreshed_or_withdrawn_pair_is_not_repeated(operator):
    pair = (await send(operator)).body
    await operator.post("token", operator.refresh_form(pair["refresh_token"]))
    assert (await send(operator)).reason == "tx_id_spent"
    await operator.post("revoke", operator.revocation_form(pair["access_token"]))
    assert (await send(operator)).reason == "tx_id_spent"
