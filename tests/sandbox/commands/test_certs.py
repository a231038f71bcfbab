import json

import pytest
from click.testing import CliRunner
from mydata_sandbox.commands.certs import command


@pytest.fixture
def run(tmp_path):
    def call(*arguments):
        return CliRunner().invoke(command, ["dev", "--dir", str(tmp_path / "certs"), *arguments])

    return call


def test_created_certificates_are_printed_as_json(run):
    rows = json.loads(run("--json", "--days", "2").output)
    assert len(rows) == 28
    assert {"relay", "CA", "foreign CA", "provider bank", "token key EdDSA"} <= {row["who"] for row in rows}


def test_created_certificates_are_printed_as_a_table(run):
    assert "SERIALNUMBER" in run().output


def test_a_narrow_terminal_folds_names_of_files(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    output = run().output
    assert "…" not in output
    assert max(map(len, output.splitlines())) <= 40


def test_existing_certificates_are_kept_without_force(run):
    run()
    refused = run()
    assert refused.exit_code == 1
    assert "--force" in refused.output
    assert run("--force").exit_code == 0
