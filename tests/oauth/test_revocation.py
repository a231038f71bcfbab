"""개별인증-004: an operator tells that the customer withdrew."""

from dataclasses import replace
from datetime import date

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from relay.domain.authorization.consent import ConsentState
from relay.domain.ledger import Unreachable

NOW = 1_800_000_000
DAY = 86_400
OTHER = {"client_id": "ZOPB000001SVC01", "client_secret": "Zz5Yy4Xx3Ww2Vv1U"}


async def test_a_revoked_token_takes_its_refresh_token_with_it(desk):
    pair = await desk.pair()
    reply = await desk.post("revoke", desk.revoking(pair["access_token"]))
    assert (reply.status, reply.body) == (200, {"rsp_code": "00000", "rsp_msg": "접근토큰을 폐기하였습니다"})
    assert not await desk.is_live(pair["access_token"])
    assert (await desk.post("token", desk.by_refresh(pair["refresh_token"]))).reason == "refresh_revoked"


async def test_who_revokes_twice_is_told_that_there_is_nothing_to_revoke(desk):
    pair = await desk.pair()
    await desk.post("revoke", desk.revoking(pair["access_token"]))
    again = await desk.post("revoke", desk.revoking(pair["access_token"]))
    assert (again.status, again.body["rsp_code"], again.reason) == (200, "99999", "token_revoked")


@pytest.mark.parametrize("field", ["org_code", "token", "client_id", "client_secret"])
async def test_a_name_that_resembles_a_field_revokes_nothing(desk, look_alikes, field):
    pair = await desk.pair()
    form = desk.revoking(pair["access_token"])
    for name in look_alikes(field):
        reply = await desk.post("revoke", form | {name: "other"})
        assert (reply.status, reply.body["error"], reply.reason) == (400, "invalid_request", "parameter_ambiguous"), (
            name
        )
    assert await desk.is_live(pair["access_token"])


async def access_token(_, pair):
    return pair["access_token"]


async def refresh_token(_, pair):
    return pair["refresh_token"]


async def replaced_token(desk, pair):
    assert (await desk.post("token", desk.by_refresh(pair["refresh_token"]))).status == 200
    return pair["access_token"]


@pytest.mark.parametrize("days", [0, 100, 320], ids=lambda days: f"after_{days}_days")
@pytest.mark.parametrize("of_pair", [access_token, refresh_token, replaced_token])
async def test_any_token_of_the_consent_withdraws_it(desk, of_pair, days):
    tokens = desk.authority.office.tokens.model_copy(update={"refresh_days": 120})
    desk.authority.office = replace(desk.authority.office, tokens=tokens)  # both tokens expire, the consent does not
    pair = await desk.pair(end=date(2027, 12, 31))
    token = await of_pair(desk, pair)
    desk.clock = lambda: NOW + days * DAY
    reply = await desk.post("revoke", desk.revoking(token))
    assert (reply.status, reply.body["rsp_code"], reply.reason) == (200, "00000", "")
    _, consent = await desk.ledger.consent_behind(desk.claims(pair["access_token"])["jti"])
    assert consent.state is ConsentState.REVOKED
    assert await desk.ledger.consent_of(consent.ci, consent.client_id, consent.provider) is None
    again = await desk.post("revoke", desk.revoking(token))
    assert again.body["rsp_code"] == "99999"


async def test_a_withdrawal_with_an_old_token_ends_the_live_one(desk):
    pair = await desk.pair()
    refreshed = (await desk.post("token", desk.by_refresh(pair["refresh_token"]))).body["access_token"]
    await desk.post("revoke", desk.revoking(pair["access_token"]))
    assert not await desk.is_live(refreshed)
    assert (await desk.ledger.revoked_after(1))[1] == [desk.claims(refreshed)["jti"]]


async def test_a_token_of_a_replaced_consent_withdraws_nothing(desk):
    former, pair = await desk.pair(), await desk.pair()
    reply = await desk.post("revoke", desk.revoking(former["access_token"]))
    assert (reply.body["rsp_code"], reply.reason) == ("99999", "token_revoked")
    assert await desk.is_live(pair["access_token"])


@pytest.mark.parametrize(("seconds", "code"), [(-1, "00000"), (0, "99999")])
async def test_after_its_last_day_there_is_no_consent_to_withdraw(desk, seconds, code):
    pair = await desk.pair(end=date(2027, 1, 20))
    desk.clock = lambda: 1_800_457_200 + seconds  # 2027-01-21 00:00 in Korea
    assert (await desk.post("revoke", desk.revoking(pair["access_token"]))).body["rsp_code"] == code


def noise(*_):
    return "nothing"


def forged(desk, pair):
    claims = desk.claims(pair["access_token"])
    return jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), "ES256", {"kid": "first"})


def invented(desk, pair):
    return desk.authority.signer.sign(desk.claims(pair["access_token"]) | {"jti": "invented"}, NOW)[0]


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (noise, "token_malformed"),
        (forged, "token_untrusted"),
        (invented, "token_revoked"),
    ],
)
async def test_a_token_that_is_none_is_no_error_and_changes_nothing(desk, token, reason):
    pair = await desk.pair()
    reply = await desk.post("revoke", desk.revoking(token(desk, pair)))
    assert (reply.status, reply.body["rsp_code"], reply.reason) == (200, "99999", reason)
    assert await desk.is_live(pair["access_token"])


async def test_nobody_revokes_another_operators_token(desk):
    pair = await desk.pair()
    reply = await desk.post("revoke", desk.revoking(pair["access_token"], **OTHER), x_relay_operators="ZOPB000001")
    assert (reply.status, reply.body["rsp_code"], reply.reason) == (200, "99999", "token_of_other_operator")
    assert await desk.is_live(pair["access_token"])


async def test_a_token_is_revoked_under_the_institution_it_is_for(desk):
    pair = await desk.pair()
    reply = await desk.post("revoke", desk.revoking(pair["access_token"], org_code="ZCDA000001"))
    assert (reply.body["rsp_code"], reply.reason) == ("99999", "token_of_other_provider")
    assert await desk.is_live(pair["access_token"])


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"token": None}, "invalid_request", "parameter_missing"),
        ({"token": "x" * 1501}, "invalid_request", "parameter_malformed"),
        ({"org_code": None}, "invalid_request", "parameter_missing"),
        ({"org_code": "ZZZZ000009"}, "invalid_request", "provider_unknown"),
        ({"client_id": None}, "invalid_request", "parameter_missing"),
        ({"client_id": "nobody"}, "invalid_client", "invalid_client"),
        ({"client_secret": None}, "invalid_request", "parameter_missing"),
        ({"client_secret": "wrong"}, "invalid_client", "invalid_client"),
        (OTHER, "unauthorized_client", "unauthorized_client"),
    ],
    ids=str,
)
async def test_each_misfortune_has_its_error_and_revokes_nothing(desk, changes, error, reason):
    pair = await desk.pair()
    reply = await desk.post("revoke", desk.revoking(pair["access_token"], **changes))
    assert (reply.status, reply.body["error"], reply.reason) == (400, error, reason)
    assert await desk.is_live(pair["access_token"])


async def test_while_the_ledger_is_away_the_operator_is_asked_to_come_again(desk, monkeypatch):
    pair = await desk.pair()

    async def away(*_):
        raise Unreachable("OperationalError")

    monkeypatch.setattr(desk.ledger, "withdraw", away)
    reply = await desk.post("revoke", desk.revoking(pair["access_token"]))
    assert (reply.status, reply.body["error"], reply.reason) == (503, "temporarily_unavailable", "ledger_unreachable")
    assert int(reply.headers["Retry-After"]) > 0
