"""`--institution` puts a server under development into the sandbox: the demo calls it and validates its responses."""

import itertools
import json
import shutil
import ssl
import subprocess
import sys
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlsplit

import pytest
from click.testing import CliRunner
from mydata_sandbox.commands.authorize import command as authorize
from mydata_sandbox.commands.run import command
from mydata_sandbox.commands.token import command as token
from mydata_sandbox.credentials.certificates import make_dev_certificates
from mydata_sandbox.institution.provider import Provider, ProviderRequest
from mydata_sandbox.world.handlers import DATA_HANDLERS

from relay.standard.catalogue import load_catalogue

CODE = "ZBAB000001"


class Handler(BaseHTTPRequestHandler):
    """A bank's server with another HTTP software than the sandbox's."""

    protocol_version = "HTTP/1.1"
    provider = Provider(CODE, "bank", load_catalogue(), DATA_HANDLERS)

    def do_GET(self):
        target = urlsplit(self.path)
        self._answer(target.path, dict(parse_qsl(target.query)))

    def do_POST(self):
        self._answer(self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def log_message(self, *_):
        pass

    def _answer(self, path, params):
        reply = self.provider.respond(ProviderRequest(self.command, path, params, self.headers.get("x-user-ci")))
        body = json.dumps(reply.body, ensure_ascii=False).encode()
        self.server.paths.add(path)
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-api-tran-id", self.headers.get("x-api-tran-id", ""))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def own_bank(tmp_path):
    """A bank's server with certificates of its developer, and its settings file."""
    pair = make_dev_certificates(tmp_path / "own", datetime.now(UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.providers["bank"].certificate, pair.providers["bank"].private_key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.paths = set()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        file = tmp_path / "my.yaml"
        file.write_text(
            f"org_code: {CODE}\nname: 가온은행\nindustry: bank\nauthentication: hosted\nca: own/ca.pem\n"
            f'base_urls: ["https://127.0.0.1:{server.server_port}"]\n'
        )
        yield SimpleNamespace(file=file, paths=server.paths)
        server.shutdown()


def test_the_demo_calls_a_server_under_development(own_bank):
    words = [sys.executable, "-m", "mydata_sandbox", "demo", "--json", "--institution", str(own_bank.file)]
    done = subprocess.run(words, cwd=own_bank.file.parent, capture_output=True, text=True, timeout=120, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line for line in lines[:-1] if not line["ok"]] == []
    assert (done.returncode, done.stderr) == (0, "")
    calls = {line["api_id"] for line in lines[:-1] if line["org_code"] == CODE}
    assert calls >= {api.api_id for api in load_catalogue().iter_apis("bank")}
    assert {"/relay/login", "/v1/bank/accounts", "/v1/bank/accounts/deposit/transactions"} <= own_bank.paths


def test_a_running_sandbox_says_what_the_developer_needs(own_bank, start):
    process = start("--institution", str(own_bank.file))
    output = "".join(iter(process.stdout.readline, "Stop: Ctrl-C\n"))
    assert f"  {CODE}  bank     가온은행: yours, at https://127.0.0.1:" in output
    assert f"Your institution {CODE} takes the place of the simulated bank:" in output
    assert "provider-bank.pem" in output
    assert f"relay probe {CODE} -c " in output
    assert "garam, garam-1985" in output


@pytest.mark.parametrize(
    ("text", "words"),
    [("industry: banking", "industry: one of bank, card"), (None, "cannot be read")],
)
def test_a_wrong_file_ends_the_command(tmp_path, text, words):
    file = tmp_path / "my.yaml"
    if text is not None:
        file.write_text(text)
    result = CliRunner().invoke(command, ["--institution", str(file)])
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())


@pytest.fixture
def own_core(tmp_path):
    """The settings files of a bank whose core speaks telegrams, and of an insurer with JSON of its own."""
    bank, insurer = tmp_path / "내 은행" / "bank.yaml", tmp_path / "내 은행" / "insurer.yaml"
    bank.parent.mkdir()
    for name, package in (("bank/telegrams", "telegram_core"), ("insurer/json", "json_core")):
        shutil.copytree(str(files(f"mydata_sandbox.{package}") / "layouts"), bank.parent / name)
    common = "name: 하늘\nlink: leased_line\napis: {left_out: [IR01, IR02, IR03, IR04]}\n"
    core = "core: {addresses: ['127.0.0.1:1'], requests: 8}"
    bank.write_text(f"{common}org_code: {CODE}\nindustry: bank\nspeaks: telegram\n{core}\n")
    insurer.write_text(
        f"{common}org_code: ZISB000001\nindustry: insu\nspeaks: json\nbase_urls: ['http://127.0.0.1:1']\n"
    )
    return SimpleNamespace(bank=bank, insurer=insurer)


def read_until_ready(process):
    return "".join(itertools.takewhile(lambda line: line != "Stop: Ctrl-C\n", process.stdout))


def test_a_core_with_telegrams_gets_tokens_without_a_login(own_core, start, tmp_path):
    output = read_until_ready(start("--institution", str(own_core.bank)))
    assert f"relay telegram try -c sandbox/relay.yaml {CODE} BA01 \\\n" in output
    assert not any(words in output for words in ("provider-bank.pem", "relay probe", "garam-1985  (with"))
    folder = ["--dir", str(tmp_path / "sandbox")]
    assert CliRunner().invoke(token, [*folder, "--org-code", CODE]).output.count(".") == 2
    refused = " ".join(CliRunner().invoke(authorize, [*folder, "--org-code", CODE]).output.split())
    assert f"{CODE} has no individual authentication (개별인증): use `mydata-sandbox sign`" in refused
    assert "--data-urlencode org_code=ZCDA000001" in CliRunner().invoke(authorize, folder).output


def test_a_core_with_json_of_its_own_gets_tokens(own_core, start, tmp_path):
    output = read_until_ready(start("--institution", str(own_core.insurer)))
    assert "ZISB000001  insu     하늘: yours, at http://127.0.0.1:1" in output
    options = ["--dir", str(tmp_path / "sandbox"), "--org-code", "ZISB000001"]
    assert CliRunner().invoke(token, options).output.count(".") == 2
