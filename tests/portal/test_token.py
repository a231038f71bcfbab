"""지원-101: the portal's token, valid only for the support APIs."""

import pytest

from relay.domain.fault import Refusal
from relay.domain.queue_full import QueueFull

DAY = 86_400


async def test_the_portal_gets_a_token_with_scope_manage(support_client):
    reply = await support_client.redeem()
    assert (reply.status, sorted(reply.body)) == (200, ["access_token", "expires_in", "scope", "token_type"])
    assert (reply.body["token_type"], reply.body["scope"]) == ("Bearer", "manage")
    assert reply.body["expires_in"] == str(30 * DAY)
    assert reply.noted == {"api-code": "S101", "client-id": "portalatrelay", "operator": "ZPTL000001"}


async def test_the_token_has_the_claims_of_the_standard(support_client):
    claims = support_client.claims((await support_client.redeem()).body["access_token"])
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
async def test_a_name_that_resembles_a_field_is_refused(support_client, look_alikes, field):
    for name in look_alikes(field):
        reply = await support_client.redeem(support_client.form(**{name: "other"}))
        assert (reply.status, reply.body["error"], reply.reason) == (400, "invalid_request", "parameter_ambiguous"), (
            name
        )


async def test_each_token_has_its_own_id(support_client):
    tokens = [(await support_client.redeem()).body["access_token"] for _ in range(3)]
    assert [support_client.claims(token)["jti"] for token in tokens] == ["id1", "id2", "id3"]


async def test_the_token_is_not_valid_for_data_apis(support_client):
    with pytest.raises(Refusal) as refusal:
        support_client.support.signer.read((await support_client.redeem()).body["access_token"], 1_800_000_001)
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
        ({"client_id": "unknown"}, "invalid_client", "invalid_client"),
        ({"client_id": "portalatrelay2"}, "invalid_client", "invalid_client"),
        ({"client_id": "PORTALATRELAY"}, "invalid_client", "invalid_client"),
    ],
)
async def test_an_invalid_form_gets_no_token(support_client, change, error, reason):
    reply = await support_client.redeem(support_client.form(**change))
    assert (reply.status, reply.body["error"], reply.reason) == (400, error, reason)
    assert reply.noted["error"] == error
    assert "access_token" not in reply.body


async def test_an_unknown_client_is_treated_like_a_wrong_secret(support_client, monkeypatch):
    compared = []

    async def matches(*arguments):
        compared.append(arguments)
        return False

    monkeypatch.setattr(support_client.support.secrets, "matches", matches)
    changes = ({"client_id": "unknown"}, {"client_secret": "wrong"})
    first, second = [await support_client.redeem(support_client.form(**change)) for change in changes]
    assert (first.body, first.status, first.noted) == (second.body, second.status, second.noted)
    assert [arguments[:2] for arguments in compared] == [
        ("ZPTL000001", support_client.support.settings.portal.offers.client_secret_hash)
    ] * 2


@pytest.mark.parametrize("operators", ["ZOPA000001", "", None, "ZPTL00000"])
async def test_another_partys_connection_gets_no_token(support_client, operators):
    reply = await support_client.redeem(x_relay_operators=operators)
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
async def test_a_malformed_form_is_an_invalid_request(support_client, headers, reason):
    reply = await support_client.redeem(**headers)
    assert (reply.status, reply.body["error"], reply.reason) == (400, "invalid_request", reason)


async def test_a_secret_in_the_query_is_refused(support_client):
    reply = await support_client.send("POST", "/mgmts/oauth/2.0/token?client_secret=x", b"a=b")
    assert (reply.status, reply.body["error"]) == (400, "invalid_request")


async def test_too_many_wrong_secrets_get_retry_after(support_client, monkeypatch):
    async def crowded(*_):
        raise QueueFull

    monkeypatch.setattr(support_client.support.secrets, "matches", crowded)
    reply = await support_client.redeem()
    assert (reply.status, reply.body["error"], reply.headers["retry-after"]) == (503, "temporarily_unavailable", "1")
