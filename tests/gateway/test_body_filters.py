"""Large answers read in turn, a slice each."""

import asyncio
import json

from relay.gateway.body_filters import SLICE_TOKENS, BodyFilters
from relay.policy.call.member_filter import MemberFilter

ROWS = json.dumps({"list": [{"n": str(n), "memo": "x"} for n in range(2000)]}).encode()


def start_filter(body):
    return MemberFilter(body, frozenset({"memo"}))


async def turn(times):
    for _ in range(times):
        await asyncio.sleep(0)


async def test_a_small_answer_is_not_kept_behind_a_large_one():
    filters, ended = BodyFilters(), []
    filters.add(start_filter(ROWS), lambda rest: ended.append(("large", len(json.loads(rest)["list"]))))
    filters.add(start_filter(b'{"memo":1,"n":2}'), lambda rest: ended.append(("small", rest)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert ended == [("small", b'{"n":2}')]
    await turn(200)
    assert ended[1] == ("large", 2000)


async def test_many_answers_are_read_one_slice_a_turn_together():
    filters, slices, ended = BodyFilters(), [], []

    class Counted:
        result = b"{}"

        def read(self, tokens):
            slices.append(tokens)
            return len(slices) > 30

    for _ in range(10):
        filters.add(Counted(), ended.append)
    for number in range(1, 31):
        await asyncio.sleep(0)
        assert slices == [SLICE_TOKENS] * number
    await turn(200)
    assert len(ended) == 10


async def test_what_is_no_json_ends_with_none_and_the_next_goes_on():
    filters, ended = BodyFilters(), []
    filters.add(start_filter(b'{"a":}'), ended.append)
    filters.add(start_filter(b'{"a":1}'), ended.append)
    await turn(200)
    assert ended == [None, b'{"a":1}']
