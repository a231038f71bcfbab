"""`relay serve` says why it cannot, and stops when it is told to."""

import re
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import yaml
from click.testing import CliRunner

from relay.runtime.cli import main
from relay.sandbox.street import build


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    built = build(tmp_path_factory.mktemp("built"), datetime.now(UTC))
    built.close()
    return built


@pytest.fixture
def street(built, tmp_path):
    """The street's folder, to be spoilt by each test."""
    folder = shutil.copytree(built.folder, tmp_path / "street")
    return replace(built, folder=folder, settings=folder / "relay.yaml")


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
    values = yaml.safe_load(street.settings.read_text())
    values["admin"]["port"] = -1
    values["tokens"]["leeway"] = 1
    street.settings.write_text(yaml.safe_dump(values, allow_unicode=True))
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
        ("certs/token-dev-es256.pub.pem", "token-dev-es256.pub.pem: no public key in PEM"),
    ],
)
def test_a_file_that_is_none_of_its_kind_is_named_in_one_line(street, file, words):
    (street.folder / file).write_text("Zq7marker")
    (said,) = refused("-c", street.settings)
    assert said.startswith("relay: ")
    assert words in said
    assert "Zq7marker" not in said


@pytest.mark.parametrize("door", ["gateway", "admin"])
def test_a_port_that_is_taken_is_one_line_and_no_traceback(street, door):
    port = street.gateway_port if door == "gateway" else street.admin_port
    with socket.create_server(("127.0.0.1", port)):
        process = serve(street)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 2
    (line,) = said.splitlines()
    assert line.startswith("relay: ")
    assert "address already in use" in line.lower()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_it_is_told_to(street, number):
    with serve(street) as process:
        ready = process.stderr.readline()
        assert re.search(rf"ready: ports \[{street.gateway_port}\], admin {street.admin_port}, 11 institutions", ready)
        process.send_signal(number)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "stopped with 0 calls in flight" in said
    assert "Traceback" not in said


def test_it_stops_with_its_parent_when_it_is_asked_to(street):
    with serve(street, "--until-stdin-closes") as process:
        assert "ready" in process.stderr.readline()
        process.stdin.close()
        process.stdin = None
        _, said = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "stopped with 0 calls in flight" in said


def test_help_tells_of_signals():
    answer = CliRunner().invoke(main, ["serve", "--help"])
    assert answer.exit_code == 0
    assert "HUP takes the settings anew" in answer.output
