"""Sandboxes as processes."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

SANDBOX = [sys.executable, "-m", "mydata_sandbox", "run", "--dir", "sandbox"]
ANY_PORT = ["--gateway-port", "0", "--admin-port", "0", "--pages-port", "0", "--control-port", "0"]


def start_sandbox(folder, *arguments):
    return subprocess.Popen([*SANDBOX, *ANY_PORT, *arguments], cwd=folder, stdout=subprocess.PIPE, text=True)


def stop_sandbox(process):
    process.terminate()
    process.communicate(timeout=20)


@pytest.fixture
def start(tmp_path):
    running = []

    def start_another(*arguments, folder=tmp_path):
        running.append(start_sandbox(folder, *arguments))
        return running[-1]

    yield start_another
    for process in running:
        stop_sandbox(process)


@pytest.fixture(scope="module")  # not longer: a running relay costs processor time
def for_programs(tmp_path_factory):
    """A sandbox that printed JSON."""
    folder = tmp_path_factory.mktemp("programs")
    process = start_sandbox(folder, "--json")
    yield SimpleNamespace(folder=folder, facts=json.loads(process.stdout.readline()))
    stop_sandbox(process)


@pytest.fixture(scope="session")
def start_sandbox_in():
    """Starts `mydata-sandbox run` in a folder."""
    return start_sandbox
