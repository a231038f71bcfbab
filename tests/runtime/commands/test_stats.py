"""Tests of `relay stats`: figures shown, sent and reconciled with access records."""

import gzip
import json
import time
from datetime import datetime, timedelta, timezone

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from relay.domain.exchange import Exchange
from relay.domain.korea import day_in_korea
from relay.domain.statistics import Batch
from relay.infra.records.access_log import format_records
from relay.policy.statistics.weeks import days_of, last_week, week_of
from relay.runtime.cli import main
from relay.runtime.wiring.counting import build_counting

TODAY = day_in_korea(time.time())
WEEK = last_week(time.time())
DAY = days_of(WEEK)[3]
NOON = datetime.strptime(DAY, "%Y%m%d").replace(hour=12, tzinfo=timezone(timedelta(hours=9))).timestamp()
BANK, CARD, OPERATOR, SERVICE = "ZBAA000001", "ZCDA000001", "ZOPA000001", "ZOPA000001SVC01"


def exchange(number=0, **fields):
    """Returns an exchange that ended `number` seconds after noon of DAY."""
    ended = Exchange(0.0, NOON + number)
    defaults = {"provider": BANK, "operator": OPERATOR, "client_id": SERVICE, "api_code": "BA01", "rsp_code": "00000"}
    for name, value in {**defaults, "status": 200, "api_type": "user-refresh", "tran_id": "T", **fields}.items():
        setattr(ended, name, value)
    ended.close(0.0)
    return ended


EXCHANGES = (
    *(exchange(number) for number in range(3)),
    exchange(rsp_code="50005", status=500, reason="connect_refused"),
    exchange(api_type="scheduled"),
    exchange(provider=CARD, api_code="CD01"),
    exchange(client_id=""),
    exchange(api_code="AU02", rsp_code="", status=400, error="invalid_grant"),
)


@pytest.fixture
async def counted(ledger):
    """Counts EXCHANGES in the ledger."""
    lines = [build_counting().line(each) for each in EXCHANGES]
    assert await ledger.statistics.take_batch(Batch("one", {line: lines.count(line) for line in lines}), int(NOON))


@pytest.fixture
def records(deployment):
    """Writes access records of exchanges into a file, compressed when its name ends with .gz."""

    def write(exchanges, name="access.log", more=""):
        file = deployment.path.parent / name
        text = format_records(exchanges).decode() + more
        file.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return str(file)

    return write


class TestShow:
    async def test_a_week_without_calls_is_reported(self, deployment):
        answer = await deployment.relay("stats", "show")
        assert answer.exit_code == 0
        assert answer.stdout == f"counted {days_of(WEEK)[0]} to {days_of(WEEK)[6]}, success / fail\nnothing\n"

    @pytest.mark.parametrize("flags", [[], ["--week", WEEK]])
    async def test_a_week_is_shown_by_institution(self, deployment, counted, flags):
        lines = (await deployment.relay("stats", "show", *flags)).stdout.splitlines()
        assert lines[1:] == [
            "org_code    scheduled  on demand  unsent",
            "ZBAA000001      1 / 0      3 / 2   1 / 0",
            "ZCDA000001      0 / 0      1 / 0   0 / 0",
        ]

    @pytest.mark.parametrize("flags", [["--by-day"], ["--date", DAY]])
    async def test_days_are_shown_separately_on_request(self, deployment, counted, flags):
        lines = (await deployment.relay("stats", "show", *flags)).stdout.splitlines()
        assert lines[2:] == [
            f"ZBAA000001      1 / 0      3 / 2   1 / 0  {DAY}",
            f"ZCDA000001      0 / 0      1 / 0   0 / 0  {DAY}",
        ]

    async def test_one_institution_is_shown_with_its_codes(self, deployment, counted):
        answer = await deployment.relay("stats", "show", "--org-code", BANK, "--codes")
        assert CARD not in answer.stdout
        assert answer.stdout.endswith(
            "codes\n"
            "counter                       calls\n"
            "err_code_2_400_invalid_grant  1\n"
            "rsp_code_3_200_00000          5\n"
            "rsp_code_3_500_50005          1\n"
        )

    async def test_json_has_days_and_figures(self, deployment, counted):
        result = json.loads((await deployment.relay("stats", "show", "--codes", "--json")).stdout)
        assert result["days"] == list(days_of(WEEK))
        assert result["counted"][0] == {
            "stat_date": DAY,
            "org_code": BANK,
            "scheduled": {"success": 1, "fail": 0},
            "on_demand": {"success": 3, "fail": 2},
            "unsent": {"success": 1, "fail": 0},
        }
        assert (result["consents"], result["sendings"], result["codes"]["rsp_code_3_500_50005"]) == ([], [], 1)

    @pytest.mark.parametrize(
        ("flags", "words"),
        [
            (["--week", "20261123"], "--week: write the Sunday after a complete week"),
            (["--week", "soon"], "--week: write the Sunday after a complete week"),
            (["--week", "20000102"], "at most 53 weeks ago"),
            (["--week", "20991227"], "a complete week"),
            (["--date", "20990101"], "today or before"),
            (["--date", "2026-1-1"], "--date: write a day as YYYYMMDD"),
            (["--date", "20260230"], "--date: write a day as YYYYMMDD"),
            (["--date", DAY, "--week", WEEK], "--week and --date: use one of them"),
        ],
    )
    async def test_an_invalid_week_or_day_is_refused(self, deployment, flags, words):
        answer = await deployment.relay("stats", "show", *flags)
        assert (answer.exit_code, answer.stdout) == (2, "")
        assert words in answer.stderr


class TestSend:
    async def test_a_weeks_messages_are_sent_and_their_state_printed(self, deployment, counted):
        answer = await deployment.relay("stats", "send", "--org-code", BANK)
        sent = [call.values for call in deployment.portal.received if call.api_id == "지원-005"]
        assert answer.exit_code == 0
        assert {(body["org_code"], body["inquiry_date"], body["type"]) for body in sent} >= {
            (BANK, WEEK, "1"),
            (BANK, WEEK, "2"),
        }
        rows = [line.split() for line in answer.stdout.splitlines() if line.startswith("Z")]
        assert [(row[0], row[1], row[-1]) for row in rows] == [(BANK, "1", "accepted"), (BANK, "2", "accepted")]
        assert max(map(cell_len, answer.stdout.splitlines())) <= 80

    async def test_accepted_messages_are_sent_again(self, deployment, counted):
        for _ in range(2):
            answer = await deployment.relay(
                "stats", "send", "--org-code", BANK, "--type", "1", "--week", WEEK, "--json"
            )
        result = json.loads(answer.stdout)
        assert (answer.exit_code, result["failed"], len(result["sendings"])) == (0, False, 1)
        assert (result["sendings"][0]["attempts"], result["sendings"][0]["state"]) == (2, "accepted")
        shown = json.loads((await deployment.relay("stats", "show", "--json")).stdout)["sendings"]
        assert result["sendings"][0] in shown

    async def test_a_refused_message_fails_the_command(self, deployment, counted):
        deployment.portal.plan_failure("지원-005", "error_500", times=100)
        answer = await deployment.relay("stats", "send", "--org-code", BANK)
        assert answer.exit_code == 1
        assert "the portal is unavailable (지원-005: " in answer.stderr
        assert "requested again" in answer.stdout
        answer = await deployment.relay("stats", "send", "--org-code", BANK, "--json")
        assert (answer.exit_code, json.loads(answer.stdout)["failed"]) == (1, True)

    async def test_the_leading_instance_sends_the_messages(self, deployment, counted, jobs_process):
        async with jobs_process():
            answer = await deployment.relay("stats", "send", "--org-code", CARD, "--type", "2")
        assert (answer.exit_code, "leads and was asked to run statistics" in answer.stderr) == (0, True)

    @pytest.mark.parametrize(
        ("flags", "words"),
        [
            (["--org-code", BANK, "--org-code", "ZZZZ000009"], "--org-code: no such member of this relay"),
            (["--week", week_of(TODAY)], "a complete week"),
        ],
        ids=["unknown", "week"],
    )
    async def test_an_invalid_request_is_not_recorded(self, deployment, ledger, flags, words):
        answer = await deployment.relay("stats", "send", *flags)
        assert (answer.exit_code, answer.stdout) == (2, "")
        assert words in answer.stderr
        assert await ledger.statistics.requested_sendings() == []

    async def test_without_a_portal_nothing_is_sent(self, deployment):
        deployment.without_portal()
        answer = await deployment.relay("stats", "send")
        assert (answer.exit_code, answer.stderr.count("\n")) == (2, 1)
        assert "no statistics are sent" in answer.stderr


class TestReconcile:
    async def test_rotated_and_compressed_files_give_the_same_figures(self, deployment, counted, records):
        files = [records(EXCHANGES[:3], "access.log"), records(EXCHANGES[3:], "access.log.1.gz")]
        answer = await deployment.relay("stats", "reconcile", "--date", DAY, *files)
        assert answer.exit_code == 0
        assert answer.stdout == f"{DAY}: 8 in the ledger, 8 in the records\nno difference\n"

    async def test_without_files_the_access_log_of_the_settings_is_read(self, deployment, counted, records):
        records(EXCHANGES)
        result = json.loads((await deployment.relay("stats", "reconcile", "--date", DAY, "--json")).stdout)
        assert (result["ledger"], result["records"], result["differences"], result["over"]) == (8, 8, [], True)

    async def test_without_files_the_access_logs_of_workers_are_read(self, deployment, counted, records):
        records(EXCHANGES[:3], "access.1.log")
        records(EXCHANGES[3:], "access.2.log")
        answer = await deployment.relay("stats", "reconcile", "--date", DAY)
        assert answer.stdout == f"{DAY}: 8 in the ledger, 8 in the records\nno difference\n"

    async def test_a_file_named_twice_counts_once(self, deployment, counted, records):
        file = records(EXCHANGES)
        other = str(deployment.path.parent / "certs" / ".." / "access.log")
        assert (await deployment.relay("stats", "reconcile", "--date", DAY, file, file, other)).exit_code == 0

    async def test_every_difference_is_shown_and_fails(self, deployment, counted, records):
        file = records([*EXCHANGES[1:], exchange(status=401, rsp_code="40101")])
        answer = await deployment.relay("stats", "reconcile", "--date", DAY, file)
        assert answer.exit_code == 1
        assert answer.stdout.splitlines()[1:] == [
            "2 differences:",
            "org_code    operator    client_id        t  slot  api   ledger  records  outcome",
            "ZBAA000001  ZOPA000001  ZOPA000001SVC01  2  00    BA01       3        2  200_00000",
            "ZBAA000001  ZOPA000001  ZOPA000001SVC01  2  00    BA01       0        1  401_40101",
        ]
        result = json.loads((await deployment.relay("stats", "reconcile", "--date", DAY, file, "--json")).stdout)
        assert [(each["ledger"], each["records"]) for each in result["differences"]] == [(3, 2), (0, 1)]

    async def test_unattributed_calls_and_unreadable_lines_are_shown(self, deployment, counted, records):
        unattributed = [exchange(provider=""), exchange(operator="")]
        records([*EXCHANGES, *unattributed], more='{"half": \n')
        answer = await deployment.relay("stats", "reconcile", "--date", DAY)
        assert answer.exit_code == 0
        assert "2 not counted: institution or operator unknown\n1 not records: " in answer.stdout

    async def test_an_unfinished_day_is_reported(self, deployment, records):
        records([])
        answer = await deployment.relay("stats", "reconcile", "--date", TODAY)
        assert "the day is not over" in answer.stdout

    @pytest.mark.parametrize("broken", ["cut.gz", "bad.gz", "gone.log"])
    async def test_an_unreadable_file_is_named_and_nothing_is_compared(self, deployment, counted, records, broken):
        file = deployment.path.parent / broken
        content = gzip.compress(format_records(EXCHANGES))
        if broken != "gone.log":
            file.write_bytes(content[:-20] if broken == "cut.gz" else content[:30] + b"\0" * 30 + content[60:])
        answer = await deployment.relay("stats", "reconcile", "--date", DAY, str(file))
        assert (answer.exit_code, answer.stdout) == (2, "")
        assert answer.stderr.startswith(f"{file}: ")
        assert answer.stderr.count("\n") == 1

    async def test_records_on_stdout_need_file_names(self, deployment, counted, records):
        deployment.put(access_log={"path": "stdout"})
        answer = await deployment.relay("stats", "reconcile", "--date", DAY)
        assert (answer.exit_code, answer.stdout) == (2, "")
        assert answer.stderr.startswith("access_log.path is stdout: ")
        assert (await deployment.relay("stats", "reconcile", "--date", DAY, records(EXCHANGES, "other"))).exit_code == 0

    async def test_the_same_records_in_two_files_count_once(self, deployment, counted, records):
        files = [records(EXCHANGES, "access.log"), records(EXCHANGES, "copy.log.gz")]
        answer = await deployment.relay("stats", "reconcile", "--date", DAY, *files)
        assert (answer.exit_code, answer.stderr) == (0, f"{files[1]}: skipped, another file has the same records\n")

    async def test_the_date_is_required(self, deployment):
        assert "--date" in (await deployment.relay("stats", "reconcile")).stderr


LOST = (exchange(status=401, rsp_code="40101"), exchange(status=401, rsp_code="40101"), exchange(9))
"""Calls that a killed gateway did not deliver to the ledger."""


class TestRepair:
    async def repair(self, deployment, *args, code=0):
        answer = await deployment.relay("stats", "reconcile", "--date", DAY, "--repair", "--json", *args)
        assert answer.exit_code == code
        return [each["added"] for each in json.loads(answer.stdout)["repaired"]]

    async def test_calls_lost_by_a_kill_are_added_once(self, deployment, ledger, counted, records):
        file = records([*EXCHANGES, *LOST])
        answer = await deployment.relay("stats", "reconcile", "--date", DAY, "--repair", file)
        assert answer.stdout.splitlines() == [
            f"{DAY}: 11 in the ledger, 11 in the records",
            "repaired: 3 calls of 2 lines from the records",
            "no difference",
        ]
        before = await ledger.statistics.counts(DAY, DAY)
        assert await self.repair(deployment, file) == []
        assert await ledger.statistics.counts(DAY, DAY) == before
        assert len(await ledger.statistics.repairs(DAY, DAY)) == 2

    async def test_a_later_spool_delivery_is_not_counted_twice(self, deployment, ledger, counted, records):
        file = records([*EXCHANGES, *LOST])
        assert await self.repair(deployment, file) == [1, 2]
        lines = [build_counting().line(each) for each in LOST]
        batch = Batch("late", {line: lines.count(line) for line in lines})
        assert await ledger.statistics.take_batch(batch, int(NOON) + 86_400)
        assert (await deployment.relay("stats", "reconcile", "--date", DAY, file)).exit_code == 0

    async def test_a_figure_is_never_lowered(self, deployment, ledger, counted, records):
        file = records([*EXCHANGES[1:], *LOST[:1]])
        assert await self.repair(deployment, file, code=1) == [1]
        assert sum(count for _, count in await ledger.statistics.counts(DAY, DAY)) == 9

    async def test_repairs_are_shown_with_the_figures(self, deployment, counted, records):
        await self.repair(deployment, records([*EXCHANGES, *LOST]))
        shown = (await deployment.relay("stats", "show", "--date", DAY)).stdout
        assert "repaired from access records" in shown
        result = json.loads((await deployment.relay("stats", "show", "--date", DAY, "--json")).stdout)
        assert [(each["added"], each["pending"], each["outcome"]) for each in result["repairs"]] == [
            (1, 1, "200_00000"),
            (2, 2, "401_40101"),
        ]

    async def test_an_unfinished_day_is_not_repaired(self, deployment, ledger, records):
        file = records([exchange(9, received=time.time())])
        answer = await deployment.relay("stats", "reconcile", "--date", TODAY, "--repair", file)
        assert (answer.exit_code, answer.stderr) == (2, "--repair: the day is not over\n")
        assert await ledger.statistics.repairs("20000101", "99991231") == []


@pytest.mark.parametrize("args", [[], ["show"], ["send"], ["reconcile"]], ids=lambda args: args[0] if args else "group")
def test_help_describes_the_command(args):
    answer = CliRunner().invoke(main, ["stats", *args, "--help"])
    assert answer.exit_code == 0
    assert ("Examples:" in answer.stdout and "Exit code 0" in answer.stdout) or args
