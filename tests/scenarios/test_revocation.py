"""What the ledger says reaches calls on lines that stand: revocations within a second, silence in the end."""

import time

import jwt
import pytest
from stage.town import BANK, ONE

pytestmark = pytest.mark.asyncio(loop_scope="module")


def fresh(town):
    """A token of a customer of its own, and what it says."""
    claims = town.mint.claims(ONE, BANK, "bank")
    token = town.mint.described({"claims": claims}, ONE, BANK, "bank")
    return token, jwt.decode(token, options={"verify_signature": False})


def asked(town, token):
    return town.get(Authorization=f"Bearer {token}")


async def test_a_revoked_token_is_refused_within_a_second_on_a_line_that_stands(town):
    token, claims = fresh(town)
    async with await town.line() as line:
        assert (await line.ask(asked(town, token))).status == 200
        town.books.revoke(claims["jti"], claims["client_id"], BANK)
        revoked = time.monotonic()
        while (answer := await line.ask(asked(town, token))).status == 200:
            assert time.monotonic() - revoked < 1
    assert answer.rsp_code == "40101"
    assert town.exchanges[-1].reason == "token_revoked"


async def test_a_token_of_another_customer_is_none_the_worse(town):
    token, claims = fresh(town)
    other, _ = fresh(town)
    assert (await town.ask(asked(town, other))).status == 200
    town.books.revoke(claims["jti"], claims["client_id"], BANK)
    assert (await town.ask(asked(town, token))).rsp_code == "40101"
    assert (await town.ask(asked(town, other))).status == 200


async def test_calls_that_come_together_with_a_new_token_ask_the_ledger_once(town, monkeypatch):
    token, _ = fresh(town)
    source, times = town.relay.grants._source, []

    class Counted:
        async def find_token_and_consent(self, jti):
            times.append(jti)
            return await source.find_token_and_consent(jti)

    monkeypatch.setattr(town.relay.grants, "_source", Counted())
    lines = [await town.line() for _ in range(8)]
    for line in lines:
        line.send(asked(town, token))
    assert [(await line.answer()).status for line in lines] == [200] * 8
    for line in lines:
        line.hang_up()
    assert len(times) == 1


async def test_without_the_ledger_a_new_token_is_refused_and_a_known_one_goes_on(town, monkeypatch):
    known, _ = fresh(town)
    assert (await town.ask(asked(town, known))).status == 200
    new, _ = fresh(town)
    monkeypatch.setattr(town.relay.grants, "_source", None)
    answer = await town.ask(asked(town, new))
    assert (answer.status, answer.rsp_code) == (500, "50001")
    assert town.exchanges[-1].reason == "ledger_unreachable"
    assert (await town.ask(asked(town, known))).status == 200


async def test_who_was_silent_for_too_long_is_trusted_no_more(town, monkeypatch):
    known, _ = fresh(town)
    assert (await town.ask(asked(town, known))).status == 200
    monkeypatch.setattr(town.relay.grants, "_trust_s", -1.0)
    assert (await town.ask(asked(town, known))).rsp_code == "50001"
    monkeypatch.undo()
    assert (await town.ask(asked(town, known))).status == 200


async def test_an_operator_who_leaves_while_the_ledger_is_asked_is_recorded(town, monkeypatch):
    token, _ = fresh(town)
    never = town.relay.loop.create_future()

    class Silent:
        async def find_token_and_consent(self, _jti):
            await never

    monkeypatch.setattr(town.relay.grants, "_source", Silent())
    async with await town.line() as line:
        line.send(asked(town, token))
    exchange = await town.record()
    assert (exchange.reason, exchange.provider) == ("operator_gone", BANK)
    assert town.bank.seen == []
    never.set_result(None)
