"""`relay stats`: shows counted calls, sends them to the portal, reconciles them with access records."""

import asyncio
import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from relay.domain.jobs import JobState
from relay.domain.korea import date_in_korea, day_in_korea, parse_day
from relay.domain.statistics import ConsentCount, Line, Repair, Sending, SendingState
from relay.infra.ledger.sql_ledger import SqlLedger
from relay.infra.records.access_files import UnreadableFile, read_records
from relay.policy.settings.scalars import STDOUT
from relay.policy.statistics.overview import DayRow, codes, sum_by_day
from relay.policy.statistics.reconcile import Recount, find_differences
from relay.policy.statistics.report import TYPES, Calls
from relay.policy.statistics.weeks import MAX_WEEKS, days_of, is_sunday, last_week, weeks_back
from relay.runtime.commands.ledger_session import format_time, require_portal, run_job, with_ledger
from relay.runtime.commands.options import config_option, json_option
from relay.runtime.commands.printing import (
    EXIT_FAILED,
    EXIT_UNUSABLE,
    exit_with,
    format_local,
    pluralize,
    print_table,
    table_rows,
)
from relay.runtime.settings.access_logs import list_access_logs
from relay.runtime.settings.loading import LoadedSettings
from relay.runtime.wiring.counting import build_counting


@click.group(
    "stats",
    epilog="""\b
Examples:
  relay stats show -c /etc/relay/relay.yaml   the last complete week
  relay stats show --date 20261122 --codes    by rsp_code and OAuth error
  relay stats send --week 20261122 --org-code ZBAA000001
  relay stats reconcile --date 20261121 access.log access.log.1.gz
  relay stats reconcile --date 20261121 --repair access.log
\b
A week is named by its inquiry_date: the Sunday after it.
Exit code 0 when all is well, 1 when figures differ or were not accepted,
2 when the command could not run.""",
)
def command() -> None:
    """Statistics (지원-005): the figures that decide fees."""


@command.command("show")
@click.option("--week", help="Week by its inquiry_date, YYYYMMDD.  [default: the last complete one]")
@click.option("--date", "day", help="One day (YYYYMMDD) instead of a week.")
@click.option("--org-code", help="Only this institution.")
@click.option("--by-day", is_flag=True, help="Each day of the week separately, as JSON always does.")
@click.option("--codes", "with_codes", is_flag=True, help="The counters of the 2022 addendum, too.")
@config_option
@json_option
def show_(
    path: Path,
    week: str | None,
    day: str | None,
    org_code: str | None,
    *,
    by_day: bool,
    with_codes: bool,
    as_json: bool,
) -> None:
    """Show counted calls and sent messages.

    For each institution: calls by success and failure, consents, and the state of its messages of the week.
    """
    days, inquiry_date = _days(week, day)

    async def look(
        _: LoadedSettings, ledger: SqlLedger
    ) -> tuple[Sequence[tuple[Line, int]], Sequence[ConsentCount], Sequence[Sending], Sequence[Repair]]:
        book = ledger.statistics
        sendings = await book.sendings(inquiry_date, content=False) if inquiry_date else ()
        counts = await book.counts(days[0], days[-1], org_code)
        repairs = await book.repairs(days[0], days[-1])
        return counts, await book.consent_counts(days, org_code), sendings, repairs

    counts, consents, sendings, repairs = with_ledger(path, look)
    result: dict[str, Any] = {
        "days": days,
        "counted": [_row(row) for row in sum_by_day(counts)],
        "consents": [count._asdict() for count in consents],
        "sendings": [_sending(sending) for sending in sendings if org_code in {None, sending.provider}],
        "repairs": [_repair(repair) for repair in repairs if org_code in {None, repair.line.provider}],
    }
    if with_codes:
        result["codes"] = dict(codes(counts))
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False, indent=2))
    else:
        _show(result, result["counted"] if by_day or not inquiry_date else _sum_days(counts))


@command.command("send")
@click.option("--week", help="Week by its inquiry_date, YYYYMMDD.  [default: the last complete one]")
@click.option("--org-code", "org_codes", multiple=True, help="Only this institution; may be repeated.  [default: all]")
@click.option("--type", "kind", type=click.Choice(TYPES), help="1 scheduled, 2 on demand.  [default: both]")
@config_option
@json_option
def send_(path: Path, week: str | None, org_codes: tuple[str, ...], kind: str | None, *, as_json: bool) -> None:
    """Send a week's messages to the portal.

    It sends them again when they were accepted before, and other due messages too. When another instance leads, it
    sends, and the command waits.
    """
    days, inquiry_date = _days(week, None)

    async def work(loaded: LoadedSettings, ledger: SqlLedger) -> tuple[JobState, Sequence[Sending]]:
        require_portal(loaded)
        files = {provider.org_code for provider in loaded.providers}
        known = files | await ledger.statistics.providers_in(days[0], days[-1])
        if set(org_codes) - known:
            exit_with("--org-code: no such member of this relay, and no calls counted in that week", EXIT_UNUSABLE)
        selected, kinds = org_codes or sorted(known), (kind,) if kind else TYPES
        for org_code in selected:
            await ledger.statistics.request_resend(inquiry_date, org_code, kinds, int(time.time()))
        state = await run_job(loaded, ledger, "statistics")
        sendings = await ledger.statistics.sendings(inquiry_date, content=False)
        return state, [sending for sending in sendings if sending.provider in selected and sending.type in kinds]

    state, sendings = with_ledger(path, work)
    rows = [_sending(sending) for sending in sendings]
    if as_json:
        result = {"result": state.result, "failed": bool(state.failures), "sendings": rows}
        click.echo(json.dumps(result, ensure_ascii=False, indent=2))
    else:
        click.echo(state.result, err=bool(state.failures))
        _show_sendings(rows)
    are_accepted = all(sending.state is SendingState.ACCEPTED and not sending.requested for sending in sendings)
    raise SystemExit(0 if are_accepted else EXIT_FAILED)


@command.command("reconcile")
@click.option("--date", "day", required=True, help="The day (YYYYMMDD, Korea).")
@click.option("--repair", is_flag=True, help="Add to the ledger what it lacks of the records.")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@config_option
@json_option
def reconcile_(path: Path, day: str, files: tuple[Path, ...], *, repair: bool, as_json: bool) -> None:
    """Recount a day from access records and show every difference.

    FILES are the access records of all gateways that served that day, each record once.
    Without FILES it reads access_log.path of the settings, and the logs of workers beside it.
    Rotated and compressed (gz) files are read, too.
    --repair adds calls that a killed gateway did not deliver; it never lowers a figure.
    """
    date = _parse_day(day)
    is_over = date < day_in_korea(time.time())
    if repair and not is_over:
        exit_with("--repair: the day is not over", EXIT_UNUSABLE)

    async def look(
        loaded: LoadedSettings, ledger: SqlLedger
    ) -> tuple[Recount, Sequence[Repair], Sequence[tuple[Line, int]]]:
        recount, book = await _recount(date, _list_files(loaded, files)), ledger.statistics
        repaired = await book.repair(date, recount.counts, int(time.time())) if repair else ()
        return recount, repaired, await book.counts(date, date)

    try:
        recount, repaired, counts = with_ledger(path, look)
    except UnreadableFile as error:
        exit_with(str(error), EXIT_UNUSABLE)
    rows = list(find_differences(counts, recount.counts))
    result = {
        "date": date,
        "over": is_over,
        "ledger": sum(count for _, count in counts),
        "records": sum(recount.counts.values()),
        "unattributed": recount.unattributed,
        "unreadable_lines": recount.unreadable,
        "repaired": [{**each.line._asdict(), "added": each.added} for each in repaired],
        "differences": [{**row.line._asdict(), "ledger": row.ledger, "records": row.records} for row in rows],
    }
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False, indent=2))
    else:
        _show_reconciled(result)
    raise SystemExit(EXIT_FAILED if rows else 0)


async def _recount(day: str, files: Iterable[Path]) -> Recount:
    """Returns the sum of all files; files with equal records count once."""
    total, known = Recount(day), set()
    for file in files:
        recount, digest = await asyncio.to_thread(_read, day, file)
        if digest in known:
            click.echo(f"{file}: skipped, another file has the same records", err=True)
            continue
        known.add(digest)
        total.add(recount)
    return total


def _read(day: str, file: Path) -> tuple[Recount, bytes]:
    """Returns the counts of a file and the digest of its records. Raises UnreadableFile."""
    recount, digest = Recount(day), hashlib.sha256()

    def read_lines() -> Iterator[bytes]:
        for line in read_records(file):
            digest.update(line)
            yield line

    recount.read(read_lines(), build_counting())
    return recount, digest.digest()


def _list_files(loaded: LoadedSettings, files: tuple[Path, ...]) -> Iterable[Path]:
    """Returns the files to read, each once, even if shell patterns name it repeatedly."""
    log = loaded.settings.access_log.path
    if not files and log == STDOUT:
        exit_with("access_log.path is stdout: name the files that collect the records", EXIT_UNUSABLE)
    return {file.resolve(): file for file in files or list_access_logs(Path(log))}.values()


def _days(week: str | None, day: str | None) -> tuple[tuple[str, ...], str]:
    """Returns the days, and the inquiry_date of their week, "" for a single day."""
    if day is not None:
        if week is not None:
            exit_with("--week and --date: use one of them", EXIT_UNUSABLE)
        return (_parse_day(day),), ""
    inquiry_date = last_week(time.time()) if week is None else week
    if not is_sunday(inquiry_date) or not 0 <= weeks_back(inquiry_date, time.time()) < MAX_WEEKS:
        exit_with(
            f"--week: write the Sunday after a complete week, at most {MAX_WEEKS} weeks ago, as YYYYMMDD",
            EXIT_UNUSABLE,
        )
    return days_of(inquiry_date), inquiry_date


def _parse_day(text: str) -> str:
    try:
        day = parse_day(text)
    except ValueError:
        exit_with("--date: write a day as YYYYMMDD", EXIT_UNUSABLE)
    if day > date_in_korea(time.time()):
        exit_with("--date: write a day as YYYYMMDD, today or before", EXIT_UNUSABLE)
    return text


def _sum_days(counts: Sequence[tuple[Line, int]]) -> list[dict[str, Any]]:
    return [_row(row) for row in sum_by_day((line._replace(stat_date=""), count) for line, count in counts)]


def _row(row: DayRow) -> dict[str, Any]:
    columns: Iterable[tuple[str, Calls]] = (
        ("scheduled", row.scheduled),
        ("on_demand", row.on_demand),
        ("unsent", row.unsent),
    )
    figures = {name: {"success": calls.successes, "fail": calls.failures} for name, calls in columns}
    return {"stat_date": row.stat_date, "org_code": row.provider, **figures}


def _sending(sending: Sending) -> dict[str, Any]:
    return {
        "week": sending.week,
        "org_code": sending.provider,
        "type": sending.type,
        "state": sending.state.value,
        "attempts": sending.attempts,
        "requested_again": sending.requested,
        "tried": format_time(sending.tried_at),
        "accepted": format_time(sending.accepted_at),
        "tran_id": sending.tran_id,
        "rsp_code": sending.rsp_code,
    }


def _repair(repair: Repair) -> dict[str, Any]:
    at, line = format_time(repair.at), repair.line._asdict()
    return {"at": at, **line, "added": repair.added, "pending": repair.pending}


def _show_reconciled(result: dict[str, Any]) -> None:
    click.echo(f"{result['date']}: {result['ledger']:,} in the ledger, {result['records']:,} in the records")
    if not result["over"]:
        click.echo("the day is not over: recent calls may be in one of them only")
    if result["repaired"]:
        calls, lines = sum(each["added"] for each in result["repaired"]), len(result["repaired"])
        click.echo(f"repaired: {pluralize(calls, 'call')} of {pluralize(lines, 'line')} from the records")
    for key, text in (
        ("unattributed", "not counted: institution or operator unknown"),
        ("unreadable_lines", "not records: lines, or parts of lines, that hold no exchange"),
    ):
        if result[key]:
            click.echo(f"{result[key]:,} {text}")
    if not result["differences"]:
        click.echo("no difference")
        return
    click.echo(f"{pluralize(len(result['differences']), 'difference')}:")
    names = ("provider", "operator", "client_id", "type", "tm_slot", "api_code", "ledger", "records", "outcome")
    heads = ("org_code", "operator", "client_id", "t", "slot", "api", "ledger", "records", "outcome")
    print_table(heads, table_rows(result["differences"], *names), right=("ledger", "records"))


def _show(result: dict[str, Any], figures: Sequence[dict[str, Any]]) -> None:
    first, last = result["days"][0], result["days"][-1]
    click.echo(f"counted {first if first == last else f'{first} to {last}'}, success / fail")
    if figures:
        names = ("scheduled", "on_demand", "unsent")
        rows = []
        for row in figures:
            calls = [f"{row[name]['success']:,} / {row[name]['fail']:,}" for name in names]
            rows.append((row["org_code"], *calls, row["stat_date"]))
        heads = ("org_code", "scheduled", "on demand", "unsent", "day" if figures[0]["stat_date"] else "")
        print_table(heads, rows, right=heads[1:4])
    else:
        click.echo("nothing")
    if result["consents"]:
        click.echo("\nconsents")
        consents = table_rows(result["consents"], "stat_date", "provider", "new", "revoked", "own", "client_id")
        columns = ("day", "org_code", "new", "revoked", "own", "client_id")
        print_table(columns, consents, right=("new", "revoked", "own"))
    if result.get("codes"):
        click.echo("\ncodes")
        print_table(("counter", "calls"), ((name, f"{count:,}") for name, count in result["codes"].items()))
    _show_repairs(result["repairs"])
    _show_sendings(result["sendings"])


def _show_repairs(repairs: Sequence[dict[str, Any]]) -> None:
    if repairs:
        click.echo("\nrepaired from access records")
        rows = [{**repair, "at": format_local(repair["at"])} for repair in repairs]
        names = ("at", "stat_date", "provider", "api_code", "added", "outcome")
        print_table(("at", "day", "org_code", "api", "calls", "outcome"), table_rows(rows, *names), right=("calls",))


def _show_sendings(sendings: Sequence[dict[str, Any]]) -> None:
    if not sendings:
        return
    click.echo("\nsent (지원-005)")
    rows = []
    for sending in sendings:
        state = sending["state"] + ", requested again" * sending["requested_again"]
        rows.append({**sending, "accepted": format_local(sending["accepted"], "-"), "state": state})
    heads = ("org_code", "type", "attempts", "accepted", "rsp_code", "state")
    print_table(heads, table_rows(rows, *heads), right=("attempts",))
