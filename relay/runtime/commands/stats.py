"""`relay stats`: what was counted, what of it the portal has, and whether it is true."""

import asyncio
import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from relay.domain.jobs import JobState
from relay.domain.statistics import ConsentCount, Line, Repair, Sending, SendingState
from relay.infra.ledger.sql_ledger import SqlLedger
from relay.infra.records.access_files import Unreadable, records_in
from relay.policy.settings.scalars import STDOUT
from relay.policy.statistics.overview import Row, codes, days_and_providers
from relay.policy.statistics.reconcile import Recount, differences
from relay.policy.statistics.report import TYPES, Calls
from relay.policy.statistics.weeks import WEEKS_MOST, days_of, is_sunday, korean_day, last_week, weeks_back
from relay.runtime.commands.ledger_session import (
    CANNOT,
    FAILED,
    config_option,
    consult,
    end,
    job_run,
    json_option,
    moment,
    with_portal,
)
from relay.runtime.commands.printing import clock, counted, print_table, rows_of
from relay.runtime.settings.loading import Loaded
from relay.runtime.wiring.counting import counting


@click.group(
    "stats",
    epilog="""\b
Examples:
  relay stats show -c /etc/relay/relay.yaml   the last complete week
  relay stats show --date 20261122 --codes    one day, by rsp_code and OAuth error
  relay stats send --week 20261122 --org-code ZBAA000001
  relay stats reconcile --date 20261121 access.log access.log.1.gz
  relay stats reconcile --date 20261121 --repair access.log
\b
A week is named by its inquiry_date: the Sunday after it.
Exit code 0 when all is well, 1 when something differs or was not accepted,
2 when nothing could be done.""",
)
def command() -> None:
    """Statistics (지원-005): the figures that decide fees."""


@command.command("show")
@click.option("--week", help="A week, by its inquiry_date (YYYYMMDD).  [default: the last complete one]")
@click.option("--date", "day", help="One day (YYYYMMDD) in the place of a week.")
@click.option("--org-code", help="This institution alone.")
@click.option("--by-day", is_flag=True, help="Each day of the week by itself; JSON always does.")
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
    """Show what was counted, and what was sent.

    For each institution: calls by success and failure, consents, and how its messages of the week stand.
    """
    days, named = _days(week, day)

    async def look(
        _: Loaded, ledger: SqlLedger
    ) -> tuple[Sequence[tuple[Line, int]], Sequence[ConsentCount], Sequence[Sending], Sequence[Repair]]:
        book = ledger.statistics
        sendings = await book.sendings(named, content=False) if named else ()
        counts = await book.counts(days[0], days[-1], org_code)
        repairs = await book.repairs(days[0], days[-1])
        return counts, await book.consent_counts(days, org_code), sendings, repairs

    counts, consents, sendings, repairs = consult(path, look)
    told: dict[str, Any] = {
        "days": days,
        "counted": [_row(one) for one in days_and_providers(counts)],
        "consents": [one._asdict() for one in consents],
        "sendings": [_sending(one) for one in sendings if org_code in {None, one.provider}],
        "repairs": [_repair(one) for one in repairs if org_code in {None, one.line.provider}],
    }
    if with_codes:
        told["codes"] = dict(codes(counts))
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        _show(told, told["counted"] if by_day or not named else _all_days(counts))


@command.command("send")
@click.option("--week", help="A week, by its inquiry_date (YYYYMMDD).  [default: the last complete one]")
@click.option("--org-code", "org_codes", multiple=True, help="This institution (again and again).  [default: all]")
@click.option("--type", "kind", type=click.Choice(TYPES), help="1 scheduled, 2 on demand.  [default: both]")
@config_option
@json_option
def send_(path: Path, week: str | None, org_codes: tuple[str, ...], kind: str | None, *, as_json: bool) -> None:
    """Send a week's messages to the portal.

    Accepted before or not. What else is due goes with them. Where another instance leads, that one sends, and is
    waited for.
    """
    days, named = _days(week, None)

    async def work(loaded: Loaded, ledger: SqlLedger) -> tuple[JobState, Sequence[Sending]]:
        with_portal(loaded)
        known = {one.org_code for one in loaded.providers} | await ledger.statistics.providers_in(days[0], days[-1])
        if set(org_codes) - known:
            end("no member of this relay has one of these org_codes, or was counted in that week", CANNOT)
        wanted, kinds = org_codes or sorted(known), (kind,) if kind else TYPES
        for org_code in wanted:
            await ledger.statistics.ask_again(named, org_code, kinds, int(time.time()))
        state = await job_run(loaded, ledger, "statistics")
        sendings = await ledger.statistics.sendings(named, content=False)
        return state, [one for one in sendings if one.provider in wanted and one.type in kinds]

    state, sendings = consult(path, work)
    rows = [_sending(one) for one in sendings]
    if as_json:
        told = {"told": state.told, "failed": bool(state.failures), "sendings": rows}
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        click.echo(state.told, err=bool(state.failures))
        _show_sendings(rows)
    accepted = all(one.state is SendingState.ACCEPTED and not one.asked for one in sendings)
    raise SystemExit(0 if accepted else FAILED)


@command.command("reconcile")
@click.option("--date", "day", required=True, help="The day (YYYYMMDD, Korea).")
@click.option("--repair", is_flag=True, help="Bring into the ledger what it lacks of the records.")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@config_option
@json_option
def reconcile_(path: Path, day: str, files: tuple[Path, ...], *, repair: bool, as_json: bool) -> None:
    """Count a day once more, name every difference.

    FILES are the access records of all gateways that answered that day, each record once.
    Without FILES: the file that the settings write to. Records rotated or compressed (gz) are read likewise.
    --repair raises figures that a kill lost to what the records say, and never lowers one.
    """
    wanted = _day(day)
    is_over = wanted < korean_day(time.time())
    if repair and not is_over:
        end("a day is repaired when it is over", CANNOT)

    async def look(loaded: Loaded, ledger: SqlLedger) -> tuple[Recount, Sequence[Repair], Sequence[tuple[Line, int]]]:
        recount, book = await _recounted(wanted, _files(loaded, files)), ledger.statistics
        repaired = await book.repair(wanted, recount.counts, int(time.time())) if repair else ()
        return recount, repaired, await book.counts(wanted, wanted)

    try:
        recount, repaired, counts = consult(path, look)
    except Unreadable as error:
        end(str(error), CANNOT)
    found = list(differences(counts, recount.counts))
    told = {
        "date": wanted,
        "over": is_over,
        "ledger": sum(count for _, count in counts),
        "records": sum(recount.counts.values()),
        "unattributed": recount.unattributed,
        "unreadable_lines": recount.unreadable,
        "repaired": [{**one.line._asdict(), "added": one.added} for one in repaired],
        "differences": [{**one.line._asdict(), "ledger": one.ledger, "records": one.records} for one in found],
    }
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        _show_reconciled(told)
    raise SystemExit(FAILED if found else 0)


async def _recounted(day: str, files: Iterable[Path]) -> Recount:
    """What all files add up to; one that holds the same records as another counts once."""
    whole, known = Recount(day), set()
    for file in files:
        one, digest = await asyncio.to_thread(_read, day, file)
        if digest in known:
            click.echo(f"{file}: the same records as in another file, left out", err=True)
            continue
        known.add(digest)
        whole.add(one)
    return whole


def _read(day: str, file: Path) -> tuple[Recount, bytes]:
    """What a file adds up to, and the digest of its records. Raises Unreadable."""
    recount, digest = Recount(day), hashlib.sha256()

    def hashed() -> Iterator[bytes]:
        for line in records_in(file):
            digest.update(line)
            yield line

    recount.read(hashed(), counting())
    return recount, digest.digest()


def _files(loaded: Loaded, named: tuple[Path, ...]) -> Iterable[Path]:
    """The files to read, each once, however often a pattern of the shell named it."""
    log = loaded.settings.access_log.path
    if not named and log == STDOUT:
        end("the records go to stdout: name the files they were collected in", CANNOT)
    return {file.resolve(): file for file in named or (Path(log),)}.values()


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


def _all_days(counts: Sequence[tuple[Line, int]]) -> list[dict[str, Any]]:
    return [_row(one) for one in days_and_providers((line._replace(stat_date=""), count) for line, count in counts)]


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


def _repair(one: Repair) -> dict[str, Any]:
    return {"at": moment(one.at), **one.line._asdict(), "added": one.added, "pending": one.pending}


def _show_reconciled(told: dict[str, Any]) -> None:
    click.echo(f"{told['date']}: {told['ledger']:,} in the ledger, {told['records']:,} in the records")
    if not told["over"]:
        click.echo("the day is not over: what ended just now may stand in one of them only")
    if told["repaired"]:
        calls = sum(one["added"] for one in told["repaired"])
        click.echo(f"repaired: {counted(calls, 'call')} of {counted(len(told['repaired']), 'line')} from the records")
    for key, words in (
        ("unattributed", "for nobody: institution or operator unknown"),
        ("unreadable_lines", "no record: a line, or a piece of one, that does not tell an exchange"),
    ):
        if told[key]:
            click.echo(f"{told[key]:,} {words}")
    if not told["differences"]:
        click.echo("no difference")
        return
    click.echo(f"{counted(len(told['differences']), 'difference')}:")
    names = ("provider", "operator", "client_id", "type", "tm_slot", "api_code", "ledger", "records", "outcome")
    heads = ("org_code", "operator", "client_id", "t", "slot", "api", "ledger", "records", "outcome")
    print_table(heads, rows_of(told["differences"], *names), right=("ledger", "records"))


def _show(told: dict[str, Any], figures: Sequence[dict[str, Any]]) -> None:
    first, last = told["days"][0], told["days"][-1]
    click.echo(f"counted {first if first == last else f'{first} to {last}'}, success / fail")
    if figures:
        names = ("scheduled", "on_demand", "unsent")
        figured = (
            (
                one["org_code"],
                *(f"{one[name]['success']:,} / {one[name]['fail']:,}" for name in names),
                one["stat_date"],
            )
            for one in figures
        )
        heads = ("org_code", "scheduled", "on demand", "unsent", "day" if figures[0]["stat_date"] else "")
        print_table(heads, figured, right=heads[1:4])
    else:
        click.echo("nothing")
    if told["consents"]:
        click.echo("\nconsents")
        rows = rows_of(told["consents"], "stat_date", "provider", "new", "revoked", "own", "client_id")
        print_table(("day", "org_code", "new", "revoked", "own", "client_id"), rows, right=("new", "revoked", "own"))
    if told.get("codes"):
        click.echo("\ncodes")
        print_table(("counter", "calls"), ((name, f"{count:,}") for name, count in told["codes"].items()))
    _show_repairs(told["repairs"])
    _show_sendings(told["sendings"])


def _show_repairs(repairs: Sequence[dict[str, Any]]) -> None:
    if repairs:
        click.echo("\nrepaired from access records")
        rows = [{**one, "at": clock(one["at"])} for one in repairs]
        names = ("at", "stat_date", "provider", "api_code", "added", "outcome")
        print_table(("at", "day", "org_code", "api", "calls", "outcome"), rows_of(rows, *names), right=("calls",))


def _show_sendings(sendings: Sequence[dict[str, Any]]) -> None:
    if not sendings:
        return
    click.echo("\nsent (지원-005)")
    rows = [
        {**one, "accepted": clock(one["accepted"], "-"), "state": one["state"] + ", asked again" * one["asked_again"]}
        for one in sendings
    ]
    heads = ("org_code", "type", "tries", "accepted", "rsp_code", "state")
    print_table(heads, rows_of(rows, "org_code", "type", "attempts", "accepted", "rsp_code", "state"), right=("tries",))
