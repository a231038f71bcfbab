"""A relay that is started by hand, as `relay serve`, with the settings of the sandbox."""

import json
import shlex
import socket
import subprocess
import sys

import pytest
from click.testing import CliRunner
from mydata_sandbox.commands.demo import command as demo
from mydata_sandbox.commands.run import command as run

RIGHT = {"summary": {"calls": 148, "ok": 148}}


@pytest.fixture
def url():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"https://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def start(tmp_path):
    """Starts a process in the folder of the test."""
    processes = []

    def start_process(*arguments, **options):
        command = [sys.executable, "-m", *arguments]
        processes.append(subprocess.Popen(command, cwd=tmp_path, text=True, **options))
        return processes[-1]

    yield start_process
    for process in reversed(processes):
        process.terminate()
        process.communicate(timeout=20)


def start_relay(start, command):
    """Runs the printed commands: migrates the ledger and starts the relay."""
    migrate, serve = (shlex.split(line) for line in command)
    assert (migrate[:2], serve[:2]) == (["relay", "migrate"], ["relay", "serve"])
    assert start(*migrate, stdout=subprocess.DEVNULL).wait(timeout=60) == 0
    start(*serve, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_all_calls_are_right_at_a_relay_that_goes_on_running(start, url):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    arguments = ("mydata_sandbox", "demo", "--json", "--relay", url, "--dir", "here", "--wait", "60")
    first = start(*arguments, **pipes)
    explained = [first.stderr.readline() for _ in range(4)]
    start_relay(start, explained[1:3])
    output, messages = first.communicate(timeout=120)
    assert (json.loads(output.splitlines()[-1]), first.returncode) == (RIGHT, 0)
    assert messages.splitlines()[-1] == "The relay accepts the operator."
    second = start(*arguments, **pipes)
    output, _ = second.communicate(timeout=120)
    assert (json.loads(output.splitlines()[-1]), second.returncode) == (RIGHT, 0)


@pytest.mark.parametrize("command", [demo, run])
def test_a_relay_that_does_not_start_is_an_error(command, url, tmp_path):
    result = CliRunner().invoke(command, ["--relay", url, "--dir", str(tmp_path / "sandbox"), "--wait", "1"])
    assert result.exit_code == 1
    assert f"the relay at {url} did not accept the operator within 1 s: no connection" in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--relay", "http://127.0.0.1:9443"], "is not https://HOST:PORT"),
        (["--relay", "https://127.0.0.1:9443", "--address", "here"], "here is not an IP address"),
        (["--relay", "https://127.0.0.1:0"], "has port 0"),
        (["--relay", "https://127.0.0.1:99999"], "no port from 1 to 65535"),
        (["--address", "127.0.0.1"], "--address needs --relay"),
    ],
)
@pytest.mark.parametrize("command", [demo, run])
def test_options_that_do_not_fit_are_refused(command, arguments, words):
    result = CliRunner().invoke(command, arguments)
    assert (result.exit_code, words in result.output) == (2, True)


def test_the_port_of_a_given_relay_is_in_its_url():
    result = CliRunner().invoke(run, ["--relay", "https://127.0.0.1:9443", "--gateway-port", "9444"])
    assert (result.exit_code, "--gateway-port does not go with --relay" in result.output) == (2, True)


def test_another_relay_needs_another_folder(url, tmp_path):
    folder = str(tmp_path / "sandbox")
    CliRunner().invoke(demo, ["--relay", url, "--dir", folder, "--wait", "1"])
    for arguments in (["--relay", "https://127.0.0.1:1"], []):
        result = CliRunner().invoke(demo, [*arguments, "--dir", folder])
        assert result.exit_code == 1
        assert f"holds the sandbox for the relay at {url}: remove it or name another folder" in result.output
