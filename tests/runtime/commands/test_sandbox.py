import json
import os
import signal
import subprocess
import sys

import aiohttp
import pytest

from relay.sandbox.certificates import Pair
from relay.sandbox.operator import session_of


@pytest.fixture
def start(tmp_path):
    running = []

    def begin(*arguments):
        command = [
            sys.executable,
            "-m",
            "relay",
            "sandbox",
            "--dir",
            "street",
            "--gateway-port",
            "0",
            "--admin-port",
            "0",
        ]
        process = subprocess.Popen([*command, *arguments], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        running.append(process)
        return process

    yield begin
    for process in running:
        process.terminate()
        process.communicate(timeout=20)


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_programs_drive_the_sandbox_by_what_its_first_line_says(start):
    facts = json.loads(start("--json").stdout.readline())
    code = facts["org_codes"]["bank"]
    operator = Pair(facts["certs"]["operator-1"], facts["keys"]["operator-1"], None)
    headers = {
        "Authorization": f"Bearer {facts['tokens'][code]}",
        "x-api-tran-id": "ZOPA000001M00000000000001",
        "x-api-type": "user-refresh",
    }
    url = f"{facts['gateway']}/v1/bank/accounts?org_code={code}&search_timestamp=0&limit=20"
    async with session_of(operator, facts["ca"]) as session, session.get(url, headers=headers) as answer:
        assert (answer.status, (await answer.json())["rsp_code"]) == (200, "00000")
    async with aiohttp.ClientSession() as session, session.get(facts["metrics"]) as answer:
        assert answer.status == 200
    assert facts["operators"][0]["client_ids"][0] == "ZOPA000001SVC01"
    assert set(facts["keys"]) > set(facts["certs"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_is_success_and_stops_the_relay(start, number):
    process = start("--json")
    facts = json.loads(process.stdout.readline())
    process.send_signal(number)
    assert process.wait(timeout=20) == 0
    assert gone(facts["pid"])


def test_the_printed_curl_line_works_as_it_stands(start, tmp_path):
    lines = start().stdout
    for line in lines:
        if line.startswith("curl "):
            break
    command = line + "".join(next(lines) for _ in range(3))
    answer = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert json.loads(answer.stdout)["rsp_code"] == "00000"


def test_a_second_sandbox_in_the_same_folder_is_refused(start, tmp_path):
    start("--json").stdout.readline()
    second = start("--json")
    assert second.wait(timeout=20) == 1
