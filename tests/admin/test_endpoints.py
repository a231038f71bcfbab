"""The endpoints of the admin port."""

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from relay.admin.endpoints import build_admin_application


@pytest.fixture
def registry():
    registry = CollectorRegistry()
    Counter("calls", "Calls", ["org_code"], registry=registry).labels("ZBAA000001").inc(3)
    return registry


@pytest.fixture
async def client(registry):
    missing = []
    stalled = [0.0]
    app = build_admin_application(registry, lambda: missing, lambda: {"keys": []}, lambda: stalled[0])
    async with TestClient(TestServer(app)) as test_client:
        test_client.missing, test_client.stalled = missing, stalled
        yield test_client


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


async def test_metrics_are_what_prometheus_reads(client):
    response = await client.get("/metrics")
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("application/openmetrics-text")
    (family,) = text_string_to_metric_families(await response.text())
    assert [
        (sample.name, sample.labels, sample.value) for sample in family.samples if sample.name == "calls_total"
    ] == [("calls_total", {"org_code": "ZBAA000001"}, 3.0)]


async def test_the_public_keys_are_a_jwk_set(client):
    response = await client.get("/jwks.json")
    assert (response.content_type, await response.json()) == ("application/jwk-set+json", {"keys": []})


@pytest.mark.parametrize("path", ["/", "/metrics/", "/v1/bank/accounts", "/readyz/x"])
async def test_other_paths_are_not_found(client, path):
    assert (await client.get(path)).status == 404


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/jwks.json"])
async def test_only_get_is_allowed(client, path):
    assert (await client.post(path)).status == 405
