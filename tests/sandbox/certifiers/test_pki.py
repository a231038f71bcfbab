from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from mydata_sandbox.certifiers.pki import SigningIdentity, make_certifier_pki
from mydata_sandbox.world.model import CUSTOMERS


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return make_certifier_pki(tmp_path_factory.mktemp("sandbox") / "pki", datetime.now(UTC))


def list_identities(pki):
    customers = [pki.customer(customer) for customer in CUSTOMERS]
    return [*customers, pki.identity("ucpid-relay"), pki.identity("ucpid-responder")]


def test_certificates_are_issued_by_the_customers_ca(pki):
    root = x509.load_pem_x509_certificate(pki.root.read_bytes())
    for identity in list_identities(pki):
        identity.certificate.verify_directly_issued_by(root)
        assert identity.certificate.public_key() == identity.private_key.public_key()


def test_certificates_resemble_those_of_accredited_cas(pki):
    for identity in list_identities(pki):
        usage = identity.certificate.extensions.get_extension_for_class(x509.KeyUsage)
        assert usage.critical
        assert usage.value.digital_signature
        assert usage.value.content_commitment
        assert isinstance(identity.private_key, rsa.RSAPrivateKey)
        with pytest.raises(x509.ExtensionNotFound):
            identity.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)


def test_each_customer_has_a_different_certificate(pki):
    names = {pki.customer(customer).certificate.subject.rfc4514_string() for customer in CUSTOMERS}
    assert len(names) == len(CUSTOMERS)


def test_the_revocation_list_is_empty(pki):
    crl = x509.load_pem_x509_crl(pki.crl.read_bytes())
    root = x509.load_pem_x509_certificate(pki.root.read_bytes())
    assert crl.is_signature_valid(root.public_key())
    assert list(crl) == []


def test_only_the_owner_can_read_keys(pki):
    keys = list(pki.folder.glob("*.key.pem"))
    assert len(keys) == len(CUSTOMERS) + 3
    assert {key.stat().st_mode & 0o777 for key in keys} == {0o600}
    assert pki.relay_key in keys


def test_the_pki_can_be_made_again_in_the_same_folder(tmp_path):
    first = make_certifier_pki(tmp_path, datetime.now(UTC)).identity("ucpid-responder").certificate
    assert make_certifier_pki(tmp_path, datetime.now(UTC)).identity("ucpid-responder").certificate != first


def test_a_key_of_another_kind_is_an_error(pki, tmp_path):
    (tmp_path / "x.pem").write_bytes(pki.root.read_bytes())
    key = ed25519.Ed25519PrivateKey.generate()
    (tmp_path / "x.key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(TypeError, match="holds no RSA or EC key"):
        SigningIdentity.load(tmp_path, "x")


def test_a_private_key_is_not_printed(pki):
    assert "private_key" not in repr(pki.customer(CUSTOMERS[0]))
