"""Runs the programs of docs/start/operator.md against a relay with simulated institutions, as they are on the page."""

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key, pkcs12
from mydata_sandbox.checks.conformance import find_strict_violations
from mydata_sandbox.customer.browser_client import BrowserClient, trust_only
from mydata_sandbox.environment.running import running_environment
from mydata_sandbox.institution.failure_modes import FailureRule
from mydata_sandbox.institution.login import LOGINS
from mydata_sandbox.operator.authority_client import AuthorityClient
from mydata_sandbox.operator.client import open_session

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = Path(__file__).parents[2] / "docs" / "start" / "operator.md"
PROGRAMS = {
    "python": ("first_call.py", [sys.executable]),
    "js": ("first_call.mjs", ["node"]),
    "java": ("FirstCall.java", ["java", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]),
}
"""Language of the code on the page -> (file, command)."""

ACCOUNTS = "은행-001"
LIMIT_S = 60
TRAN_ID = re.compile(r"x-api-tran-id ZOPA000001M[0-9A-Z]{14}\)")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory):
    async with running_environment(tmp_path_factory.mktemp("first") / "env") as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(running, tmp_path_factory):
    """A folder with the programs and the operator's files."""
    folder = tmp_path_factory.mktemp("programs")
    identity = running.environment.operators[0].identity
    for source, name in (
        (running.environment.certificates.ca, "ca.pem"),
        (identity.certificate, "operator.pem"),
        (identity.private_key, "operator.key"),
    ):
        shutil.copy(source, folder / name)
    key = load_pem_private_key(identity.private_key.read_bytes(), None)
    certificate = x509.load_pem_x509_certificate(identity.certificate.read_bytes())
    store = pkcs12.serialize_key_and_certificates(
        b"operator", key, certificate, None, BestAvailableEncryption(b"changeit")
    )
    (folder / "operator.p12").write_bytes(store)
    for language, (name, _) in PROGRAMS.items():
        (code,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
        (folder / name).write_text(code)
    return folder


@pytest.fixture
def run(running, folder):
    """Runs a program with `code` or a new one while institutions fail by `rules`. Returns exit code and outputs."""
    environment = running.environment
    operator, bank = environment.operators[0], environment.institutions["bank"]

    async def obtain_code():
        async with (
            open_session(operator.identity, environment.certificates.ca) as session,
            BrowserClient(trust_only(environment.certificates.ca), LOGINS[0].login_id, LOGINS[0].password) as browser,
        ):
            client = AuthorityClient(session, environment.gateway, operator, running.catalogue, find_strict_violations)
            callback = await browser.consent(await client.authorize(bank, LOGINS[0].customer))
        return parse_qs(urlsplit(callback).query)["code"][0]

    async def start(language, *rules, code=""):
        name, command = PROGRAMS[language]
        variables = {
            "RELAY": urlsplit(environment.gateway).netloc,
            "OPERATOR": operator.org_code,
            "ORG_CODE": bank.org_code,
            "CLIENT_ID": operator.client_ids[0],
            "CLIENT_SECRET": operator.client_secrets[0],
            "REDIRECT_URI": operator.callback,
            "CODE": code or await obtain_code(),
        }
        for rule in rules:  # from now on: the pages of the relay call the institution too
            environment.failures.add(rule)
        process = await asyncio.create_subprocess_exec(
            *command,
            name,
            cwd=folder,
            env={**os.environ, **variables},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await asyncio.wait_for(process.communicate(), LIMIT_S)
        return process.returncode, output.decode(), errors.decode()

    yield start
    environment.failures.clear()


@pytest.mark.parametrize("language", PROGRAMS)
async def test_a_program_reads_all_pages_despite_failures(running, run, language):
    rules = FailureRule(ACCOUNTS, "42901", page=2), FailureRule(ACCOUNTS, "half_answer", page=3)
    assert await run(language, *rules) == (0, "11 accounts\n", "")
    assert running.environment.failures.rules() == ()


@pytest.mark.parametrize("language", PROGRAMS)
async def test_a_program_ends_with_the_reason_of_a_refusal(run, language):
    status, output, errors = await run(language, FailureRule(ACCOUNTS, "40403"))
    assert (status, output) == (1, "")
    assert "40403" in errors
    assert TRAN_ID.search(errors)


@pytest.mark.parametrize("language", PROGRAMS)
async def test_a_program_reports_a_refused_code(run, language):
    status, _, errors = await run(language, code="unknown-code")
    assert status == 1
    assert "invalid_grant" in errors
    assert TRAN_ID.search(errors)
