"""Who calls the token endpoint: institution, client, secret and connection, in this order."""

import pytest

from relay.domain.queue_full import Crowded
from relay.endpoint.calls import Call
from relay.endpoint.errors import OAuthRefusal
from relay.infra.tokens import client_secrets
from relay.oauth.clients import identified, note, strange

FORM = {"org_code": "ZBAA000001", "client_id": "ZOPA000001SVC01", "client_secret": "Q7fG2k9Lm4Xc1Vb8"}


def call(*operators, fault=""):
    return Call("", frozenset(operators), fault, None, {}, b"")


async def test_who_is_known_by_all_is_identified(desk):
    asked = call("ZOPA000001")
    found = await identified(desk.authority, asked, FORM)
    assert (found.client.service.client_id, found.provider.org_code, found.now) == (
        "ZOPA000001SVC01",
        "ZBAA000001",
        1_800_000_000,
    )
    assert (asked.note.client_id, asked.note.provider, asked.note.operator) == (
        "ZOPA000001SVC01",
        "ZBAA000001",
        "ZOPA000001",
    )
    assert "Q7fG2k9Lm4Xc1Vb8" not in repr(found)


@pytest.mark.parametrize(
    ("changes", "operators", "error"),
    [
        ({"org_code": "ZZZZ000009", "client_id": "nobody"}, (), "invalid_request"),
        ({"client_id": "nobody"}, (), "invalid_client"),
        ({"client_secret": "wrong"}, (), "invalid_client"),
        ({"client_id": "ZOPA000001SVC02"}, ("ZOPA000001",), "invalid_client"),
        ({"client_id": "ZOPA000001SVC02", "client_secret": ""}, ("ZOPA000001",), "invalid_client"),
        ({}, (), "unauthorized_client"),
        ({}, ("ZOPB000001",), "unauthorized_client"),
    ],
)
async def test_the_first_thing_that_is_wrong_is_told(desk, changes, operators, error):
    with pytest.raises(OAuthRefusal) as refused:
        await identified(desk.authority, call(*operators), FORM | changes)
    assert refused.value.error == error


@pytest.mark.parametrize(
    "changes", [{"client_id": "nobody"}, {"client_id": "ZOPA000001SVC02"}, {"client_secret": "wrong"}]
)
async def test_every_refused_client_costs_the_same_work(desk, monkeypatch, changes):
    """An answer that comes at once for an unknown client would tell which clients there are."""
    costs = []
    scrypt = client_secrets.hashlib.scrypt

    def weighed(*told, **cost):
        costs.append(cost["n"] * cost["r"] * cost["p"])
        return scrypt(*told, **cost)

    monkeypatch.setattr(client_secrets.hashlib, "scrypt", weighed)
    with pytest.raises(OAuthRefusal) as refused:
        await identified(desk.authority, call("ZOPA000001"), FORM | changes)
    assert (refused.value.error, sum(costs)) == ("invalid_client", 2**14 * 8)


@pytest.mark.parametrize(
    ("operators", "whose"),
    [(("ZOPA000001",), "ZOPA000001"), (("ZOPB000001", "ZOPA000001"), "ZOPA000001,ZOPB000001"), ((), "")],
)
@pytest.mark.parametrize("client_id", ["ZOPA000001SVC01", "ZOPB000001SVC01", "nobody"])
async def test_a_comparison_waits_in_the_lane_of_who_calls_whomever_they_name(
    desk, monkeypatch, client_id, operators, whose
):
    lanes = []

    async def fit(lane, _hash, _secret):
        lanes.append(lane)
        return False

    monkeypatch.setattr(desk.authority.secrets, "fit", fit)
    with pytest.raises(OAuthRefusal):
        await identified(desk.authority, call(*operators), FORM | {"client_id": client_id})
    assert lanes == [whose]


async def test_a_caller_with_too_many_comparisons_is_told_to_come_again(desk, monkeypatch):
    async def full(*_):
        raise Crowded

    monkeypatch.setattr(desk.authority.secrets, "fit", full)
    reply = await desk.post("token", desk.by_code("code"))
    assert (reply.status, reply.body["error"], reply.reason) == (503, "temporarily_unavailable", "client_crowded")
    assert reply.headers["Retry-After"] == "1"


async def test_every_invalid_client_is_told_the_same(desk):
    told = set()
    for changes in ({"client_id": "nobody"}, {"client_secret": "wrong"}, {"client_id": "ZOPA000001SVC02"}):
        with pytest.raises(OAuthRefusal) as refused:
            await identified(desk.authority, call("ZOPA000001"), FORM | changes)
        told.add((refused.value.status, refused.value.error, refused.value.description, refused.value.reason))
    assert len(told) == 1


def test_a_stranger_is_recorded_with_what_the_gateway_saw():
    assert strange(call(fault="serial_unknown")).reason == "serial_unknown"
    assert strange(call("ZOPB000001")).reason == "unauthorized_client"


def test_a_client_and_its_operator_are_recorded_if_it_calls(desk):
    client = desk.authority.office.clients["ZOPA000001SVC01"]
    ours = ("ZOPA000001SVC01", "ZOPA000001")
    for asked, noted in ((call("ZOPA000001"), ours), (call("ZOPB000001"), ("", "")), (call(), ("", ""))):
        note(asked, client)
        assert (asked.note.client_id, asked.note.operator) == noted


async def test_a_client_is_judged_by_the_time_after_its_secret(desk, monkeypatch):
    async def fit(*_):
        monkeypatch.setattr(desk.authority, "clock", lambda: 1_800_000_009.5)
        return True

    monkeypatch.setattr(desk.authority.secrets, "fit", fit)
    found = await identified(desk.authority, call("ZOPA000001"), FORM)
    assert found.now == 1_800_000_009
