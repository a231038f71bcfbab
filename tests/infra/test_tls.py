import ssl
import sys
from datetime import UTC, datetime

import pytest

from relay.infra.tls import FollowedContext, TlsError, client_context, serial_of, server_context
from relay.sandbox.certificates import Authority
from relay.wire.tls_records import BoundedTls


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
