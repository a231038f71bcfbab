"""Tests of the problems that `relay check --files` reports."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from relay.infra.tokens.key_folder import add_key
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.key_files import find_file_problems

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())


def certificate(begins=-1, days=30):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay")])
    start = NOW + timedelta(days=begins)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(KEY.public_key())
    builder = builder.serial_number(1).not_valid_before(start).not_valid_after(start + timedelta(days=days))
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def private(key=KEY, password=None):
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


@pytest.fixture
def valid(folder):
    (folder.root / "certs").mkdir()
    for name in ("relay.pem", "ca.pem", "bank.pem"):
        folder.write(f"certs/{name}", certificate())
    folder.write("certs/relay.key", private())
    folder.write("certs/customers.key", b"A" * 44)
    add_key(folder.root / "certs" / "token-keys", "one", 0)
    return folder


def problems_of(folder):
    problems = find_file_problems(folder.path, load_settings(folder.path, {}), NOW)
    return [str(problem).replace(f"{folder.root}/", "") for problem in problems]


def test_valid_files_have_no_problems(valid):
    assert problems_of(valid) == []


def test_missing_files_are_all_named(folder):
    assert [line.split(": ")[1] for line in problems_of(folder)] == [
        "gateway.tls.certificate",
        "gateway.tls.private_key",
        "gateway.tls.client_ca",
        "tokens.keys",
        "ledger.customer_keys[0].key",
        "ca",
    ]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        (
            "relay.pem",
            b"x",
            "relay.yaml: gateway.tls.certificate: the file certs/relay.pem holds none; expected: a certificate, PEM",
        ),
        ("relay.key", b"x", "relay.yaml: gateway.tls.private_key: holds no private key; expected: a private key, PEM"),
        (
            "relay.key",
            private(password=b"pw"),
            "relay.yaml: gateway.tls.private_key: is encrypted; expected: a private key without a password, PEM",
        ),
        (
            "relay.key",
            private(OTHER),
            (
                "relay.yaml: gateway.tls.private_key: does not match the certificate; "
                "expected: the key the certificate was made for"
            ),
        ),
        (
            "token-keys/jwks.json",
            b"{}",
            (
                "relay.yaml: tokens.keys: certs/token-keys/jwks.json is not a set of public keys with kid and alg: "
                "'keys'; expected: a folder with jwks.json, made by relay keys rotate"
            ),
        ),
        (
            "ca.pem",
            certificate(begins=-40),
            (
                "relay.yaml: gateway.tls.client_ca: CN=relay expired 2026-02-19; "
                "expected: a certificate that is valid today"
            ),
        ),
        (
            "bank.pem",
            certificate(begins=2),
            "providers/bank.yaml: ca: CN=relay begins 2026-03-03; expected: a certificate that is valid today",
        ),
    ],
)
def test_a_wrong_file_is_reported(valid, name, content, line):
    valid.write(f"certs/{name}", content)
    assert problems_of(valid) == [line]


def test_the_access_log_needs_an_existing_folder(valid):
    valid.put("relay.yaml", "access_log.path", "logs/a.log")
    assert problems_of(valid) == [
        "relay.yaml: access_log.path: its folder does not exist; expected: a file in a folder that exists"
    ]
    (valid.root / "logs").mkdir()
    assert problems_of(valid) == []
    valid.put("relay.yaml", "access_log.path", "logs")
    assert problems_of(valid) == ["relay.yaml: access_log.path: is a folder; expected: stdout or a file"]


@pytest.mark.parametrize(
    ("key", "target", "wrong"),
    [
        ("authority.socket", "run/a.sock", "the folder run does not exist"),
        ("authority.socket", "relay.yaml/a.sock", "relay.yaml is not a folder"),
        ("statistics.spool", "relay.yaml/spool", "relay.yaml is not a folder"),
    ],
)
def test_socket_and_spool_need_a_folder(valid, key, target, wrong):
    valid.put("relay.yaml", key, target)
    (problem,) = problems_of(valid)
    assert problem.startswith(f"relay.yaml: {key}: ")
    assert wrong in problem.replace(f"{valid.root}/", "")


def test_the_socket_of_several_workers_needs_a_folder(valid):
    valid.put("relay.yaml", "gateway.socket", "run/g.sock")
    assert problems_of(valid) == []
    valid.put("relay.yaml", "gateway.workers", "auto")
    (problem,) = problems_of(valid)
    assert problem.startswith("relay.yaml: gateway.socket: ")


def test_socket_and_spool_need_a_writable_folder(valid, monkeypatch):
    monkeypatch.setattr("os.access", lambda _path, _mode: False)
    assert [problem.partition("; ")[0] for problem in problems_of(valid)] == [
        f"relay.yaml: {key}: this user cannot write to the folder {valid.root}"
        for key in ("authority.socket", "statistics.spool")
    ]


def test_a_spool_that_will_be_made_is_no_problem(valid):
    valid.put("relay.yaml", "statistics.spool", "new/spool")
    assert problems_of(valid) == []
