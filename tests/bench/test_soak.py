"""Tests of the soak: what is sampled and judged, what callers send, and one short run."""

import os

import pytest
import soak
from click.testing import CliRunner
from hostile.peers import PEERS
from hostile.world import HOSTILE_BANK, Caller
from rich.console import Console
from soaking.bad_peers import NAMES
from soaking.institution import CLOSED_S, CYCLE_S, FAILS_S, Answer, build_head, find_answer, is_within
from soaking.mixed_load import BODY_BYTES, KINDS, build_request
from soaking.samples import (
    ProcessSample,
    Sample,
    Soak,
    compare,
    find_bad_lines,
    find_growth,
    name_kind,
    name_process,
    parse_gauges,
    read_process,
)

CALLER = Caller("ZOPA000001", "c", "k", {HOSTILE_BANK: "t0"})


def sample(at_s, rss_mb=100.0, kinds=None, **gauges):
    kinds = kinds or {"socket": 3}
    return Sample(at_s, {"gateway": ProcessSample(rss_mb, sum(kinds.values()), 9, kinds)}, gauges)


def build_soak(**changed):
    fields = {
        "samples": [sample(at_s) for at_s in range(0, 600, 5)],
        "begin": sample(0, connections=0, tasks=15),
        "end": sample(600, connections=0, tasks=15),
        "bad_lines": [],
        "reloads": (120, 120),
        "failed": 0,
        "counts": {},
    }
    return Soak(**fields | changed)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"end": sample(600, kinds={"socket": 5}, connections=0, tasks=15)}, "open files left over: socket +2"),
        ({"end": sample(600, connections=1, tasks=15)}, "connections left over: 1 instead of 0"),
        ({"end": sample(600, connections=0, tasks=16)}, "tasks left over: 16 instead of 15"),
        ({"end": Sample(600, {}, {"connections": 0, "tasks": 15})}, "gateway: the process ended"),
        ({"samples": [sample(at_s, 100 + at_s / 50) for at_s in range(0, 600, 5)]}, "memory grew from 103"),
        ({"bad_lines": ["Traceback"]}, "log: Traceback"),
        ({"reloads": (119, 120)}, "reloads applied: 119 of 120"),
        ({"failed": 2}, "good calls failed: 2"),
    ],
)
def test_a_result_names_its_problem(changed, problem):
    (named,) = build_soak(**changed).problems
    assert problem in named


def test_a_flat_run_has_no_problem():
    result = build_soak(samples=[sample(at_s, 50 if at_s < 120 else 100) for at_s in range(0, 600, 5)])
    assert result.problems == []
    assert result.row()["growth_mb"] == {"gateway": (100, 100)}


def test_a_short_run_has_no_verdict_about_memory():
    assert find_growth([sample(at_s, at_s) for at_s in range(200)], "gateway") is None


def test_connections_of_the_ledger_may_be_opened_later():
    assert compare({"ledger.db": 1}, {"ledger.db": 10, "ledger.db-wal": 10}) == ""
    assert compare({"ledger.db": 1}, {"ledger.db": 11}) == "ledger.db +1"


def test_errors_and_tracebacks_are_listed_in_the_log():
    lines = [
        "2026-11-30 12:00:00,001 INFO relay.runtime: gateway ready: errors=0\n",
        "2026-11-30 12:00:01,001 ERROR asyncio: Task exception was never retrieved\n",
        "Traceback (most recent call last):\n",
        "  File x\n",
        "2026-11-30 12:00:02,001 WARNING relay.x: slow\n",
        "Traceback (most recent call last):\n",
    ]
    assert find_bad_lines(lines) == [lines[1].strip(), lines[2].strip(), lines[4].strip(), lines[5].strip()]


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("socket:[12]", "socket"),
        ("pipe:[3]", "pipe"),
        ("anon_inode:[eventpoll]", "anon_inode:[eventpoll]"),
        ("/tmp/x/ledger.db-wal", "ledger.db-wal"),
    ],
)
def test_an_open_file_is_named_by_what_it_is(target, kind):
    assert name_kind(target) == kind


def test_a_process_is_named_by_its_role():
    assert name_process(b"python\0-m\0relay\0serve\0--role\0jobs\0", is_root=False) == "jobs"
    assert name_process(b"python\0-m\0relay\0serve\0", is_root=True) == "gateway"
    assert name_process(b"python\0-m\0relay\0worker\0-c\0x", is_root=False) == "worker"


def test_this_process_has_open_files_and_threads():
    own = read_process(os.getpid())
    assert own.fds == sum(own.kinds.values()) > 0
    assert own.threads >= 1
    assert own.rss_mb > 1


def test_gauges_of_pools_are_summed_by_state():
    text = (
        "relay_tasks 15.0\n"
        'relay_upstream_pool{org_code="A",state="idle"} 2.0\n'
        'relay_upstream_pool{org_code="",state="idle"} 1.0\n'
        'relay_faults_total{reason="breaker_open",org_code="A"} 4.0\n'
        "relay_institutions 12.0\n"
    )
    assert parse_gauges(text) == {"tasks": 15.0, "pool idle": 3.0, "fault breaker_open": 4.0}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("answer", Answer)
def test_a_call_demands_its_answer(kind, answer):
    head, body = build_request(CALLER, kind, answer, is_scheduled=True)
    assert find_answer(head, body) is answer
    assert b"x-api-type: scheduled\r\n" in head
    assert (b"Content-Length: %d\r\n" % len(body) in head) is head.startswith(b"POST")
    assert (len(body) == BODY_BYTES) is (kind == "post large")


def test_a_response_has_the_id_of_its_call():
    head = build_head(b"GET / HTTP/1.1\r\nX-Api-Tran-Id: T1\r\n\r\n", b"Content-Length: 0")
    assert b"\r\nx-api-tran-id: T1\r\n" in head
    assert find_answer(b"GET /?limit=999 HTTP/1.1", b"") is Answer.SMALL


def test_the_bank_is_healthy_between_its_failures():
    assert is_within(CYCLE_S + FAILS_S[0], FAILS_S)
    assert not is_within(FAILS_S[1], FAILS_S)
    assert FAILS_S[1] < CLOSED_S[0] < CLOSED_S[1] < CYCLE_S


def test_every_bad_peer_exists():
    assert set(NAMES) <= set(PEERS)


def test_the_help_names_what_is_a_problem():
    shown = CliRunner().invoke(soak.main, ["--help"]).output
    assert all(word in shown for word in ("--minutes", "--workers", "--json", "traceback"))


@pytest.mark.full
async def test_half_a_minute_leaves_nothing_behind(tmp_path_factory):
    folder = tmp_path_factory.mktemp("s")
    result = await soak.soak(soak.Plan(0.5, 20, 8, 1), Console(quiet=True), folder)
    assert result.problems == []
    assert result.reloads[0] == result.reloads[1] >= 5
    assert result.counts["mixed calls"]["get 200"] > 10
