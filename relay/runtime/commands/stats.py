"""`relay stats`: what was counted, what of it the portal has, and whether it is true."""

import asyncio
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from relay.domain.statistics import ConsentCount, Line, Sending, SendingState
from relay.infra.access_files import Unreadable, records_in
from relay.infra.ledger.sql_ledger import SqlLedger
from relay.policy.overview import Row, codes, days_and_providers
from relay.policy.reconcile import Recount, differences
from relay.policy.report import TYPES, Calls
from relay.policy.scalars import STDOUT
from relay.policy.weeks import WEEKS_MOST, days_of, is_sunday, korean_day, last_week, weeks_back
from relay.runtime.config import Loaded
from relay.runtime.consulting import CANNOT, FAILED, config_option, consult, end, job_run, json_option, moment
from relay.runtime.counting import counting


@click.group(
    "stats",
    epilog="""\b
Examples:
  relay stats show -c /etc/relay/relay.yaml            the last complete week, and what was sent of it
  relay stats show --date 20261122 --codes             one day, by rsp_code and OAuth error too
  relay stats send --week 20261122 --org-code ZBAA000001
  relay stats reconcile --date 20261121 access.log access.log.1.gz
\b
A week is named by its inquiry_date: the Sunday after it.
Exit code 0 when all is well, 1 when something differs or was not accepted, 2 when nothing could be done.""",
)
def command() -> None:
    """Statistics (지원-005): the figures that decide fees."""


@command.command("show")
@click.option("--week", help="A week, by its inquiry_date (YYYYMMDD).  [default: the last complete one]")
@click.option("--date", "day", help="One day (YYYYMMDD) in the place of a week.")
@click.option("--org-code", help="This institution alone.")
@click.option("--codes", "with_codes", is_flag=True, help="The counters of the 2022 addendum, too.")
@config_option
@json_option
def show_(
    path: Path, week: str | None, day: str | None, org_code: str | None, *, with_codes: bool, as_json: bool
) -> None:
    """Show what was counted for each institution, and how the messages of the week stand."""
    days, named = _days(week, day)

    async def look(
        _: Loaded, ledger: SqlLedger
    ) -> tuple[Sequence[tuple[Line, int]], Sequence[ConsentCount], Sequence[Sending]]:
        book = ledger.statistics
        sendings = await book.sendings(named) if named else ()
        counts = await book.counts(days[0], days[-1], org_code)
        return counts, await book.consent_counts(days, org_code), sendings

    counts, consents, sendings = consult(path, look)
    told: dict[str, Any] = {
        "days": days,
        "counted": [_row(one) for one in days_and_providers(counts)],
        "consents": [one._asdict() for one in consents],
        "sendings": [_sending(one) for one in sendings if org_code in {None, one.provider}],
    }
    if with_codes:
        told["codes"] = dict(codes(counts))
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        _show(told)


@command.command("send")
@click.option("--week", help="A week, by its inquiry_date (YYYYMMDD).  [default: the last complete one]")
@click.option("--org-code", "org_codes", multiple=True, help="This institution (again and again).  [default: all]")
@click.option("--type", "kind", type=click.Choice(TYPES), help="1 scheduled, 2 on demand.  [default: both]")
@config_option
@json_option
def send_(path: Path, week: str | None, org_codes: tuple[str, ...], kind: str | None, *, as_json: bool) -> None:
    """Send a week's messages to the portal, accepted before or not."""
    days, named = _days(week, None)

    async def work(loaded: Loaded, ledger: SqlLedger) -> tuple[str, Sequence[Sending]]:
        if loaded.settings.portal is None:
            end("there is no portal in the settings", CANNOT)
        known = {one.org_code for one in loaded.providers} | await ledger.statistics.providers_in(days[0], days[-1])
        if unknown := sorted(set(org_codes) - known):
            end(f"no member of this relay: {', '.join(unknown)}", CANNOT)
        for org_code in org_codes or sorted(known):
            await ledger.statistics.ask_again(named, org_code, (kind,) if kind else TYPES, int(time.time()))
        state = await job_run(loaded, ledger, "statistics")
        return state.told, await ledger.statistics.sendings(named)

    told, sendings = consult(path, work)
    rows = [_sending(one) for one in sendings if not org_codes or one.provider in org_codes]
    click.echo(json.dumps({"told": told, "sendings": rows}, ensure_ascii=False) if as_json else told)
    accepted = all(one["state"] == SendingState.ACCEPTED.value for one in rows)
    raise SystemExit(0 if accepted else FAILED)


@command.command("reconcile")
@click.option("--date", "day", required=True, help="The day (YYYYMMDD, Korea).")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@config_option
@json_option
def reconcile_(path: Path, day: str, files: tuple[Path, ...], *, as_json: bool) -> None:
    """Count a day once more from the access records in FILES, of all gateways, and name every difference.

    Without FILES: the file that the settings write to. Records rotated or compressed (gz) are read likewise.
    """
    wanted = _day(day)

    async def look(loaded: Loaded, ledger: SqlLedger) -> tuple[Recount, Sequence[tuple[Line, int]]]:
        log = loaded.settings.access_log.path
        if not files and log == STDOUT:
            end("the records go to stdout: name the files they were collected in", CANNOT)
        recount = Recount(wanted)
        for file in files or (Path(log),):
            await asyncio.to_thread(recount.read, records_in(file), counting())
        return recount, await ledger.statistics.counts(wanted, wanted)

    try:
        recount, counted = consult(path, look)
    except Unreadable as error:
        end(str(error), CANNOT)
    found = list(differences(counted, recount.counts))
    told = {
        "date": wanted,
        "ledger": sum(count for _, count in counted),
        "records": sum(recount.counts.values()),
        "unattributed": recount.unattributed,
        "unreadable_lines": recount.unreadable,
        "differences": [{**one.line._asdict(), "ledger": one.ledger, "records": one.records} for one in found],
    }
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        _show_reconciled(told)
    raise SystemExit(FAILED if found else 0)


def _days(week: str | None, day: str | None) -> tuple[tuple[str, ...], str]:
    """The days meant, and the week they are, "" when they are none."""
    if day is not None:
        if week is not None:
            end("--week or --date, one of them", CANNOT)
        return (_day(day),), ""
    named = last_week(time.time()) if week is None else week
    if not is_sunday(named) or not 0 <= weeks_back(named, time.time()) < WEEKS_MOST:
        end(f"a week is named by its inquiry_date, a Sunday, at most {WEEKS_MOST} weeks back, and is complete", CANNOT)
    return days_of(named), named


def _day(text: str) -> str:
    try:
        found = time.strptime(text, "%Y%m%d")
    except ValueError:
        end("a day is written YYYYMMDD", CANNOT)
    if time.strftime("%Y%m%d", found) != text or text > korean_day(time.time()):
        end("a day is written YYYYMMDD, and is not after today", CANNOT)
    return text


def _row(one: Row) -> dict[str, Any]:
    named: Iterable[tuple[str, Calls]] = (
        ("scheduled", one.scheduled),
        ("on_demand", one.on_demand),
        ("unsent", one.unsent),
    )
    figures = {name: {"success": calls.successes, "fail": calls.failures} for name, calls in named}
    return {"stat_date": one.stat_date, "org_code": one.provider, **figures}


def _sending(one: Sending) -> dict[str, Any]:
    return {
        "week": one.week,
        "org_code": one.provider,
        "type": one.type,
        "state": one.state.value,
        "attempts": one.attempts,
        "asked_again": one.asked,
        "tried": moment(one.tried_at),
        "accepted": moment(one.accepted_at),
        "tran_id": one.tran_id,
        "rsp_code": one.rsp_code,
    }


def _show_reconciled(told: dict[str, Any]) -> None:
    console = Console()
    console.print(f"{told['date']}: {told['ledger']} in the ledger, {told['records']} in the records")
    for key, words in (
        ("unattributed", "records count for nobody: institution or operator unknown"),
        ("unreadable_lines", "lines are no records"),
    ):
        if told[key]:
            console.print(f"{told[key]} {words}")
    if not told["differences"]:
        console.print("no difference")
        return
    names = (*Line._fields, "ledger", "records")
    table = Table(*names, box=None, title="differences")
    for one in told["differences"]:
        table.add_row(*(escape(str(one[name])) for name in names))
    console.print(table)


def _show(told: dict[str, Any]) -> None:
    console = Console()
    table = Table("day", "org_code", "scheduled", "on demand", "unsent", box=None, title="counted: success / fail")
    for one in told["counted"]:
        figures = (f"{one[name]['success']} / {one[name]['fail']}" for name in ("scheduled", "on_demand", "unsent"))
        table.add_row(one["stat_date"], one["org_code"], *figures)
    console.print(table)
    if told["consents"]:
        table = Table("day", "org_code", "client_id", "new", "revoked", "own", box=None, title="consents")
        for one in told["consents"]:
            words = (one["stat_date"], one["provider"], one["client_id"], one["new"], one["revoked"], one["own"])
            table.add_row(*(escape(str(word)) for word in words))
        console.print(table)
    for name, count in told.get("codes", {}).items():
        console.print(f"{name:<48} {count}")
    if told["sendings"]:
        table = Table("org_code", "type", "state", "tries", "accepted", "rsp_code", box=None, title="sent (지원-005)")
        for one in told["sendings"]:
            cells = (one["org_code"], one["type"], one["state"], one["attempts"], one["accepted"] or "-")
            table.add_row(*(escape(str(cell)) for cell in cells), one["rsp_code"])
        console.print(table)
