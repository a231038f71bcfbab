import ssl
import sys
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from relay.infra.upstream.tls import FollowedContext, TlsError, client_context, serial_of, server_context
from relay.sandbox.certificates import Authority
from relay.wire.tls_records import BoundedTls, RecordsExceeded


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certs")
    authority = Authority.make(folder, "ca", "CA", datetime.now(UTC))
    return authority.issue("one", serial_number="999-81-00001")


@pytest.fixture(scope="module")
def ca(pair):
    return str(pair.certificate.with_name("ca.pem"))


def subject(*pairs):
    return {"subject": tuple((one,) for one in pairs)}


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
def test_the_serial_is_the_subjects_and_only_when_there_is_one(certificate, serial):
    assert serial_of(certificate) == serial


def test_a_listener_takes_1_3_alone_and_asks_for_a_certificate(pair, ca):
    context = server_context(str(pair.certificate), str(pair.private_key), ca)
    assert (context.minimum_version, context.verify_mode) == (ssl.TLSVersion.TLSv1_3, ssl.CERT_REQUIRED)
    assert (context.num_tickets, bool(context.options & ssl.OP_NO_TICKET)) == (0, True)


def test_a_listener_without_client_ca_asks_for_none(pair):
    assert server_context(str(pair.certificate), str(pair.private_key), None).verify_mode == ssl.CERT_NONE


def test_toward_an_institution_its_ca_alone_is_trusted_and_its_name_checked(pair, ca):
    context = client_context(ca, str(pair.certificate), str(pair.private_key))
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert len(context.get_ca_certs()) == 1


def test_records_without_data_are_bounded_on_either_side(pair, ca):
    files = str(pair.certificate), str(pair.private_key)
    contexts = server_context(*files, ca), server_context(*files, None), client_context(ca, *files)
    assert all(issubclass(context.sslobject_class, BoundedTls) for context in contexts)


@pytest.mark.parametrize("which", ["certificate", "private_key", "client_ca"])
def test_a_file_that_cannot_be_used_is_named(pair, ca, which, tmp_path):
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    files = {"certificate": str(pair.certificate), "private_key": str(pair.private_key), "client_ca": ca}
    for wrong in (str(empty), str(tmp_path / "nowhere.pem")):
        named = files["certificate"] if which == "private_key" else wrong
        with pytest.raises(TlsError, match=named):
            server_context(*(files | {which: wrong}).values())


def test_a_followed_context_hands_over_to_the_one_that_is_current(pair, ca):
    first = server_context(str(pair.certificate), str(pair.private_key), ca)
    followed = FollowedContext(first)
    assert followed.listening() is first
    second = server_context(str(pair.certificate), str(pair.private_key), ca)
    followed.current = second
    inside = shaken(followed, ca, pair)
    assert inside.context is second


def shaken(followed, ca, pair, told=b"localhost"):
    """The listener's side after a ClientHello that asks for the name `told`."""
    client = client_context(ca, str(pair.certificate), str(pair.private_key))
    buffers = [ssl.MemoryBIO() for _ in range(4)]
    outside = client.wrap_bio(buffers[0], buffers[1], server_hostname="localhost")
    inside = followed.listening().wrap_bio(buffers[2], buffers[3], server_side=True)
    with pytest.raises(ssl.SSLWantReadError):
        outside.do_handshake()
    buffers[2].write(buffers[1].read().replace(b"localhost", told))
    with pytest.raises(ssl.SSLWantReadError):
        inside.do_handshake()
    return inside


def test_a_server_name_that_is_not_ascii_writes_no_traceback(pair, ca, monkeypatch):
    written = []
    monkeypatch.setattr(sys, "unraisablehook", written.append)
    followed = FollowedContext(server_context(str(pair.certificate), str(pair.private_key), ca))
    shaken(followed, ca, pair, b"local\xff\xed\x95t")
    assert written == []


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """Makes the files of a peer whose certificate and `others` behind it, of 2 KB each, no CA has signed."""
    folder = tmp_path_factory.mktemp("stranger")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    filling = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.32473.1"), bytes(1800))
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    signed = builder.add_extension(filling, critical=False).sign(key, hashes.SHA256())
    one = signed.public_bytes(serialization.Encoding.PEM)
    private = folder / "key.pem"
    no_passphrase = serialization.NoEncryption()
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_passphrase))

    def make(others):
        certificate = folder / f"{others}.pem"
        certificate.write_bytes(one * (1 + others))
        return str(certificate), str(private)

    return make


def shake_hands(server, client):
    """Shake hands in memory until it is done; raises what ends it, on either side."""
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
def test_a_caller_with_too_many_certificates_is_cut_unread(pair, ca, stranger, others, error):
    calling = ssl.create_default_context(cafile=ca)
    calling.check_hostname = False
    calling.load_cert_chain(*stranger(others))
    with pytest.raises(error):
        shake_hands(server_context(str(pair.certificate), str(pair.private_key), ca), calling)


@pytest.mark.parametrize(("others", "error"), [(10, ssl.SSLCertVerificationError), (40, RecordsExceeded)])
def test_a_server_with_too_many_certificates_is_cut_unread(ca, stranger, others, error):
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(*stranger(others))
    with pytest.raises(error):
        shake_hands(serving, client_context(ca, None, None))
