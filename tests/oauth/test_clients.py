"""Client authentication checks institution, client, secret and connection in this order."""

import pytest

from relay.domain.queue_full import QueueFull
from relay.endpoint.calls import ForwardedCall
from relay.endpoint.errors import OAuthRefusal
from relay.infra.tokens import client_secrets
from relay.oauth.clients import authenticate_client, build_unauthorized_client, note_client

FORM = {"org_code": "ZBAA000001", "client_id": "ZOPA000001SVC01", "client_secret": "Q7fG2k9Lm4Xc1Vb8"}


def call(*operators, fault=""):
    return ForwardedCall("", frozenset(operators), fault, None, {}, b"")


async def test_a_known_client_is_authenticated(operator):
    received = call("ZOPA000001")
    token_call = await authenticate_client(operator.authority, received, FORM)
    assert (token_call.client.service.client_id, token_call.provider.org_code, token_call.now) == (
        "ZOPA000001SVC01",
        "ZBAA000001",
        1_800_000_000,
    )
    assert (received.note.client_id, received.note.provider, received.note.operator) == (
        "ZOPA000001SVC01",
        "ZBAA000001",
        "ZOPA000001",
    )
    assert "Q7fG2k9Lm4Xc1Vb8" not in repr(token_call)


@pytest.mark.parametrize(
    ("changes", "operators", "error"),
    [
        ({"org_code": "ZZZZ000009", "client_id": "unknown"}, (), "invalid_request"),
        ({"client_id": "unknown"}, (), "invalid_client"),
        ({"client_secret": "wrong"}, (), "invalid_client"),
        ({"client_id": "ZOPA000001SVC02"}, ("ZOPA000001",), "invalid_client"),
        ({"client_id": "ZOPA000001SVC02", "client_secret": ""}, ("ZOPA000001",), "invalid_client"),
        ({}, (), "unauthorized_client"),
        ({}, ("ZOPB000001",), "unauthorized_client"),
    ],
)
async def test_the_first_failed_check_is_reported(operator, changes, operators, error):
    with pytest.raises(OAuthRefusal) as refused:
        await authenticate_client(operator.authority, call(*operators), FORM | changes)
    assert refused.value.error == error


@pytest.mark.parametrize(
    "changes", [{"client_id": "unknown"}, {"client_id": "ZOPA000001SVC02"}, {"client_secret": "wrong"}]
)
async def test_every_refused_client_costs_the_same(operator, monkeypatch, changes):
    """A faster response for unknown clients would reveal which clients exist."""
    costs = []
    scrypt = client_secrets.hashlib.scrypt

    def count_cost(*arguments, **cost):
        costs.append(cost["n"] * cost["r"] * cost["p"])
        return scrypt(*arguments, **cost)

    monkeypatch.setattr(client_secrets.hashlib, "scrypt", count_cost)
    with pytest.raises(OAuthRefusal) as refused:
        await authenticate_client(operator.authority, call("ZOPA000001"), FORM | changes)
    assert (refused.value.error, sum(costs)) == ("invalid_client", 2**14 * 8)


@pytest.mark.parametrize(
    ("operators", "caller"),
    [(("ZOPA000001",), "ZOPA000001"), (("ZOPB000001", "ZOPA000001"), "ZOPA000001,ZOPB000001"), ((), "")],
)
@pytest.mark.parametrize("client_id", ["ZOPA000001SVC01", "ZOPB000001SVC01", "unknown"])
async def test_a_comparison_waits_in_the_queue_of_its_caller(operator, monkeypatch, client_id, operators, caller):
    queues = []

    async def matches(queue, _hash, _secret):
        queues.append(queue)
        return False

    monkeypatch.setattr(operator.authority.secrets, "matches", matches)
    with pytest.raises(OAuthRefusal):
        await authenticate_client(operator.authority, call(*operators), FORM | {"client_id": client_id})
    assert queues == [caller]


async def test_a_caller_with_too_many_comparisons_gets_503(operator, monkeypatch):
    async def full(*_):
        raise QueueFull

    monkeypatch.setattr(operator.authority.secrets, "matches", full)
    reply = await operator.post("token", operator.code_form("code"))
    assert (reply.status, reply.body["error"], reply.reason) == (503, "temporarily_unavailable", "client_crowded")
    assert reply.headers["Retry-After"] == "1"


async def test_every_invalid_client_gets_the_same_error(operator):
    errors = set()
    for changes in ({"client_id": "unknown"}, {"client_secret": "wrong"}, {"client_id": "ZOPA000001SVC02"}):
        with pytest.raises(OAuthRefusal) as refused:
            await authenticate_client(operator.authority, call("ZOPA000001"), FORM | changes)
        errors.add((refused.value.status, refused.value.error, refused.value.description, refused.value.reason))
    assert len(errors) == 1


def test_an_unauthorized_client_has_the_fault_of_the_gateway():
    assert build_unauthorized_client(call(fault="serial_unknown")).reason == "serial_unknown"
    assert build_unauthorized_client(call("ZOPB000001")).reason == "unauthorized_client"


def test_a_client_is_recorded_for_its_own_operator_only(operator):
    client = operator.authority.settings.clients["ZOPA000001SVC01"]
    recorded = ("ZOPA000001SVC01", "ZOPA000001")
    for received, expected in ((call("ZOPA000001"), recorded), (call("ZOPB000001"), ("", "")), (call(), ("", ""))):
        note_client(received, client)
        assert (received.note.client_id, received.note.operator) == expected


async def test_the_clock_is_read_after_the_secret_check(operator, monkeypatch):
    async def matches(*_):
        monkeypatch.setattr(operator.authority, "clock", lambda: 1_800_000_009.5)
        return True

    monkeypatch.setattr(operator.authority.secrets, "matches", matches)
    token_call = await authenticate_client(operator.authority, call("ZOPA000001"), FORM)
    assert token_call.now == 1_800_000_009
