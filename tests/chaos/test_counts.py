"""Lost and doubled calls are found."""

import json
from collections import Counter

import pytest

from chaos.counts import Totals, compare_counts, read_records
from chaos.load import Call, count_codes, get_code, get_share, summarize
from chaos.row import Row

FIRST, SECOND = "ZOPA000001M00000000000001", "ZOPA000001M00000000000002"
BOTH = {FIRST, SECOND}
ALL = Counter(BOTH)


@pytest.mark.parametrize(
    ("totals", "lost", "doubled"),
    [
        (Totals(2, 0, 2, ALL), 0, 0),
        (Totals(2, 0, 1, ALL), 1, 0),
        (Totals(2, 0, 2, Counter({FIRST: 1})), 1, 0),
        (Totals(2, 0, 3, ALL), 0, 1),
        (Totals(2, 0, 2, Counter({FIRST: 2, SECOND: 1})), 0, 1),
        (Totals(2, 1, 3, ALL), 0, 0),  # a call without a response may have been served
        (Totals(2, 1, 4, ALL), 0, 1),
    ],
)
def test_lost_and_doubled_calls_are_found(totals, lost, doubled):
    assert (totals.count_lost(BOTH, has_records=True), totals.doubled) == (lost, doubled)


def test_records_do_not_count_where_their_disk_is_full():
    assert Totals(2, 0, 2, Counter()).count_lost(BOTH, has_records=False) == 0


class Ledger:
    """A ledger, as `with` block, that has `counts`."""

    def __init__(self, counts):
        self.ledger = self.statistics = self
        self.counts = lambda *_: counts
        self.run = lambda result: result

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class Line:
    success = True


class Relay:
    has_traceback = False


class Environment:
    """Two calls, of which the first succeeded; `counts` are those of the ledger."""

    def __init__(self, folder, counts):
        self.folder, self.relays = folder, [Relay()]
        first = Call("calm", "ZOPA000001", "ZBAA000001", FIRST, 0.0, status=200, rsp_code="00000")
        self.calls = [first, Call("calm", "ZOPA000001", "ZBAA000001", SECOND, 0.0, status=429, rsp_code="42901")]
        self.open_writer = lambda: Ledger([(Line(), counts)])


def write_records(folder, *statuses):
    rows = [{"tran_id": FIRST, "status": status} for status in statuses]
    (folder / "one.access").write_text("".join(f"{json.dumps(row)}\n" for row in rows) + '{"half')


@pytest.mark.parametrize(("counts", "lost", "doubled"), [(1, 0, 0), (0, 1, 0), (2, 0, 1)])
async def test_a_row_has_what_the_ledger_lacks_or_has_twice(tmp_path, counts, lost, doubled):
    write_records(tmp_path, 200, 429)
    row = Row("one")
    await compare_counts(row, Environment(tmp_path, counts), settled_s=0.1)
    assert (row.lost, row.doubled, row.figures["answered_00000"]) == (lost, doubled, 1)


def test_only_whole_records_of_success_count(tmp_path):
    write_records(tmp_path, 200, 200, 500)
    assert read_records(Environment(tmp_path, 0)) == {FIRST: 2}


def test_figures_of_calls(tmp_path):
    calls = Environment(tmp_path, 0).calls
    calls[0].ended, calls[1].ended = 0.002, 0.004
    assert get_share(calls) == 0.5
    assert count_codes([*calls, Call("calm", "", "", "", 0.0)]) == {
        "200 00000": 1,
        "429 42901": 1,
        "no response": 1,
    }
    assert summarize(calls)["p50_ms"] == 2.0
    assert [get_code(body) for body in ({"access_token": "x"}, {"error": "e"}, {"rsp_code": "c"}, {})] == [
        "00000",
        "e",
        "c",
        "",
    ]
