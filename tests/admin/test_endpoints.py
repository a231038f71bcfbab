"""What the private port says."""

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from relay.admin.endpoints import application


@pytest.fixture
def registry():
    registry = CollectorRegistry()
    Counter("calls", "Calls", ["org_code"], registry=registry).labels("ZBAA000001").inc(3)
    return registry


@pytest.fixture
async def port(registry):
    missing = []
    stalled = [0.0]
    app = application(registry, lambda: missing, lambda: {"keys": []}, lambda: stalled[0])
    async with TestClient(TestServer(app)) as client:
        client.missing, client.stalled = missing, stalled
        yield client


async def test_a_process_that_answers_lives(port):
    port.missing.append("listeners")
    answer = await port.get("/healthz")
    assert (answer.status, await answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(("seconds", "status", "word"), [(9.9, 200, "ok"), (10.0, 503, "stalled")])
async def test_a_process_whose_loop_stands_still_does_not_live(port, seconds, status, word):
    port.stalled[0] = seconds
    answer = await port.get("/healthz")
    assert (answer.status, await answer.json()) == (status, {"status": word})


async def test_readiness_names_what_is_missing(port):
    ready = await port.get("/readyz")
    assert (ready.status, await ready.json()) == (200, {"status": "ok", "missing": []})
    port.missing.append("stopping")
    unready = await port.get("/readyz")
    assert (unready.status, await unready.json()) == (503, {"status": "unready", "missing": ["stopping"]})


async def test_metrics_are_what_prometheus_reads(port):
    answer = await port.get("/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    (family,) = text_string_to_metric_families(await answer.text())
    assert [
        (sample.name, sample.labels, sample.value) for sample in family.samples if sample.name == "calls_total"
    ] == [("calls_total", {"org_code": "ZBAA000001"}, 3.0)]


async def test_the_public_keys_are_told_as_a_set(port):
    answer = await port.get("/jwks.json")
    assert (answer.content_type, await answer.json()) == ("application/jwk-set+json", {"keys": []})


@pytest.mark.parametrize("path", ["/", "/metrics/", "/v1/bank/accounts", "/readyz/x"])
async def test_there_is_nothing_else(port, path):
    assert (await port.get(path)).status == 404


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/jwks.json"])
async def test_nothing_can_be_changed_here(port, path):
    assert (await port.post(path)).status == 405
