"""개별인증-004: an operator reports the withdrawal of a consent."""

from dataclasses import replace
from datetime import date

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from relay.domain.authorization.consent import ConsentState
from relay.domain.ledger import LedgerDown

NOW = 1_800_000_000
DAY = 86_400
OTHER = {"client_id": "ZOPB000001SVC01", "client_secret": "Zz5Yy4Xx3Ww2Vv1U"}


async def test_a_revoked_access_token_revokes_its_refresh_token(operator):
    pair = await operator.issue_pair()
    reply = await operator.post("revoke", operator.revocation_form(pair["access_token"]))
    assert (reply.status, reply.body) == (200, {"rsp_code": "00000", "rsp_msg": "접근토큰을 폐기하였습니다"})
    assert not await operator.is_live(pair["access_token"])
    assert (await operator.post("token", operator.refresh_form(pair["refresh_token"]))).reason == "refresh_revoked"


async def test_a_second_revocation_gets_99999(operator):
    pair = await operator.issue_pair()
    await operator.post("revoke", operator.revocation_form(pair["access_token"]))
    again = await operator.post("revoke", operator.revocation_form(pair["access_token"]))
    assert (again.status, again.body["rsp_code"], again.reason) == (200, "99999", "token_revoked")


@pytest.mark.parametrize("field", ["org_code", "token", "client_id", "client_secret"])
async def test_a_name_that_resembles_a_field_revokes_nothing(operator, look_alikes, field):
    pair = await operator.issue_pair()
    form = operator.revocation_form(pair["access_token"])
    for name in look_alikes(field):
        reply = await operator.post("revoke", form | {name: "other"})
        assert (reply.status, reply.body["error"], reply.reason) == (400, "invalid_request", "parameter_ambiguous"), (
            name
        )
    assert await operator.is_live(pair["access_token"])


async def access_token(_, pair):
    return pair["access_token"]


async def refresh_token(_, pair):
    return pair["refresh_token"]


async def replaced_token(operator, pair):
    assert (await operator.post("token", operator.refresh_form(pair["refresh_token"]))).status == 200
    return pair["access_token"]


@pytest.mark.parametrize("days", [0, 100, 320], ids=lambda days: f"after_{days}_days")
@pytest.mark.parametrize("of_pair", [access_token, refresh_token, replaced_token])
async def test_any_token_of_the_consent_withdraws_it(operator, of_pair, days):
    tokens = operator.authority.settings.tokens.model_copy(update={"refresh_days": 120})
    operator.authority.settings = replace(
        operator.authority.settings, tokens=tokens
    )  # both tokens expire, the consent does not
    pair = await operator.issue_pair(end=date(2027, 12, 31))
    token = await of_pair(operator, pair)
    operator.clock = lambda: NOW + days * DAY
    reply = await operator.post("revoke", operator.revocation_form(token))
    assert (reply.status, reply.body["rsp_code"], reply.reason) == (200, "00000", "")
    _, consent = await operator.ledger.find_token_and_consent(operator.claims(pair["access_token"])["jti"])
    assert consent.state is ConsentState.REVOKED
    assert await operator.ledger.find_consent(consent.ci, consent.client_id, consent.provider) is None
    again = await operator.post("revoke", operator.revocation_form(token))
    assert again.body["rsp_code"] == "99999"


async def test_a_withdrawal_with_an_old_token_ends_the_live_one(operator):
    pair = await operator.issue_pair()
    refreshed = (await operator.post("token", operator.refresh_form(pair["refresh_token"]))).body["access_token"]
    await operator.post("revoke", operator.revocation_form(pair["access_token"]))
    assert not await operator.is_live(refreshed)
    assert (await operator.ledger.list_revoked_after(1))[1] == [operator.claims(refreshed)["jti"]]


async def test_a_token_of_a_replaced_consent_withdraws_nothing(operator):
    former, pair = await operator.issue_pair(), await operator.issue_pair()
    reply = await operator.post("revoke", operator.revocation_form(former["access_token"]))
    assert (reply.body["rsp_code"], reply.reason) == ("99999", "token_revoked")
    assert await operator.is_live(pair["access_token"])


@pytest.mark.parametrize(("seconds", "code"), [(-1, "00000"), (0, "99999")])
async def test_after_its_last_day_there_is_no_consent_to_withdraw(operator, seconds, code):
    pair = await operator.issue_pair(end=date(2027, 1, 20))
    operator.clock = lambda: 1_800_457_200 + seconds  # 2027-01-21 00:00 in Korea
    assert (await operator.post("revoke", operator.revocation_form(pair["access_token"]))).body["rsp_code"] == code


def malformed(*_):
    return "nothing"


def forged(operator, pair):
    claims = operator.claims(pair["access_token"])
    return jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), "ES256", {"kid": "first"})


def never_issued(operator, pair):
    return operator.authority.signer.sign(operator.claims(pair["access_token"]) | {"jti": "invented"}, NOW)[0]


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (malformed, "token_malformed"),
        (forged, "token_untrusted"),
        (never_issued, "token_revoked"),
    ],
)
async def test_an_invalid_token_is_no_error_and_changes_nothing(operator, token, reason):
    pair = await operator.issue_pair()
    reply = await operator.post("revoke", operator.revocation_form(token(operator, pair)))
    assert (reply.status, reply.body["rsp_code"], reply.reason) == (200, "99999", reason)
    assert await operator.is_live(pair["access_token"])


async def test_another_operator_cannot_revoke_a_token(operator):
    pair = await operator.issue_pair()
    reply = await operator.post(
        "revoke", operator.revocation_form(pair["access_token"], **OTHER), x_relay_operators="ZOPB000001"
    )
    assert (reply.status, reply.body["rsp_code"], reply.reason) == (200, "99999", "token_of_other_operator")
    assert await operator.is_live(pair["access_token"])


async def test_a_token_is_revoked_only_with_its_own_institution(operator):
    pair = await operator.issue_pair()
    reply = await operator.post("revoke", operator.revocation_form(pair["access_token"], org_code="ZCDA000001"))
    assert (reply.body["rsp_code"], reply.reason) == ("99999", "token_of_other_provider")
    assert await operator.is_live(pair["access_token"])


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"token": None}, "invalid_request", "parameter_missing"),
        ({"token": "x" * 1501}, "invalid_request", "parameter_malformed"),
        ({"org_code": None}, "invalid_request", "parameter_missing"),
        ({"org_code": "ZZZZ000009"}, "invalid_request", "provider_unknown"),
        ({"client_id": None}, "invalid_request", "parameter_missing"),
        ({"client_id": "unknown"}, "invalid_client", "invalid_client"),
        ({"client_secret": None}, "invalid_request", "parameter_missing"),
        ({"client_secret": "wrong"}, "invalid_client", "invalid_client"),
        (OTHER, "unauthorized_client", "unauthorized_client"),
    ],
    ids=str,
)
async def test_each_invalid_form_has_its_error_and_revokes_nothing(operator, changes, error, reason):
    pair = await operator.issue_pair()
    reply = await operator.post("revoke", operator.revocation_form(pair["access_token"], **changes))
    assert (reply.status, reply.body["error"], reply.reason) == (400, error, reason)
    assert await operator.is_live(pair["access_token"])


async def test_a_ledger_outage_gets_503_with_retry_after(operator, monkeypatch):
    pair = await operator.issue_pair()

    async def fail(*_):
        raise LedgerDown("OperationalError")

    monkeypatch.setattr(operator.ledger, "withdraw", fail)
    reply = await operator.post("revoke", operator.revocation_form(pair["access_token"]))
    assert (reply.status, reply.body["error"], reply.reason) == (503, "temporarily_unavailable", "ledger_unreachable")
    assert int(reply.headers["Retry-After"]) > 0
