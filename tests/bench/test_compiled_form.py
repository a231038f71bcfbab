import os

import pytest
from harness.compiled_form import NotCompiled, build_compiled_form, count_compiled_modules
from harness.gateways import Gateway
from harness.layout import Ports
from harness.processes import NotStarted
from parts.session import check_form


def script_of(tmp_path, text):
    script = tmp_path / ".ci" / "compile"
    script.parent.mkdir()
    script.write_text(f"#!/bin/sh\n{text}\n")
    script.chmod(0o755)
    return script


def test_without_the_script_there_is_no_compiled_form(tmp_path):
    with pytest.raises(NotCompiled, match=r"there is no \.ci/compile"):
        build_compiled_form(tmp_path / ".ci" / "compile", tmp_path)


def test_the_reason_of_a_failed_build_is_the_output_of_the_script(tmp_path):
    script = script_of(tmp_path, "echo no compiler >&2; exit 3")
    with pytest.raises(NotCompiled, match="no compiler"):
        build_compiled_form(script, tmp_path)


def test_a_build_without_a_package_is_refused(tmp_path):
    with pytest.raises(NotCompiled, match="made no"):
        build_compiled_form(script_of(tmp_path, "true"), tmp_path / "compiled")


def test_a_build_returns_the_last_line_of_the_script(tmp_path):
    script = script_of(tmp_path, "mkdir -p compiled/relay; echo building; echo up to date")
    assert build_compiled_form(script, tmp_path / "compiled") == "up to date"


def test_a_process_that_runs_another_form_than_its_label_is_refused(monkeypatch):
    pid, ports = os.getpid(), Ports(1, 2, 3, 4)
    monkeypatch.setattr("parts.session.count_compiled_modules", lambda _: 0)
    check_form(Gateway("relay", ports, []), pid)
    check_form(Gateway("nginx_lua", ports, []), pid)
    with pytest.raises(NotStarted, match="relay_compiled runs with 0 compiled modules"):
        check_form(Gateway("relay_compiled", ports, []), pid)
    monkeypatch.setattr("parts.session.count_compiled_modules", lambda _: 40)
    check_form(Gateway("relay_compiled_idle", ports, []), pid)
    with pytest.raises(NotStarted):
        check_form(Gateway("relay_2_workers", ports, []), pid)


def test_only_files_of_the_compiled_form_count(monkeypatch, tmp_path):
    modules = [f"{tmp_path}/relay/wire/head.so", f"{tmp_path}/relay/wire/head.so", "/usr/lib/libc.so"]
    maps = "".join(f"7f-8f r-xp 0 fd:00 1    {path}\n" for path in modules) + "7f-8f rw-p 0 00:00 0\n"
    monkeypatch.setattr("harness.compiled_form.COMPILED", tmp_path)
    monkeypatch.setattr("harness.compiled_form.Path.read_text", lambda *_, **__: maps)
    assert count_compiled_modules(1) == 1
