import asyncio
import socket
import stat
from datetime import UTC, date, datetime

import aiohttp
import pytest
import yaml

from relay.domain.ids import INDUSTRIES
from relay.policy.settings.directory import Directory, Provider
from relay.policy.settings.model import Settings
from relay.sandbox.browser_client import trust_only
from relay.sandbox.environment import build, serve_environment
from relay.sandbox.model import load_facts, load_token_key
from relay.sandbox.operator import open_session
from relay.standard.catalogue import load_catalogue

NOW = datetime.now(UTC)


@pytest.fixture
def environment(tmp_path):
    environment = build(tmp_path / "environment", NOW)
    yield environment
    environment.close()


def read(path):
    return yaml.safe_load(path.read_text())


def test_the_relay_accepts_the_settings(environment):
    settings = Settings.model_validate(read(environment.settings))
    assert [(listener.address, listener.port) for listener in settings.gateway.listeners] == [
        ("127.0.0.1", environment.gateway_port)
    ]
    assert settings.admin.port == environment.admin_port != environment.gateway_port
    assert (environment.folder / settings.gateway.tls.certificate).exists()
    assert (
        settings.authority.pages.port
        == environment.pages_port
        not in {environment.admin_port, environment.gateway_port}
    )
    assert (environment.folder / settings.tokens.keys / "jwks.json").exists()
    assert settings.ledger.url == "sqlite:ledger.db"


def test_each_industry_has_an_institution_with_its_file(environment):
    files = {path.stem: Provider.model_validate(read(path)) for path in (environment.folder / "providers").iterdir()}
    assert set(files) == set(INDUSTRIES)
    for industry, provider in files.items():
        institution = environment.institutions[industry]
        assert (provider.industry, provider.org_code) == (industry, institution.org_code)
        assert provider.base_urls == (f"https://127.0.0.1:{institution.port}",)
        assert (environment.folder / "providers" / provider.ca).exists()
    assert environment.institutions["bank"].org_code == "ZBAA000001"


def test_the_directory_registers_the_serials_of_the_certificates(environment):
    directory = Directory.model_validate(read(environment.folder / "directory.yaml"))
    assert [operator.serial_num for operator in directory.operators] == [
        pair.serial_number for pair in environment.certificates.operators
    ]
    assert directory.operators[0].addresses == ("127.0.0.1/32", "::1/128")
    assert [service.client_id for service in directory.operators[0].services] == list(
        environment.operators[0].client_ids
    )


def test_the_folder_is_private(environment):
    assert stat.S_IMODE(environment.folder.stat().st_mode) == 0o700


def test_facts_of_a_built_sandbox_are_loaded(environment):
    assert load_facts(environment.folder)["institutions"]["ZUSA000001"] == "usury"
    assert load_token_key(environment.folder) == environment.token_key


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "letter").write_text("dear")
    with pytest.raises(FileExistsError):
        build(tmp_path, NOW)


def test_a_running_sandbox_is_not_overwritten(environment):
    with pytest.raises(BlockingIOError):
        build(environment.folder, NOW)


def test_a_sandbox_can_be_built_again_in_its_folder(environment):
    environment.close()
    build(environment.folder, NOW).close()


def test_a_port_in_use_is_replaced(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as used:
        taken = used.getsockname()[1]
        environment = build(tmp_path / "one", NOW, (taken, 0, taken))
        environment.close()
        assert len({environment.gateway_port, environment.admin_port, environment.pages_port, taken}) == 4
    environment = build(tmp_path / "two", NOW, (0, 0, taken))
    environment.close()
    assert environment.pages_port == taken


def test_the_url_of_an_external_ledger_is_in_a_secret_file(tmp_path):
    url = "postgresql://relay:Zq7marker@127.0.0.1/environment"
    environment = build(tmp_path / "environment", NOW, ledger=url)
    environment.close()
    kept = {path for path in environment.folder.rglob("*") if path.is_file() and b"Zq7marker" in path.read_bytes()}
    assert kept == {environment.folder / "ledger.url"}
    assert stat.S_IMODE((environment.folder / "ledger.url").stat().st_mode) == 0o600
    assert read(environment.settings)["ledger"]["url"] == "file:ledger.url"
    assert "Zq7marker" not in repr(environment)


async def ask(environment, identity, industry="telecom"):
    url = f"https://127.0.0.1:{environment.institutions[industry].port}/v1/{industry}/nothing"
    async with open_session(identity, environment.certificates.ca) as session, session.get(url) as answer:
        return answer.status, await answer.json()


async def test_institutions_accept_only_the_relay(environment):
    async with serve_environment(environment, load_catalogue(), {}, today=lambda: date(2026, 11, 22)):
        status, body = await ask(environment, environment.certificates.relay)
        assert (status, body["rsp_code"]) == (404, "40401")
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await ask(environment, environment.certificates.operators[0])
    with pytest.raises(aiohttp.ClientConnectorError):
        await ask(environment, environment.certificates.relay)


async def token_of_the_certifier(environment, identity):
    """Returns the e-signature provider's response to the relay's credentials over TLS with `identity`."""
    certifiers = environment.certifiers
    form = {
        "grant_type": "client_credentials",
        "client_id": certifiers.client_id,
        "client_secret": certifiers.client_secret,
        "scope": "ca",
    }
    url = f"{certifiers.signature}/oauth/2.0/token"
    async with open_session(identity, environment.certificates.ca) as session, session.post(url, data=form) as answer:
        return answer.status


async def test_the_certifier_accepts_certificates_of_the_ca(environment):
    async with serve_environment(environment, load_catalogue(), {}):
        for known in (environment.certificates.relay, environment.certificates.operators[1]):
            assert await token_of_the_certifier(environment, known) == 200
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await token_of_the_certifier(environment, environment.certificates.foreign_operator)


async def test_a_browser_without_certificate_reaches_the_callback(environment):
    trust = aiohttp.TCPConnector(ssl=trust_only(environment.certificates.ca))
    async with (
        serve_environment(environment, load_catalogue(), {}),
        aiohttp.ClientSession(connector=trust) as browser,
        browser.get(environment.operators[0].callback, params={"code": "c0de"}) as answer,
    ):
        assert (answer.status, "c0de" in await answer.text()) == (200, True)


async def test_the_ucpid_service_stops_with_the_sandbox(environment):
    where = environment.certifiers.identity_listener.getsockname()
    async with serve_environment(environment, load_catalogue(), {}):
        _, writer = await asyncio.open_connection(*where)
        writer.close()
        await writer.wait_closed()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*where)


async def test_a_sandbox_with_a_portal_serves_it(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as used:
        wanted = used.getsockname()[1]
    environment = build(tmp_path / "environment", NOW, portal=True, control_port=wanted)
    assert environment.portal.control.getsockname()[1] == wanted
    account = environment.portal.accounts[environment.operators[0].org_code]
    form = {
        "grant_type": "client_credentials",
        "client_id": account.client_id,
        "client_secret": account.client_secret,
        "scope": "manage",
    }
    url, headers = f"{environment.portal.url}/mgmts/oauth/2.0/token", {"x-api-tran-id": "ZOPA000001M00000000000001"}
    async with (
        serve_environment(environment, load_catalogue(), {}) as portal,
        open_session(environment.operators[0].identity, environment.certificates.ca) as session,
        session.post(url, data=form, headers=headers) as answer,
    ):
        assert (answer.status, (await answer.json())["scope"]) == (200, "manage")
        assert [received.caller for received in portal.received] == ["ZOPA000001"]


async def test_a_sandbox_without_a_portal_yields_none(environment):
    assert environment.portal is None
    async with serve_environment(environment, load_catalogue(), {}) as portal:
        assert portal is None
