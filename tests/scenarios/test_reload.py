"""Reloads of settings during calls: operators, institutions, certificates, keys, rates."""

import asyncio
import ssl

import pytest
from fixtures.caller import Connection, client_context
from fixtures.gateway_environment import BANK, CARD, LONG_TIMEOUTS, build_directory, build_provider, build_settings
from fixtures.institution import Institution, answers_well
from fixtures.waiting import until

from relay.infra.tokens.key_folder import read_keys, write_key_set

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEW = "ZBAA000007"


def ENVIRONMENT(_certificates):  # noqa: N802 - a constant that needs a fixture
    return [Institution(BANK, "bank", timeouts=LONG_TIMEOUTS), Institution(CARD, "card")], {}


@pytest.fixture(autouse=True)
async def restore_settings(env):
    yield
    env.institutions.pop(NEW, None)
    env.write()
    await env.process.reload()


async def test_a_removed_operator_is_refused_on_its_open_connection(env):
    directory = build_directory(env.certificates)
    async with await env.connect() as connection:
        assert (await connection.call(env.build_get())).status == 200
        env.write_file("directory.yaml", {"operators": directory["operators"][1:]})
        await env.process.reload()
        answer = await connection.call(env.build_get())
        assert (answer.status, answer.rsp_code) == (401, "40103")
        env.write_file("directory.yaml", directory)
        await env.process.reload()
        assert (await connection.call(env.build_get())).status == 200


async def test_a_removed_address_is_refused_on_its_open_connection(env):
    directory = build_directory(env.certificates)
    async with await env.connect() as connection:
        assert (await connection.call(env.build_get())).status == 200
        directory["operators"][0]["addresses"] = ["192.0.2.1"]
        env.write_file("directory.yaml", directory)
        await env.process.reload()
        assert (await connection.call(env.build_get())).rsp_code == "40102"


async def test_added_institutions_are_served_and_removed_ones_refused(env):
    env.institutions[NEW] = new = Institution(NEW, "bank")
    await new.open()
    try:
        async with await env.connect() as connection:
            assert (await connection.call(env.build_get(provider=NEW))).rsp_code == "40303"
            env.write_file(f"providers/{NEW}.yaml", build_provider(new))
            await env.process.reload()
            assert (await connection.call(env.build_get(provider=NEW))).status == 200
            (env.folder / f"providers/{NEW}.yaml").unlink()
            await env.process.reload()
            assert (await connection.call(env.build_get(provider=NEW))).rsp_code == "40303"
    finally:
        await new.stop()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        (f"providers/{BANK}.yaml", {"org_code": "short"}),
        (f"providers/{BANK}.yaml", {"org_code": BANK, "name": "x", "industry": "bank", "base_urls": ["https://x"]}),
        ("directory.yaml", {"operators": "none"}),
        ("relay.yaml", {}),
    ],
)
async def test_invalid_settings_keep_the_last_valid_ones(env, name, values):
    failures, plan = env.process.reloader.rejected, env.relay.gateway.plan
    env.write_file(name, values)
    await env.process.reload()
    assert env.relay.gateway.plan is plan
    assert (await env.call()).status == 200
    text = (await env.admin("/metrics")).body.decode()
    assert f"relay_plan_reload_failures {failures + 1}.0" in text


@pytest.mark.parametrize("section", ["certificate", "private_key", "client_ca"])
async def test_an_unreadable_certificate_keeps_the_last_valid_settings(env, section):
    plan, settings = env.relay.gateway.plan, build_settings(env.certificates)
    settings["gateway"]["tls"][section] = "file:nowhere.pem" if section == "private_key" else "nowhere.pem"
    env.write_file("relay.yaml", settings)
    await env.process.reload()
    assert env.relay.gateway.plan is plan
    assert (await env.call()).status == 200


async def test_a_call_in_flight_finishes_with_its_old_settings(env):
    release = asyncio.Event()

    async def wait_for_release(call, wire):
        await release.wait()
        await answers_well(call, wire)

    env.bank.script = wait_for_release
    async with await env.connect() as connection:
        connection.send(env.build_get())
        await until(lambda: env.bank.received, "the call")
        (env.folder / f"providers/{BANK}.yaml").unlink()
        await env.process.reload()
        release.set()
        assert (await connection.read_answer()).status == 200
        assert (await connection.call(env.build_get())).rsp_code == "40303"
    await until(lambda: not env.bank.wires, "the old pool closing its connections")


async def test_a_queued_call_is_served_after_its_pool_is_replaced(env):
    release = asyncio.Event()

    async def wait_for_release(call, wire):
        await release.wait()
        await answers_well(call, wire)

    env.bank.script = wait_for_release
    env.write_file(f"providers/{BANK}.yaml", build_provider(env.bank) | {"concurrency": 1})
    await env.process.reload()
    connections = [await env.connect() for _ in range(2)]
    for number, connection in enumerate(connections, 1):
        connection.send(env.build_get())
        await until(lambda wanted=number: sum(env.pool().counts().values()) == wanted, "a call")
    await env.process.reload()
    release.set()
    assert [(await connection.read_answer()).status for connection in connections] == [200, 200]
    for connection in connections:
        connection.abort()


async def read_certificate(env):
    """Returns the certificate of the relay in a new handshake."""
    context = client_context(env.certificates.ca, env.get_pair("ZOPA000001"))
    async with await Connection.open(env.process.ports[0], context) as connection:
        return connection.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)


async def test_new_handshakes_get_the_new_certificate(env):
    fresh = env.certificates.authority.issue("relay new", serial_number="999-81-00001", stem="relay-2")
    settings = build_settings(env.certificates)
    settings["gateway"]["tls"] |= {
        "certificate": str(fresh.certificate),
        "private_key": f"file:{fresh.private_key}",
    }
    async with await env.connect() as connection:
        assert (await connection.call(env.build_get())).status == 200  # a connection without a call is closed soon
        before = await read_certificate(env)
        env.write_file("relay.yaml", settings)
        await env.process.reload()
        after = await read_certificate(env)
        assert (await connection.call(env.build_get())).status == 200
    assert before != after == ssl.PEM_cert_to_DER_cert(fresh.certificate.read_text())


def build_institution_context(certificates):
    """Builds the TLS context of an institution that wants a client certificate."""
    pair, context = certificates.providers["bank"], ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.private_key)
    context.load_verify_locations(certificates.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def test_a_half_written_certificate_leaves_the_former_one_in_use(env, tmp_path, caplog):
    shown, key = tmp_path / "shown.pem", tmp_path / "shown.key.pem"
    shown.write_bytes(env.certificates.relay.certificate.read_bytes())
    key.write_bytes(env.certificates.relay.private_key.read_bytes())
    tls = {"link": "tls", "ca": str(env.certificates.ca), "certificate": str(shown), "private_key": f"file:{key}"}
    context = build_institution_context(env.certificates)
    env.institutions[NEW] = new = Institution(NEW, "bank", context, timeouts=LONG_TIMEOUTS, **tls)
    await new.open()
    try:
        env.write_file(f"providers/{NEW}.yaml", build_provider(new))
        await env.process.reload()
        assert (await env.call(env.build_get(provider=NEW))).status == 200
        fresh = env.certificates.authority.issue("relay fresh", serial_number="999-81-00001", stem="relay-3")
        content = fresh.certificate.read_bytes()
        shown.write_bytes(content[: len(content) // 2])
        await env.process.reload()
        assert f"settings rejected, plan stays: role=gateway plan={env.relay.gateway.plan.fingerprint}" in caplog.text
        assert str(shown) in caplog.text
        assert (await env.call(env.build_get(provider=NEW))).status == 200
        assert new.connections == 1
        shown.write_bytes(content)
        key.write_bytes(fresh.private_key.read_bytes())
        assert env.process.reloader.has_changed_files()
        await env.process.reload()
        assert (await env.call(env.build_get(provider=NEW))).status == 200
        assert new.connections == 2
    finally:
        await new.stop()


async def test_a_replaced_client_ca_applies_to_new_handshakes(env):
    settings = build_settings(env.certificates)
    settings["gateway"]["tls"]["client_ca"] = str(env.certificates.foreign_ca)
    env.write_file("relay.yaml", settings)
    await env.process.reload()
    assert (await env.call(pair=env.certificates.foreign_operator)).status == 200
    with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
        await env.call()
    assert len(env.exchanges) == 1


async def test_a_cached_token_of_a_removed_key_is_refused(env, tmp_path):
    async with await env.connect() as connection:
        assert (await connection.call(env.build_get())).status == 200
        keys = read_keys(env.certificates.folder / "token-keys")
        write_key_set(tmp_path, [key for key in keys if key.algorithm != "ES256"])
        env.write_file("relay.yaml", build_settings(env.certificates, tokens={"keys": str(tmp_path)}))
        await env.process.reload()
        assert (await connection.call(env.build_get())).rsp_code == "40101"


async def test_a_lowered_rate_applies_at_once(env):
    assert (await env.call()).status == 200
    env.write_file(f"providers/{BANK}.yaml", build_provider(env.bank) | {"rate": {"per_second": 0.01, "burst": 1}})
    await env.process.reload()
    assert [(await env.call()).status for _ in range(2)] == [200, 429]


async def test_files_that_change_are_noticed(env):
    (env.folder / "providers" / f"{CARD}.yaml").unlink()
    assert env.process.reloader.has_changed_files()
    await env.process.reload()
    assert not env.process.reloader.has_changed_files()


async def test_a_log_that_cannot_be_reopened_does_not_stop_a_reload(env, tmp_path):
    log = env.log.rename(tmp_path / "access.log")
    env.log.mkdir()
    try:
        reloads = env.process.reloader.applied
        await env.process.reload()
        assert env.process.reloader.applied == reloads + 1
        assert (await env.call(env.build_get("/v1/card/cards", provider=CARD))).status == 200
    finally:
        env.log.rmdir()
        log.rename(env.log)
