"""Checks that imports go down only, and that import-linter detects violations."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest


def lint(folder):
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{folder / 'sandbox'}"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def copy(root, tmp_path):
    for package in ("relay", "sandbox/mydata_sandbox"):
        shutil.copytree(root / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_is_kept(root):
    answer = lint(root)
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize(
    ("package", "imported"),
    [
        ("domain", "relay.policy"),
        ("domain", "relay.standard"),
        ("policy", "relay.wire"),
        ("standard", "relay.infra"),
        ("gateway", "relay.infra"),
        ("admin", "relay.gateway"),
        ("admin", "mydata_sandbox.world"),
        ("infra", "relay.runtime"),
        ("runtime.commands", "relay.gateway"),
    ],
)
def test_a_forbidden_import_is_detected(copy, package, imported):
    (copy / "relay" / package.replace(".", "/") / "wrong.py").write_text(f"import {imported}\n")
    answer = lint(copy)
    assert answer.returncode == 1
    assert f"relay.{package}.wrong -> {imported}" in answer.stdout


@pytest.mark.parametrize(
    ("package", "imported"),
    [
        ("checks", "relay.policy"),
        ("commands", "relay.runtime"),
        ("world", "mydata_sandbox.checks"),
        ("operator", "mydata_sandbox.environment"),
    ],
)
def test_a_forbidden_import_of_the_sandbox_is_detected(copy, package, imported):
    (copy / "sandbox" / "mydata_sandbox" / package / "wrong.py").write_text(f"import {imported}\n")
    answer = lint(copy)
    assert answer.returncode == 1
    assert f"mydata_sandbox.{package}.wrong -> {imported}" in answer.stdout


def test_a_package_outside_the_layers_is_detected(copy):
    package = copy / "relay" / "extra"
    package.mkdir()
    (package / "__init__.py").touch()
    assert lint(copy).returncode == 1


def test_the_layers_match_the_architecture_page(root):
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "floors")
    page = (root / "docs" / "design" / "architecture.md").read_text()
    assert " → ".join(layers) in page
