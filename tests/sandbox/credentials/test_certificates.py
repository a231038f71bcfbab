import ssl
import stat
from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from mydata_sandbox.credentials.authority import CertificateAuthority
from mydata_sandbox.credentials.certificates import make_dev_certificates
from mydata_sandbox.credentials.token_keys import ALGORITHMS

from relay.domain.ids import INDUSTRIES

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_dev_certificates(tmp_path_factory.mktemp("dev") / "certs", NOW)


def read(pair):
    return x509.load_pem_x509_certificate(pair.certificate.read_bytes())


def purposes(certificate):
    return set(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def serials(certificate):
    return [attribute.value for attribute in certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)]


def test_every_industry_has_a_provider_that_is_a_server_only(made):
    assert tuple(made.providers) == INDUSTRIES
    for pair in made.providers.values():
        assert purposes(read(pair)) == {ExtendedKeyUsageOID.SERVER_AUTH}


def test_the_relay_is_server_and_client_and_operators_are_clients(made):
    assert purposes(read(made.relay)) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    for operator in made.operators:
        assert purposes(read(operator)) == {ExtendedKeyUsageOID.CLIENT_AUTH}


def test_subjects_look_like_extended_validation(made):
    certificate = read(made.operators[0])
    oids = {attribute.oid for attribute in certificate.subject}
    assert {
        NameOID.SERIAL_NUMBER,
        NameOID.BUSINESS_CATEGORY,
        NameOID.JURISDICTION_COUNTRY_NAME,
        NameOID.ORGANIZATION_NAME,
        NameOID.COUNTRY_NAME,
        NameOID.COMMON_NAME,
    } == oids
    assert serials(certificate) == [made.operators[0].serial_number]
    assert isinstance(certificate.public_key().curve, ec.SECP256R1)


def test_certificates_name_loopback_and_their_keys(made):
    certificate = read(made.relay)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    issuer = x509.load_pem_x509_certificate(made.ca.read_bytes())
    assert (
        certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        == issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    )


def test_each_invalid_operator_has_one_defect(made):
    registered = made.operators[0].serial_number
    assert read(made.expired_operator).not_valid_after_utc < NOW
    assert read(made.future_operator).not_valid_before_utc > NOW
    assert serials(read(made.expired_operator)) == serials(read(made.future_operator)) == [registered]
    assert serials(read(made.serialless_operator)) == []
    assert made.unregistered_operator.serial_number not in {pair.serial_number for pair in made.operators}
    foreign_ca = x509.load_pem_x509_certificate(made.foreign_ca.read_bytes())
    read(made.foreign_operator).verify_directly_issued_by(foreign_ca)
    assert serials(read(made.foreign_operator)) == [registered]


def test_only_the_owner_can_read_private_keys(made):
    keys = sorted(made.folder.glob("*.key.pem"))
    assert len(keys) == 24
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    assert stat.S_IMODE(made.folder.stat().st_mode) == 0o700


def test_every_certificate_is_loaded_by_openssl_with_its_key(made):
    wrong = (made.foreign_operator, made.expired_operator, made.serialless_operator)
    for pair in chain([made.relay, made.portal], made.operators, made.providers.values(), made.certifiers, wrong):
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(pair.certificate, pair.private_key)


def test_each_algorithm_has_a_token_key(made):
    assert tuple(made.token_keys) == ALGORITHMS
    for algorithm, key in made.token_keys.items():
        assert key.kid == f"dev-{algorithm.lower()}"
        assert key.public_key.read_bytes().startswith(b"-----BEGIN PUBLIC KEY-----")


def test_certificates_are_not_overwritten_unless_forced(made):
    before = made.ca.read_bytes()
    with pytest.raises(FileExistsError):
        make_dev_certificates(made.folder, NOW)
    assert made.ca.read_bytes() == before


def test_force_overwrites_and_keeps_modes(tmp_path):
    first = make_dev_certificates(tmp_path, NOW)
    before = first.ca.read_bytes()
    second = make_dev_certificates(tmp_path, NOW, days=3, force=True)
    assert second.ca.read_bytes() != before
    assert read(second.relay).not_valid_after_utc == NOW + timedelta(days=3)
    assert stat.S_IMODE(second.relay.private_key.stat().st_mode) == 0o600


def test_a_loaded_ca_issues_certificates(made, tmp_path):
    pair = CertificateAuthority.load(made.folder).issue(
        "one more", serial_number="999-81-07777", stem="more", folder=tmp_path
    )
    certificate = read(pair)
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(made.ca.read_bytes()))
    assert pair.certificate == tmp_path / "more.pem"
    assert serials(certificate) == ["999-81-07777"]
