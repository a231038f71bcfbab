"""Names of gateways, and which of them belong to ended processes."""

import os
import subprocess
import sys

from relay.infra.quota import gateway_names
from relay.infra.quota.gateway_names import RESTARTED_S, build_gateway_name, find_ended

SILENT_S = RESTARTED_S + 1


def find(names, own, silent_s=SILENT_S):
    return find_ended(dict.fromkeys(names, silent_s), own)


def test_each_name_is_new():
    assert build_gateway_name() != build_gateway_name()


def test_ended_processes_of_this_machine_are_found():
    own = build_gateway_name()
    place, own_id, _ = own.rsplit(":", 2)
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    ended = [f"{place}:{process.pid}:00000000", f"{place}:{own_id}:00000000"]
    others = [own, f"{place}:{os.getppid()}:00000000", f"other:{process.pid}:00000000", f"{place}:x:00000000", "a", ""]
    assert find([*ended, *others], own, 0.0) == ended


def test_a_name_without_a_machine_finds_nothing():
    assert find(["a", "b", ":1:2", "::1:2"], "a") == find(["a", "::1:2"], "::1:3") == []


def test_a_machine_of_the_same_host_name_is_another_one(monkeypatch, tmp_path):
    (tmp_path / "boot_id").write_text("0123abcd-0000")
    own = build_gateway_name()
    monkeypatch.setattr(gateway_names, "BOOT_ID", tmp_path / "boot_id")
    assert find([build_gateway_name()], own) == []


def test_a_running_container_of_the_same_host_name_stays():
    own = "host:boot:11:1:00000000"
    beside, elsewhere = "host:boot:22:1:00000000", "host:boot:22:999999999:00000000"
    assert find([beside, elsewhere], own, RESTARTED_S) == []
    assert find([beside, elsewhere], own) == [beside]  # a restarted container, or one that is cut off


def test_without_proc_no_process_is_found(monkeypatch, tmp_path):
    monkeypatch.setattr(gateway_names, "BOOT_ID", tmp_path / "missing")
    assert find([build_gateway_name()], build_gateway_name()) == []
