"""A failing portal never leaves a partial registry: sync, client, TLS and ledger together."""

import asyncio
import json
import shutil
import time

import pytest
from aiohttp import web

from relay.infra.ledger import upgrading
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.sql_ledger import create_ledger
from relay.infra.portal.secrets import PortalSecrets
from relay.jobs.sync import RegistrySync, SyncFailed
from relay.policy.settings.portal import Guard

ORGS, SERVICES, TOKEN = "/v1/mgmts/orgs", "/v1/mgmts/services", "/mgmts/oauth/2.0/token"
RELAY = "RLAY000001"
COUNT = 20
SERVED = 4
"""Number of operators with a service."""


def org(number, **changed):
    row = {
        "op_type": "I",
        "org_code": f"OPER{number:06}",
        "org_type": "03",
        "org_name": "가상 사업자",
        "org_regno": "999-81-00001",
        "corp_regno": "999981-0000001",
        "serial_num": f"999-81-{number:05}",
        "address": "가상시 가상구 가상로 1",
        "domain": "operator.example",
        "ip_cnt": "1",
        "ip_list": [{"ip": "192.0.2.1"}],
    }
    return row | changed


def orgs(*rows, **changed):
    head = {"rsp_code": "00000", "rsp_msg": "성공", "search_timestamp": "20240101000000", "org_cnt": str(len(rows))}
    return head | {"org_list": list(rows)} | changed


def services(*numbers):
    def service(number):
        uris = [{"redirect_uri": "https://operator.example/callback"}]
        return {
            "op_type": "I",
            "service_name": "가상 서비스",
            "client_id": f"client{number}",
            "client_secret": f"aRandomSecretOfTheOperator{number:024}",
            "redirect_uri_cnt": "1",
            "redirect_uri_list": uris,
            "app_scheme_cnt": "0",
        }

    return orgs(
        *({"org_code": f"OPER{number:06}", "service_cnt": "1", "service_list": [service(number)]} for number in numbers)
    )


ALL = [org(number) for number in range(COUNT)]


class SyncSetup:
    """A sync from the fake portal into a real ledger."""

    def __init__(self, portal, client, registry, hasher):
        self.portal, self.client, self.registry = portal, client, registry
        self.sync = RegistrySync(client, registry, hasher, Guard(), RELAY)

    async def run(self, *, full=True):
        return await self.sync.run(full=full, fence=0, now=1_800_000_000)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A ledger with its tables, to be copied."""
    path = tmp_path_factory.mktemp("ledger") / "template.db"
    asyncio.run(upgrading.upgrade(f"sqlite:{path}"))
    return path


@pytest.fixture
async def registry(template, tmp_path):
    """The registry of a fresh ledger."""
    url = f"sqlite:{shutil.copy(template, tmp_path / 'ledger.db')}"
    ledger = create_ledger(url, Sealer([CustomerKey("first", b"1" * 32)]), 4)
    yield ledger.registry
    await ledger.close()


@pytest.fixture
def hasher():
    """Computes real hashes."""
    secrets = PortalSecrets(bytes(32))
    yield secrets
    secrets.close()


@pytest.fixture
async def setup(portal, client_of, registry, hasher):
    """A registry with twenty operators, four of them with a service; the portal works."""
    async with client_of(portal, attempts=2) as client:
        portal.bodies[ORGS], portal.bodies[SERVICES] = orgs(*ALL), services(*range(SERVED))
        sync_setup = SyncSetup(portal, client, registry, hasher)
        await sync_setup.run()
        portal.requests.clear()
        yield sync_setup


def respond_with(body, status=200, content_type="application/json", tran_id=None):
    """Returns a handler that responds with these bytes."""

    async def handle(request):
        headers = {"x-api-tran-id": tran_id or request.headers["x-api-tran-id"]}
        return web.Response(body=body, status=status, content_type=content_type, headers=headers)

    return handle


async def reset(request):
    """Resets the connection in the middle of its response."""
    answer = web.StreamResponse(headers={"Content-Type": "application/json"})
    await answer.prepare(request)
    await answer.write(b'{"rsp_code":"00000","org_list":[')
    request.transport.abort()
    return answer


async def hang(_request):
    """Never responds."""
    await asyncio.Event().wait()


def in_pieces(body):
    """Returns a handler that responds with these bytes in pieces."""

    async def handle(request):
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for start in range(0, len(body), 65_536):
            await response.write(body[start : start + 65_536])
        return response

    return handle


INVALID_RESPONSES = {
    "500": (500, "HTTP 500"),
    "503 of a load balancer": (respond_with(b"<html>", 503, "text/html"), "HTTP 503"),
    "reset in the middle": (reset, "the connection was lost within the answer"),
    "HTML": (respond_with(b"<html>", content_type="text/html"), "the answer is not a JSON object"),
    "HTML labelled as JSON": (respond_with(b"<html>"), "the answer is not a JSON object"),
    "garbage": (respond_with(b'{"rsp_code":"00000","org_cnt":'), "the answer is not a JSON object"),
    "a duplicate member": (respond_with(b'{"rsp_code":"00000","rsp_code":"00000"}'), "the answer is not a JSON object"),
    "the response to another call": (
        respond_with(b'{"rsp_code":"00000"}', tran_id="RLAY000001R00000000000000"),
        "the answer names another call",
    ),
    "longer than allowed": (respond_with(b" " * 1_048_577), "the answer is longer than 1048576 bytes"),
}


@pytest.mark.parametrize("path", [ORGS, SERVICES])
@pytest.mark.parametrize("kind", INVALID_RESPONSES)
async def test_a_failing_portal_changes_nothing(setup, path, kind):
    entry, text = INVALID_RESPONSES[kind]
    before = await setup.registry.registry()
    setup.portal.bodies[ORGS] = orgs(*ALL, org(COUNT))
    setup.portal.script[path] = [entry] * 2
    with pytest.raises(SyncFailed, match=text):
        await setup.run()
    assert await setup.registry.registry() == before
    setup.portal.script.clear()
    assert (await setup.run()).startswith("taken: organisations 1 new")


async def test_a_slow_portal_changes_nothing(portal, client_of, registry, hasher):
    portal.script[ORGS] = [hang] * 2
    async with client_of(portal, attempts=2, total_s=0.5) as client:
        with pytest.raises(SyncFailed, match="no answer in time"):
            await SyncSetup(portal, client, registry, hasher).run()
    assert (await registry.registry()).synced_at == 0


INVALID_LISTS = {
    "half a list": (orgs(*ALL[:10], org_cnt=str(COUNT)), "org_cnt: says 20, org_list holds 10"),
    "no list": (orgs(), "org_list: holds no organisation"),
    "unknown org_type": (
        orgs(*ALL[:-1], org(19, org_type="42")),
        r"org_list\[19\] \(OPER000019\).org_type: is none of",
    ),
    "doubled org_code": (
        orgs(*ALL, org(3)),
        r"org_list\[20\] \(OPER000003\).org_code: stands twice, first at org_list\[3\]",
    ),
    "missing serial_num": (
        orgs(*ALL[:-1], org(19, serial_num="")),
        r"org_list\[19\] \(OPER000019\).serial_num: is missing \(org_type 03\)",
    ),
}


@pytest.mark.parametrize("kind", INVALID_LISTS)
async def test_an_invalid_list_changes_nothing(setup, kind):
    setup.portal.bodies[ORGS], text = INVALID_LISTS[kind]
    before = await setup.registry.registry()
    with pytest.raises(SyncFailed, match=text) as caught:
        await setup.run()
    assert len(caught.value.problems) == 1
    assert await setup.registry.registry() == before
    assert await setup.registry.held() is None


SUSPICIOUS_LISTS = {
    "half a list that says so": (orgs(*ALL[:10]), "10 of 20 organisations would be cut off"),
    "mass deletion": (
        orgs(*(org(number, op_type="D" if number < 15 else "M") for number in range(COUNT))),
        "15 of 20 organisations would be cut off",
    ),
    "others' certificates": (
        orgs(*(org(number, serial_num=f"X{number}") for number in range(COUNT))),
        "20 given another serial_num",
    ),
    "certificate and address of one": (
        orgs(*ALL[1:], org(0, serial_num="X", ip_list=[{"ip": "198.51.100.1"}])),
        "serial_num and addresses would change within 7 days: OPER000000",
    ),
}


@pytest.mark.parametrize("kind", SUSPICIOUS_LISTS)
async def test_a_list_with_too_many_changes_is_held_until_released(setup, kind):
    setup.portal.bodies[ORGS], text = SUSPICIOUS_LISTS[kind]
    remaining = [row["org_code"] for row in setup.portal.bodies[ORGS]["org_list"] if row["op_type"] != "D"]
    setup.portal.bodies[SERVICES] = services(
        *(number for number in range(SERVED) if org(number)["org_code"] in remaining)
    )
    before = await setup.registry.registry()
    assert text in await setup.run()
    held = await setup.registry.held()
    assert await setup.registry.registry() == before
    assert text in await setup.run()
    assert (await setup.registry.held()).hold_id == held.hold_id
    await setup.registry.release(held.hold_id, 1_800_000_100)
    assert await setup.registry.held() is None
    assert sorted((await setup.registry.registry()).organisations) == sorted(remaining)


async def test_a_held_list_is_dropped_when_the_portal_recovers(setup):
    valid = setup.portal.bodies[ORGS]
    setup.portal.bodies[ORGS], text = SUSPICIOUS_LISTS["half a list that says so"]
    assert text in await setup.run()
    setup.portal.bodies[ORGS] = valid
    assert (await setup.run()).startswith("nothing changed; the held sync is dropped")
    assert await setup.registry.held() is None


async def test_a_token_that_expires_during_a_sync_is_replaced(setup):
    setup.portal.script[SERVICES] = [401]
    assert await setup.run() == "nothing changed"
    assert setup.portal.paths() == [ORGS, SERVICES, TOKEN, SERVICES]


async def test_a_delta_follows_the_first_sync(setup):
    setup.portal.bodies[ORGS] = orgs(org(3, op_type="D"), search_timestamp="20240102000000")
    setup.portal.bodies[SERVICES] = orgs(search_timestamp="20240102000000")
    assert await setup.run(full=False) == (
        "taken: organisations 0 new, 0 changed, 1 gone; services 0 new, 0 changed, 1 gone"
    )
    assert {request["query"]["search_timestamp"] for request in setup.portal.requests} == {"20240101000000"}
    registry = await setup.registry.registry()
    assert (len(registry.organisations), len(registry.services)) == (COUNT - 1, SERVED - 1)
    assert registry.orgs_timestamp == "20240102000000"


async def longest_stall(stop):
    """Returns the longest time in seconds that the event loop was blocked until `stop`."""
    longest, before = 0.0, time.perf_counter()
    while not stop.is_set():
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        longest, before = max(longest, now - before), now
    return longest


async def test_ten_thousand_institutions_in_50_mb_are_accepted(portal, client_of, registry, hasher):
    listed = orgs(*(org(number, address="x" * 4_800) for number in range(10_000)))
    body = json.dumps(listed, ensure_ascii=False).encode()
    assert len(body) > 50_000_000
    portal.script[ORGS], portal.bodies[SERVICES] = [in_pieces(body)], services(1)
    async with client_of(portal, answer_bytes=67_108_864, total_s=60) as client:
        stop = asyncio.Event()
        watching = asyncio.create_task(longest_stall(stop))
        started = time.perf_counter()
        assert (await SyncSetup(portal, client, registry, hasher).run()).startswith("taken: organisations 10000 new")
        took = time.perf_counter() - started
        stop.set()
        stall = await watching
    assert len((await registry.registry()).organisations) == 10_000
    assert took < 60, f"{took:.1f} s"  # about 1.5 s on an idle machine
    assert stall < 5, f"{stall:.1f} s"  # a leader renews its term every few seconds
