"""Tests of `relay conform` against an institution of the sandbox on another thread."""

import asyncio
import json
import threading
from pathlib import Path

import pytest
from aiohttp import web
from click.testing import CliRunner
from mydata_sandbox.institution.provider import Provider
from mydata_sandbox.world.ci import CUSTOMER_BY_CI
from mydata_sandbox.world.handlers import DATA_HANDLERS

from relay.policy.conformance.rules import RULES
from relay.runtime.cli import main
from relay.standard.catalogue import load_catalogue

FIRST, SECOND, *_ = CUSTOMER_BY_CI
CONFIG = Path(__file__).parents[4] / "config/relay.yaml"


def run(*arguments):
    return CliRunner().invoke(main, ["conform", *arguments])


@pytest.fixture(scope="module")
def port():
    """The port of a bond institution."""
    loop, started = asyncio.new_event_loop(), threading.Event()
    ports = []

    async def serve():
        app = Provider("ZBDA000001", "bond", load_catalogue(), DATA_HANDLERS).application()
        runner = web.AppRunner(app, access_log=None, auto_decompress=False)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        ports.append(runner.addresses[0][1])
        started.set()
        await stop.wait()
        await runner.cleanup()

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    started.wait()
    yield ports[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


@pytest.fixture
def server(port):
    """The options that name the institution."""
    return (
        "--base-url",
        f"http://127.0.0.1:{port}",
        "--industry",
        "bond",
        "--org-code",
        "ZBDA000001",
        "--rate",
        "1000",
    )


@pytest.fixture
def customer(tmp_path):
    (tmp_path / "ci.txt").write_text(f"{FIRST}\n")
    return ("--customer", f"file:{tmp_path}/ci.txt")


def test_a_right_institution_is_clean(server, customer, tmp_path):
    files = ("--junit", str(tmp_path / "report.xml"), "--html", str(tmp_path / "report.html"))
    answer = run(*server, *customer, "--second-customer", SECOND, "--only", "BD01", "--only", "BD02", *files)
    assert (answer.exit_code, "적합: 위반한 규칙이 없습니다" in answer.stdout) == (0, True)
    assert "[2/4] BD01" in answer.stderr
    assert (tmp_path / "report.xml").read_text().startswith("<?xml")
    assert "</html>" in (tmp_path / "report.html").read_text()
    assert FIRST not in answer.output + (tmp_path / "report.html").read_text()


def test_a_broken_rule_fails(server, customer):
    wrong = ["ZBDA000009" if option == "ZBDA000001" else option for option in server]
    answer = run(*wrong, *customer, "--only", "success", "--lang", "en")
    assert (answer.exit_code, "not clean: 1 broken rules" in answer.stdout) == (1, True)


def test_machines_get_an_object(server, customer):
    answer = run(*server, *customer, "--only", "BD01", "--json")
    report = json.loads(answer.stdout)
    assert (answer.exit_code, report["result"], report["org_code"]) == (0, "clean", "ZBDA000001")


def test_an_institution_of_the_settings_is_tested(folder, port, customer):
    folder.write("providers/bond.yaml", f"""
org_code: ZBDA000001
name: Bond
industry: bond
link: leased_line
base_urls: ["http://127.0.0.1:{port}"]
apis: {{left_out: [BD03]}}
""")  # fmt: skip
    answer = run("ZBDA000001", "-c", str(folder.path), *customer, "--only", "BD03", "--rate", "1000", "--json")
    report = json.loads(answer.stdout)
    assert {outcome["state"] for outcome in report["outcomes"] if outcome["api_code"]} == {"not_applicable"}
    assert answer.exit_code == 0


def test_a_missing_server_could_not_run(customer):
    address = ("--base-url", "http://127.0.0.1:1", "--industry", "bond", "--org-code", "ZBDA000001")
    answer = run(*address, *customer)
    assert (answer.exit_code, "no connection (refused); try `relay probe`" in answer.stderr) == (2, True)


def test_a_missing_adapter_could_not_run(customer):
    answer = run("ZBAC000001", "-c", str(CONFIG), *customer)
    assert (answer.exit_code, "start `relay serve --role adapter`" in answer.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("ZBAA000001",), "--customer is missing"),
        (("--customer", "a b"), "a CI is expected"),
        (("--customer", "env:NO_SUCH_VARIABLE"), "NO_SUCH_VARIABLE is not set"),
        (("--customer", "a", "--second-customer", "a"), "another customer"),
        (("--customer", "a"), "give ORG_CODE of the settings, or --base-url"),
        (("--customer", "a", "--only", "nothing"), "no such rule or API"),
        (("ZBAA000001", "--customer", "a", "--industry", "bank"), "--industry: not with ORG_CODE"),
        (("ZBAA000009", "-c", str(CONFIG), "--customer", "a"), "no institution of"),
        (("ZBAA000001", "-c", str(CONFIG), "--customer", "a", "--base-url", "http://b"), "ZBAA000001 has https://"),
        (("ZBAA000001", "-c", "none.yaml", "--customer", "a"), "none.yaml"),
    ],
)
def test_what_cannot_be_used_is_named(arguments, reason):
    answer = run(*arguments)
    assert answer.exit_code == 2
    assert reason in answer.output


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--base-url", "ftp://a", "--org-code", "ZBAA000001"), "a URL is expected"),
        (("--base-url", "http://a", "--org-code", "1"), "10 letters or digits"),
        (("--base-url", "https://a", "--org-code", "ZBAA000001", "--certificate", __file__), "belong together"),
        (("--base-url", "http://a", "--org-code", "ZBAA000001", "--ca", __file__), "https:// is expected"),
        (("--base-url", "https://a", "--org-code", "ZBAA000001", "--ca", __file__), "expected: a certificate"),
    ],
)
def test_options_of_a_server_are_checked(options, reason):
    answer = run("--customer", "a", "--industry", "bank", *options)
    assert (answer.exit_code, reason in answer.output) == (2, True)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_rules_are_listed(language):
    lines = run("--list", "--lang", language).output.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == list(RULES)
    assert [row["rule"] for row in json.loads(run("--list", "--json").output)] == list(RULES)


def test_an_interrupted_test_is_not_a_broken_rule(server, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("relay.runtime.commands.conform.conform.run_conformance", interrupt)
    result = run(*server, "--customer", FIRST)
    assert result.exit_code == 2
    assert "interrupted" in result.stderr


def test_reports_and_progress_are_in_english(server):
    result = run(*server, "--customer", FIRST, "--rate", "1000", "--lang", "en")
    identifiers = {api.api_id for api in load_catalogue().iter_apis("bond")}
    text = result.stdout + result.stderr
    for each in identifiers:
        text = text.replace(each, "")
    assert text.isascii()


def test_rules_are_listed_in_english():
    assert run("--list", "--lang", "en").stdout.isascii()
