"""개별인증-003: a refresh token gives access tokens while the consent lasts."""

import asyncio
from dataclasses import replace
from datetime import date

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from relay.infra.tokens.key_folder import add_key
from relay.infra.tokens.signing import FolderSigner
from relay.oauth.by_refresh import AGAIN_S

NOW = 1_800_000_000
DAY = 86_400


async def test_a_refresh_gives_an_access_token_and_nothing_else(desk):
    pair = await desk.pair()
    desk.clock = lambda: NOW + DAY
    reply = await desk.post("token", desk.by_refresh(pair["refresh_token"]))
    assert (reply.status, list(reply.body)) == (200, ["token_type", "access_token", "expires_in"])
    former, fresh = desk.claims(pair["access_token"]), desk.claims(reply.body["access_token"])
    assert fresh == former | {"jti": fresh["jti"], "iat": NOW + DAY, "exp": NOW + 91 * DAY}
    assert fresh["jti"] != former["jti"]
    assert reply.body["expires_in"] == str(90 * DAY)


async def test_a_refresh_ends_the_former_access_token_and_keeps_the_refresh_token(desk):
    pair = await desk.pair()
    fresh = (await desk.post("token", desk.by_refresh(pair["refresh_token"]))).body["access_token"]
    assert not await desk.is_live(pair["access_token"])
    assert await desk.is_live(fresh)
    desk.clock = lambda: NOW + DAY
    assert (await desk.post("token", desk.by_refresh(pair["refresh_token"]))).status == 200


async def test_no_access_token_outlives_the_consent(desk):
    pair = await desk.pair(end=date(2027, 1, 20))
    desk.clock = lambda: NOW + DAY
    reply = await desk.post("token", desk.by_refresh(pair["refresh_token"]))
    assert desk.claims(reply.body["access_token"])["exp"] == 1_800_457_200
    assert reply.body["expires_in"] == str(1_800_457_200 - NOW - DAY)


@pytest.mark.parametrize(("later", "same"), [(0, True), (AGAIN_S, True), (AGAIN_S + 1, False)])
async def test_whoever_asks_again_within_30_s_gets_the_same_token(desk, later, same):
    pair = await desk.pair()
    first = (await desk.post("token", desk.by_refresh(pair["refresh_token"]))).body
    desk.clock = lambda: NOW + later
    second = (await desk.post("token", desk.by_refresh(pair["refresh_token"]))).body
    assert (first["access_token"] == second["access_token"]) is same
    assert int(second["expires_in"]) == 90 * DAY - (later if same else 0)


async def test_a_token_told_again_is_signed_by_the_key_of_its_moment(desk, tmp_path):
    add_key(tmp_path / "keys", "older", NOW - 10)
    add_key(tmp_path / "keys", "newer", NOW + 10)
    desk.authority.signer = FolderSigner.of_folder(tmp_path / "keys", "ZRLA000001", 5.0)
    pair = await desk.pair()
    first = (await desk.post("token", desk.by_refresh(pair["refresh_token"]))).body["access_token"]
    desk.clock = lambda: NOW + 20
    second = (await desk.post("token", desk.by_refresh(pair["refresh_token"]))).body["access_token"]
    assert first.rpartition(".")[0] == second.rpartition(".")[0]
    assert jwt.get_unverified_header(second)["kid"] == "older"


async def test_fifty_refreshes_at_once_give_one_token(desk):
    pair = await desk.pair()
    form = desk.by_refresh(pair["refresh_token"])
    replies = await asyncio.gather(*(desk.post("token", form) for _ in range(50)))
    assert {reply.status for reply in replies} == {200}
    told = {(claims["jti"], claims["exp"]) for reply in replies for claims in [desk.claims(reply.body["access_token"])]}
    assert len(told) == 1


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
        ({"client_id": "nobody"}, "invalid_client", "invalid_client"),
        ({"client_id": None}, "invalid_request", "parameter_missing"),
        ({"client_secret": "Q7fG2k9Lm4Xc1Vb9"}, "invalid_client", "invalid_client"),
        ({"client_secret": None}, "invalid_request", "parameter_missing"),
        ({"grant_type": "refresh"}, "unsupported_grant_type", "unsupported_grant_type"),
    ],
    ids=str,
)
async def test_each_misfortune_has_its_error_and_changes_nothing(desk, changes, error, reason):
    pair = await desk.pair()
    reply = await desk.post("token", desk.by_refresh(pair["refresh_token"], **changes))
    assert (reply.status, reply.body["error"], reply.reason) == (400, error, reason)
    assert await desk.is_live(pair["access_token"])


async def test_an_access_token_refreshes_nothing(desk):
    pair = await desk.pair()
    reply = await desk.post("token", desk.by_refresh(pair["access_token"]))
    assert (reply.status, reply.body["error"], reply.reason) == (400, "invalid_grant", "refresh_unknown")


async def test_another_operators_refresh_token_is_worth_no_more_than_an_unknown_one(desk):
    pair = await desk.pair()
    thief = {"client_id": "ZOPB000001SVC01", "client_secret": "Zz5Yy4Xx3Ww2Vv1U"}
    calls = [desk.by_refresh(token, **thief) for token in (pair["refresh_token"], "none")]
    stolen, unknown = [await desk.post("token", form, x_relay_operators="ZOPB000001") for form in calls]
    assert stolen.body == unknown.body
    assert (stolen.reason, unknown.reason) == ("refresh_of_another", "refresh_unknown")


async def test_what_another_key_signed_is_unknown(desk):
    pair = await desk.pair()
    claims = desk.claims(pair["refresh_token"])
    forged = jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), "ES256", {"kid": "first"})
    reply = await desk.post("token", desk.by_refresh(forged))
    assert (reply.body["error"], reply.reason) == ("invalid_grant", "refresh_unknown")


async def test_a_refresh_token_that_we_signed_but_never_gave_is_unknown(desk):
    pair = await desk.pair()
    claims = desk.claims(pair["refresh_token"]) | {"jti": "invented"}
    token, _ = desk.authority.signer.sign(claims, NOW)
    reply = await desk.post("token", desk.by_refresh(token))
    assert (reply.body["error"], reply.reason) == ("invalid_grant", "refresh_unknown")


@pytest.mark.parametrize("is_swept", [True, False])
async def test_after_the_last_day_it_is_told_that_the_consent_ended(desk, is_swept):
    pair = await desk.pair(end=date(2027, 1, 20))
    desk.clock = lambda: 1_800_457_200  # 2027-01-21 00:00 in Korea
    assert not is_swept or await desk.ledger.end_overdue(desk.clock()) == 1
    reply = await desk.post("token", desk.by_refresh(pair["refresh_token"]))
    assert (reply.status, reply.body["error"], reply.reason) == (400, "invalid_grant", "consent_ended")
    assert reply.body["error_description"] == (
        "전송요구의 종료 시점이 경과하였습니다. 정보주체의 새 전송요구가 필요합니다"
    )


async def test_a_refresh_token_shorter_than_its_consent_has_expired(desk):
    tokens = desk.authority.office.tokens.model_copy(update={"refresh_days": 10})
    desk.authority.office = replace(desk.authority.office, tokens=tokens)
    pair = await desk.pair()
    desk.clock = lambda: NOW + 10 * DAY
    reply = await desk.post("token", desk.by_refresh(pair["refresh_token"]))
    assert (reply.body["error"], reply.reason) == ("invalid_grant", "refresh_expired")


async def test_a_withdrawn_consent_is_no_ended_one(desk):
    pair = await desk.pair(end=date(2027, 1, 20))
    await desk.post("revoke", desk.revoking(pair["access_token"]))
    desk.clock = lambda: 1_800_457_200
    reply = await desk.post("token", desk.by_refresh(pair["refresh_token"]))
    assert (reply.body["error"], reply.reason) == ("invalid_grant", "refresh_revoked")
