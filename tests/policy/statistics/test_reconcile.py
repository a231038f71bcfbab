"""Records and ledger agree, or every differing line is listed."""

import json
import math
from collections import Counter
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.domain.exchange import Exchange
from relay.domain.statistics import Line
from relay.infra.records.access_log import format_records
from relay.policy.statistics.counting import Counting
from relay.policy.statistics.reconcile import Difference, NoRecord, Recount, find_differences, parse_record
from relay.standard.catalogue import load_catalogue, load_oauth_errors, load_rsp_codes

ERRORS = {error.error for errors in load_oauth_errors().values() for error in errors}
COUNTING = Counting(load_catalogue(), load_rsp_codes(), ERRORS)
MIDNIGHT = datetime(2026, 11, 22, tzinfo=ZoneInfo("Asia/Seoul")).timestamp()
RECORD = {
    "ended": MIDNIGHT,
    "operator": "ZOPA000001",
    "client_id": "SVC1",
    "org_code": "ZBAA000001",
    "api_code": "BA01",
    "api_type": "user-refresh",
    "status": 200,
    "rsp_code": "00000",
    "error": "",
    "reason": "",
}
LINE = COUNTING.line(parse_record(json.dumps(RECORD)))

EDGES = st.sampled_from([MIDNIGHT + hours * 3600 for hours in (0, 9, 18, 24)])
MOMENTS = st.builds(lambda edge, off: edge + off, EDGES, st.floats(-0.002, 0.002) | st.floats(-40_000, 40_000))


@st.composite
def exchanges(draw):
    took = draw(st.floats(0, 15))
    exchange = Exchange(1000.0, draw(MOMENTS) - took)
    exchange.close(1000.0 + took)
    exchange.operator, exchange.provider = (
        draw(st.sampled_from(["ZOPA000001", ""])),
        draw(st.sampled_from(["ZBAA000001", ""])),
    )
    exchange.api_code, exchange.client_id = (
        draw(st.sampled_from(["BA01", "AU02", ""])),
        draw(st.sampled_from(["S", ""])),
    )
    exchange.status, exchange.rsp_code = (
        draw(st.sampled_from([200, 302, 400, 500])),
        draw(st.sampled_from(["", "00000", "1"])),
    )
    exchange.error, exchange.reason = (
        draw(st.sampled_from(["", "invalid_grant"])),
        draw(st.sampled_from(["", "operator_gone"])),
    )
    exchange.api_type = draw(st.sampled_from(["", "scheduled", "user-search"]))
    return exchange


@settings(max_examples=40)
@given(st.lists(exchanges(), max_size=30), st.randoms())
def test_records_add_up_to_the_counts_in_any_order(ended, shuffler):
    counted = Counter(line for exchange in ended if (line := COUNTING.line(exchange)) and line.stat_date == "20261122")
    records = format_records(ended).splitlines()
    shuffler.shuffle(records)
    recount = Recount("20261122")
    recount.read(records, COUNTING)
    assert (recount.counts, recount.unreadable) == (counted, 0)
    assert list(find_differences(counted.items(), recount.counts)) == []


def test_a_record_that_stands_for_a_flood_counts_as_many():
    recount = Recount("20261122")
    recount.read([json.dumps(RECORD | {"repeated": 7}), json.dumps(RECORD)], COUNTING)
    recount.read([json.dumps(RECORD | {"operator": "", "repeated": 3})], COUNTING)
    assert (recount.counts, recount.unattributed) == ({LINE: 8}, 3)


def test_records_may_come_from_many_files_and_days():
    recount = Recount("20261122")
    texts = [json.dumps(RECORD | {"ended": MIDNIGHT + hours * 3600}) for hours in (-1, 0, 1, 23, 24)]
    for text in texts:
        recount.read([text.encode() + b"\n", b"\n"], COUNTING)
    assert (sum(recount.counts.values()), recount.unreadable, recount.unattributed) == (3, 0, 0)


def test_unattributed_exchanges_are_counted_without_support_apis():
    records = [RECORD | {"operator": ""}, RECORD | {"operator": "", "ended": MIDNIGHT - 1}]
    records += [RECORD | {"api_code": "지원-102"}, RECORD | {"api_code": ""}]
    recount = Recount("20261122")
    recount.read(map(json.dumps, records), COUNTING)
    assert (recount.counts, recount.unattributed) == ({}, 2)


@pytest.mark.parametrize(
    "text",
    [
        *("no json", "[]", "1", "{", "{}", '"text"', "[" * 100_000, b"\xff\xfe", "NaN"),
        *(json.dumps(RECORD | {"ended": ended}) for ended in (None, "1", True, False, -1, 1e12, math.nan, math.inf)),
        *(json.dumps(RECORD | {"repeated": repeated}) for repeated in (None, "2", True, 0, -1, 2.0)),
        *(json.dumps(RECORD | {"status": status}) for status in (None, "200", True, 2.0)),
        *(json.dumps(RECORD | {name: 1}) for name in RECORD if name not in {"ended", "status"}),
        *(json.dumps({key: RECORD[key] for key in RECORD if key != name}) for name in RECORD),
    ],
)
def test_an_invalid_record_is_counted_as_unreadable(text):
    recount = Recount("20261122")
    recount.read([text, json.dumps(RECORD)], COUNTING)
    assert (recount.counts, recount.unreadable) == ({LINE: 1}, 1)


def test_the_error_of_an_invalid_record_shows_no_content():
    with pytest.raises(NoRecord) as error:
        parse_record('{"secret"')
    assert str(error.value) == ""


def test_differences_are_listed_in_order():
    lines = [LINE._replace(provider=f"ZBAA{at:06}") for at in range(4)]
    ledger = [(lines[3], 1), (lines[0], 5), (lines[1], 2)]
    records = {lines[0]: 5, lines[1]: 3, lines[2]: 1}
    assert list(find_differences(ledger, records)) == [
        Difference(lines[1], 2, 3),
        Difference(lines[2], 0, 1),
        Difference(lines[3], 1, 0),
    ]


@given(st.dictionaries(st.integers(0, 9), st.integers(1, 3)), st.dictionaries(st.integers(0, 9), st.integers(1, 3)))
def test_differences_are_empty_only_for_equal_counts(first, second):
    def lines(counts):
        return {Line("20261122", "00", str(at), "", "", "", "", ""): count for at, count in counts.items()}

    assert (list(find_differences(lines(first).items(), lines(second))) == []) is (first == second)
