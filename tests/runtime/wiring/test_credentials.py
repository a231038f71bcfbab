"""Tests of TLS contexts and token keys; errors name the file and show no secret."""

import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from mydata_sandbox.credentials.certificates import make_dev_certificates

from relay.infra.upstream.tls import TlsError
from relay.policy.settings.authority import TokenSettings
from relay.policy.settings.directory import Provider
from relay.policy.settings.model import Listener, ServerTls
from relay.runtime.settings.file_references import SecretMissing
from relay.runtime.wiring.credentials import (
    CredentialError,
    build_institution_context,
    build_listener_context,
    build_verifying_keys,
    read_token_keys,
)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_dev_certificates(tmp_path_factory.mktemp("certs"), datetime.now(UTC))


def server_tls(certificates, **changed):
    fields = {
        "certificate": str(certificates.relay.certificate),
        "private_key": f"file:{certificates.relay.private_key}",
        "client_ca": str(certificates.ca),
    }
    return ServerTls.model_validate(fields | changed)


def provider(certificates, **changed):
    base = {"org_code": "ZBAA000001", "name": "B", "industry": "bank", "base_urls": ["https://b.example"]}
    return Provider.model_validate(base | {"ca": str(certificates.ca)} | changed)


@pytest.fixture
def in_environment(certificates, monkeypatch):
    monkeypatch.setenv("RELAY_TEST_KEY", certificates.relay.private_key.read_text())
    return "env:RELAY_TEST_KEY"


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_each_key_verifies_with_its_own_algorithm_only(certificates):
    folder = certificates.folder / "token-keys"
    keys = build_verifying_keys(read_token_keys(TokenSettings(issuer="ZZRELAY001", keys=str(folder))))
    assert {kid: key.algorithm for kid, key in keys.items()} == {
        "dev-es256": "ES256", "dev-rs256": "RS256", "dev-ps256": "PS256", "dev-eddsa": "EdDSA",
    }  # fmt: skip


def test_a_missing_jwks_names_the_command_that_makes_it(tmp_path):
    with pytest.raises(
        CredentialError, match=r"jwks\.json does not exist: create the first key with relay keys rotate"
    ):
        read_token_keys(TokenSettings(issuer="ZZRELAY001", keys=str(tmp_path)))


@pytest.mark.parametrize("required", [True, False])
def test_a_listener_requests_client_certificates_as_configured(certificates, required):
    context = build_listener_context(Listener(client_certificate=required), server_tls(certificates))
    assert (context.verify_mode is ssl.CERT_REQUIRED) is required
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert context.num_tickets == 0


def test_a_private_key_of_the_environment_is_never_written_to_disk(certificates, in_environment, monkeypatch):
    before = descriptors()
    for method in ("write_bytes", "write_text", "open"):
        monkeypatch.setattr(Path, method, None)
    build_listener_context(Listener(), server_tls(certificates, private_key=in_environment))
    own = {"certificate": str(certificates.relay.certificate), "private_key": in_environment}
    build_institution_context(provider(certificates, **own))
    assert descriptors() == before


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"private_key": "env:RELAY_TEST_NOTHING"}, SecretMissing, "RELAY_TEST_NOTHING is not set"),
        ({"private_key": "file:nowhere.pem"}, TlsError, "with its private key"),
        ({"certificate": "nowhere.pem"}, TlsError, "nowhere.pem with its private key"),
        ({"client_ca": "nowhere.pem"}, TlsError, "nowhere.pem"),
    ],
)
def test_unusable_listener_files_are_named(certificates, changed, error, words):
    with pytest.raises(error, match=words):
        build_listener_context(Listener(), server_tls(certificates, **changed))


def test_a_key_of_another_certificate_is_refused(certificates):
    other = f"file:{certificates.portal.private_key}"
    with pytest.raises(TlsError, match=r"with its private key: the key does not match the certificate; expected: "):
        build_listener_context(Listener(), server_tls(certificates, private_key=other))


def test_an_encrypted_key_is_refused_without_a_password_prompt(certificates, tmp_path):
    key = load_pem_private_key(certificates.relay.private_key.read_bytes(), None)
    path = tmp_path / "key.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"Zq7marker")))
    with pytest.raises(TlsError, match="without a passphrase") as raised:
        build_listener_context(Listener(), server_tls(certificates, private_key=f"file:{path}"))
    assert "Zq7marker" not in str(raised.value)


def test_a_leased_line_needs_no_context(certificates):
    leased_line = {"link": "leased_line", "base_urls": ["http://10.0.0.1"], "ca": None}
    assert build_institution_context(provider(certificates, **leased_line)) is None


def test_institution_tls_trusts_only_its_ca_and_checks_its_name(certificates):
    context = build_institution_context(provider(certificates))
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert len(context.get_ca_certs()) == 1
    with pytest.raises(TlsError, match=r"nowhere\.pem"):
        build_institution_context(provider(certificates, ca="nowhere.pem"))


def test_the_relay_is_the_server_of_lines_that_a_core_opens(certificates):
    own = {"certificate": str(certificates.relay.certificate), "private_key": f"file:{certificates.relay.private_key}"}
    core = {"listen": "127.0.0.1:7000", "peers": ["10.0.0.0/8"]}
    context = build_institution_context(provider(certificates, **own, speaks="telegram", base_urls=[], core=core))
    assert context.protocol is ssl.PROTOCOL_TLS_SERVER
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
