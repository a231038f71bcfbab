import asyncio
import itertools
import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, parse_qsl, urlsplit

import aiohttp
import pytest
from mydata_sandbox.credentials.authority import CertificateFiles
from mydata_sandbox.customer.browser_client import BrowserClient, trust_only
from mydata_sandbox.institution.login import LOGINS
from mydata_sandbox.operator.client import open_session

LAST = "Stop: Ctrl-C\n"


@pytest.fixture(scope="module")
def for_people(tmp_path_factory, start_sandbox_in):
    """A sandbox that printed text; the wanted port of its pages was `taken`."""
    folder = tmp_path_factory.mktemp("people")
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        process = start_sandbox_in(folder, "--pages-port", str(taken))
        output = "".join(itertools.takewhile(lambda line: line != LAST, process.stdout))
    yield SimpleNamespace(folder=folder, taken=taken, output=output)
    process.terminate()
    process.communicate(timeout=20)


@pytest.fixture(scope="module")
def page():
    return (Path(__file__).parents[3] / "docs" / "reference" / "portal-sandbox.md").read_text()


def has_ended(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def log_in(facts):
    """Returns the redirect of the first customer after the printed page."""
    login_id, password = next(iter(facts["logins"].items()))
    async with BrowserClient(trust_only(Path(facts["ca"])), login_id, password) as browser:
        return urlsplit(await browser.consent(facts["page"]))


async def test_programs_use_the_sandbox_by_its_first_line(for_programs):
    facts = for_programs.facts
    assert facts["page"].startswith(facts["pages"] + "/")
    redirect = await log_in(facts)  # its consent revokes none of the printed tokens
    assert (redirect.path, sorted(parse_qs(redirect.query))) == ("/callback", ["api_tran_id", "code", "state"])
    code = facts["org_codes"]["bank"]
    operator = CertificateFiles(facts["certs"]["operator-1"], facts["keys"]["operator-1"], None)
    headers = {
        "Authorization": f"Bearer {facts['tokens'][code]}",
        "x-api-tran-id": "ZOPA000001M00000000000001",
        "x-api-type": "user-refresh",
    }
    url = f"{facts['gateway']}/v1/bank/accounts?org_code={code}&search_timestamp=0&limit=20"
    async with open_session(operator, facts["ca"]) as session, session.get(url, headers=headers) as answer:
        assert (answer.status, (await answer.json())["rsp_code"]) == (200, "00000")
    async with aiohttp.ClientSession() as session, session.get(facts["metrics"]) as answer:
        assert answer.status == 200


def test_every_printed_file_and_institution_exists(for_programs):
    facts = for_programs.facts
    assert set(facts["keys"]) == set(facts["certs"])
    assert all(Path(file).is_file() for kind in ("keys", "certs") for file in facts[kind].values())
    assert set(facts["tokens"]) == set(facts["org_codes"].values()) == set(facts["providers"])
    first = facts["operators"][0]
    assert first["client_ids"][0] == "ZOPA000001SVC01"
    assert len(first["client_secrets"]) == len(first["client_ids"])
    assert set(facts["customers"]) == set(facts["logins"])


def test_a_second_sandbox_in_the_same_folder_is_refused(for_programs, start):
    second = start("--json", folder=for_programs.folder)
    assert second.wait(timeout=20) == 1


@pytest.mark.full
def test_the_printed_curl_and_token_lines_work(for_people):
    curl, _ = (lines for lines in for_people.output.split("\n\n") if lines.startswith("curl "))
    answer = subprocess.run(["sh", "-c", curl], cwd=for_people.folder, capture_output=True, text=True, check=False)
    assert json.loads(answer.stdout)["rsp_code"] == "00000"
    (line,) = [line for line in for_people.output.splitlines() if line.startswith("More tokens: ")]
    more = ["sh", "-c", line.removeprefix("More tokens: ")]
    answer = subprocess.run(more, cwd="/", capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout.count(".")) == (0, 2)
    answer = subprocess.run(["sh", "-c", curl], cwd=for_people.folder, capture_output=True, text=True, check=False)
    assert json.loads(answer.stdout)["rsp_code"] == "00000"  # the first token is still valid


@pytest.mark.full
def test_institutions_and_logins_are_printed(for_people):
    assert "ZBAA000001  bank     가온상호저축은행" in for_people.output
    assert "Log in as garam with garam-1985" in for_people.output
    assert "narae narae-1992, daon daon-1971" in for_people.output


@pytest.mark.full
def test_a_port_that_is_taken_is_noted_and_replaced(for_people):
    note, *others = [line for line in for_people.output.splitlines() if line.startswith("note: ")]
    assert note.startswith(f"note: port {for_people.taken} is taken, the pages listens on ")
    assert others == []


async def test_the_portal_is_controlled_by_its_control_api(for_programs):
    facts = for_programs.facts
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{facts['control']}/") as answer:
            assert (answer.status, "13 through_relay" in await answer.text()) == (200, True)
        async with session.post(f"{facts['control']}/call/102?org_code={facts['org_codes']['bank']}") as answer:
            result = await answer.json(content_type=None)
    assert (result["call"].get("why", []), result["response"]["rsp_code"]) == ([], "00000")
    assert facts["portal"].startswith("https://127.0.0.1:")


@pytest.mark.full
def test_curl_lines_of_the_manual_work(start, page):
    """They change the sandbox, so it is a separate one."""
    facts = json.loads(start("--json").stdout.readline())
    lines = [line.removeprefix("curl ") for line in page.splitlines() if line.startswith("curl ")]
    assert len(lines) > 10
    for line in lines:
        command = "curl -s -w '%{http_code}' " + line.replace("http://127.0.0.1:18091", facts["control"])
        result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
        statuses = {"200", "400"} if "/compare" in line else {"200"}  # 400: the relay has sent no statistics yet
        assert result.returncode == 0, line
        assert result.stdout[-3:] in statuses, line


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.full), signal.SIGTERM])
def test_stopping_is_success_and_stops_the_relay(start, number):
    process = start("--json")
    facts = json.loads(process.stdout.readline())
    process.send_signal(number)
    assert process.wait(timeout=20) == 0
    assert has_ended(facts["pid"])


@pytest.mark.full
def test_the_printed_page_and_curl_line_lead_to_tokens(for_people):
    (page,) = [line for line in for_people.output.splitlines() if "/authentication/" in line]
    login = LOGINS[0]

    async def log_in():
        trust = trust_only(Path(for_people.folder) / "sandbox" / "certs" / "ca.pem")
        async with BrowserClient(trust, login.login_id, login.password) as browser:
            return await browser.consent(page)

    code = dict(parse_qsl(urlsplit(asyncio.run(log_in())).query))["code"]
    _, curl, rest = for_people.output.rpartition("\ncurl ")
    lines = f"{curl}{rest.partition(chr(10) * 2)[0]}".replace("code=CODE", f"code={code}")
    answer = subprocess.run(["sh", "-c", lines], cwd=for_people.folder, capture_output=True, text=True, check=False)
    assert json.loads(answer.stdout)["token_type"] == "Bearer"
