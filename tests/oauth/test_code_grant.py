"""개별인증-002: a code is exchanged for a token pair, once."""

import asyncio
from datetime import date

import pytest

from relay.domain.authorization.token import REFRESH

NOW = 1_800_000_000
DAY = 86_400


async def test_a_code_is_exchanged_for_a_pair(operator):
    reply = await operator.post("token", operator.code_form(await operator.get_code()))
    assert reply.status == 200
    assert list(reply.body) == [
        "token_type",
        "access_token",
        "expires_in",
        "refresh_token",
        "refresh_token_expires_in",
        "scope",
    ]
    assert (reply.body["token_type"], reply.body["scope"]) == ("Bearer", "bank.list bank.deposit")
    assert reply.body["expires_in"] == str(90 * DAY)
    assert {type(value) for value in reply.body.values()} == {str}


async def test_claims_are_those_of_the_standard_without_customer_data(operator):
    pair = await operator.issue_pair()
    access = operator.claims(pair["access_token"])
    assert access == {
        "iss": "ZRLA000001",
        "aud": "ZOPA000001",
        "jti": access["jti"],
        "iat": NOW,
        "exp": NOW + 90 * DAY,
        "scope": "bank.list bank.deposit",
        "org_code": "ZBAA000001",
        "client_id": "ZOPA000001SVC01",
        "cid": "consent1",
    }
    refresh = operator.claims(pair["refresh_token"])
    assert refresh["use"] == "refresh"
    assert refresh["jti"] != access["jti"]
    assert max(map(len, (pair["access_token"], pair["refresh_token"]))) <= 1500


async def test_the_signer_reads_each_token_by_its_use(operator):
    pair = await operator.issue_pair()
    signer = operator.authority.signer
    assert signer.read(pair["access_token"], NOW).scopes == {"bank.list", "bank.deposit"}
    assert signer.read(pair["refresh_token"], NOW, REFRESH).client_id == "ZOPA000001SVC01"


async def test_no_token_outlives_its_consent(operator):
    pair = await operator.issue_pair(end=date(2027, 1, 20))
    midnight = 1_800_457_200  # 2027-01-21 00:00 in Korea
    assert operator.claims(pair["access_token"])["exp"] == midnight
    assert operator.claims(pair["refresh_token"])["exp"] == midnight
    assert pair["expires_in"] == pair["refresh_token_expires_in"] == str(midnight - NOW)


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"code": "another" * 7}, "invalid_grant", "code_unknown"),
        ({"redirect_uri": "https://operator.example/other"}, "invalid_grant", "redirect_uri_differs"),
        ({"redirect_uri": "https://operator.example/callback/"}, "invalid_grant", "redirect_uri_differs"),
        ({"org_code": "ZCDA000001"}, "invalid_grant", "code_of_another"),
        ({"org_code": "ZZZZ000009"}, "invalid_request", "provider_unknown"),
        ({"org_code": None}, "invalid_request", "parameter_missing"),
        ({"org_code": "ZBAA00000"}, "invalid_request", "provider_unknown"),
        ({"org_code": "ZBAA0000011"}, "invalid_request", "parameter_malformed"),
        ({"code": None}, "invalid_request", "parameter_missing"),
        ({"code": ""}, "invalid_request", "parameter_malformed"),
        ({"code": "x" * 129}, "invalid_request", "parameter_malformed"),
        ({"code": "코드"}, "invalid_request", "parameter_malformed"),
        ({"code": "a\nb"}, "invalid_request", "parameter_malformed"),
        ({"client_id": None}, "invalid_request", "parameter_missing"),
        ({"client_id": "x" * 51}, "invalid_request", "parameter_malformed"),
        ({"client_id": "a-b"}, "invalid_request", "parameter_malformed"),
        ({"client_id": "unknown"}, "invalid_client", "invalid_client"),
        ({"client_secret": None}, "invalid_request", "parameter_missing"),
        ({"client_secret": "x" * 51}, "invalid_request", "parameter_malformed"),
        ({"client_secret": "wrong"}, "invalid_client", "invalid_client"),
        ({"client_id": "ZOPA000001SVC02"}, "invalid_client", "invalid_client"),
        (
            {"client_id": "ZOPB000001SVC01", "client_secret": "Zz5Yy4Xx3Ww2Vv1U"},
            "unauthorized_client",
            "unauthorized_client",
        ),
        ({"redirect_uri": None}, "invalid_request", "parameter_missing"),
        ({"redirect_uri": "https://operator.example/" + "x" * 100}, "invalid_request", "parameter_malformed"),
        ({"grant_type": None}, "invalid_request", "parameter_missing"),
        ({"grant_type": ""}, "invalid_request", "parameter_missing"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type", "unsupported_grant_type"),
        ({"grant_type": "AUTHORIZATION_CODE"}, "unsupported_grant_type", "unsupported_grant_type"),
    ],
    ids=str,
)
async def test_each_invalid_form_has_its_error_and_keeps_the_code(operator, changes, error, reason):
    code = await operator.get_code()
    reply = await operator.post("token", operator.code_form(code, **changes))
    assert (reply.status, reply.body["error"], reply.reason) == (400, error, reason)
    assert (await operator.post("token", operator.code_form(code))).status == 200


async def test_a_code_of_another_operator_looks_like_an_unknown_one(operator):
    code = await operator.get_code()
    thief = {"client_id": "ZOPB000001SVC01", "client_secret": "Zz5Yy4Xx3Ww2Vv1U"}
    stolen = await operator.post("token", operator.code_form(code, **thief), x_relay_operators="ZOPB000001")
    unknown = await operator.post("token", operator.code_form("none", **thief), x_relay_operators="ZOPB000001")
    assert stolen.body == unknown.body
    assert (stolen.reason, unknown.reason) == ("code_of_another", "code_unknown")


@pytest.mark.parametrize(("after", "status"), [(599, 200), (600, 400), (601, 400)])
async def test_a_code_lasts_ten_minutes(operator, after, status):
    code = await operator.get_code()
    operator.clock = lambda: NOW + after
    reply = await operator.post("token", operator.code_form(code))
    assert reply.status == status
    assert reply.reason == ("" if status == 200 else "code_expired")


async def test_a_consent_that_ended_gives_no_token(operator):
    operator.clock = lambda: 1_800_457_100
    code = await operator.get_code(end=date(2027, 1, 20))
    operator.clock = lambda: 1_800_457_200
    reply = await operator.post("token", operator.code_form(code))
    assert (reply.status, reply.body["error"], reply.reason) == (400, "invalid_grant", "consent_ended")


async def test_a_consent_of_another_industry_gives_no_token(operator):
    code = await operator.get_code(scopes=("card.card",))
    reply = await operator.post("token", operator.code_form(code))
    assert (reply.status, reply.body["error"]) == (400, "invalid_scope")


async def test_a_code_used_twice_revokes_its_tokens(operator):
    code = await operator.get_code()
    pair = (await operator.post("token", operator.code_form(code))).body
    again = await operator.post("token", operator.code_form(code))
    assert (again.status, again.body["error"], again.reason) == (400, "invalid_grant", "code_spent")
    assert not await operator.is_live(pair["access_token"])
    refreshed = await operator.post("token", operator.refresh_form(pair["refresh_token"]))
    assert refreshed.reason == "refresh_revoked"


async def test_concurrent_uses_of_a_code_revoke_its_tokens(operator):
    code = await operator.get_code()
    replies = await asyncio.gather(*(operator.post("token", operator.code_form(code)) for _ in range(20)))
    (winner,) = [reply for reply in replies if reply.status == 200]
    assert {reply.reason for reply in replies} == {"", "code_spent"}
    assert not await operator.is_live(winner.body["access_token"])


async def test_a_new_consent_ends_the_former_pair(operator):
    former = await operator.issue_pair()
    await operator.issue_pair()
    assert not await operator.is_live(former["access_token"])
    assert (await operator.post("token", operator.refresh_form(former["refresh_token"]))).reason == "refresh_revoked"
