"""Certifiers of the settings with what they point at; whatever cannot be used is named with its file."""

import ssl
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from relay.infra.upstream.tls import TlsError
from relay.policy.settings.authority import Certifier
from relay.policy.settings.model import ServerTls
from relay.runtime.settings.secret_references import SecretMissing
from relay.runtime.wiring.certifiers import furnished
from relay.runtime.wiring.credentials import MaterialError
from relay.sandbox.certificates import Authority
from relay.sandbox.certifier_papers import make_certifier_papers


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    return make_certifier_papers(tmp_path_factory.mktemp("papers"), datetime.now(UTC))


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """The relay's own certificate and its CA."""
    authority = Authority.make(tmp_path_factory.mktemp("ca"), "ca", "CA", datetime.now(UTC))
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


def identity(papers, **changed):
    desk = {
        "host": "127.0.0.1",
        "port": 1,
        "cp_code": "RELAY1",
        "certificate": str(papers.relay),
        "private_key": f"file:{papers.relay_key}",
        "responder": str(papers.desk),
    }
    files = {"roots": (str(papers.root),), "crls": (str(papers.crl),)}
    files |= {name: changed.pop(name) for name in files if name in changed}
    return Certifier(ca_code="ZCAA000001", name="05", kind="identity", identity=desk | changed, **files)


def signature(secret, **changed):
    desk = {"base_url": "https://ca.example", "client_id": "relay1", "client_secret": secret} | changed
    return Certifier(ca_code="ZCAA000002", name="06", kind="signature", signature=desk)


def loaded(*certifiers, tls=None):
    settings = SimpleNamespace(certifiers=certifiers, gateway=SimpleNamespace(tls=tls))
    return [materials for _, materials in furnished(settings)]


def test_an_identity_certifier_gets_its_roots_lists_and_us(papers):
    (found,) = loaded(identity(papers))
    assert found.roots == tuple(x509.load_pem_x509_certificates(papers.root.read_bytes()))
    assert len(found.crls) == len(found.us.responders) == 1
    assert (found.us.cp_code, found.us.certificate) == ("RELAY1", papers.identity("ucpid-relay").certificate)
    assert "private_key" not in repr(found.us)


def test_an_e_signature_provider_gets_secret_and_tls(secret, ours):
    (found,) = loaded(signature(secret, ca=ours.client_ca), tls=ours)
    assert found.client_secret == "s3cret"
    assert found.context.verify_mode is ssl.CERT_REQUIRED
    assert "s3cret" not in repr(found)


def test_a_key_may_stand_in_the_environment(secret, ours, monkeypatch):
    monkeypatch.setenv("OUR_KEY", Path(ours.private_key.removeprefix("file:")).read_text())
    ours = ours.model_copy(update={"private_key": "env:OUR_KEY"})
    assert loaded(signature(secret, ca=ours.client_ca), tls=ours)[0].context is not None


def test_without_a_certificate_of_ours_tls_knows_the_other_side_alone(secret, ours):
    assert loaded(signature(secret, ca=ours.client_ca))[0].context is not None


def test_a_leased_line_needs_no_tls(secret):
    assert loaded(signature(secret, base_url="http://ca.example"))[0].context is None


def test_both_kinds_come_in_their_order(papers, secret):
    first, second = loaded(identity(papers), signature(secret, base_url="http://ca.example"))
    assert (type(first).__name__, type(second).__name__) == ("IdentityMaterials", "SignatureMaterials")


@pytest.mark.parametrize("name", ["certificate", "responder", "roots", "crls"])
@pytest.mark.parametrize(("content", "said"), [(None, "No such file"), ("garbage", "holds no")])
def test_a_file_that_cannot_be_used_is_named(papers, tmp_path, name, content, said):
    file = tmp_path / "wrong.pem"
    if content:
        file.write_text(content)
    with pytest.raises(MaterialError, match=said) as caught:
        loaded(identity(papers, **{name: (str(file),) if name in {"roots", "crls"} else str(file)}))
    assert str(file) in str(caught.value)


def test_only_rsa_opens_what_is_sealed(papers, tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    file = tmp_path / "ec.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(MaterialError, match=r"ec\.pem: holds no RSA key"):
        loaded(identity(papers, private_key=f"file:{file}"))


@pytest.mark.parametrize("content", ["garbage", "-----BEGIN X-----"])
def test_a_key_that_is_none_is_named_and_not_shown(papers, tmp_path, content):
    (tmp_path / "key.pem").write_text(content)
    with pytest.raises(MaterialError, match=r"key\.pem: holds no RSA key") as caught:
        loaded(identity(papers, private_key=f"file:{tmp_path / 'key.pem'}"))
    assert content not in str(caught.value)


def test_a_key_of_another_certificate_is_told(papers):
    with pytest.raises(MaterialError, match="key of another certificate"):
        loaded(identity(papers, certificate=str(papers.folder / "customer-1.pem")))


def test_an_e_signature_provider_over_tls_needs_its_ca(secret):
    with pytest.raises(MaterialError, match=r"signature\.ca is missing"):
        loaded(signature(secret))


def test_a_ca_that_cannot_be_read_is_named(secret, tmp_path):
    with pytest.raises(TlsError, match=r"none\.pem"):
        loaded(signature(secret, ca=str(tmp_path / "none.pem")))


def test_a_secret_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SecretMissing, match="none"):
        loaded(signature(f"file:{tmp_path / 'none'}", base_url="http://ca.example"))


def test_a_secret_that_is_no_text_is_named(tmp_path):
    (tmp_path / "secret").write_bytes(b"\xff\xfe")
    with pytest.raises(MaterialError, match="is no text"):
        loaded(signature(f"file:{tmp_path / 'secret'}", base_url="http://ca.example"))
