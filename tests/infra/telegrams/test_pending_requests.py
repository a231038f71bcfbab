"""Requests of one line by number, and numbers that are not used again."""

import asyncio

import pytest

from relay.infra.telegrams.pending_requests import PendingRequest, PendingRequests
from relay.infra.telegrams.unique_numbers import UniqueNumbers


@pytest.fixture
async def add():
    """A function that adds a request to requests."""
    loop = asyncio.get_running_loop()

    def add_one(requests):
        number = requests.take_number()
        requests.add(number, PendingRequest(loop.create_future(), 0, loop.call_later(60, loop.stop)))
        return number

    return add_one


async def test_numbers_of_pending_requests_are_not_taken(add):
    requests = PendingRequests(UniqueNumbers(1, 0.0))
    assert [add(requests) for _ in range(4)] == list("1234")
    requests.finish("2")
    assert [requests.take_number() for _ in range(6)] == list("567892")


async def test_numbers_without_response_are_not_taken_again(add):
    requests = PendingRequests(UniqueNumbers(1, 0.0))
    numbers = [add(requests) for _ in range(5)]
    states = []
    for number in numbers:
        requests.expire(number)
        states.append(requests.is_used_up)
    assert states == [False] * 4 + [True]
    assert {requests.take_number() for _ in range(9)} == set("6789")
    assert (requests.is_reserved("01"), requests.is_reserved("6"), requests.finish("1")) == (True, False, None)


async def test_long_numbers_are_used_up_after_a_thousand(add):
    requests = PendingRequests(UniqueNumbers(12, 0.0))
    for _ in range(1001):
        assert not requests.is_used_up
        requests.expire(add(requests))
    assert requests.is_used_up


async def test_telegrams_without_number_have_one_request(add):
    requests = PendingRequests(UniqueNumbers(0, 0.0))
    assert add(requests) == ""
    assert requests.expire("") is not None
    assert (requests.is_used_up, requests.finish_all()) == (False, [])
