"""Revocations are reported in the response of the call and to listening gateways."""

import asyncio

import pytest

from relay.endpoint.calls import EndpointResponse
from relay.endpoint.handlers import SERVER_OPTIONS, Endpoint, build_application, build_error_response
from relay.endpoint.revocations import RevocationFeed, collect_revoked
from relay.policy.call.oauth_envelope import REVOCATIONS_PATH


class RevokingEndpoint:
    """An endpoint that revokes the jtis of its query, next to the feed."""

    def __init__(self):
        self.feed = RevocationFeed()

    async def revoke(self, call):
        self.feed.announce(call.query.split(","))
        await asyncio.sleep(0)
        if call.query == "fails":
            raise ValueError
        return EndpointResponse(200, {})

    def refuse(self, call, error):
        return EndpointResponse(500, {"error": type(error).__name__})


@pytest.fixture
async def endpoint(serve, aiohttp_client):
    endpoint = RevokingEndpoint()
    app = build_application({"/revoke": Endpoint("GET", endpoint.revoke, endpoint.refuse)}, endpoint.feed)
    server = await serve(app, build_error_response, **SERVER_OPTIONS)
    endpoint.http = await aiohttp_client(server, headers={"x-api-tran-id": "ZOPA000001M00000000000001"})
    yield endpoint
    endpoint.feed.close()


async def test_each_call_reports_only_its_own_revocations(endpoint):
    async def get_revoked(query):
        async with endpoint.http.get(f"/revoke?{query}") as response:
            return response.headers.get("x-relay-revoked")

    assert await asyncio.gather(get_revoked("a,b"), get_revoked("c"), get_revoked("fails")) == ["a,b", "c", "fails"]


def test_outside_a_call_nothing_is_collected():
    feed = RevocationFeed()
    with collect_revoked() as outer:
        feed.announce(["a"])
    feed.announce(["b"])
    assert outer == ["a"]


async def test_a_listener_gets_a_line_for_each_revocation(endpoint):
    async with endpoint.http.get(REVOCATIONS_PATH) as response:
        for _ in range(2):
            endpoint.feed.announce(["a"])
            assert await response.content.readexactly(1) == b"\n"


async def test_a_closed_feed_ends_the_answers_of_its_listeners(endpoint):
    async with endpoint.http.get(REVOCATIONS_PATH) as response:
        endpoint.feed.close()
        assert await response.read() == b"\n"
