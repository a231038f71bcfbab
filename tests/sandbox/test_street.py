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
from relay.sandbox.houses import facts_of, token_key_of
from relay.sandbox.operator import session_of
from relay.sandbox.phone import trusting
from relay.sandbox.street import build, opened
from relay.standard.catalogue import load_catalogue

NOW = datetime.now(UTC)


@pytest.fixture
def street(tmp_path):
    street = build(tmp_path / "street", NOW)
    yield street
    street.close()


def read(path):
    return yaml.safe_load(path.read_text())


def test_the_relay_accepts_the_settings(street):
    settings = Settings.model_validate(read(street.settings))
    assert [(listener.address, listener.port) for listener in settings.gateway.listeners] == [
        ("127.0.0.1", street.gateway_port)
    ]
    assert settings.admin.port == street.admin_port != street.gateway_port
    assert (street.folder / settings.gateway.tls.certificate).exists()
    assert settings.authority.pages.port == street.pages_port not in {street.admin_port, street.gateway_port}
    assert (street.folder / settings.tokens.keys / "jwks.json").exists()
    assert settings.ledger.url == "sqlite:ledger.db"


def test_each_industry_has_an_institution_with_its_file(street):
    files = {path.stem: Provider.model_validate(read(path)) for path in (street.folder / "providers").iterdir()}
    assert set(files) == set(INDUSTRIES)
    for industry, provider in files.items():
        institution = street.institutions[industry]
        assert (provider.industry, provider.org_code) == (industry, institution.org_code)
        assert provider.base_urls == (f"https://127.0.0.1:{institution.port}",)
        assert (street.folder / "providers" / provider.ca).exists()
    assert street.institutions["bank"].org_code == "ZBAA000001"


def test_the_directory_registers_the_serials_of_the_certificates(street):
    directory = Directory.model_validate(read(street.folder / "directory.yaml"))
    assert [operator.serial_num for operator in directory.operators] == [
        pair.serial_number for pair in street.certificates.operators
    ]
    assert directory.operators[0].addresses == ("127.0.0.1/32", "::1/128")
    assert [service.client_id for service in directory.operators[0].services] == list(street.operators[0].client_ids)


def test_the_folder_is_private(street):
    assert stat.S_IMODE(street.folder.stat().st_mode) == 0o700


def test_facts_of_a_built_sandbox_are_loaded(street):
    assert facts_of(street.folder)["institutions"]["ZUSA000001"] == "usury"
    assert token_key_of(street.folder) == street.token_key


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "letter").write_text("dear")
    with pytest.raises(FileExistsError):
        build(tmp_path, NOW)


def test_a_running_sandbox_is_not_overwritten(street):
    with pytest.raises(BlockingIOError):
        build(street.folder, NOW)


def test_a_sandbox_can_be_built_again_in_its_folder(street):
    street.close()
    build(street.folder, NOW).close()


def test_a_port_in_use_is_replaced(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as used:
        taken = used.getsockname()[1]
        street = build(tmp_path / "one", NOW, (taken, 0, taken))
        street.close()
        assert len({street.gateway_port, street.admin_port, street.pages_port, taken}) == 4
    street = build(tmp_path / "two", NOW, (0, 0, taken))
    street.close()
    assert street.pages_port == taken


def test_the_url_of_an_external_ledger_is_in_a_secret_file(tmp_path):
    url = "postgresql://relay:Zq7marker@127.0.0.1/street"
    street = build(tmp_path / "street", NOW, ledger=url)
    street.close()
    kept = {path for path in street.folder.rglob("*") if path.is_file() and b"Zq7marker" in path.read_bytes()}
    assert kept == {street.folder / "ledger.url"}
    assert stat.S_IMODE((street.folder / "ledger.url").stat().st_mode) == 0o600
    assert read(street.settings)["ledger"]["url"] == "file:ledger.url"
    assert "Zq7marker" not in repr(street)


async def ask(street, identity, industry="telecom"):
    url = f"https://127.0.0.1:{street.institutions[industry].port}/v1/{industry}/nothing"
    async with session_of(identity, street.certificates.ca) as session, session.get(url) as answer:
        return answer.status, await answer.json()


async def test_institutions_accept_only_the_relay(street):
    async with opened(street, load_catalogue(), {}, today=lambda: date(2026, 11, 22)):
        status, body = await ask(street, street.certificates.relay)
        assert (status, body["rsp_code"]) == (404, "40401")
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await ask(street, street.certificates.operators[0])
    with pytest.raises(aiohttp.ClientConnectorError):
        await ask(street, street.certificates.relay)


async def token_of_the_certifier(street, identity):
    """What the e-signature provider says to the relay's credentials, shown with `identity`."""
    certifiers = street.certifiers
    form = {
        "grant_type": "client_credentials",
        "client_id": certifiers.client_id,
        "client_secret": certifiers.client_secret,
        "scope": "ca",
    }
    url = f"{certifiers.signature}/oauth/2.0/token"
    async with session_of(identity, street.certificates.ca) as session, session.post(url, data=form) as answer:
        return answer.status


async def test_the_certifier_accepts_certificates_of_the_ca(street):
    async with opened(street, load_catalogue(), {}):
        for known in (street.certificates.relay, street.certificates.operators[1]):
            assert await token_of_the_certifier(street, known) == 200
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await token_of_the_certifier(street, street.certificates.foreign_operator)


async def test_a_browser_without_certificate_reaches_the_callback(street):
    trust = aiohttp.TCPConnector(ssl=trusting(street.certificates.ca))
    async with (
        opened(street, load_catalogue(), {}),
        aiohttp.ClientSession(connector=trust) as browser,
        browser.get(street.operators[0].callback, params={"code": "c0de"}) as answer,
    ):
        assert (answer.status, "c0de" in await answer.text()) == (200, True)


async def test_the_ucpid_service_stops_with_the_sandbox(street):
    where = street.certifiers.identity_door.getsockname()
    async with opened(street, load_catalogue(), {}):
        _, writer = await asyncio.open_connection(*where)
        writer.close()
        await writer.wait_closed()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*where)


async def test_a_sandbox_with_a_portal_serves_it(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as used:
        wanted = used.getsockname()[1]
    street = build(tmp_path / "street", NOW, portal=True, control_port=wanted)
    assert street.portal.control.getsockname()[1] == wanted
    account = street.portal.accounts[street.operators[0].org_code]
    form = {
        "grant_type": "client_credentials",
        "client_id": account.client_id,
        "client_secret": account.client_secret,
        "scope": "manage",
    }
    url, headers = f"{street.portal.url}/mgmts/oauth/2.0/token", {"x-api-tran-id": "ZOPA000001M00000000000001"}
    async with (
        opened(street, load_catalogue(), {}) as portal,
        session_of(street.operators[0].identity, street.certificates.ca) as session,
        session.post(url, data=form, headers=headers) as answer,
    ):
        assert (answer.status, (await answer.json())["scope"]) == (200, "manage")
        assert [received.caller for received in portal.received] == ["ZOPA000001"]


async def test_a_sandbox_without_a_portal_yields_none(street):
    assert street.portal is None
    async with opened(street, load_catalogue(), {}) as portal:
        assert portal is None
