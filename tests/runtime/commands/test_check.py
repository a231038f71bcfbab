"""Tests of `relay check`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from relay.runtime.cli import main

ROOT = Path(__file__).parents[3]


def run(*args, env=None):
    return CliRunner().invoke(main, ["check", *map(str, args)], env=env)


def test_the_repositorys_own_settings_are_valid(monkeypatch):
    monkeypatch.chdir(ROOT)
    answer = run()
    files = list((ROOT / "config/providers").glob("*.yaml"))
    assert answer.exit_code == 0
    assert answer.output.startswith(f"ok: {len(files)} providers, operators from the portal, plan ")
    assert answer.output.count("\n") == 1


def test_operators_of_a_file_are_counted(folder):
    assert run("-c", folder.path).output.startswith("ok: 1 provider, 2 operators, plan ")


def test_problems_are_one_line_each_and_exit_2(folder):
    folder.put("relay.yaml", "admin.port", -1)
    folder.put("providers/bank.yaml", "industry", "x")
    answer = run("-c", folder.path)
    assert answer.exit_code == 2
    first, second = answer.output.splitlines()
    assert first == f"{folder.path}: admin.port: is too small; expected: a whole number from 0 to 65535"
    assert second.startswith(
        f"{folder.root}/providers/bank.yaml: industry: is not one of the choices; expected: one of bank, "
    )


def test_machines_get_a_list(folder):
    good = run("-c", folder.path, "--json")
    assert (good.exit_code, json.loads(good.output)) == (0, [])
    folder.put("relay.yaml", "admin.port", -1)
    bad = run("-c", folder.path, "--json")
    assert bad.exit_code == 2
    assert json.loads(bad.output) == [
        {
            "file": str(folder.path),
            "key": "admin.port",
            "wrong": "is too small",
            "allowed": "a whole number from 0 to 65535",
        }
    ]


def test_missing_settings_are_one_line(tmp_path):
    answer = run("-c", tmp_path / "relay.yaml")
    assert answer.exit_code == 2
    assert answer.output == f"{tmp_path}/relay.yaml: does not exist; expected: a YAML file\n"


def test_certificates_are_opened_with_files_only(folder):
    assert run("-c", folder.path).exit_code == 0
    answer = run("-c", folder.path, "--files")
    assert answer.exit_code == 2
    assert len(answer.output.splitlines()) == 6


def test_environment_variables_apply(folder):
    answer = run("-c", folder.path, env={"RELAY__ADMIN__PORT": "x"})
    assert answer.output.startswith("environment: RELAY__ADMIN__PORT: ")


@pytest.mark.parametrize("place", ["gateway.tls.private_key", "gateway.tls"])
@pytest.mark.parametrize("flags", [[], ["--json"], ["--files"]])
def test_a_secret_in_the_settings_is_never_printed(folder, place, flags):
    folder.put("relay.yaml", place, "Zq7marker")
    answer = run("-c", folder.path, *flags)
    assert answer.exit_code == 2
    assert "Zq7marker" not in answer.output


def test_a_secret_of_the_environment_is_never_printed(folder):
    folder.put("relay.yaml", "gateway.tls.private_key", "env:K")
    assert "Zq7marker" not in run("-c", folder.path, "--files", env={"K": "Zq7marker"}).output


def test_help_has_examples():
    assert "relay check -c /etc/relay/relay.yaml --files" in run("--help").output
