"""Names of gateways, and which of them belong to ended processes."""

import os
import subprocess
import sys

from relay.infra.quota.gateway_names import build_gateway_name, find_ended


def test_each_name_is_new():
    assert build_gateway_name() != build_gateway_name()


def test_ended_processes_of_this_machine_are_found():
    own = build_gateway_name()
    host, own_id = own.split(":")[:2]
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    ended = [f"{host}:{process.pid}:00000000", f"{host}:{own_id}:00000000"]
    others = [own, f"{host}:{os.getppid()}:00000000", f"other:{process.pid}:00000000", f"{host}:x:00000000", "a", ""]
    assert find_ended([*ended, *others], own) == ended


def test_a_name_without_a_machine_finds_nothing():
    assert find_ended(["a", "b", ":1:2"], "a") == []
