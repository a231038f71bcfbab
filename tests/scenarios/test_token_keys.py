"""Rotation of token keys over real processes while one role rejects the settings: the roles agree on the keys."""

import os
import signal
import time

import jwt
import pytest
import pytest_asyncio
import yaml
from fixtures.waiting import until

from relay.infra.tokens.key_folder import read_keys, write_key_set
from relay.infra.tokens.rotation import rotate

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def server(servers):
    return servers.server()


@pytest.fixture
def bank(servers):
    return servers.sandbox.institutions["bank"]


@pytest.fixture
def key_folder(servers):
    settings = yaml.safe_load(servers.sandbox.settings.read_text("utf-8"))
    return servers.sandbox.folder / settings["tokens"]["keys"]


async def reload(servers, *events):
    """Makes the relay reload and waits for these lines of its log."""
    counts = [servers.logs.count(event) for event in events]
    os.kill(servers.running.pid, signal.SIGHUP)
    for event, count in zip(events, counts, strict=True):
        await until(lambda event=event, count=count: servers.logs.count(event) > count, event)


async def break_settings(servers, request, file, change, *events):
    """Changes a file until the end of the test, and waits for these lines of the log."""
    original = file.read_text("utf-8")
    values = yaml.safe_load(original)
    change(values)
    request.addfinalizer(lambda: file.write_text(original, "utf-8"))
    file.write_text(yaml.safe_dump(values, allow_unicode=True), "utf-8")
    await reload(servers, *events)


async def call_with_new_token(server, bank, refresh_token, key):
    """Refreshes once `key` signs. Returns the rsp_code of a data call with that token."""
    await until(lambda: time.time() >= key.signs_from, "the new key signing")
    response = await server.refresh(bank, refresh_token)
    assert response.status == 200, response.body
    token = response.body["access_token"]
    assert jwt.get_unverified_header(token)["kid"] == key.kid
    return (await server.get_data(bank, token)).body["rsp_code"]


async def test_a_gateway_that_rejects_settings_knows_new_keys(servers, server, bank, key_folder, request):
    tokens = await server.get_tokens(bank)

    def use_another_key(settings):
        settings["gateway"]["tls"]["private_key"] = f"file:{key_folder}/../ca.pem"

    await break_settings(
        servers, request, servers.sandbox.settings, use_another_key, "settings rejected, plan stays: role=gateway"
    )
    key = rotate(key_folder, "next", int(time.time()), 2)
    await reload(servers, "token keys applied: role=gateway")
    assert await call_with_new_token(server, bank, tokens["refresh_token"], key) == "00000"


async def test_an_authority_that_rejects_settings_drops_a_leaked_key(servers, server, bank, key_folder, request):
    tokens = await server.get_tokens(bank)
    (key_folder / "garbage.pem").write_text("garbage")

    def use_garbage(provider):
        provider["authentication"] = "redirect"
        provider["redirect"] = {"url": "https://bank.example/login", "public_key": str(key_folder / "garbage.pem")}

    await break_settings(
        servers,
        request,
        servers.sandbox.folder / "providers" / "bank.yaml",
        use_garbage,
        "settings rejected, plan stays: role=authority",
        "settings applied: role=gateway",
    )
    leaked = jwt.get_unverified_header(tokens["access_token"])["kid"]
    key = rotate(key_folder, "after-leak", int(time.time()), 2)
    await reload(servers, "token keys applied: role=authority")
    assert await call_with_new_token(server, bank, tokens["refresh_token"], key) == "00000"
    write_key_set(key_folder, [other for other in read_keys(key_folder) if other.kid != leaked])
    await reload(servers, "token keys applied: role=authority", "settings applied: role=gateway")
    assert (await server.get_data(bank, tokens["access_token"])).body["rsp_code"] == "40101"
    token = (await server.get_tokens(bank))["access_token"]
    assert (await server.get_data(bank, token)).body["rsp_code"] == "00000"
