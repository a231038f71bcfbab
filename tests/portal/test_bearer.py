"""Only the portal's own token opens the support APIs, and each of them."""

import pytest

NAMES = ("status_of", "consents_of", "again")


async def asked(desk, name, **headers):
    call = getattr(desk, name)
    return await (call(headers) if name == "again" else call(**headers))


@pytest.mark.parametrize("name", NAMES)
async def test_a_good_token_opens(desk, name):
    reply = await asked(desk, name)
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
async def test_what_is_no_token_opens_nothing(desk, name, sent, fault):
    await desk.bearer()
    reply = await asked(desk, name, authorization=sent)
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
async def test_a_token_of_ours_for_something_else_opens_nothing(desk, claims, fault):
    reply = await desk.status_of(authorization=f"Bearer {desk.forged(**claims)}")
    assert (reply.status, reply.body["rsp_code"], reply.reason) == (401, "40101", fault)


async def test_a_token_that_does_not_manage_has_no_scope(desk):
    reply = await desk.status_of(authorization=f"Bearer {desk.forged(scope='bank.list')}")
    assert (reply.status, reply.body["rsp_code"], reply.reason) == (401, "40104", "scope_missing")


async def test_a_token_opens_until_its_last_second(desk):
    await desk.bearer()
    desk.clock = lambda: 1_800_000_000 + 30 * 86_400 - 0.5
    assert (await desk.status_of()).status == 200
    desk.clock = lambda: 1_800_000_000 + 30 * 86_400
    assert (await desk.status_of()).reason == "token_expired"


async def test_a_credential_that_is_replaced_ends_the_tokens_it_gave(desk, office):
    await desk.bearer()
    desk.support.office = office(client_id="portalanew")
    assert (await desk.status_of()).reason == "token_of_other_operator"


async def test_two_tokens_are_none(desk):
    token = await desk.bearer()
    headers = [("Authorization", token), ("Authorization", token), ("x-api-tran-id", "ZPTL000001P00000000000001")]
    async with desk.session.get("http://authority/v1/mgmts/status?org_code=ZBAA000001", headers=headers) as answer:
        assert (answer.status, answer.headers["x-relay-reason"]) == (401, "token_missing")
