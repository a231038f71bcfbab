"""Tests of `relay providers`."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from click.testing import CliRunner

from relay.infra.records.metrics import Metrics, RelayCollector
from relay.policy.answers.answer_rules import Verdict
from relay.policy.answers.rules import Rule, Violation
from relay.policy.settings.model import AdminSettings
from relay.runtime.cli import main
from relay.runtime.commands.providers.providers import build_admin_url

CODE = "ZBAA000001"
LONGEST = "trans_list[].int_list[].applied_int_amt"
BANK = f"""
org_code: {CODE}
name: 가온저축은행
industry: bank
link: leased_line
base_urls: ["http://127.0.0.1:1"]
"""


def build_text():
    metrics = Metrics(())
    for _ in range(1234):
        metrics.answers.record(CODE, "BA23", Verdict((Violation(Rule.CODE_STATUS, LONGEST),), unknown_code="77777"))
    metrics.answers.record(CODE, "BA01", Verdict((), style="account_cnt"))
    return b"".join(RelayCollector(metrics, dict, dict, dict, {}).write())


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/metrics" else 404)
        self.end_headers()
        self.wfile.write(build_text())

    def log_message(self, *_):
        """Prints nothing."""


@pytest.fixture
def url():
    """The URL of an admin port with counts of one institution."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def settings(folder):
    folder.write("providers/bank.yaml", BANK)
    return str(folder.path)


def run(*arguments):
    return CliRunner().invoke(main, ["providers", *arguments])


def test_institutions_are_listed_with_their_answers(settings, url):
    answer = run("list", "-c", settings, "--url", url)
    lines = [line.split() for line in answer.output.splitlines()]
    assert answer.exit_code == 0
    assert lines[0] == ["org_code", "industry", "answers", "checked", "broken", "name"]
    assert lines[1] == [CODE, "bank", "sample", "1235", "1234", "가온저축은행"]


def test_the_broken_rules_of_an_institution_are_shown(settings, url):
    answer = run("show", CODE, "-c", settings, "--url", f"{url}/")
    lines = answer.output.splitlines()
    assert answer.exit_code == 0
    assert "codes     unknown to the standard: 77777 (1234)" in lines
    rows = [line.split() for line in lines]
    assert ["BA23", "1234", "code_status", LONGEST] in rows
    assert ["BA01", "1", "style", "account_cnt"] in rows
    assert "code_status  the HTTP status is not that of the rsp_code" in lines
    assert [line for line in lines if len(line) > 80] == []


def test_an_institution_whose_answers_break_no_rule_says_so(folder, url):
    folder.write("providers/bank.yaml", BANK.replace(CODE, "ZBAA000002") + "answers: all\n")
    answer = run("show", "ZBAA000002", "-c", str(folder.path), "--url", url)
    assert (answer.exit_code, "no rule broken" in answer.output) == (0, True)
    assert "answers   all\nchecked   0\nbroken    0\n" in answer.output


def test_machines_get_json(settings, url):
    (row,) = json.loads(run("list", "-c", settings, "--url", url, "--json").output)
    shown = json.loads(run("show", CODE, "-c", settings, "--url", url, "--json").output)
    assert row.items() <= shown.items()
    assert shown["apis"] == [
        {"api_code": "BA01", "checked": 1, "broken": 0},
        {"api_code": "BA23", "checked": 1234, "broken": 1234},
    ]
    assert shown["rules"][1] == {
        "api_code": "BA23", "rule": "code_status", "field": LONGEST, "answers": 1234,
        "meaning": "the HTTP status is not that of the rsp_code",
    }  # fmt: skip
    assert shown["unknown_codes"] == {"77777": 1234}


@pytest.mark.parametrize("arguments", [["list"], ["show", CODE]])
def test_a_gateway_that_does_not_answer_is_named(settings, arguments):
    answer = run(*arguments, "-c", settings, "--url", "http://127.0.0.1:1")
    assert answer.exit_code == 1
    assert CODE in answer.output
    assert "no counts: http://127.0.0.1:1/metrics: " in answer.output


def test_an_unknown_institution_is_named(settings):
    answer = run("show", "ZBAA000009", "-c", settings)
    assert (answer.exit_code, "ZBAA000009: no institution of" in answer.output) == (2, True)


def test_settings_that_cannot_be_read_are_named(tmp_path):
    answer = run("list", "-c", str(tmp_path / "none.yaml"))
    assert (answer.exit_code, "none.yaml" in answer.output) == (2, True)


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:9090"),
        ("0.0.0.0", "http://127.0.0.1:9090"),
        ("::", "http://[::1]:9090"),
        ("admin.test", "http://admin.test:9090"),
    ],
)
def test_the_admin_port_is_that_of_the_settings(address, url):
    assert build_admin_url(AdminSettings(address=address)) == url


def test_help_has_examples():
    assert "relay providers show ZBAA000001 --json" in run("--help").output
