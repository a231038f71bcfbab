"""Tests of `relay serve`: errors at the start, signals, stop."""

import base64
import os
import re
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
from itertools import islice

import pytest
import yaml
from click.testing import CliRunner

from relay.infra.authority.unix_listener import get_listening_pid
from relay.runtime.cli import main

GATEWAY_OR_AUTHORITY = ["gateway", pytest.param("authority", marks=pytest.mark.full)]
"""Roles with the same checks at the start."""


@pytest.fixture(scope="module")
def built(built):
    """An environment whose ledger is prepared."""
    assert CliRunner().invoke(main, ["migrate", "-c", str(built.settings)]).exit_code == 0
    return built


@pytest.fixture
def environment(environment):
    """A copy of the environment for each test to break."""
    put(environment, "authority", socket="authority.sock")
    return environment


def put(environment, section, **values):
    content = yaml.safe_load(environment.settings.read_text())
    content[section] |= values
    environment.settings.write_text(yaml.safe_dump(content, allow_unicode=True))


def run_and_fail(*arguments):
    answer = CliRunner().invoke(main, ["serve", *map(str, arguments)])
    assert answer.exit_code == 2
    return answer.stderr.splitlines()


def serve(environment, *arguments):
    command = [sys.executable, "-m", "relay", "serve", "-c", str(environment.settings), *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_all_problems_of_the_settings_are_printed(environment):
    bank = environment.folder / "providers" / "bank.yaml"
    bank.write_text(bank.read_text().replace("industry: bank", "industry: bakery"))
    put(environment, "admin", port=-1)
    put(environment, "tokens", leeway=1)
    stderr = "\n".join(run_and_fail("-c", environment.settings))
    assert len(stderr.splitlines()) == 3
    for key in ("admin.port: ", "tokens.leeway: ", "bank.yaml: industry: "):
        assert key in stderr


def test_missing_settings_are_one_line(tmp_path):
    assert run_and_fail("-c", tmp_path / "relay.yaml") == [
        f"{tmp_path}/relay.yaml: does not exist; expected: a YAML file"
    ]


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("certs/relay.key.pem", "with its private key"),
        ("certs/relay.pem", "relay.pem"),
        ("certs/ca.pem", "ca.pem"),
        ("certs/token-keys/jwks.json", "jwks.json is not a set of public keys"),
        ("certs/customers.key", "customer_keys[0].key"),
    ],
)
def test_an_unusable_file_is_named_in_one_line(environment, file, words):
    (environment.folder / file).write_text("Zq7marker")
    (stderr,) = run_and_fail("--role", "gateway", "-c", environment.settings)
    assert stderr.startswith("relay: ")
    assert words in stderr
    assert "Zq7marker" not in stderr


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("certs/token-keys/jwks.json", "jwks.json is not a set of public keys"),
        ("certs/customers.key", "customer_keys[0].key"),
        ("certs/certifier/customers-ca.pem", "customers-ca.pem"),
        ("certs/certifier/ucpid-relay.key.pem", "holds no RSA key"),
    ],
)
def test_the_authority_names_an_unusable_file_in_one_line(environment, file, words):
    (environment.folder / file).write_text("Zq7marker")
    (stderr,) = run_and_fail("--role", "authority", "-c", environment.settings)
    assert stderr.startswith("relay: ")
    assert words in stderr
    assert "Zq7marker" not in stderr


@pytest.mark.parametrize(("role", "listener"), [("gateway", "gateway"), ("gateway", "admin"), ("authority", "pages")])
def test_a_taken_port_is_one_line_and_no_traceback(environment, role, listener):
    port = getattr(environment, f"{listener}_port")
    with socket.create_server(("127.0.0.1", port)):
        process = serve(environment, "--role", role)
        _, stderr = process.communicate(timeout=20)
    assert process.returncode == 2
    (line,) = stderr.splitlines()
    assert line.startswith("relay: ")
    assert "address already in use" in line.lower()


def test_a_socket_that_cannot_be_made_names_its_setting(environment):
    put(environment, "authority", socket="no/a.sock")
    (stderr,) = run_and_fail("--role", "authority", "-c", environment.settings)
    assert stderr.startswith("relay: authority.socket: ")
    assert "[Errno" not in stderr


@pytest.mark.parametrize("role", ["all", *GATEWAY_OR_AUTHORITY])
def test_a_missing_ledger_is_refused_with_a_remedy(environment, role):
    (environment.folder / "ledger.db").unlink()
    process = serve(environment, "--role", role)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "relay migrate" in stderr
    assert "Traceback" not in stderr
    assert not (environment.folder / "authority.sock").exists()


@pytest.mark.parametrize("role", GATEWAY_OR_AUTHORITY)
@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://127.0.0.1:1/x", "refused"),
        ("postgresql:///x?host=/nowhere", "no such file or directory"),
        ("sqlite:sandbox.json", "file is not a database"),
    ],
)
def test_an_unreachable_ledger_is_one_line(environment, role, url, words):
    put(environment, "ledger", url=url)
    (stderr,) = run_and_fail("--role", role, "-c", environment.settings)
    assert stderr.startswith("relay: the ledger does not answer (")
    assert words in stderr.lower()
    assert stderr.endswith("check that its database runs and accepts the relay, or correct ledger.url")


@pytest.mark.parametrize("role", GATEWAY_OR_AUTHORITY)
def test_another_customer_key_under_a_known_kid_is_refused(environment, role):
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    (environment.folder / "certs" / "customers.key").write_text(key)
    (stderr,) = run_and_fail("--role", role, "-c", environment.settings)
    assert stderr.startswith(
        "relay: the customer key 'dev-1' is not the one of that name which the ledger knows: bring"
    )
    assert key not in stderr


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
def test_with_all_roles_a_problem_is_printed_once(environment, ledger, words):
    put(environment, "ledger", **ledger)
    _, stderr = serve(environment).communicate(timeout=30)
    (line,) = stderr.splitlines()
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
def test_new_and_missing_customer_keys_are_named(environment, role, keys, words):
    put(environment, "ledger", customer_keys=[{"kid": kid, "key": "file:certs/customers.key"} for kid in keys])
    (stderr,) = run_and_fail("--role", role, "-c", environment.settings)
    assert words in stderr


@pytest.mark.parametrize("role", ["gateway", "authority", "jobs"])
def test_an_older_ledger_is_refused_with_a_remedy(environment, role):
    connection = sqlite3.connect(environment.folder / "ledger.db")
    connection.executescript("UPDATE alembic_version SET version_num = '0001'")
    connection.close()
    (stderr,) = run_and_fail("--role", role, "-c", environment.settings)
    assert stderr == "relay: the ledger's tables are older than this relay: run `relay migrate -c relay.yaml`"


READY = {
    "all": r"gateway ready: ports=\[{gateway}\] admin_port={admin} institutions=11",
    "gateway": r"gateway ready: ports=\[{gateway}\] admin_port={admin} institutions=11",
    "authority": r"authority ready: socket=.*/authority.sock pages_port={pages}",
}


def until_ready(process, environment, role):
    """Returns stderr up to the line of readiness."""
    ports = {"gateway": environment.gateway_port, "admin": environment.admin_port, "pages": environment.pages_port}
    pattern, stderr = re.compile(READY[role].format(**ports)), ""
    for line in process.stderr:
        stderr += line
        if pattern.search(line):
            return stderr
    raise AssertionError(stderr)


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
def test_a_signal_stops_it(environment, role, number):
    path = environment.folder / "authority.sock"
    with serve(environment, "--role", role) as process:
        stderr = until_ready(process, environment, role)
        assert path.exists() is (role != "gateway")
        process.send_signal(number)
        stderr += process.communicate(timeout=20)[1]
    assert process.returncode == 0
    assert ("gateway stopped: calls_in_flight=0" in stderr) is (role != "authority")
    assert ("authority stopped" in stderr) is (role != "gateway")
    assert "Traceback" not in stderr
    assert not path.exists()


@pytest.mark.parametrize("role", ["all", pytest.param("authority", marks=pytest.mark.full)])
def test_it_stops_when_standard_input_closes(environment, role):
    with serve(environment, "--role", role, "--until-stdin-closes") as process:
        until_ready(process, environment, role)
        process.stdin.close()
        process.stdin = None
        _, stderr = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "authority stopped" in stderr


def applied_settings(process):
    return (line for line in process.stderr if "settings applied: " in line)


def test_sighup_is_passed_on_to_child_processes(environment):
    with serve(environment) as process:
        stderr = until_ready(process, environment, "all")
        if "jobs ready" not in stderr:
            next(line for line in process.stderr if "jobs ready" in line)
        put(environment, "tokens", leeway_s=7)
        process.send_signal(signal.SIGHUP)
        lines = [*islice(applied_settings(process), 3)]
        process.terminate()
        process.communicate(timeout=20)
    roles = [re.search(r"role=(\w+)", line).group(1) for line in lines]
    assert sorted(roles) == ["authority", "gateway", "jobs"]


def test_a_stale_authority_does_not_disturb_its_successor(environment):
    lock = environment.folder / "authority.sock.lock"
    with serve(environment) as first:
        until_ready(first, environment, "all")
        stale = int(lock.read_text())
        os.kill(stale, signal.SIGSTOP)  # it notices nothing and keeps its socket
        first.kill()
        first.wait(timeout=20)
    with serve(environment) as second:
        stderr = next(line for line in second.stderr if "unix socket in use" in line)
        assert f"pid={stale}" in stderr
        os.kill(stale, signal.SIGCONT)
        until_ready(second, environment, "all")
        assert int(lock.read_text()) == get_listening_pid(str(environment.folder / "authority.sock")) != stale
        second.terminate()
        assert second.wait(timeout=20) == 0


@pytest.mark.parametrize(
    "role", ["all", *(pytest.param(role, marks=pytest.mark.full) for role in ("gateway", "authority", "jobs"))]
)
def test_a_sighup_before_readiness_is_a_reload_later(environment, role):
    former = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])  # as `relay` blocks it at its start
    try:
        process = serve(environment, "--role", role)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
    with process:
        process.send_signal(signal.SIGHUP)
        assert next(applied_settings(process))
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0


def test_help_names_the_signals():
    answer = CliRunner().invoke(main, ["serve", "--help"])
    assert answer.exit_code == 0
    assert "HUP reloads settings" in answer.output
