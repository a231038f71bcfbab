"""개별인증-003: refreshes access tokens while the consent lasts."""

import asyncio
from dataclasses import replace
from datetime import date

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from relay.infra.tokens.key_folder import add_key
from relay.infra.tokens.signing import TokenSigner
from relay.oauth.refresh_grant import REPEAT_S

NOW = 1_800_000_000
DAY = 86_400


async def test_a_refresh_gives_an_access_token_and_nothing_else(operator):
    pair = await operator.issue_pair()
    operator.clock = lambda: NOW + DAY
    reply = await operator.post("token", operator.refresh_form(pair["refresh_token"]))
    assert (reply.status, list(reply.body)) == (200, ["token_type", "access_token", "expires_in"])
    former, fresh = operator.claims(pair["access_token"]), operator.claims(reply.body["access_token"])
    assert fresh == former | {"jti": fresh["jti"], "iat": NOW + DAY, "exp": NOW + 91 * DAY}
    assert fresh["jti"] != former["jti"]
    assert reply.body["expires_in"] == str(90 * DAY)


async def test_a_refresh_replaces_only_the_access_token(operator):
    pair = await operator.issue_pair()
    fresh = (await operator.post("token", operator.refresh_form(pair["refresh_token"]))).body["access_token"]
    assert not await operator.is_live(pair["access_token"])
    assert await operator.is_live(fresh)
    operator.clock = lambda: NOW + DAY
    assert (await operator.post("token", operator.refresh_form(pair["refresh_token"]))).status == 200


async def test_no_access_token_outlives_the_consent(operator):
    pair = await operator.issue_pair(end=date(2027, 1, 20))
    operator.clock = lambda: NOW + DAY
    reply = await operator.post("token", operator.refresh_form(pair["refresh_token"]))
    assert operator.claims(reply.body["access_token"])["exp"] == 1_800_457_200
    assert reply.body["expires_in"] == str(1_800_457_200 - NOW - DAY)


@pytest.mark.parametrize(("later", "same"), [(0, True), (REPEAT_S, True), (REPEAT_S + 1, False)])
async def test_a_repeated_refresh_within_30_s_gets_the_same_token(operator, later, same):
    pair = await operator.issue_pair()
    first = (await operator.post("token", operator.refresh_form(pair["refresh_token"]))).body
    operator.clock = lambda: NOW + later
    second = (await operator.post("token", operator.refresh_form(pair["refresh_token"]))).body
    assert (first["access_token"] == second["access_token"]) is same
    assert int(second["expires_in"]) == 90 * DAY - (later if same else 0)


async def test_a_repeated_token_is_signed_by_the_key_of_its_time(operator, tmp_path):
    add_key(tmp_path / "keys", "older", NOW - 10)
    add_key(tmp_path / "keys", "newer", NOW + 10)
    operator.authority.signer = TokenSigner.from_folder(tmp_path / "keys", "ZRLA000001", 5.0)
    pair = await operator.issue_pair()
    first = (await operator.post("token", operator.refresh_form(pair["refresh_token"]))).body["access_token"]
    operator.clock = lambda: NOW + 20
    second = (await operator.post("token", operator.refresh_form(pair["refresh_token"]))).body["access_token"]
    assert first.rpartition(".")[0] == second.rpartition(".")[0]
    assert jwt.get_unverified_header(second)["kid"] == "older"


async def test_fifty_refreshes_at_once_give_one_token(operator):
    pair = await operator.issue_pair()
    form = operator.refresh_form(pair["refresh_token"])
    replies = await asyncio.gather(*(operator.post("token", form) for _ in range(50)))
    assert {reply.status for reply in replies} == {200}
    tokens = {
        (claims["jti"], claims["exp"]) for reply in replies for claims in [operator.claims(reply.body["access_token"])]
    }
    assert len(tokens) == 1


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"refresh_token": None}, "invalid_request", "parameter_missing"),
        ({"refresh_token": ""}, "invalid_request", "parameter_malformed"),
        ({"refresh_token": "x" * 1501}, "invalid_request", "parameter_malformed"),
        ({"refresh_token": "토큰"}, "invalid_request", "parameter_malformed"),
        ({"refresh_token": "x" * 1500}, "invalid_grant", "refresh_unknown"),
        ({"refresh_token": "a.b.c"}, "invalid_grant", "refresh_unknown"),
        ({"org_code": None}, "invalid_request", "parameter_missing"),
        ({"org_code": "ZZZZ000009"}, "invalid_request", "provider_unknown"),
        ({"org_code": "ZCDA000001"}, "invalid_grant", "refresh_of_another"),
        ({"client_id": "unknown"}, "invalid_client", "invalid_client"),
        ({"client_id": None}, "invalid_request", "parameter_missing"),
        ({"client_secret": "Q7fG2k9Lm4Xc1Vb9"}, "invalid_client", "invalid_client"),
        ({"client_secret": None}, "invalid_request", "parameter_missing"),
        ({"grant_type": "refresh"}, "unsupported_grant_type", "unsupported_grant_type"),
    ],
    ids=str,
)
async def test_each_invalid_form_has_its_error_and_changes_nothing(operator, changes, error, reason):
    pair = await operator.issue_pair()
    reply = await operator.post("token", operator.refresh_form(pair["refresh_token"], **changes))
    assert (reply.status, reply.body["error"], reply.reason) == (400, error, reason)
    assert await operator.is_live(pair["access_token"])


async def test_an_access_token_refreshes_nothing(operator):
    pair = await operator.issue_pair()
    reply = await operator.post("token", operator.refresh_form(pair["access_token"]))
    assert (reply.status, reply.body["error"], reply.reason) == (400, "invalid_grant", "refresh_unknown")


async def test_a_token_of_another_operator_looks_like_an_unknown_one(operator):
    pair = await operator.issue_pair()
    thief = {"client_id": "ZOPB000001SVC01", "client_secret": "Zz5Yy4Xx3Ww2Vv1U"}
    calls = [operator.refresh_form(token, **thief) for token in (pair["refresh_token"], "none")]
    stolen, unknown = [await operator.post("token", form, x_relay_operators="ZOPB000001") for form in calls]
    assert stolen.body == unknown.body
    assert (stolen.reason, unknown.reason) == ("refresh_of_another", "refresh_unknown")


async def test_a_token_signed_by_another_key_is_unknown(operator):
    pair = await operator.issue_pair()
    claims = operator.claims(pair["refresh_token"])
    forged = jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), "ES256", {"kid": "first"})
    reply = await operator.post("token", operator.refresh_form(forged))
    assert (reply.body["error"], reply.reason) == ("invalid_grant", "refresh_unknown")


async def test_a_signed_but_never_issued_refresh_token_is_unknown(operator):
    pair = await operator.issue_pair()
    claims = operator.claims(pair["refresh_token"]) | {"jti": "invented"}
    token, _ = operator.authority.signer.sign(claims, NOW)
    reply = await operator.post("token", operator.refresh_form(token))
    assert (reply.body["error"], reply.reason) == ("invalid_grant", "refresh_unknown")


@pytest.mark.parametrize("is_swept", [True, False])
async def test_a_refresh_after_the_last_day_reports_the_ended_consent(operator, is_swept):
    pair = await operator.issue_pair(end=date(2027, 1, 20))
    operator.clock = lambda: 1_800_457_200  # 2027-01-21 00:00 in Korea
    assert not is_swept or await operator.ledger.end_expired_consents(operator.clock()) == 1
    reply = await operator.post("token", operator.refresh_form(pair["refresh_token"]))
    assert (reply.status, reply.body["error"], reply.reason) == (400, "invalid_grant", "consent_ended")
    assert reply.body["error_description"] == (
        "전송요구의 종료 시점이 경과하였습니다. 정보주체의 새 전송요구가 필요합니다"
    )


async def test_a_refresh_token_can_expire_before_its_consent(operator):
    tokens = operator.authority.settings.tokens.model_copy(update={"refresh_days": 10})
    operator.authority.settings = replace(operator.authority.settings, tokens=tokens)
    pair = await operator.issue_pair()
    operator.clock = lambda: NOW + 10 * DAY
    reply = await operator.post("token", operator.refresh_form(pair["refresh_token"]))
    assert (reply.body["error"], reply.reason) == ("invalid_grant", "refresh_expired")


async def test_a_withdrawn_consent_is_reported_as_revoked(operator):
    pair = await operator.issue_pair(end=date(2027, 1, 20))
    await operator.post("revoke", operator.revocation_form(pair["access_token"]))
    operator.clock = lambda: 1_800_457_200
    reply = await operator.post("token", operator.refresh_form(pair["refresh_token"]))
    assert (reply.body["error"], reply.reason) == ("invalid_grant", "refresh_revoked")
