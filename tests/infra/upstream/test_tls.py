import ssl
import sys
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from mydata_sandbox.credentials.authority import CertificateAuthority

from relay.infra.upstream.tls import (
    ReloadableContext,
    TlsError,
    build_client_context,
    build_server_context,
    expect_unexpired,
    get_serial_number,
)
from relay.wire.tls.bounded_tls import BoundedTls
from relay.wire.tls.errors import RecordsExceeded


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certs")
    authority = CertificateAuthority.make(folder, "ca", "CA", datetime.now(UTC))
    return authority.issue("one", serial_number="999-81-00001")


@pytest.fixture(scope="module")
def ca(pair):
    return str(pair.certificate.with_name("ca.pem"))


def subject(*pairs):
    return {"subject": tuple((pair,) for pair in pairs)}


@pytest.mark.parametrize(
    ("certificate", "serial"),
    [
        (subject(("commonName", "x"), ("serialNumber", "999-81-00001")), "9998100001"),
        (subject(("serialNumber", "  12 ab-3 ")), "12AB3"),
        (subject(("serialNumber", "999-81-00001\0")), ""),
        (subject(("serialNumber", "999-81-00001\n")), ""),
        (subject(("commonName", "9998100001")), ""),
        (subject(("serialNumber", "1"), ("serialNumber", "2")), ""),
        ({"subject": ((("serialNumber", "1"), ("serialNumber", "2")),)}, ""),
        ({"serialNumber": "0A"}, ""),
        ({}, ""),
        (None, ""),
    ],
)
def test_the_serial_is_the_only_serial_number_of_the_subject(certificate, serial):
    assert get_serial_number(certificate) == serial


def test_a_listener_requires_tls_1_3_and_a_client_certificate(pair, ca):
    context = build_server_context(str(pair.certificate), str(pair.private_key), ca)
    assert (context.minimum_version, context.verify_mode) == (ssl.TLSVersion.TLSv1_3, ssl.CERT_REQUIRED)
    assert (context.num_tickets, bool(context.options & ssl.OP_NO_TICKET)) == (0, True)


def test_a_listener_without_client_ca_requests_no_certificate(pair):
    assert build_server_context(str(pair.certificate), str(pair.private_key), None).verify_mode == ssl.CERT_NONE


def test_a_client_trusts_only_its_ca_and_checks_the_name(pair, ca):
    context = build_client_context(ca, str(pair.certificate), str(pair.private_key))
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert len(context.get_ca_certs()) == 1


def test_records_without_data_are_limited_on_both_sides(pair, ca):
    files = str(pair.certificate), str(pair.private_key)
    contexts = build_server_context(*files, ca), build_server_context(*files, None), build_client_context(ca, *files)
    assert all(issubclass(context.sslobject_class, BoundedTls) for context in contexts)


@pytest.mark.parametrize("which", ["certificate", "private_key", "client_ca"])
def test_an_unusable_file_is_named(pair, ca, which, tmp_path):
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    files = {"certificate": str(pair.certificate), "private_key": str(pair.private_key), "client_ca": ca}
    for unusable in (str(empty), str(tmp_path / "nowhere.pem")):
        named = files["certificate"] if which == "private_key" else unusable
        with pytest.raises(TlsError, match=named) as raised:
            build_server_context(*(files | {which: unusable}).values())
        words = (
            "cannot be read (No such file or directory)" if unusable.endswith("nowhere.pem") else "; expected: a cert"
        )
        assert words in str(raised.value)
        assert "[Errno" not in str(raised.value)


def test_an_expiry_check_names_a_file_without_a_certificate(tmp_path):
    half = tmp_path / "half.pem"
    half.write_text("-----BEGIN CERTIFICATE-----\nMIIB")
    with pytest.raises(TlsError) as raised:
        expect_unexpired(str(half), datetime.now(UTC))
    assert str(raised.value) == f"the file {half} holds none; expected: a certificate, PEM"


def test_a_handshake_uses_the_current_context(pair, ca):
    first = build_server_context(str(pair.certificate), str(pair.private_key), ca)
    followed = ReloadableContext(first)
    assert followed.get_context() is first
    second = build_server_context(str(pair.certificate), str(pair.private_key), ca)
    followed.current = second
    inside = receive_client_hello(followed, ca, pair)
    assert inside.context is second


def receive_client_hello(followed, ca, pair, server_name=b"localhost"):
    """Return the listener's side after a ClientHello with this server name."""
    client = build_client_context(ca, str(pair.certificate), str(pair.private_key))
    buffers = [ssl.MemoryBIO() for _ in range(4)]
    outside = client.wrap_bio(buffers[0], buffers[1], server_hostname="localhost")
    inside = followed.get_context().wrap_bio(buffers[2], buffers[3], server_side=True)
    with pytest.raises(ssl.SSLWantReadError):
        outside.do_handshake()
    buffers[2].write(buffers[1].read().replace(b"localhost", server_name))
    with pytest.raises(ssl.SSLWantReadError):
        inside.do_handshake()
    return inside


def test_a_server_name_that_is_not_ascii_writes_no_traceback(pair, ca, monkeypatch):
    written = []
    monkeypatch.setattr(sys, "unraisablehook", written.append)
    followed = ReloadableContext(build_server_context(str(pair.certificate), str(pair.private_key), ca))
    receive_client_hello(followed, ca, pair, b"local\xff\xed\x95t")
    assert written == []


@pytest.fixture(scope="module")
def unsigned_peer(tmp_path_factory):
    """Writes the files of a peer with a self-signed certificate of 2 KB, followed by `others` copies."""
    folder = tmp_path_factory.mktemp("unsigned_peer")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    filling = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.32473.1"), bytes(1800))
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    signed = builder.add_extension(filling, critical=False).sign(key, hashes.SHA256())
    pem = signed.public_bytes(serialization.Encoding.PEM)
    private = folder / "key.pem"
    no_passphrase = serialization.NoEncryption()
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_passphrase))

    def make(others):
        certificate = folder / f"{others}.pem"
        certificate.write_bytes(pem * (1 + others))
        return str(certificate), str(private)

    return make


def shake_hands(server, client):
    """Complete a handshake in memory. Raises the error of either side."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    waiting = set(ends)
    while waiting:
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.discard(end)


@pytest.mark.parametrize(("others", "error"), [(3, ssl.SSLCertVerificationError), (30, RecordsExceeded)])
def test_a_caller_with_too_many_certificates_is_cut_unread(pair, ca, unsigned_peer, others, error):
    calling = ssl.create_default_context(cafile=ca)
    calling.check_hostname = False
    calling.load_cert_chain(*unsigned_peer(others))
    with pytest.raises(error):
        shake_hands(build_server_context(str(pair.certificate), str(pair.private_key), ca), calling)


@pytest.mark.parametrize(("others", "error"), [(10, ssl.SSLCertVerificationError), (40, RecordsExceeded)])
def test_a_server_with_too_many_certificates_is_cut_unread(ca, unsigned_peer, others, error):
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(*unsigned_peer(others))
    with pytest.raises(error):
        shake_hands(serving, build_client_context(ca, None, None))
