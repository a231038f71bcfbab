import socket
import stat
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from mydata_sandbox.environment.build import build
from mydata_sandbox.environment.model import load_facts
from mydata_sandbox.environment.relay_address import RelayAddress
from mydata_sandbox.parties import MEDIATED

from relay.domain.ids import INDUSTRIES
from relay.policy.settings.directory import Directory, Provider
from relay.policy.settings.model import Settings

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
    folder = environment.folder / "providers"
    files = {path.stem: Provider.model_validate(read(path)) for path in folder.glob("*.yaml")}
    assert set(files) == {*INDUSTRIES, *MEDIATED}
    for industry in INDUSTRIES:
        provider, institution = files[industry], environment.institutions[industry]
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


@pytest.fixture
def build_for(tmp_path):
    """Builds a sandbox for a relay that is started by hand, always in the same folder."""
    opened = []

    def build_again(url, address="127.0.0.1", now=NOW):
        for environment in opened:
            environment.close()
        relay = RelayAddress.parse(url, address)
        opened.append(build(tmp_path / "environment", now, portal=True, relay=relay))
        return opened[-1]

    yield build_again
    opened[-1].close()


def read_all(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_settings_fit_the_url_of_the_relay(build_for):
    environment = build_for("https://localhost:9443")
    settings = Settings.model_validate(read(environment.settings))
    assert [(entry.address, entry.port) for entry in settings.gateway.listeners] == [("127.0.0.1", 9443)]
    assert settings.authority.pages.url == f"https://localhost:{environment.pages_port}"
    assert environment.gateway == "https://localhost:9443"


def test_the_same_relay_gets_the_same_files_secrets_and_ports(build_for):
    first = build_for("https://127.0.0.1:9443")
    (first.folder / "ledger.db").write_bytes(b"of the relay that runs")
    files = read_all(first.folder)
    second = build_for("https://127.0.0.1:9443")
    assert read_all(second.folder) == files
    assert second.operators == first.operators
    assert (second.certificates.relay, second.certificates.token_keys) == (
        first.certificates.relay,
        first.certificates.token_keys,
    )
    assert second.portal.accounts == first.portal.accounts
    assert load_facts(second.folder)["ports"] == load_facts(first.folder)["ports"]
    assert second.institutions["bank"].port == load_facts(first.folder)["ports"]["bank"]
    assert (second.pages_port, second.ledger) == (first.pages_port, first.ledger)


def test_a_folder_of_another_relay_is_refused(build_for):
    environment = build_for("https://127.0.0.1:9443")
    with pytest.raises(FileExistsError, match=r"for the relay at .*:9443: remove it"):
        build_for("https://127.0.0.1:9444")
    with pytest.raises(FileExistsError, match="for the relay at"):
        build(environment.folder, NOW)


def test_expired_certificates_are_not_used_again(build_for):
    build_for("https://127.0.0.1:9443")
    with pytest.raises(FileExistsError, match="are expired"):
        build_for("https://127.0.0.1:9443", now=NOW + timedelta(days=366))


def test_a_port_of_a_used_folder_that_is_taken_is_an_error(build_for):
    environment = build_for("https://127.0.0.1:9443")
    port = environment.institutions["bank"].port
    environment.close()
    with socket.create_server(("127.0.0.1", port)), pytest.raises(OSError, match=f"127.0.0.1:{port}, a port of"):
        build_for("https://127.0.0.1:9443")


def test_a_sandbox_for_a_remote_relay_has_its_own_address(build_for):
    environment = build_for("https://relay.example:9443", address="127.0.0.2")
    assert environment.institutions["bank"].url.startswith("https://127.0.0.2:")
    assert environment.portal.url.startswith("https://127.0.0.2:")
    assert environment.portal.control_url.startswith("http://127.0.0.1:")
    assert environment.operators[0].callback.startswith("https://127.0.0.2:")
    settings = Settings.model_validate(read(environment.settings))
    assert settings.gateway.listeners[0].address == "0.0.0.0"
    assert settings.portal.addresses == ("127.0.0.1/32", "::1/128")
