import json

import pytest
from click.testing import CliRunner

from relay.runtime.commands.certs import command


@pytest.fixture
def run(tmp_path):
    def call(*arguments):
        return CliRunner().invoke(command, ["dev", "--dir", str(tmp_path / "certs"), *arguments])

    return call


def test_what_was_made_is_told_as_json(run):
    rows = json.loads(run("--json", "--days", "2").output)
    assert len(rows) == 28
    assert {"relay", "CA", "foreign CA", "provider bank", "token key EdDSA"} <= {row["who"] for row in rows}


def test_what_was_made_is_told_as_a_table(run):
    assert "SERIALNUMBER" in run().output


def test_a_second_time_is_refused_and_names_the_way_out(run):
    run()
    refused = run()
    assert refused.exit_code == 1
    assert "--force" in refused.output
    assert run("--force").exit_code == 0
