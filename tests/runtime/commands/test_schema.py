"""Tests of `relay schema`."""

import json

import pytest
from click.testing import CliRunner

from relay.runtime.cli import main


@pytest.mark.parametrize(("name", "key"), [("relay", "gateway"), ("provider", "base_urls"), ("directory", "operators")])
def test_a_schema_describes_its_file(name, key):
    answer = CliRunner().invoke(main, ["schema", name])
    schema = json.loads(answer.output)
    assert answer.exit_code == 0
    assert key in schema["properties"]
    assert schema["additionalProperties"] is False


def test_an_unknown_file_lists_the_choices():
    answer = CliRunner().invoke(main, ["schema", "portal"])
    assert answer.exit_code == 2
    assert "'relay', 'provider', 'directory'" in answer.output
