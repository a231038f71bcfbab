"""Tests of `relay serve` with an institution that speaks telegrams: the adapter is one of its processes."""

import json
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from fixtures.telegram_core import TELEGRAMS

from relay.infra.authority.unix_listener import get_listening_pid
from relay.runtime.cli import main

SAVINGS = {
    "org_code": "ZBAC000001",
    "name": "Savings",
    "industry": "bank",
    "speaks": "telegram",
    "link": "leased_line",
    "apis": {"left_out": ["IR01", "IR02", "IR03", "IR04"]},
    "core": {"addresses": ["127.0.0.1:1"]},
}


@pytest.fixture
def environment(environment):
    """An environment with a prepared ledger and an institution that speaks telegrams."""
    content = yaml.safe_load(environment.settings.read_text())
    content["authority"]["socket"], content["adapter"]["socket"] = "authority.sock", "adapter.sock"
    environment.settings.write_text(yaml.safe_dump(content, allow_unicode=True))
    (environment.folder / "providers/savings.yaml").write_text(yaml.safe_dump(SAVINGS))
    shutil.copytree(TELEGRAMS, environment.folder / "providers/savings/telegrams")
    assert CliRunner().invoke(main, ["migrate", "-c", str(environment.settings)]).exit_code == 0
    return environment


@contextmanager
def serve(environment, *arguments):
    """Runs `relay serve`; kills it when the block fails, since the end of a Popen waits without limit."""
    command = [sys.executable, "-m", "relay", "serve", "-c", str(environment.settings), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def read_until(process, words):
    """Reads the log up to a line with these words; returns what was read."""
    lines = []
    for line in process.stderr:
        lines.append(line)
        if words in line:
            return "".join(lines)
    raise AssertionError(f"no line with {words}:\n{''.join(lines)}")


def read_readiness(environment):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{environment.admin_port}/readyz") as answer:
            return json.load(answer)["missing"]
    except urllib.error.HTTPError as error:
        return json.load(error)["missing"]


def test_the_adapter_is_a_child_that_stops_after_the_gateway(environment):
    socket = environment.folder / "adapter.sock"
    with serve(environment) as process:
        log = read_until(process, "gateway ready")
        assert log.index("adapter ready: socket=") < log.index("gateway ready")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert str(get_listening_pid(str(socket))) in children
        assert len(children) == 3
        assert read_readiness(environment) == []
        process.terminate()
        log = process.communicate(timeout=20)[1]
    assert process.returncode == 0
    assert log.index("gateway stopped") < log.index("adapter stopped")
    assert "Traceback" not in log
    assert not socket.exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_the_adapter_starts_when_a_reload_needs_it_first(environment, workers):
    content = yaml.safe_load(environment.settings.read_text())
    content["gateway"]["workers"] = workers
    environment.settings.write_text(yaml.safe_dump(content, allow_unicode=True))
    institution = environment.folder / "providers/savings.yaml"
    institution.rename(institution.with_suffix(".later"))
    with serve(environment) as process:
        assert "adapter ready" not in read_until(process, "gateway ready")
        institution.with_suffix(".later").rename(institution)
        process.send_signal(signal.SIGHUP)
        read_until(process, "adapter ready: socket=")
        process.terminate()
        log = process.communicate(timeout=20)[1]
    assert process.returncode == 0
    assert log.index("gateway stopped") < log.index("adapter stopped")
    assert "Traceback" not in log


def test_the_adapter_runs_alone(environment):
    with serve(environment, "--role", "adapter") as process:
        read_until(process, "adapter ready")
        process.terminate()
        log = process.communicate(timeout=20)[1]
    assert process.returncode == 0
    assert "adapter stopped" in log
    assert "Traceback" not in log


def test_problems_of_layouts_prevent_the_start(environment):
    (environment.folder / "providers/savings/telegrams/BA04.yaml").unlink()
    answer = CliRunner().invoke(main, ["serve", "-c", str(environment.settings)])
    assert answer.exit_code == 2
    assert "link.yaml: has no file for BA04, which the institution offers" in answer.stderr
