"""지원-101: one token for the portal, for nothing but the support APIs."""

import pytest

from relay.domain.fault import Refusal
from relay.domain.queue_full import Crowded

DAY = 86_400


async def test_the_portal_gets_one_token_that_manages(desk):
    reply = await desk.redeem()
    assert (reply.status, sorted(reply.body)) == (200, ["access_token", "expires_in", "scope", "token_type"])
    assert (reply.body["token_type"], reply.body["scope"]) == ("Bearer", "manage")
    assert reply.body["expires_in"] == str(30 * DAY)
    assert reply.noted == {"api-code": "S101", "client-id": "portalatrelay", "operator": "ZPTL000001"}


async def test_it_says_who_for_whom_how_long_and_for_what(desk):
    claims = desk.claims((await desk.redeem()).body["access_token"])
    assert claims == {
        "iss": "ZRLA000001",
        "aud": "ZPTL000001",
        "jti": "id1",
        "iat": 1_800_000_000,
        "exp": 1_800_000_000 + 30 * DAY,
        "scope": "manage",
        "org_code": "ZRLA000001",
        "client_id": "portalatrelay",
        "use": "manage",
    }


@pytest.mark.parametrize("field", ["grant_type", "client_id", "client_secret", "scope"])
async def test_a_name_that_resembles_a_field_is_refused(desk, look_alikes, field):
    for name in look_alikes(field):
        reply = await desk.redeem(desk.form(**{name: "other"}))
        assert (reply.status, reply.body["error"], reply.reason) == (400, "invalid_request", "parameter_ambiguous"), (
            name
        )


async def test_each_token_has_an_id_of_its_own(desk):
    tokens = [(await desk.redeem()).body["access_token"] for _ in range(3)]
    assert [desk.claims(token)["jti"] for token in tokens] == ["id1", "id2", "id3"]


async def test_it_opens_no_data(desk):
    with pytest.raises(Refusal) as refusal:
        desk.support.signer.read((await desk.redeem()).body["access_token"], 1_800_000_001)
    assert (refusal.value.fault.name, refusal.value.detail) == ("token_malformed", "use")


@pytest.mark.parametrize(
    ("change", "error", "reason"),
    [
        ({"grant_type": None}, "invalid_request", "parameter_missing"),
        ({"grant_type": ""}, "invalid_request", "parameter_malformed"),
        ({"grant_type": "password"}, "unsupported_grant_type", "unsupported_grant_type"),
        ({"grant_type": "Client_Credentials"}, "unsupported_grant_type", "unsupported_grant_type"),
        ({"scope": None}, "invalid_request", "parameter_missing"),
        ({"scope": ""}, "invalid_request", "parameter_malformed"),
        ({"scope": "ca"}, "invalid_scope", "invalid_scope"),
        ({"scope": "manage bank.list"}, "invalid_scope", "invalid_scope"),
        ({"scope": "MANAGE"}, "invalid_scope", "invalid_scope"),
        ({"client_id": None}, "invalid_request", "parameter_missing"),
        ({"client_id": "no-letters-only"}, "invalid_request", "parameter_malformed"),
        ({"client_id": "x" * 51}, "invalid_request", "parameter_malformed"),
        ({"client_secret": None}, "invalid_request", "parameter_missing"),
        ({"client_secret": "wrong"}, "invalid_client", "invalid_client"),
        ({"client_id": "somebody"}, "invalid_client", "invalid_client"),
        ({"client_id": "portalatrelay2"}, "invalid_client", "invalid_client"),
        ({"client_id": "PORTALATRELAY"}, "invalid_client", "invalid_client"),
    ],
)
async def test_a_form_that_is_not_right_gets_no_token(desk, change, error, reason):
    reply = await desk.redeem(desk.form(**change))
    assert (reply.status, reply.body["error"], reply.reason) == (400, error, reason)
    assert reply.noted["error"] == error
    assert "access_token" not in reply.body


async def test_who_is_unknown_costs_and_hears_the_same_as_who_is_wrong(desk, monkeypatch):
    compared = []

    async def fit(*told):
        compared.append(told)
        return False

    monkeypatch.setattr(desk.support.secrets, "fit", fit)
    changes = ({"client_id": "somebody"}, {"client_secret": "wrong"})
    first, second = [await desk.redeem(desk.form(**change)) for change in changes]
    assert (first.body, first.status, first.noted) == (second.body, second.status, second.noted)
    assert [told[:2] for told in compared] == [("ZPTL000001", desk.support.office.portal.offers.client_secret_hash)] * 2


@pytest.mark.parametrize("operators", ["ZOPA000001", "", None, "ZPTL00000"])
async def test_a_connection_that_is_not_the_portals_gets_no_token(desk, operators):
    reply = await desk.redeem(x_relay_operators=operators)
    assert (reply.status, reply.body["error"]) == (400, "unauthorized_client")


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"content_type": "application/json"}, "header_malformed"),
        ({"content_type": None}, "header_malformed"),
        ({"content_encoding": "gzip"}, "header_malformed"),
        ({"x_api_tran_id": None}, "header_malformed"),
        ({"x_api_tran_id": "short"}, "header_malformed"),
    ],
)
async def test_a_form_that_is_none_is_an_invalid_request(desk, headers, reason):
    reply = await desk.redeem(**headers)
    assert (reply.status, reply.body["error"], reply.reason) == (400, "invalid_request", reason)


async def test_a_secret_in_the_query_is_refused(desk):
    reply = await desk.send("POST", "/mgmts/oauth/2.0/token?client_secret=x", b"a=b")
    assert (reply.status, reply.body["error"]) == (400, "invalid_request")


async def test_a_storm_of_wrong_secrets_is_told_to_come_again(desk, monkeypatch):
    async def crowded(*_):
        raise Crowded

    monkeypatch.setattr(desk.support.secrets, "fit", crowded)
    reply = await desk.redeem()
    assert (reply.status, reply.body["error"], reply.headers["retry-after"]) == (503, "temporarily_unavailable", "1")
