"""Verifications are spread over turns of the event loop, fairly between operators."""

import asyncio

from relay.infra.tokens.verification_turns import PER_TURN, VerificationTurns


class Calls:
    """Calls that verify one token each; `order` has the operators of verified ones, by turn of the loop."""

    def __init__(self):
        self.turns, self.order, self.number, self.tasks = VerificationTurns(), [], 0, []

    async def count_turns(self):
        while True:
            self.number += 1
            await asyncio.sleep(0)

    async def call(self, operator):
        while not self.turns.take():
            await self.turns.wait(operator)
        self.order.append((self.number, operator))

    async def run(self, *operators):
        counter = asyncio.ensure_future(self.count_turns())
        self.tasks += [asyncio.ensure_future(self.call(operator)) for operator in operators]
        async with asyncio.timeout(5):
            await asyncio.gather(*self.tasks, return_exceptions=True)
        counter.cancel()

    def count_by_turn(self):
        numbers = [number for number, _ in self.order]
        return [numbers.count(number) for number in sorted(set(numbers))]


async def test_a_burst_is_spread_over_turns():
    calls = Calls()
    await calls.run(*["ZOPA000001"] * 50)
    assert len(calls.order) == 50
    assert max(calls.count_by_turn()) <= PER_TURN


async def test_a_turn_later_tokens_are_verified_at_once_again():
    turns = VerificationTurns()
    for _ in range(5):
        assert [turns.take() for _ in range(PER_TURN + 1)] == [*[True] * PER_TURN, False]
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_operators_take_turns():
    calls = Calls()
    await calls.run(*["ZOPA000001"] * 60, *["ZOPA000002"] * 3)
    place = max(at for at, (_, operator) in enumerate(calls.order) if operator == "ZOPA000002")
    assert place < PER_TURN + 2 * 3


async def test_waiting_calls_come_before_new_ones():
    turns, order = VerificationTurns(), []

    async def wait():
        await turns.wait("ZOPA000001")
        assert turns.take()
        order.append("waiting")

    while turns.take():
        pass
    tasks = [asyncio.ensure_future(wait()) for _ in range(3 * PER_TURN)]
    while len(order) < len(tasks):
        await asyncio.sleep(0)
        if turns.take():
            order.append("new")
    assert order.index("new") >= 2 * PER_TURN if "new" in order else True
    assert order.count("waiting") == len(tasks)


async def test_a_cancelled_call_takes_no_turn():
    calls = Calls()
    running = asyncio.ensure_future(calls.run(*["ZOPA000001"] * 20))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for task in calls.tasks[PER_TURN:10]:
        task.cancel()
    await running
    assert len(calls.order) == 20 - (10 - PER_TURN)


async def test_an_unused_right_ends_with_its_turn():
    turns = VerificationTurns()
    while turns.take():
        pass
    await turns.wait("ZOPA000001")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [turns.take() for _ in range(PER_TURN + 1)] == [*[True] * PER_TURN, False]
