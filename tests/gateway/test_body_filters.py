import asyncio
import json

from relay.gateway.body_filters import SLICE_TOKENS, BodyFilters
from relay.policy.call.member_filter import MemberFilter

ROWS = json.dumps({"list": [{"n": str(n), "memo": "x"} for n in range(2000)]}).encode()


def build_filter(body):
    return MemberFilter(body, frozenset({"memo"}))


async def run_turns(times):
    for _ in range(times):
        await asyncio.sleep(0)


async def test_a_small_body_does_not_wait_for_a_large_one():
    filters, results = BodyFilters(), []
    filters.add(build_filter(ROWS), lambda body: results.append(("large", len(json.loads(body)["list"]))))
    filters.add(build_filter(b'{"memo":1,"n":2}'), lambda body: results.append(("small", body)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert results == [("small", b'{"n":2}')]
    await run_turns(200)
    assert results[1] == ("large", 2000)


async def test_many_bodies_share_one_slice_in_each_turn():
    filters, slices, results = BodyFilters(), [], []

    class CountingFilter:
        result = b"{}"

        def read(self, tokens):
            slices.append(tokens)
            return len(slices) > 30

    for _ in range(10):
        filters.add(CountingFilter(), results.append)
    for number in range(1, 31):
        await asyncio.sleep(0)
        assert slices == [SLICE_TOKENS] * number
    await run_turns(200)
    assert len(results) == 10


async def test_an_invalid_body_ends_with_none_and_the_next_continues():
    filters, results = BodyFilters(), []
    filters.add(build_filter(b'{"a":}'), results.append)
    filters.add(build_filter(b'{"a":1}'), results.append)
    await run_turns(200)
    assert results == [None, b'{"a":1}']
