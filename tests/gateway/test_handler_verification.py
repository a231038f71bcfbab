"""Calls whose token is verified in a later turn of the event loop."""

import asyncio

import pytest

from relay.domain.authorization.token import NotVerified

OPERATOR, SERVICE = "ZOPA000001", "ZOPA000001SVC01"


class LaterVerifier:
    """Verifies a token at the second request, after `turn` is set. `waits` has the operators that waited for it."""

    def __init__(self, verifier):
        self.verifier, self.waits, self.turn = verifier, [], asyncio.Event()

    @property
    def asked(self):
        return self.verifier.asked

    def verify(self, authorization, now):
        if not self.asked:
            self.asked.append((authorization, now))
            raise NotVerified
        return self.verifier.verify(authorization, now)

    async def wait_turn(self, operator):
        self.waits.append(operator)
        await self.turn.wait()


@pytest.fixture
def token_verifier(token_verifier):
    return LaterVerifier(token_verifier)


@pytest.fixture
def waiting(scene):
    return scene


async def take_turn(scene):
    scene.token_verifier.turn.set()
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})


async def test_a_call_continues_after_its_token_is_verified(waiting):
    waiting.ask()
    assert (waiting.upstream.asked, waiting.recorded, waiting.gateway.in_flight) == ([], [], 1)
    await take_turn(waiting)
    assert (len(waiting.upstream.asked), waiting.token_verifier.waits) == (1, [OPERATOR])
    assert len(waiting.counters.taken) == 1


async def test_a_call_may_wait_for_its_token_and_for_its_grant(waiting):
    waiting.grants.unknown = True
    waiting.ask()
    await take_turn(waiting)
    assert (len(waiting.upstream.asked), waiting.grants.fetched) == (1, ["one"])


async def test_an_operator_that_disconnects_meanwhile_ends_the_call(waiting):
    waiting.ask()
    waiting.connection.source.peer_disconnected()
    assert (waiting.recorded, waiting.gateway.in_flight) == (["operator_gone"], 0)
    await take_turn(waiting)
    assert (waiting.upstream.asked, waiting.recorded) == ([], ["operator_gone"])


async def test_the_time_after_the_wait_decides(waiting, monotonic):
    waiting.ask()
    (_, first), monotonic.now = waiting.token_verifier.asked[0], monotonic.now + 5
    await take_turn(waiting)
    assert waiting.token_verifier.asked[1][1] == pytest.approx(first + 5)


async def test_a_refused_call_waits_until_its_token_names_the_service(waiting):
    waiting.ask(x_api_tran_id=None)
    assert (waiting.recorded, waiting.connection.written) == ([], b"")
    await take_turn(waiting)
    (exchange,) = waiting.records
    assert (exchange.reason, exchange.operator, exchange.client_id) == ("header_missing", OPERATOR, SERVICE)
    assert (waiting.gateway.in_flight, waiting.connection.source) == (0, None)


async def test_a_forged_token_is_verified_once(waiting):
    waiting.ask(Authorization="Bearer forged")
    await take_turn(waiting)
    assert waiting.recorded == ["token_untrusted"]
    assert len(waiting.token_verifier.asked) == 2  # one before the turn, one in it
    assert waiting.connection.head.startswith("HTTP/1.1 401")
