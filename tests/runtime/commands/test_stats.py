"""`relay stats` as a user meets it: figures shown, sent, and held against the access records."""

import gzip
import json
import time
from datetime import datetime, timedelta, timezone

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from relay.domain.exchange import Exchange
from relay.domain.statistics import Batch
from relay.infra.records.access_log import line as record_of
from relay.policy.statistics.weeks import days_of, korean_day, last_week, week_of
from relay.runtime.cli import main
from relay.runtime.wiring.counting import counting

TODAY = korean_day(time.time())
WEEK = last_week(time.time())
DAY = days_of(WEEK)[3]
NOON = datetime.strptime(DAY, "%Y%m%d").replace(hour=12, tzinfo=timezone(timedelta(hours=9))).timestamp()
BANK, CARD, OPERATOR, SERVICE = "ZBAA000001", "ZCDA000001", "ZOPA000001", "ZOPA000001SVC01"


def exchange(number=0, **fields):
    """One that ended at noon of DAY, a second after the other."""
    made = Exchange(0.0, NOON + number)
    told = {"provider": BANK, "operator": OPERATOR, "client_id": SERVICE, "api_code": "BA01", "rsp_code": "00000"}
    for name, value in {**told, "status": 200, "api_type": "user-refresh", "tran_id": "T", **fields}.items():
        setattr(made, name, value)
    made.close(0.0)
    return made


EXCHANGES = (
    *(exchange(number) for number in range(3)),
    exchange(rsp_code="50005", status=500, reason="provider_refused"),
    exchange(api_type="scheduled"),
    exchange(provider=CARD, api_code="CD01"),
    exchange(client_id=""),
    exchange(api_code="AU02", rsp_code="", status=400, error="invalid_grant"),
)


@pytest.fixture
async def counted(ledger):
    """The ledger counted what there was."""
    lines = [counting().line(one) for one in EXCHANGES]
    assert await ledger.statistics.take_batch(Batch("one", {line: lines.count(line) for line in lines}), int(NOON))


@pytest.fixture
def records(premises):
    """Writes records of exchanges into a file, `access.log` unless another is named; gz when its name says so."""

    def write(exchanges, name="access.log", more=""):
        file = premises.path.parent / name
        text = "".join(map(record_of, exchanges)) + more
        file.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return str(file)

    return write


class TestShow:
    async def test_where_nothing_was_counted_that_is_said(self, premises):
        answer = await premises.relay("stats", "show")
        assert answer.exit_code == 0
        assert answer.stdout == f"counted {days_of(WEEK)[0]} to {days_of(WEEK)[6]}, success / fail\nnothing\n"

    @pytest.mark.parametrize("flags", [[], ["--week", WEEK]])
    async def test_a_week_is_told_by_institution(self, premises, counted, flags):
        lines = (await premises.relay("stats", "show", *flags)).stdout.splitlines()
        assert lines[1:] == [
            "org_code    scheduled  on demand  unsent",
            "ZBAA000001      1 / 0      3 / 2   1 / 0",
            "ZCDA000001      0 / 0      1 / 0   0 / 0",
        ]

    @pytest.mark.parametrize("flags", [["--by-day"], ["--date", DAY]])
    async def test_days_are_told_one_by_one_when_that_is_wanted(self, premises, counted, flags):
        lines = (await premises.relay("stats", "show", *flags)).stdout.splitlines()
        assert lines[2:] == [
            f"ZBAA000001      1 / 0      3 / 2   1 / 0  {DAY}",
            f"ZCDA000001      0 / 0      1 / 0   0 / 0  {DAY}",
        ]

    async def test_one_institution_alone_and_what_its_answers_were(self, premises, counted):
        answer = await premises.relay("stats", "show", "--org-code", BANK, "--codes")
        assert CARD not in answer.stdout
        assert answer.stdout.endswith(
            "codes\n"
            "counter                       calls\n"
            "err_code_2_400_invalid_grant  1\n"
            "rsp_code_3_200_00000          5\n"
            "rsp_code_3_500_50005          1\n"
        )

    async def test_machines_are_told_days_and_figures(self, premises, counted):
        told = json.loads((await premises.relay("stats", "show", "--codes", "--json")).stdout)
        assert told["days"] == list(days_of(WEEK))
        assert told["counted"][0] == {
            "stat_date": DAY,
            "org_code": BANK,
            "scheduled": {"success": 1, "fail": 0},
            "on_demand": {"success": 3, "fail": 2},
            "unsent": {"success": 1, "fail": 0},
        }
        assert (told["consents"], told["sendings"], told["codes"]["rsp_code_3_500_50005"]) == ([], [], 1)

    @pytest.mark.parametrize(
        ("flags", "words"),
        [
            (["--week", "20261123"], "a week is named by its inquiry_date, a Sunday"),
            (["--week", "soon"], "a week is named by its inquiry_date, a Sunday"),
            (["--week", "20000102"], "at most 53 weeks back"),
            (["--week", "20991227"], "and is complete"),
            (["--date", "20990101"], "is not after today"),
            (["--date", "2026-1-1"], "a day is written YYYYMMDD"),
            (["--date", "20260230"], "a day is written YYYYMMDD"),
            (["--date", DAY, "--week", WEEK], "--week or --date, one of them"),
        ],
    )
    async def test_what_is_no_week_or_day_is_not_shown(self, premises, flags, words):
        answer = await premises.relay("stats", "show", *flags)
        assert (answer.exit_code, answer.stdout) == (2, "")
        assert words in answer.stderr


class TestSend:
    async def test_a_weeks_messages_go_to_the_portal_and_how_they_stand_is_told(self, premises, counted):
        answer = await premises.relay("stats", "send", "--org-code", BANK)
        sent = [one.values for one in premises.portal.received if one.api_id == "지원-005"]
        assert answer.exit_code == 0
        assert {(body["org_code"], body["inquiry_date"], body["type"]) for body in sent} >= {
            (BANK, WEEK, "1"),
            (BANK, WEEK, "2"),
        }
        rows = [line.split() for line in answer.stdout.splitlines() if line.startswith("Z")]
        assert [(row[0], row[1], row[-1]) for row in rows] == [(BANK, "1", "accepted"), (BANK, "2", "accepted")]
        assert max(map(cell_len, answer.stdout.splitlines())) <= 80

    async def test_it_is_sent_again_although_it_was_accepted(self, premises, counted):
        for _ in range(2):
            answer = await premises.relay("stats", "send", "--org-code", BANK, "--type", "1", "--week", WEEK, "--json")
        told = json.loads(answer.stdout)
        assert (answer.exit_code, told["failed"], len(told["sendings"])) == (0, False, 1)
        assert (told["sendings"][0]["attempts"], told["sendings"][0]["state"]) == (2, "accepted")
        shown = json.loads((await premises.relay("stats", "show", "--json")).stdout)["sendings"]
        assert told["sendings"][0] in shown

    async def test_what_the_portal_does_not_take_is_no_success(self, premises, counted):
        premises.portal.misbehave("지원-005", "error_500", times=100)
        answer = await premises.relay("stats", "send", "--org-code", BANK)
        assert answer.exit_code == 1
        assert "the portal is unavailable (지원-005: " in answer.stderr
        assert "asked again" in answer.stdout
        answer = await premises.relay("stats", "send", "--org-code", BANK, "--json")
        assert (answer.exit_code, json.loads(answer.stdout)["failed"]) == (1, True)

    async def test_the_instance_that_leads_sends_it(self, premises, counted, jobs_process):
        async with jobs_process():
            answer = await premises.relay("stats", "send", "--org-code", CARD, "--type", "2")
        assert (answer.exit_code, "leads and is asked to run statistics" in answer.stderr) == (0, True)

    @pytest.mark.parametrize(
        ("flags", "words"),
        [
            (["--org-code", BANK, "--org-code", "ZZZZ000009"], "no member of this relay has one of these org_codes"),
            (["--week", week_of(TODAY)], "is complete"),
        ],
        ids=["stranger", "week"],
    )
    async def test_what_cannot_be_sent_is_not_asked_for(self, premises, ledger, flags, words):
        answer = await premises.relay("stats", "send", *flags)
        assert (answer.exit_code, answer.stdout) == (2, "")
        assert words in answer.stderr
        assert await ledger.statistics.asked_again() == []

    async def test_without_a_portal_nobody_is_sent_anything(self, premises):
        premises.without_portal()
        answer = await premises.relay("stats", "send")
        assert (answer.exit_code, answer.stderr.count("\n")) == (2, 1)
        assert "nobody is sent figures" in answer.stderr


class TestReconcile:
    async def test_records_of_rotated_and_packed_files_make_the_same_figures(self, premises, counted, records):
        files = [records(EXCHANGES[:3], "access.log"), records(EXCHANGES[3:], "access.log.1.gz")]
        answer = await premises.relay("stats", "reconcile", "--date", DAY, *files)
        assert answer.exit_code == 0
        assert answer.stdout == f"{DAY}: 8 in the ledger, 8 in the records\nno difference\n"

    async def test_without_files_those_of_the_settings_are_read(self, premises, counted, records):
        records(EXCHANGES)
        told = json.loads((await premises.relay("stats", "reconcile", "--date", DAY, "--json")).stdout)
        assert (told["ledger"], told["records"], told["differences"], told["over"]) == (8, 8, [], True)

    async def test_a_file_that_is_named_twice_counts_once(self, premises, counted, records):
        file = records(EXCHANGES)
        other = str(premises.path.parent / "certs" / ".." / "access.log")
        assert (await premises.relay("stats", "reconcile", "--date", DAY, file, file, other)).exit_code == 0

    async def test_every_difference_is_named_and_is_no_success(self, premises, counted, records):
        file = records([*EXCHANGES[1:], exchange(status=401, rsp_code="40101")])
        answer = await premises.relay("stats", "reconcile", "--date", DAY, file)
        assert answer.exit_code == 1
        assert answer.stdout.splitlines()[1:] == [
            "2 differences:",
            "org_code    operator    client_id        t  slot  api   ledger  records  outcome",
            "ZBAA000001  ZOPA000001  ZOPA000001SVC01  2  00    BA01       3        2  200_00000",
            "ZBAA000001  ZOPA000001  ZOPA000001SVC01  2  00    BA01       0        1  401_40101",
        ]
        told = json.loads((await premises.relay("stats", "reconcile", "--date", DAY, file, "--json")).stdout)
        assert [(one["ledger"], one["records"]) for one in told["differences"]] == [(3, 2), (0, 1)]

    async def test_what_counts_for_nobody_and_lines_that_are_no_records_are_told(self, premises, counted, records):
        strangers = [exchange(provider=""), exchange(operator="")]
        records([*EXCHANGES, *strangers], more='{"half": \n')
        answer = await premises.relay("stats", "reconcile", "--date", DAY)
        assert answer.exit_code == 0
        assert "2 for nobody: institution or operator unknown\n1 no record: " in answer.stdout

    async def test_a_day_that_is_not_over_is_told(self, premises, records):
        records([])

        answer = await premises.relay("stats", "reconcile", "--date", TODAY)
        assert "the day is not over" in answer.stdout

    @pytest.mark.parametrize("broken", ["cut.gz", "bad.gz", "gone.log"])
    async def test_a_file_that_cannot_be_read_to_its_end_is_named_and_nothing_is_compared(
        self, premises, counted, records, broken
    ):
        file = premises.path.parent / broken
        whole = gzip.compress("".join(map(record_of, EXCHANGES)).encode())
        if broken != "gone.log":
            file.write_bytes(whole[:-20] if broken == "cut.gz" else whole[:30] + b"\0" * 30 + whole[60:])
        answer = await premises.relay("stats", "reconcile", "--date", DAY, str(file))
        assert (answer.exit_code, answer.stdout) == (2, "")
        assert answer.stderr.startswith(f"{file}: ")
        assert answer.stderr.count("\n") == 1

    async def test_records_that_go_to_stdout_have_to_be_named(self, premises, counted, records):
        premises.put(access_log={"path": "stdout"})
        answer = await premises.relay("stats", "reconcile", "--date", DAY)
        assert (answer.exit_code, answer.stdout) == (2, "")
        assert answer.stderr.startswith("the records go to stdout: ")
        assert (await premises.relay("stats", "reconcile", "--date", DAY, records(EXCHANGES, "other"))).exit_code == 0

    async def test_the_same_records_in_two_files_count_once(self, premises, counted, records):
        files = [records(EXCHANGES, "access.log"), records(EXCHANGES, "copy.log.gz")]
        answer = await premises.relay("stats", "reconcile", "--date", DAY, *files)
        assert (answer.exit_code, answer.stderr) == (0, f"{files[1]}: the same records as in another file, left out\n")

    async def test_a_day_has_to_be_named(self, premises):
        assert "--date" in (await premises.relay("stats", "reconcile")).stderr


LOST = (exchange(status=401, rsp_code="40101"), exchange(status=401, rsp_code="40101"), exchange(9))
"""What the ledger never heard of, because its gateway was killed."""


class TestRepair:
    async def repair(self, premises, *args, code=0):
        answer = await premises.relay("stats", "reconcile", "--date", DAY, "--repair", "--json", *args)
        assert answer.exit_code == code
        return [one["added"] for one in json.loads(answer.stdout)["repaired"]]

    async def test_what_a_kill_lost_is_brought_from_the_records_once(self, premises, ledger, counted, records):
        file = records([*EXCHANGES, *LOST])
        answer = await premises.relay("stats", "reconcile", "--date", DAY, "--repair", file)
        assert answer.stdout.splitlines() == [
            f"{DAY}: 11 in the ledger, 11 in the records",
            "repaired: 3 calls of 2 lines from the records",
            "no difference",
        ]
        before = await ledger.statistics.counts(DAY, DAY)
        assert await self.repair(premises, file) == []
        assert await ledger.statistics.counts(DAY, DAY) == before
        assert len(await ledger.statistics.repairs(DAY, DAY)) == 2

    async def test_what_the_spool_brings_later_is_not_counted_twice(self, premises, ledger, counted, records):
        file = records([*EXCHANGES, *LOST])
        assert await self.repair(premises, file) == [1, 2]
        lines = [counting().line(one) for one in LOST]
        batch = Batch("late", {line: lines.count(line) for line in lines})
        assert await ledger.statistics.take_batch(batch, int(NOON) + 86_400)
        assert (await premises.relay("stats", "reconcile", "--date", DAY, file)).exit_code == 0

    async def test_a_figure_is_never_lowered(self, premises, ledger, counted, records):
        file = records([*EXCHANGES[1:], *LOST[:1]])
        assert await self.repair(premises, file, code=1) == [1]
        assert sum(count for _, count in await ledger.statistics.counts(DAY, DAY)) == 9

    async def test_a_repair_is_shown_with_the_figures(self, premises, counted, records):
        await self.repair(premises, records([*EXCHANGES, *LOST]))
        shown = (await premises.relay("stats", "show", "--date", DAY)).stdout
        assert "repaired from access records" in shown
        told = json.loads((await premises.relay("stats", "show", "--date", DAY, "--json")).stdout)
        assert [(one["added"], one["pending"], one["outcome"]) for one in told["repairs"]] == [
            (1, 1, "200_00000"),
            (2, 2, "401_40101"),
        ]

    async def test_a_day_that_is_not_over_is_not_repaired(self, premises, ledger, records):
        file = records([exchange(9, received=time.time())])
        answer = await premises.relay("stats", "reconcile", "--date", TODAY, "--repair", file)
        assert (answer.exit_code, answer.stderr) == (2, "a day is repaired when it is over\n")
        assert await ledger.statistics.repairs("20000101", "99991231") == []


@pytest.mark.parametrize("args", [[], ["show"], ["send"], ["reconcile"]], ids=lambda args: args[0] if args else "group")
def test_help_tells_what_it_does(args):
    answer = CliRunner().invoke(main, ["stats", *args, "--help"])
    assert answer.exit_code == 0
    assert ("Examples:" in answer.stdout and "Exit code 0" in answer.stdout) or args
