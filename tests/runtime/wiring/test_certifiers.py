"""Tests of certifiers' credentials; errors name the file."""

import ssl
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from mydata_sandbox.certifiers.pki import make_certifier_pki
from mydata_sandbox.credentials.authority import CertificateAuthority

from relay.infra.upstream.tls import TlsError
from relay.policy.settings.authority import CertifierSettings
from relay.policy.settings.model import ServerTls
from relay.runtime.settings.file_references import SecretMissing
from relay.runtime.wiring.certifiers import build_certifiers
from relay.runtime.wiring.credentials import CredentialError


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return make_certifier_pki(tmp_path_factory.mktemp("pki"), datetime.now(UTC))


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """The relay's own certificate and its CA."""
    authority = CertificateAuthority.make(tmp_path_factory.mktemp("ca"), "ca", "CA", datetime.now(UTC))
    pair = authority.issue("relay", serial_number="1")
    return ServerTls(
        certificate=str(pair.certificate),
        private_key=f"file:{pair.private_key}",
        client_ca=str(authority.certificate),
    )


@pytest.fixture
def secret(tmp_path):
    (tmp_path / "secret").write_text("s3cret\n")
    return f"file:{tmp_path / 'secret'}"


def identity(pki, **changed):
    settings = {
        "host": "127.0.0.1",
        "port": 1,
        "cp_code": "RELAY1",
        "certificate": str(pki.relay),
        "private_key": f"file:{pki.relay_key}",
        "responder": str(pki.responder),
    }
    files = {"roots": (str(pki.root),), "crls": (str(pki.crl),)}
    files |= {name: changed.pop(name) for name in files if name in changed}
    return CertifierSettings(ca_code="ZCAA000001", name="05", kind="identity", identity=settings | changed, **files)


def signature(secret, **changed):
    settings = {"base_url": "https://ca.example", "client_id": "relay1", "client_secret": secret} | changed
    return CertifierSettings(ca_code="ZCAA000002", name="06", kind="signature", signature=settings)


def build(*certifiers, tls=None):
    settings = SimpleNamespace(certifiers=certifiers, gateway=SimpleNamespace(tls=tls))
    return [materials for _, materials in build_certifiers(settings)]


def test_an_identity_certifier_gets_roots_crls_and_our_identity(pki):
    (materials,) = build(identity(pki))
    assert materials.roots == tuple(x509.load_pem_x509_certificates(pki.root.read_bytes()))
    assert len(materials.crls) == len(materials.relay_identity.responders) == 1
    assert (materials.relay_identity.cp_code, materials.relay_identity.certificate) == (
        "RELAY1",
        pki.identity("ucpid-relay").certificate,
    )
    assert "private_key" not in repr(materials.relay_identity)


def test_an_e_signature_provider_gets_secret_and_tls(secret, ours):
    (materials,) = build(signature(secret, ca=ours.client_ca), tls=ours)
    assert materials.client_secret == "s3cret"
    assert materials.context.verify_mode is ssl.CERT_REQUIRED
    assert "s3cret" not in repr(materials)


def test_our_key_may_come_from_the_environment(secret, ours, monkeypatch):
    monkeypatch.setenv("OUR_KEY", Path(ours.private_key.removeprefix("file:")).read_text())
    ours = ours.model_copy(update={"private_key": "env:OUR_KEY"})
    assert build(signature(secret, ca=ours.client_ca), tls=ours)[0].context is not None


def test_tls_without_our_certificate_verifies_the_server_only(secret, ours):
    assert build(signature(secret, ca=ours.client_ca))[0].context is not None


def test_a_leased_line_needs_no_tls(secret):
    assert build(signature(secret, base_url="http://ca.example"))[0].context is None


def test_certifiers_keep_the_order_of_the_settings(pki, secret):
    first, second = build(identity(pki), signature(secret, base_url="http://ca.example"))
    assert (type(first).__name__, type(second).__name__) == ("IdentityCredentials", "SignatureCredentials")


@pytest.mark.parametrize("name", ["certificate", "responder", "roots", "crls"])
@pytest.mark.parametrize(("content", "words"), [(None, "No such file"), ("garbage", "holds no")])
def test_a_file_that_cannot_be_used_is_named(pki, tmp_path, name, content, words):
    file = tmp_path / "wrong.pem"
    if content:
        file.write_text(content)
    with pytest.raises(CredentialError, match=words) as caught:
        build(identity(pki, **{name: (str(file),) if name in {"roots", "crls"} else str(file)}))
    assert str(file) in str(caught.value)


def test_an_identity_key_other_than_rsa_is_refused(pki, tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    file = tmp_path / "ec.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(CredentialError, match=r"ec\.pem: holds no RSA key"):
        build(identity(pki, private_key=f"file:{file}"))


@pytest.mark.parametrize("content", ["garbage", "-----BEGIN X-----"])
def test_an_invalid_identity_key_is_named_and_not_shown(pki, tmp_path, content):
    (tmp_path / "key.pem").write_text(content)
    with pytest.raises(CredentialError, match=r"key\.pem: holds no RSA key") as caught:
        build(identity(pki, private_key=f"file:{tmp_path / 'key.pem'}"))
    assert content not in str(caught.value)


def test_an_identity_key_of_another_certificate_is_named(pki):
    with pytest.raises(CredentialError, match="key of another certificate"):
        build(identity(pki, certificate=str(pki.folder / "customer-1.pem")))


def test_an_e_signature_provider_over_tls_needs_its_ca(secret):
    with pytest.raises(CredentialError, match=r"signature\.ca is missing"):
        build(signature(secret))


def test_a_ca_that_cannot_be_read_is_named(secret, tmp_path):
    with pytest.raises(TlsError, match=r"none\.pem"):
        build(signature(secret, ca=str(tmp_path / "none.pem")))


def test_a_missing_client_secret_is_named(tmp_path):
    with pytest.raises(SecretMissing, match="none"):
        build(signature(f"file:{tmp_path / 'none'}", base_url="http://ca.example"))


def test_a_client_secret_that_is_not_utf_8_is_named(tmp_path):
    (tmp_path / "secret").write_bytes(b"\xff\xfe")
    with pytest.raises(CredentialError, match="is not UTF-8 text"):
        build(signature(f"file:{tmp_path / 'secret'}", base_url="http://ca.example"))
