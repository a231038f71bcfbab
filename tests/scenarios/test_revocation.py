"""Revocations in the ledger reach calls on open connections within a second. An unreachable ledger is noticed."""

import time

import jwt
import pytest
from fixtures.gateway_environment import BANK, ONE

pytestmark = pytest.mark.asyncio(loop_scope="module")


def make_token(env):
    """Makes a token of a new customer. Returns token and claims."""
    claims = env.tokens.claims(ONE, BANK, "bank")
    token = env.tokens.build({"claims": claims}, ONE, BANK, "bank")
    return token, jwt.decode(token, options={"verify_signature": False})


def build_call(env, token):
    return env.build_get(Authorization=f"Bearer {token}")


async def test_a_revoked_token_is_refused_within_a_second(env):
    token, claims = make_token(env)
    async with await env.connect() as connection:
        assert (await connection.call(build_call(env, token))).status == 200
        env.ledger_writer.revoke(claims["jti"], claims["client_id"], BANK)
        revoked = time.monotonic()
        while (answer := await connection.call(build_call(env, token))).status == 200:
            assert time.monotonic() - revoked < 1
    assert answer.rsp_code == "40101"
    assert env.exchanges[-1].reason == "token_revoked"


async def test_a_revocation_leaves_tokens_of_other_customers_valid(env):
    token, claims = make_token(env)
    other, _ = make_token(env)
    assert (await env.call(build_call(env, other))).status == 200
    env.ledger_writer.revoke(claims["jti"], claims["client_id"], BANK)
    assert (await env.call(build_call(env, token))).rsp_code == "40101"
    assert (await env.call(build_call(env, other))).status == 200


async def test_concurrent_calls_with_a_new_token_query_the_ledger_once(env, monkeypatch):
    token, _ = make_token(env)
    find, queries = env.relay.ledger.find_token_and_consent, []

    async def count_and_find(jti):
        queries.append(jti)
        return await find(jti)

    monkeypatch.setattr(env.relay.ledger, "find_token_and_consent", count_and_find)
    connections = [await env.connect() for _ in range(8)]
    for connection in connections:
        connection.send(build_call(env, token))
    assert [(await connection.read_answer()).status for connection in connections] == [200] * 8
    for connection in connections:
        connection.abort()
    assert len(queries) == 1


async def test_without_the_ledger_only_cached_tokens_are_accepted(env, monkeypatch):
    known, _ = make_token(env)
    assert (await env.call(build_call(env, known))).status == 200
    new, _ = make_token(env)
    monkeypatch.setattr(env.relay.ledger, "find_token_and_consent", None)
    answer = await env.call(build_call(env, new))
    assert (answer.status, answer.rsp_code) == (500, "50001")
    assert env.exchanges[-1].reason == "ledger_unreachable"
    assert (await env.call(build_call(env, known))).status == 200


async def test_cached_tokens_are_refused_when_the_ledger_is_silent_too_long(env, monkeypatch):
    known, _ = make_token(env)
    assert (await env.call(build_call(env, known))).status == 200
    monkeypatch.setattr(env.relay.grants, "trust_s", -1.0)
    assert (await env.call(build_call(env, known))).rsp_code == "50001"
    monkeypatch.undo()
    assert (await env.call(build_call(env, known))).status == 200


async def test_a_disconnect_during_a_ledger_query_is_recorded(env, monkeypatch):
    token, _ = make_token(env)
    unresolved = env.relay.loop.create_future()

    monkeypatch.setattr(env.relay.ledger, "find_token_and_consent", lambda _jti: unresolved)
    async with await env.connect() as connection:
        connection.send(build_call(env, token))
    exchange = await env.get_exchange()
    assert (exchange.reason, exchange.provider) == ("operator_gone", BANK)
    assert env.bank.received == []
    unresolved.set_result(None)
