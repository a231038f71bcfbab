"""Imports go down only, and the tool that says so would say if they did not."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest


def lint(place):
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def copy(root, tmp_path):
    shutil.copytree(root / "relay", tmp_path / "relay", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_is_kept(root):
    answer = lint(root)
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize(
    ("room", "leans_on"),
    [
        ("domain", "relay.policy"),
        ("domain", "relay.standard"),
        ("policy", "relay.wire"),
        ("standard", "relay.infra"),
        ("gateway", "relay.infra"),
        ("admin", "relay.gateway"),
        ("sandbox", "relay.infra"),
        ("infra", "relay.runtime"),
    ],
)
def test_a_room_that_leans_the_wrong_way_is_found(copy, room, leans_on):
    (copy / "relay" / room / "wrong.py").write_text(f"import {leans_on}\n")
    answer = lint(copy)
    assert answer.returncode == 1
    assert f"relay.{room}.wrong -> {leans_on}" in answer.stdout


def test_a_room_on_no_floor_is_found(copy):
    room = copy / "relay" / "attic"
    room.mkdir()
    (room / "__init__.py").touch()
    assert lint(copy).returncode == 1


def test_the_floors_are_the_ones_the_architecture_page_draws(root):
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "floors")
    page = (root / "docs" / "design" / "architecture.md").read_text()
    assert " → ".join(layers) in page
