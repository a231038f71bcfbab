"""`relay serve` says why it cannot, and stops when it is told to."""

import base64
import os
import re
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

import pytest
import yaml
from click.testing import CliRunner

from relay.infra.authority.unix_listener import listening_pid
from relay.runtime.cli import main
from relay.sandbox.street import build

GATEWAY_OR_AUTHORITY = ["gateway", pytest.param("authority", marks=pytest.mark.full)]
"""Roles whose start does the same."""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    built = build(tmp_path_factory.mktemp("built"), datetime.now(UTC))
    built.close()
    assert CliRunner().invoke(main, ["migrate", "-c", str(built.settings)]).exit_code == 0
    return built


@pytest.fixture
def street(built, tmp_path):
    """The street's folder, to be spoilt by each test."""
    folder = shutil.copytree(built.folder, tmp_path / "street")
    street = replace(built, folder=folder, settings=folder / "relay.yaml")
    put(street, "authority", socket="authority.sock")
    return street


def put(street, section, **values):
    found = yaml.safe_load(street.settings.read_text())
    found[section] |= values
    street.settings.write_text(yaml.safe_dump(found, allow_unicode=True))


def refused(*arguments):
    answer = CliRunner().invoke(main, ["serve", *map(str, arguments)])
    assert answer.exit_code == 2
    return answer.stderr.splitlines()


def serve(street, *arguments):
    command = [sys.executable, "-m", "relay", "serve", "-c", str(street.settings), *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_settings_with_problems_are_refused_with_all_of_them(street):
    bank = street.folder / "providers" / "bank.yaml"
    bank.write_text(bank.read_text().replace("industry: bank", "industry: bakery"))
    put(street, "admin", port=-1)
    put(street, "tokens", leeway=1)
    said = "\n".join(refused("-c", street.settings))
    assert len(said.splitlines()) == 3
    for key in ("admin.port: ", "tokens.leeway: ", "bank.yaml: industry: "):
        assert key in said


def test_settings_that_are_not_there_are_one_line(tmp_path):
    assert refused("-c", tmp_path / "relay.yaml") == [f"{tmp_path}/relay.yaml: does not exist, a YAML file"]


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("certs/relay.key.pem", "with its private key"),
        ("certs/relay.pem", "relay.pem"),
        ("certs/ca.pem", "ca.pem"),
        ("certs/token-keys/jwks.json", "jwks.json is no set of public keys"),
        ("certs/customers.key", "customer_keys[0].key"),
    ],
)
def test_a_file_that_is_none_of_its_kind_is_named_in_one_line(street, file, words):
    (street.folder / file).write_text("Zq7marker")
    (said,) = refused("--role", "gateway", "-c", street.settings)
    assert said.startswith("relay: ")
    assert words in said
    assert "Zq7marker" not in said


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("certs/token-keys/jwks.json", "jwks.json is no set of public keys"),
        ("certs/customers.key", "customer_keys[0].key"),
        ("certs/certifier/customers-ca.pem", "customers-ca.pem"),
        ("certs/certifier/ucpid-relay.key.pem", "holds no RSA key"),
    ],
)
def test_the_authority_names_a_file_that_is_none_of_its_kind_in_one_line(street, file, words):
    (street.folder / file).write_text("Zq7marker")
    (said,) = refused("--role", "authority", "-c", street.settings)
    assert said.startswith("relay: ")
    assert words in said
    assert "Zq7marker" not in said


@pytest.mark.parametrize(("role", "door"), [("gateway", "gateway"), ("gateway", "admin"), ("authority", "pages")])
def test_a_port_that_is_taken_is_one_line_and_no_traceback(street, role, door):
    port = getattr(street, f"{door}_port")
    with socket.create_server(("127.0.0.1", port)):
        process = serve(street, "--role", role)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 2
    (line,) = said.splitlines()
    assert line.startswith("relay: ")
    assert "address already in use" in line.lower()


@pytest.mark.parametrize("role", ["all", *GATEWAY_OR_AUTHORITY])
def test_a_ledger_that_was_never_made_is_refused_with_what_to_do(street, role):
    (street.folder / "ledger.db").unlink()
    process = serve(street, "--role", role)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "relay migrate" in said
    assert "Traceback" not in said
    assert not (street.folder / "authority.sock").exists()


@pytest.mark.parametrize("role", GATEWAY_OR_AUTHORITY)
@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://127.0.0.1:1/x", "refused"),
        ("postgresql:///x?host=/nowhere", "no such file or directory"),
        ("sqlite:street.json", "file is not a database"),
    ],
)
def test_a_ledger_that_does_not_answer_is_one_line(street, role, url, words):
    put(street, "ledger", url=url)
    (said,) = refused("--role", role, "-c", street.settings)
    assert said.startswith("relay: the ledger does not answer (")
    assert words in said.lower()
    assert said.endswith("see that its database runs and lets the relay in, or correct ledger.url")


@pytest.mark.parametrize("role", GATEWAY_OR_AUTHORITY)
def test_another_customer_key_of_a_known_name_is_refused_by_name(street, role):
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    (street.folder / "certs" / "customers.key").write_text(key)
    (said,) = refused("--role", role, "-c", street.settings)
    assert said.startswith("relay: the customer key 'dev-1' is not the one of that name which the ledger knows: bring")
    assert key not in said


@pytest.mark.parametrize(
    ("ledger", "words"),
    [
        ({"url": "postgresql://127.0.0.1:1/x"}, "relay: the ledger does not answer ("),
        (
            {"customer_keys": [{"kid": "dev-2", "key": "file:certs/customers.key"}]},
            "relay: the customer key 'dev-2' is",
        ),
    ],
)
def test_with_all_roles_what_is_wrong_is_said_once(street, ledger, words):
    put(street, "ledger", **ledger)
    _, said = serve(street).communicate(timeout=30)
    (line,) = said.splitlines()
    assert line.startswith(words)


@pytest.mark.parametrize("role", GATEWAY_OR_AUTHORITY)
@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (
            ["dev-1", "dev-2"],
            "the customer key 'dev-2' is new to the ledger: `relay migrate -c relay.yaml` introduces it",
        ),
        (["dev-2"], "the ledger knows the customer key 'dev-1', which is not among ledger.customer_keys: add it"),
    ],
)
def test_keys_that_the_ledger_does_not_know_or_misses_are_named(street, role, keys, words):
    put(street, "ledger", customer_keys=[{"kid": kid, "key": "file:certs/customers.key"} for kid in keys])
    (said,) = refused("--role", role, "-c", street.settings)
    assert words in said


@pytest.mark.parametrize("role", ["gateway", "authority", "jobs"])
def test_an_older_ledger_is_refused_with_what_to_do(street, role):
    connection = sqlite3.connect(street.folder / "ledger.db")
    connection.executescript("UPDATE alembic_version SET version_num = '0001'")
    connection.close()
    (said,) = refused("--role", role, "-c", street.settings)
    assert said == "relay: the ledger's tables are older than this relay: run `relay migrate -c relay.yaml`"


READY = {
    "all": r"ready: ports \[{gateway}\], admin {admin}, 11 institutions",
    "gateway": r"ready: ports \[{gateway}\], admin {admin}, 11 institutions",
    "authority": r"authority ready: .*/authority.sock, pages on port {pages}",
}


def until_ready(process, street, role):
    """Everything that was said until then."""
    ports = {"gateway": street.gateway_port, "admin": street.admin_port, "pages": street.pages_port}
    pattern, said = re.compile(READY[role].format(**ports)), ""
    for line in process.stderr:
        said += line
        if pattern.search(line):
            return said
    raise AssertionError(said)


@pytest.mark.parametrize(
    ("role", "number"),
    [
        ("all", signal.SIGTERM),
        pytest.param("all", signal.SIGINT, marks=pytest.mark.full),
        ("gateway", signal.SIGTERM),
        ("authority", signal.SIGINT),
        pytest.param("authority", signal.SIGTERM, marks=pytest.mark.full),
    ],
)
def test_it_stops_when_it_is_told_to(street, role, number):
    path = street.folder / "authority.sock"
    with serve(street, "--role", role) as process:
        said = until_ready(process, street, role)
        assert path.exists() is (role != "gateway")
        process.send_signal(number)
        said += process.communicate(timeout=20)[1]
    assert process.returncode == 0
    assert ("stopped with 0 calls in flight" in said) is (role != "authority")
    assert ("authority stopped" in said) is (role != "gateway")
    assert "Traceback" not in said
    assert not path.exists()


@pytest.mark.parametrize("role", ["all", pytest.param("authority", marks=pytest.mark.full)])
def test_it_stops_with_its_parent_when_it_is_asked_to(street, role):
    with serve(street, "--role", role, "--until-stdin-closes") as process:
        until_ready(process, street, role)
        process.stdin.close()
        process.stdin = None
        _, said = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "authority stopped" in said


def lines_of_plans(process):
    return (line for line in process.stderr if re.search(r"plan [0-9a-f]{12}( taken)?$", line))


def test_a_hangup_is_passed_on_to_the_others(street):
    with serve(street) as process:
        said = until_ready(process, street, "all")
        if "jobs ready" not in said:
            next(line for line in process.stderr if "jobs ready" in line)
        put(street, "tokens", leeway_s=7)
        process.send_signal(signal.SIGHUP)
        said = [*islice(lines_of_plans(process), 3)]
        process.terminate()
        process.communicate(timeout=20)
    assert sorted(word for line in said for word in ("authority took", "jobs took") if word in line) == [
        "authority took",
        "jobs took",
    ]


def test_an_authority_left_over_takes_nothing_from_its_successor(street):
    lock = street.folder / "authority.sock.lock"
    with serve(street) as first:
        until_ready(first, street, "all")
        left_over = int(lock.read_text())
        os.kill(left_over, signal.SIGSTOP)  # it neither hears of its gateway's end nor lets go
        first.kill()
        first.wait(timeout=20)
    with serve(street) as second:
        said = next(line for line in second.stderr if "unix socket in use" in line)
        assert f"pid={left_over}" in said
        os.kill(left_over, signal.SIGCONT)
        until_ready(second, street, "all")
        assert int(lock.read_text()) == listening_pid(str(street.folder / "authority.sock")) != left_over
        second.terminate()
        assert second.wait(timeout=20) == 0


@pytest.mark.parametrize(
    "role", ["all", *(pytest.param(role, marks=pytest.mark.full) for role in ("gateway", "authority", "jobs"))]
)
def test_a_hangup_before_it_is_ready_is_a_reload_once_it_is(street, role):
    former = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])  # as whoever starts it holds it back
    try:
        process = serve(street, "--role", role)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
    with process:
        process.send_signal(signal.SIGHUP)
        assert any(re.search(r"plan [0-9a-f]{12}( taken)?$", line) for line in process.stderr)
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0


def test_help_tells_of_signals():
    answer = CliRunner().invoke(main, ["serve", "--help"])
    assert answer.exit_code == 0
    assert "HUP takes the settings anew" in answer.output
