"""Tests of good calls beside hostile peers: pure functions, and one short run."""

import asyncio
import json
from collections import Counter

import hostile_peers
import pytest
from click.testing import CliRunner
from hostile.caller_peers import client_hello, transactions_body, transactions_request
from hostile.connections import drain_answers
from hostile.figures import Call, Memory, Phase, Result, count_records, due_at, percentile, phase_of, table_of
from hostile.institution import BODY, answer_to
from hostile.load_client import content_length, data_request, error_of, form_request
from hostile.peers import PEERS
from hostile.world import GOOD_BANK, Caller, World, load_world
from rich.console import Console

CALM = Phase(800, 0, 2.0, 8.0, 9.0)
RESULT = Result("p", "data", CALM, CALM, (800, 800), 0, Memory(100, 100), Memory(90, 90), 0.1, {"requests": 5})


def with_(**changed):
    fields = {name: getattr(RESULT, name) for name in Result.__slots__}
    return Result(**fields | changed)


@pytest.mark.parametrize(
    ("changed", "problems"),
    [
        ({}, []),
        ({"beside": Phase(800, 0, 2.0, 9.9, 12.0)}, []),
        ({"beside": Phase(800, 0, 2.0, 12.1, 40.0)}, ["slow"]),
        ({"calm": Phase(800, 0, 2.0, 1.0, 2.0), "beside": Phase(800, 0, 2.0, 9.0, 9.0)}, []),
        ({"beside": Phase(800, 1, 2.0, 8.0, 9.0, "status 503")}, ["failed"]),
        ({"records": (799, 800)}, ["records"]),
        ({"lost": 1}, ["records"]),
        ({"gateway": Memory(100, 131)}, ["memory"]),
        ({"authority": Memory(100, 131)}, ["memory"]),
    ],
)
def test_a_result_names_its_problems(changed, problems):
    assert with_(**changed).problems == problems


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.0, 1)])
def test_a_percentile_is_one_of_the_values(share, value):
    assert percentile(list(range(100, 0, -1)), share) == value


def test_percentiles_of_no_values_are_zero():
    assert phase_of([]) == Phase(0, 0, 0.0, 0.0, 0.0)


def test_latency_counts_from_the_time_a_call_was_due():
    calls = [Call("data", 10.0, 10.002, "a"), Call("data", 10.005, 11.005, "b", "TimeoutError: ")]
    assert phase_of(calls) == Phase(2, 1, 2.0, 1000.0, 1000.0, "TimeoutError: ")


def test_calls_are_due_at_a_constant_rate():
    assert [due_at(5.0, number, 4.0) for number in range(4)] == [5.0, 5.25, 5.5, 5.75]


def test_a_call_has_exactly_one_record():
    lines = [f'{{"time":1,"tran_id":"{name}","operator":"x"}}' for name in ("once", "twice", "twice", "other")]
    assert count_records([*lines, "torn"], {"once", "twice", "never"}) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 200 OK\r\nx-api-tran-id: T1\r\n\r\n{00000}", ""),
        (b"HTTP/1.1 200 OK\r\nx-api-tran-id: T2\r\n\r\n{00000}", "x-api-tran-id of another call"),
        (b"HTTP/1.1 200 OK\r\nx-api-tran-id: T1\r\n\r\n{}", "no 00000 in the body"),
        (b"HTTP/1.1 500 X\r\nx-api-tran-id: T1\r\n\r\n{50005}", "status 500: {50005}"),
    ],
)
def test_only_the_right_answer_is_right(answer, error):
    assert error_of(answer, "T1", b"00000") == error


def test_a_body_is_as_long_as_its_head_says():
    head, _, body = answer_to(b"GET / HTTP/1.1\r\nX-API-Tran-Id:  T1 ").partition(b"\r\n\r\n")
    assert (content_length(head), body) == (len(BODY), BODY)
    assert b"x-api-tran-id: T1\r\n" in head
    assert content_length(b"HTTP/1.1 200 OK") == 0


def test_requests_have_a_content_length():
    caller = Caller("ZOPA000001", "c", "k", {GOOD_BANK: "t0"})
    assert b"Authorization: Bearer t0\r\n" in data_request(caller, GOOD_BANK, "T1")
    assert form_request({"a": "b c"}, "T1").endswith(b"Content-Length: 5\r\n\r\na=b+c")
    body = transactions_body(GOOD_BANK)
    assert transactions_request("t0", body).endswith(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)


def test_a_client_hello_holds_any_server_name():
    name = "은행.example".encode()
    hello = client_hello(name)
    assert (hello[:1], hello.count(name)) == (b"\x16", 1)


async def test_answers_are_counted_while_they_are_read():
    reader, done = asyncio.StreamReader(), Counter()
    reader.feed_data(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 429 X\r\n\r\n")
    reader.feed_eof()
    await drain_answers(reader, done)
    assert done == {"answers": 2}


def test_a_world_is_read_as_it_was_saved(tmp_path):
    caller = Caller("ZOPA000001", "c", "k", {"b": "t0"}, [{"grant_type": "refresh_token"}], [])
    world = World(1, 2, 3, 4, "ca", [caller, caller], caller, caller, caller)
    world.save(tmp_path / "world.json")
    assert load_world(tmp_path / "world.json") == world


def test_every_peer_has_a_summary_line():
    assert all(peer.summary.endswith(".") for peer in PEERS.values())
    listed = CliRunner().invoke(hostile_peers.main, ["--list"])
    assert [line.split()[0] for line in listed.output.splitlines()] == list(PEERS)


def test_the_help_shows_examples():
    shown = CliRunner().invoke(hostile_peers.main, ["--help"]).output
    assert all(word in shown for word in ("--peer bad-tokens", "--seconds", "--json"))


def test_table_and_json_have_the_same_problems(capsys):
    worse = with_(beside=Phase(800, 3, 2.0, 80.0, 99.0))
    Console(width=200).print(table_of([RESULT, worse]))
    shown = capsys.readouterr().out
    assert "slow, failed" in shown
    assert (worse.row()["ratio"], json.loads(json.dumps(worse.row()))["problems"]) == (10.0, ["slow", "failed"])


@pytest.mark.full
async def test_good_calls_beside_a_peer_are_measured():
    peer = "closing-institution"
    (result,) = await hostile_peers.measure(peer, PEERS[peer], hostile_peers.Times(50, 1))
    assert (result.peer, result.kind, result.calm.calls) == (peer, "data", 50)
    assert result.records[0] == result.records[1] > 100
    assert sum(result.attempts.values()) > 0
