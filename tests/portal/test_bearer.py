"""Only the portal's own token is accepted, by each support API."""

import pytest

NAMES = ("status_of", "consents_of", "again")


async def call_api(support_client, name, **headers):
    call = getattr(support_client, name)
    return await (call(headers) if name == "again" else call(**headers))


@pytest.mark.parametrize("name", NAMES)
async def test_a_valid_token_is_accepted(support_client, name):
    reply = await call_api(support_client, name)
    assert (reply.status, reply.body["rsp_code"]) == (200, "00000")
    assert (reply.noted["operator"], reply.noted["client-id"]) == ("ZPTL000001", "portalatrelay")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("sent", "fault"),
    [
        (None, "token_missing"),
        ("", "token_missing"),
        ("Bearer", "token_malformed"),
        ("Bearer ", "token_malformed"),
        ("Bearer x", "token_malformed"),
        ("Basic cG9ydGFs", "token_malformed"),
        ("Bearer a.b.c", "token_malformed"),
        ("Bearer \xe9\xe9.b.c", "token_malformed"),
        ("Bearer " + "x" * 2000 + ".b.c", "token_malformed"),
    ],
)
async def test_an_invalid_token_is_refused(support_client, name, sent, fault):
    await support_client.bearer()
    reply = await call_api(support_client, name, authorization=sent)
    assert (reply.status, reply.body["rsp_code"], reply.reason) == (401, "40101", fault)
    assert list(reply.body) == ["rsp_code", "rsp_msg"]


@pytest.mark.parametrize(
    ("claims", "fault"),
    [
        ({"use": None}, "token_malformed"),
        ({"use": "refresh"}, "token_malformed"),
        ({"aud": "ZOPA000001"}, "token_of_other_operator"),
        ({"client_id": "ZOPA000001SVC01"}, "token_of_other_operator"),
        ({"org_code": "ZBAA000001"}, "token_of_other_provider"),
        ({"iss": "ZPTL000001"}, "token_untrusted"),
        ({"exp": 1_799_999_999}, "token_expired"),
        ({"exp": None}, "token_malformed"),
        ({"iat": 1_800_001_000}, "token_malformed"),
    ],
)
async def test_a_token_for_another_purpose_is_refused(support_client, claims, fault):
    reply = await support_client.status_of(authorization=f"Bearer {support_client.forged(**claims)}")
    assert (reply.status, reply.body["rsp_code"], reply.reason) == (401, "40101", fault)


async def test_a_token_without_manage_has_no_scope(support_client):
    reply = await support_client.status_of(authorization=f"Bearer {support_client.forged(scope='bank.list')}")
    assert (reply.status, reply.body["rsp_code"], reply.reason) == (401, "40104", "scope_missing")


async def test_a_token_is_valid_until_its_last_second(support_client):
    await support_client.bearer()
    support_client.clock = lambda: 1_800_000_000 + 30 * 86_400 - 0.5
    assert (await support_client.status_of()).status == 200
    support_client.clock = lambda: 1_800_000_000 + 30 * 86_400
    assert (await support_client.status_of()).reason == "token_expired"


async def test_a_new_client_id_ends_former_tokens(support_client, make_settings):
    await support_client.bearer()
    support_client.support.settings = make_settings(client_id="portalanew")
    assert (await support_client.status_of()).reason == "token_of_other_operator"


async def test_two_authorization_headers_are_refused(support_client):
    token = await support_client.bearer()
    headers = [("Authorization", token), ("Authorization", token), ("x-api-tran-id", "ZPTL000001P00000000000001")]
    answer = await support_client.http.get("/v1/mgmts/status?org_code=ZBAA000001", headers=headers)
    assert (answer.status, answer.headers["x-relay-reason"]) == (401, "token_missing")
