"""Tests of `relay telegram record`: drafts are YAML whose problems `relay telegram show` names."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml
from fixtures.telegram_core import TELEGRAMS
from fixtures.waiting import until

from relay.runtime.commands.telegram.telegram_input import parse_hex

CAPTURE = TELEGRAMS / "golden/BA04.answer.telegram"


def test_a_capture_becomes_a_draft_without_values(run):
    answer = run("record", CAPTURE, "--link", TELEGRAMS, "--api", "BA04")
    draft = yaml.safe_load(answer.output)
    assert answer.exit_code == 0
    assert (draft["api"], draft["code"]) == ("BA04", "A004")
    assert draft["request"]["fields"][:3] == ["f0102 an(88)", "f0190 n(12)", "filler(8)"]
    assert "f0217 date(8)" in draft["request"]["fields"]
    assert "110200300400" not in answer.output
    assert answer.output.count("# to be decided") >= len(draft["request"]["fields"] + draft["response"]["fields"])


def test_the_problems_of_a_draft_are_named(run, telegrams):
    (telegrams / "BA04.yaml").unlink()
    assert run("record", CAPTURE, "--link", telegrams, "--api", "BA04", "-o", telegrams).exit_code == 0
    answer = run("show", telegrams / "A004.yaml")
    assert answer.exit_code == 2
    for text in (
        "request.fields[0]: has no value: f0102 is no parameter of the API; expected: = VALUE",
        "request.fields: do not have the asset of the call, account_num",
        "answer: has no rows for the list trans_list",
    ):
        assert text in answer.stderr.replace("answer.trans_list: ", "answer: ")


def test_an_unknown_link_is_drafted_too(run, tmp_path):
    answer = run("record", CAPTURE, "--header", "102", "-o", tmp_path / "drafts")
    assert answer.exit_code == 0
    link = yaml.safe_load((tmp_path / "drafts/link.yaml").read_text())
    assert link["framing"] == {"length": 6}
    assert link["header"][:2] == ["msg_type n(4) = $kind", "f0010 an(1)"]
    shown = run("show", tmp_path / "drafts")
    assert (shown.exit_code, "api: is no API of the industry bank; expected: one of" in shown.stderr) == (2, True)


def test_without_header_size_the_link_alone_is_drafted(run):
    answer = run("record", CAPTURE)
    assert (answer.exit_code, "--header is not given" in answer.stderr) == (0, True)
    assert "request:" not in answer.stdout


def test_existing_files_are_not_replaced(run, tmp_path):
    (tmp_path / "A004.yaml").write_text("mine")
    answer = run("record", CAPTURE, "--link", TELEGRAMS, "-o", tmp_path)
    assert (answer.exit_code, "exists already" in answer.stderr) == (2, True)
    assert (tmp_path / "A004.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ([], 2, "CAPTURE and --core are missing"),
        (["--core", "somewhere"], 2, "--core: somewhere is no address; expected: HOST:PORT"),
        (["--core", "127.0.0.1:1", "--listen", "127.0.0.1:99999"], 2, "--listen: 127.0.0.1:99999 cannot be used"),
        (["none.telegram"], 2, "no such file"),
        (["0102030405"], 1, "no usual length field divides the capture"),
        ([CAPTURE, "--link", "ZZZZ"], 2, "no such file or folder"),
        ([CAPTURE, "--link", TELEGRAMS, "-o", "/dev/null/x"], 2, "cannot be written"),
    ],
)
def test_wrong_arguments_are_named(run, arguments, code, text):
    answer = run("record", *arguments)
    assert (answer.exit_code, text in answer.stderr) == (code, True)


def test_an_incomplete_capture_is_named(run, tmp_path):
    (tmp_path / "cut").write_bytes(parse_hex(CAPTURE.read_text())[:288])
    answer = run("record", tmp_path / "cut", "--link", TELEGRAMS)
    assert (answer.exit_code, "ends within a telegram: 32 bytes are left" in answer.stderr) == (1, True)


def take_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def connect(port):
    """Returns a connection to the proxy, None while it does not listen."""
    try:
        return socket.create_connection(("127.0.0.1", port), 5)
    except ConnectionRefusedError:
        return None


def read_telegram(connection):
    data = b""
    while len(data) < 6 or len(data) < 6 + int(data[:6]):
        data += connection.recv(65_536)
    return data


async def test_a_proxied_line_becomes_a_draft(run, core, tmp_path):
    core.values["A022"] = {"balance_amt": "9500000", "loan_principal": "10000000"}
    request = parse_hex((TELEGRAMS / "golden/BA22.answer.telegram").read_text())[:217]
    port = take_port()
    arguments = ("--listen", f"127.0.0.1:{port}", "--core", f"127.0.0.1:{core.port}", "--link", TELEGRAMS)
    with ThreadPoolExecutor(1) as pool:
        recording = pool.submit(run, "record", *arguments, "-o", tmp_path / "drafts", "--seconds", "30")
        connections = []
        await until(lambda: connections.append(connect(port)) or connections[-1])
        with connections[-1] as connection:
            connection.sendall(request)
            response = read_telegram(connection)
        answer = recording.result(30)
    assert response[6:14] == b"0210A022"
    assert answer.exit_code == 0
    draft = yaml.safe_load((tmp_path / "drafts/A022.yaml").read_text())
    assert "f0122 packed(8)" in draft["response"]["fields"]


async def test_a_core_that_is_away_ends_the_recording(run):
    port, nothing = take_port(), take_port()
    arguments = ("--listen", f"127.0.0.1:{port}", "--core", f"127.0.0.1:{nothing}", "--seconds", "30")
    with ThreadPoolExecutor(1) as pool:
        recording = pool.submit(run, "record", *arguments)
        connections = []
        await until(lambda: connections.append(connect(port)) or connections[-1])
        answer = recording.result(30)
        connections[-1].close()
    assert (answer.exit_code, "cannot be reached" in answer.stderr) == (1, True)


def test_nothing_captured_is_the_exit_code_1(run):
    answer = run("record", "--core", "127.0.0.1:1", "--seconds", "1")
    assert (answer.exit_code, "no telegrams were captured" in answer.stderr) == (1, True)
