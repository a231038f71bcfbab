"""Tests of `relay apis`."""

import json

import pytest
from click.testing import CliRunner

from relay.runtime.commands.apis import command

KEYS = [
    "api_id", "api_code", "name", "name_en", "method", "path", "version", "industries", "later", "cycle", "scope",
    "period", "request", "response",
]  # fmt: skip


def run(*args):
    return CliRunner().invoke(command, list(args))


@pytest.fixture(scope="module")
def apis():
    return {api["api_id"]: api for api in json.loads(run("--json").stdout)}


def test_json_holds_the_91_apis_with_the_same_keys(apis):
    assert len(apis) == 91
    assert all(list(api) == KEYS for api in apis.values())


def test_json_keeps_korean_letters():
    assert "계좌 목록 조회" in run("--json").stdout


def test_json_has_all_parts_of_request_and_response(apis):
    parts = [list(api[message]) for api in apis.values() for message in ("request", "response")]
    assert all(names == ["header", "path", "query", "body"] for names in parts)


def test_json_describes_a_field_as_the_standard_does(apis):
    body = {field["name"]: field for field in apis["은행-004"]["response"]["body"]}
    assert body["next_page"] == {
        "name": "next_page", "type": "aNS", "length": 1000, "required": "C", "label": "다음 페이지 기준개체",
        "condition": "다음 페이지가 있을 때만",
    }  # fmt: skip
    members = {field["name"]: field for field in body["trans_list"]["fields"]}
    assert members["trans_amt"]["length"] == "18,3"
    assert members["currency_code"]["required"] is False
    assert members["trans_type"]["codes"]["01"] == "신규"


def test_json_has_paths_as_they_are_called(apis):
    assert apis["은행-004"]["path"] == "/v1/bank/accounts/deposit/transactions"
    assert apis["IRP-001"]["path"] == "/v1/{industry}/irps"
    assert apis["지원-101"]["path"] == "/mgmts/oauth/2.0/token"
    assert apis["지원-101"]["version"] is None
    assert apis["통신-003"]["period"]["scheduled_months"] == 3


def test_json_of_an_industry_has_its_current_apis():
    apis = json.loads(run("--json", "--industry", "bank").stdout)
    assert len(apis) == 16
    assert all("bank" in api["industries"] for api in apis)


def test_industries_add_up():
    apis = json.loads(run("--json", "--industry", "bond", "--industry", "p2p").stdout)
    assert {api["api_id"].rpartition("-")[0] for api in apis} == {"정보제공-공통", "채권", "P2P"}


def test_a_pipe_gets_one_line_for_each_api():
    lines = run().stdout.splitlines()
    assert len(lines) == 92
    assert lines[0].split() == ["api_id", "api_code", "name", "method", "path", "industries", "cycle", "scope"]
    (line,) = (line for line in lines if line.startswith("카드-009"))
    assert "/v1/card/cards/{card_id}/approval-overseas" in line
    assert "…" not in run().stdout


def test_the_table_of_an_industry_shows_later_apis():
    lines = [line for line in run("--industry", "bank").stdout.splitlines() if line.startswith("선불-")]
    assert len(lines) == 4
    assert all("bank (later)" in line for line in lines)


def test_an_unknown_industry_is_refused_with_the_choices():
    result = run("--industry", "bnk")
    assert result.exit_code == 2
    assert "'bnk' is not one of 'bank', 'card'" in result.stderr


def test_help_shows_examples():
    assert "relay apis --industry card --industry efin" in run("--help").stdout


@pytest.mark.parametrize(
    ("option", "key"), [("--openapi", "openapi"), ("--json-schema", "$defs"), ("--postman", "item")]
)
def test_a_document_is_json_with_korean_letters(option, key):
    result = run(option, "--industry", "bank")
    assert key in json.loads(result.stdout)
    assert "계좌 목록 조회" in result.stdout


def test_documents_of_an_industry_have_only_its_apis():
    document = json.loads(run("--openapi", "--industry", "p2p", "--industry", "bond").stdout)
    assert {path.removeprefix("/v1").split("/")[1] for path in document["paths"]} == {"p2p", "bond"}


def test_output_goes_to_a_file(tmp_path):
    file = tmp_path / "openapi.json"
    result = run("--openapi", "--output", str(file))
    assert (result.exit_code, result.stdout) == (0, "")
    assert file.read_text() == run("--openapi").stdout


def test_the_table_is_written_to_a_file_in_whole_lines(tmp_path):
    run("--output", str(tmp_path / "apis.txt"))
    assert (tmp_path / "apis.txt").read_text() == run().stdout


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    result = run("--json", "--output", str(tmp_path / "missing" / "apis.json"))
    assert result.exit_code == 1
    assert "missing/apis.json: No such file or directory" in result.stderr


def test_two_forms_at_once_are_refused():
    result = run("--json", "--openapi")
    assert result.exit_code == 2
    assert "give one of --json, --openapi, --json-schema and --postman" in result.stderr
