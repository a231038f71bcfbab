"""Tests of `relay telegram try` with a core on a loopback port."""

import asyncio
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import yaml
from fixtures.savings_bank import CASES
from fixtures.telegram_core import ReceivedTelegram, answer_nothing
from fixtures.waiting import until

ACCOUNT = ("account_num=110200300400", "seqno=001")
PERIOD = (*ACCOUNT, "from_date=20260101", "to_date=20260131")
ROW = CASES["BA04"][1]["trans_list"][0]


def change(folder, **changes):
    values = yaml.safe_load((folder.root / "providers/savings.yaml").read_text())
    folder.write("providers/savings.yaml", yaml.safe_dump(values | changes))


def call(run, settings, *arguments):
    return run("try", "ZBAC000001", *arguments, "-c", settings)


def test_both_sides_and_the_answer_are_shown_masked(run, settings, core):
    core.values["A004"] = CASES["BA04"][1]
    answer = call(run, settings, "BA04", *PERIOD)
    assert (answer.exit_code, core.bugs) == (0, [])
    for text in ("line open after", "telegram 1: request, 256 bytes", "response, 400 bytes after", '"trans_cnt": "2"'):
        assert text in answer.output
    for value in ("110200300400", "3100000", "급여"):
        assert value not in answer.output
    assert max(map(len, answer.output.splitlines())) <= 80


def test_each_continuation_is_shown(run, settings, core, tmp_path):
    async def script(request, core):
        is_first = not request.cut(233, 241)
        rows = [ROW | {"trans_no": str(number)} for number in ((9, 8) if is_first else (7, 6))]
        more = {"more": "Y", "next_date": "20260131", "next_no": "8"} if is_first else {"more": "N"}
        request.wire.send(core.build_response(request, {**more, "trans_list": rows}))

    core.script = script
    answer = call(run, settings, "BA04", *PERIOD, "limit=3", "--pages", "2", "--json")
    pages = json.loads(answer.stdout)["pages"]
    assert answer.exit_code == 0
    assert [len(page["telegrams"]) for page in pages] == [2, 1]
    assert [page["answer"]["body"]["trans_cnt"] for page in pages] == ["3", "1"]
    assert pages[0]["answer"]["body"]["next_page"] == "(sealed)"


def test_saved_telegrams_are_a_golden_file(run, settings, core, telegrams):
    core.values["A022"] = CASES["BA22"][1]
    file = telegrams / "golden/BA22.tried.telegram"
    assert call(run, settings, "BA22", *ACCOUNT, "--save", file).exit_code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert run("test", telegrams, "--write").exit_code == 0
    written = json.loads(file.with_suffix(".json").read_text())
    assert written["answer"]["balance_amt"] == "9500000"


def test_a_failure_of_the_core_is_the_exit_code_1(run, settings, core):
    async def script(request, core):
        request.wire.send(core.build_response(request, {}, code="1001"))

    core.script = script
    answer = call(run, settings, "BA22", *ACCOUNT)
    assert (answer.exit_code, "answer: 404, rsp_code 40402 (core 1001)" in answer.output) == (1, True)


def test_a_core_that_does_not_answer_is_explained(run, settings, core, folder):
    core.script = answer_nothing
    change(folder, core={**core.build_file()["core"], "answer_s": 0.3})
    answer = call(run, settings, "BA22", *ACCOUNT)
    assert answer.exit_code == 1
    assert "no response after" in answer.stdout
    assert "provider_silent: response (50003)" in answer.stderr
    assert "compare transaction code, header and framing" in answer.stderr


def test_a_response_with_another_number_is_a_note(run, settings, core, folder):
    async def script(request, core):
        response = core.build_response(request, CASES["BA22"][1])
        request.wire.send(response[:41] + b"9" * 12 + response[53:])

    core.script = script
    change(folder, core={**core.build_file()["core"], "answer_s": 0.3})
    answer = call(run, settings, "BA22", *ACCOUNT)
    assert answer.exit_code == 1
    assert 'note: telegram dropped: org_code=ZBAC000001 reason="no request waits for it"' in answer.stdout


def test_a_telegram_that_does_not_fit_has_its_place(run, settings, core):
    async def script(request, core):
        response = core.build_response(request, CASES["BA11"][1])
        request.wire.send(response.replace(b"20240229", b"20240230"))

    core.script = script
    answer = call(run, settings, "BA11", *ACCOUNT)
    assert answer.exit_code == 1
    assert "BA11 response: offset 136: issue_date: expected a date, YYYYMMDD" in answer.stderr


def test_garbage_closes_the_line(run, settings, core):
    async def script(request, core):
        request.wire.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    core.script = script
    answer = call(run, settings, "BA11", *ACCOUNT)
    assert (answer.exit_code, "length: expected 6 digits" in answer.stderr) == (1, True)


def test_a_refused_line_names_its_address(run, settings, core, folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        change(folder, core={"addresses": [address]})
        answer = call(run, settings, "BA22", *ACCOUNT)
    assert answer.exit_code == 1
    assert f"{address}: no line could be opened: connect_refused\nno program listens at this address" in answer.stderr


def test_a_core_that_ignores_the_start_of_the_line_is_explained(run, settings, folder):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        change(folder, core={"addresses": [address], "answer_s": 0.3})
        answer = call(run, settings, "BA22", *ACCOUNT)
    assert (answer.exit_code, "compare `management` in link.yaml" in answer.stderr) == (1, True)


async def test_a_core_may_open_the_line_itself(run, settings, core, folder):
    listen = f"127.0.0.1:{take_port()}"
    change(folder, core={"listen": listen, "peers": ["127.0.0.1/32"]})
    core.values["A022"] = CASES["BA22"][1]
    with ThreadPoolExecutor(1) as pool:
        trying = pool.submit(call, run, settings, "BA22", *ACCOUNT)
        connections = []
        await until(lambda: trying.done() or connections.append(connect(listen)) or connections[-1])
        assert not trying.done(), trying.result().output
        await asyncio.to_thread(serve_as_core, connections[-1], core)
        answer = trying.result(30)
    assert (answer.exit_code, "answer: 200" in answer.output) == (0, True)


def take_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def connect(address):
    """Returns a connection to the command, None while it does not listen."""
    host, port = address.split(":")
    try:
        return socket.create_connection((host, int(port)), 5)
    except ConnectionRefusedError:
        return None


def serve_as_core(connection, core):
    """Answers line management and one request, as a core that has connected by itself.

    The command does not wait for the answer to its end telegram: the connection may be reset by then.
    """
    with connection, connection.makefile("rb") as stream, suppress(ConnectionResetError):
        while length := stream.read(6):
            data = length + stream.read(int(length))
            request = ReceivedTelegram(data, None)
            if request.kind == "0800":
                connection.sendall(data[:6] + b"0810" + data[10:53] + b"0000" + data[57:])
            elif request.kind == "0200":
                connection.sendall(core.build_response(request))


def test_an_address_that_the_adapter_has_is_named(run, settings, folder):
    with socket.create_server(("127.0.0.1", 0)) as adapter:
        listen = f"127.0.0.1:{adapter.getsockname()[1]}"
        change(folder, core={"listen": listen, "peers": ["127.0.0.1/32"]})
        answer = call(run, settings, "BA22", *ACCOUNT)
    assert (answer.exit_code, "with the adapter stopped" in answer.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["BA99"], "BA99: ZBAC000001 has no layout of this API"),
        (["BA22"], "account_num: is missing"),
        (["BA22", *ACCOUNT, "--address", "127.0.0.1:1"], "is none of core.addresses; expected: one of 127.0.0.1:"),
        (["BA22", *ACCOUNT, "--pages", "2", "--save", "x"], "one golden file is one call; expected: --pages 1"),
        (["BA22", "x=1"], "x: no parameter of BA22"),
    ],
)
def test_wrong_arguments_are_named(run, settings, arguments, text):
    answer = call(run, settings, *arguments)
    assert (answer.exit_code, text in answer.stderr) == (2, True)


def test_a_limit_that_is_none_is_refused(run, settings):
    answer = call(run, settings, "BA04", *PERIOD, "limit=0")
    assert (answer.exit_code, "limit" in answer.stderr) == (1, True)


def test_an_unknown_institution_is_named(run, settings):
    answer = run("try", "ZBAC000009", "BA22", "-c", settings)
    assert (answer.exit_code, "no institution of" in answer.stderr) == (2, True)
