"""The endpoints of the admin port."""

import asyncio
import itertools

import pytest

from relay.admin.endpoints import build_admin_application

METRICS = [b"# TYPE calls counter\n", b'calls_total{org_code="ZBAA000001"} 3.0\n', b"# EOF\n"]


@pytest.fixture
async def client(aiohttp_client):
    missing = []
    stalled = [0.0]
    pieces = []
    keys = {"keys": ["one"]}

    def write_pieces():
        for piece in METRICS:
            pieces.append(piece)
            yield piece

    async def write_metrics():
        return write_pieces()

    app = build_admin_application(write_metrics, lambda: missing, lambda: keys, lambda: stalled[0], 10.0)
    test_client = await aiohttp_client(app)
    test_client.missing, test_client.stalled, test_client.pieces, test_client.keys = missing, stalled, pieces, keys
    return test_client


async def test_an_unready_process_is_alive(client):
    client.missing.append("listeners")
    response = await client.get("/healthz")
    assert (response.status, await response.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(("seconds", "status", "word"), [(9.9, 200, "ok"), (10.0, 503, "stalled")])
async def test_a_process_with_a_blocked_event_loop_is_not_alive(client, seconds, status, word):
    client.stalled[0] = seconds
    response = await client.get("/healthz")
    assert (response.status, await response.json()) == (status, {"status": word})


async def test_readiness_names_what_is_missing(client):
    ready = await client.get("/readyz")
    assert (ready.status, await ready.json()) == (200, {"status": "ok", "missing": []})
    client.missing.append("stopping")
    unready = await client.get("/readyz")
    assert (unready.status, await unready.json()) == (503, {"status": "unready", "missing": ["stopping"]})


async def test_metrics_are_sent_as_open_metrics(client):
    response = await client.get("/metrics")
    assert response.status == 200
    assert response.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert await response.read() == b"".join(METRICS)


async def test_only_one_scrape_at_a_time_holds_the_interpreter(client):
    """Turns of the event loop in which a piece was formatted are pauses apart, however many scrapes there are."""
    turns = []

    async def watch():
        while True:
            turns.append(len(client.pieces))
            await asyncio.sleep(0)

    watching = asyncio.ensure_future(watch())
    responses = await asyncio.gather(*(client.get("/metrics") for _ in range(5)))
    texts = await asyncio.gather(*(response.read() for response in responses))
    watching.cancel()
    assert texts == [b"".join(METRICS)] * 5
    assert len(client.pieces) == 5 * len(METRICS)
    assert max(later - earlier for earlier, later in itertools.pairwise(turns)) == 1


async def test_the_public_keys_are_a_jwk_set(client):
    response = await client.get("/jwks.json")
    assert (response.status, response.content_type) == (200, "application/jwk-set+json")
    assert await response.json() == {"keys": ["one"]}


async def test_unknown_keys_are_not_an_empty_set(client):
    client.keys.clear()
    response = await client.get("/jwks.json")
    assert (response.status, await response.json()) == (503, {"status": "unready", "missing": ["keys"]})


@pytest.mark.parametrize("path", ["/", "/metrics/", "/v1/bank/accounts", "/readyz/x"])
async def test_other_paths_are_not_found(client, path):
    assert (await client.get(path)).status == 404


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/jwks.json"])
async def test_only_get_is_allowed(client, path):
    assert (await client.post(path)).status == 405
