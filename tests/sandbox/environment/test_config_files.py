"""The relay reads the files of the sandbox, and only the owner can read its secrets."""

import base64
import json
import os
import stat
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from mydata_sandbox.environment.config_files import MAX_SOCKET_PATH, write_all
from mydata_sandbox.parties import PORTAL_CODE, RELAY_CODE

from relay.domain.ids import INDUSTRIES
from relay.infra.tokens.client_secrets import ClientSecrets
from relay.policy.settings.authority import CertifierKind
from relay.policy.settings.directory import AuthenticationMethod
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.key_files import find_file_problems


@pytest.fixture(scope="module")
def loaded(built):
    return load_settings(built.settings, {})


def read_files(folder):
    """Returns all files below the folder with their content."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_relay_accepts_settings_and_files(built, loaded):
    assert find_file_problems(built.settings, loaded, datetime.now(UTC)) == []


def test_institutions_use_the_login_on_the_relays_pages(built, loaded):
    assert {provider.industry for provider in loaded.providers} == set(INDUSTRIES)
    standard = {provider.authentication for provider in loaded.providers if provider.speaks == "standard"}
    assert standard == {AuthenticationMethod.HOSTED}
    assert loaded.settings.authority.pages.url == built.pages


def test_certifiers_have_the_addresses_of_their_sockets(built, loaded):
    kinds = {certifier.kind: certifier for certifier in loaded.settings.certifiers}
    identity, signature = kinds[CertifierKind.IDENTITY].identity, kinds[CertifierKind.SIGNATURE].signature
    assert (identity.host, identity.port) == built.certifiers.identity_listener.getsockname()
    assert (signature.base_url, signature.client_id) == (built.certifiers.signature, built.certifiers.client_id)
    assert (built.folder / "certs" / "certifier.secret").read_text() == built.certifiers.client_secret


def test_the_directory_has_all_services_and_callbacks(built, loaded):
    for profile, operator in zip(built.operators, loaded.directory.operators, strict=True):
        assert (operator.org_code, operator.serial_num) == (profile.org_code, profile.identity.serial_number)
        assert [service.client_id for service in operator.services] == list(profile.client_ids)
        assert {service.callbacks for service in operator.services} == {(profile.callback,)}


async def test_a_secret_matches_only_its_service(built, loaded):
    secrets = [secret for profile in built.operators for secret in profile.client_secrets]
    hashes = [service.client_secret_hash for operator in loaded.directory.operators for service in operator.services]
    with closing(ClientSecrets(time.monotonic)) as client_secrets:
        fits = [[await client_secrets.matches("", hashed, secret) for secret in secrets] for hashed in hashes]
    assert fits == [[row == column for column in range(len(secrets))] for row in range(len(hashes))]


def test_files_with_secrets_are_private(built):
    secrets = [secret.encode() for profile in built.operators for secret in profile.client_secrets]
    secrets += [built.certifiers.client_secret.encode(), (built.folder / "certs" / "customers.key").read_bytes()]
    private = {path for path, content in read_files(built.folder).items() if b"PRIVATE KEY" in content}
    private |= {
        path for path, content in read_files(built.folder).items() if any(secret in content for secret in secrets)
    }
    assert len(private) > 30
    assert {mode(path) for path in private} == {0o600}


def test_the_customers_key_is_32_random_bytes(built):
    key = built.folder / "certs" / "customers.key"
    first = key.read_bytes()
    write_all(built)
    assert len(base64.b64decode(key.read_bytes(), validate=True)) == 32
    assert key.read_bytes() != first


def test_a_ledger_with_an_old_key_is_removed(built):
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (built.folder / name).write_bytes(b"sealed")
    write_all(built)
    assert list(built.folder.glob("ledger.db*")) == []


def test_statistics_beside_an_old_ledger_are_removed(built):
    """Otherwise records of an earlier run differ from statistics of this one."""
    for name in ("access.log", "access.log.1.gz"):
        (built.folder / name).write_bytes(b"{}")
    spooled = built.folder / "spool" / "one" / "0000000001.jsonl"
    spooled.parent.mkdir(parents=True)
    spooled.write_bytes(b"{}")
    write_all(built)
    assert list(built.folder.glob("access.log*")) == []
    assert not spooled.exists()


def test_facts_have_addresses_codes_and_ports(built):
    facts = json.loads((built.folder / "sandbox.json").read_text())
    assert (facts["gateway"], facts["admin"]) == (built.gateway, built.admin)
    assert facts["operators"]["ZOPA000002"] == ["ZOPA000002SVC01"]
    assert set(facts["institutions"].values()) == set(INDUSTRIES)
    assert facts["relay"] is None
    assert facts["ports"]["bank"] == built.institutions["bank"].port
    assert facts["ports"]["gateway"] == built.gateway_port


def test_the_socket_is_beside_the_settings(built, loaded):
    assert loaded.settings.authority.socket == str(built.folder.resolve() / "authority.sock")


@pytest.fixture
def write_to(built, tmp_path):
    """Writes the files again into a folder of this name. Returns the socket path."""

    def write(name):
        folder = tmp_path / name
        (folder / "certs").mkdir(parents=True)
        certifiers = replace(built.certifiers, pki=replace(built.certifiers.pki, folder=folder / "certs"))
        environment = replace(built, folder=folder, settings=folder / "relay.yaml", certifiers=certifiers)
        write_all(environment)
        return load_settings(environment.settings, {}).settings.authority.socket

    return write


def test_a_long_socket_path_is_replaced_by_a_short_one(write_to):
    sockets = [write_to(letter * 100) for letter in "ab"]
    assert sockets[0] != sockets[1]
    for socket in sockets:
        assert Path(socket).parent == Path(tempfile.gettempdir())
        assert len(os.fsencode(socket)) < MAX_SOCKET_PATH


@pytest.fixture
def of_portal(with_portal):
    """The settings of a relay with a portal."""
    return load_settings(with_portal.settings, {})


def test_a_relay_with_a_portal_reads_no_directory(with_portal, of_portal):
    assert not (with_portal.folder / "directory.yaml").exists()
    assert find_file_problems(with_portal.settings, of_portal, datetime.now(UTC)) == []
    assert of_portal.directory.operators == ()


def test_settings_have_the_portals_address_and_networks(with_portal, of_portal):
    portal = of_portal.settings.portal
    assert (portal.base_url, portal.org_code) == (with_portal.portal.url, PORTAL_CODE)
    assert portal.serial_num == with_portal.portal.identity.serial_number
    assert portal.addresses == ("127.0.0.1/32", "::1/128")


async def test_portal_and_relay_have_each_others_secrets(with_portal, of_portal):
    model, portal = with_portal.portal, of_portal.settings.portal
    assert portal.calls.client_id == model.accounts[RELAY_CODE].client_id
    secret = (with_portal.folder / "certs" / "portal.secret").read_text()
    assert secret == model.accounts[RELAY_CODE].client_secret
    assert portal.offers.client_id == model.offered.client_id
    with closing(ClientSecrets(time.monotonic)) as client_secrets:
        assert await client_secrets.matches("", portal.offers.client_secret_hash, model.offered.client_secret)


def test_the_secret_for_the_portal_is_private(with_portal):
    assert mode(with_portal.folder / "certs" / "portal.secret") == 0o600
    held = {
        path
        for path, content in read_files(with_portal.folder).items()
        if with_portal.portal.accounts[RELAY_CODE].client_secret.encode() in content
    }
    assert held == {with_portal.folder / "certs" / "portal.secret"}


def test_facts_have_the_portal(with_portal, built):
    facts = json.loads((with_portal.folder / "sandbox.json").read_text())
    assert facts["portal"] == {"url": with_portal.portal.url, "control": with_portal.portal.control_url}
    assert json.loads((built.folder / "sandbox.json").read_text())["portal"] is None


def test_a_sandbox_with_a_portal_has_no_directory(with_portal):
    (with_portal.folder / "directory.yaml").write_text("operators: []\n")
    write_all(with_portal)
    assert not (with_portal.folder / "directory.yaml").exists()
