"""`relay jobs`: what runs by itself, how it went, who leads; and run it now."""

import json
import time
from pathlib import Path
from typing import Any, Final

import click

from relay.domain.jobs import JobState, PortalCall, Term
from relay.infra.ledger.sql_ledger import SqlLedger
from relay.runtime.commands.ledger_session import FAILED, config_option, consult, end, job_run, json_option, moment
from relay.runtime.commands.printing import clock, print_table, rows_of
from relay.runtime.settings.job_names import JOBS, names_of
from relay.runtime.settings.loading import Loaded

CALLS_SHOWN: Final = 10


@click.group(
    "jobs",
    epilog="""\b
Examples:
  relay jobs list -c /etc/relay/relay.yaml
  relay jobs list --json | jq '.jobs[] | select(.failures > 0)'
  relay jobs run directory            ask the portal who may call, now
  relay jobs run statistics           send what is due of 지원-005, now
\b
Exit code 0 when all is well, 1 when a job failed last, 2 when nothing could be done.""",
)
def command() -> None:
    """What one leader among all instances does without being asked."""


@command.command("list")
@config_option
@json_option
def list_(path: Path, *, as_json: bool) -> None:
    """Show jobs, who leads, the last calls.

    Of each job its last outcome and when it is due. Of calls to the portal the last ten.
    """

    async def look(loaded: Loaded, ledger: SqlLedger) -> dict[str, Any]:
        states = await ledger.jobs.jobs()
        return {
            "leader": _leader(await ledger.jobs.leader(), int(time.time())),
            "jobs": [_job(states.get(name, JobState(name))) for name in names_of(loaded.settings)],
            "portal_calls": [_call(call) for call in await ledger.jobs.calls(CALLS_SHOWN)],
        }

    told = consult(path, look)
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        _show(told)
    raise SystemExit(FAILED if any(job["failures"] for job in told["jobs"]) else 0)


@command.command("run")
@click.argument("name", type=click.Choice(list(JOBS)))
@config_option
@json_option
def run_(name: str, path: Path, *, as_json: bool) -> None:
    """Run a job now.

    Here when nobody leads, else by the instance that leads, which is waited for.

    \b
    directory       what changed of who may call (지원-002, 지원-003)
    directory_full  the same, all of it; by itself once a day
    statistics      last week's figures, and what the portal asked for (지원-005)
    retention       what is over for longer than retention says leaves the ledger
    """  # noqa: D301 - click's \b keeps the lines
    state = consult(path, lambda loaded, ledger: job_run(loaded, ledger, name))
    if as_json:
        click.echo(json.dumps(_job(state), ensure_ascii=False))
        raise SystemExit(FAILED if state.failures else 0)
    if state.failures:
        end(state.told, FAILED)
    click.echo(state.told)


def _job(state: JobState) -> dict[str, Any]:
    return {
        "name": state.name,
        "purpose": JOBS[state.name],
        "begun": moment(state.begun_at),
        "ended": moment(state.ended_at),
        "succeeded": moment(state.succeeded_at),
        "due": moment(state.due_at),
        "asked": state.asked_at > state.begun_at,
        "failures": state.failures,
        "told": state.told,
    }


def _leader(term: Term | None, now: int) -> dict[str, Any]:
    if term is None:
        return {"holder": None, "term": 0, "until": None, "leads": False}
    return {"holder": term.holder, "term": term.fence, "until": moment(term.until), "leads": term.runs(now)}


def _call(call: PortalCall) -> dict[str, Any]:
    return {
        "at": moment(int(call.at)),
        "api_id": call.api_id,
        "tran_id": call.tran_id,
        "attempt": call.attempt,
        "status": call.status,
        "rsp_code": call.rsp_code,
        "ms": round(call.took_ms, 1),
        "outcome": call.outcome,
    }


def _show(told: dict[str, Any]) -> None:
    leader = told["leader"]
    if leader["leads"]:
        click.echo(f"leading: {leader['holder']}, term {leader['term']}, until {clock(leader['until'])} in Korea")
    else:
        click.echo("nobody leads: start `relay serve` or `relay serve --role jobs`")
    click.echo()
    heads = ("job", "succeeded", "due", "failures")
    print_table(heads, ((*_when(job), job["failures"]) for job in told["jobs"]), right=("failures",))
    click.echo()
    for job in told["jobs"]:
        first, _, more = job["told"].partition("\n")
        if first:
            click.echo(f"{job['name']}: {first}{' ... (all of it: --json)' if more else ''}")
    if told["portal_calls"]:
        click.echo()
        calls = [
            {**call, "at": clock(call["at"]), "status": call["status"] or "-", "ms": f"{call['ms']:.0f}"}
            for call in told["portal_calls"]
        ]
        rows = rows_of(calls, "api_id", "at", "status", "rsp_code", "ms", "outcome")
        print_table(("call", "at", "status", "code", "ms", "outcome"), rows, right=("ms",))


def _when(job: dict[str, Any]) -> tuple[str, str, str]:
    return job["name"], clock(job["succeeded"]), "at once" if job["asked"] else clock(job["due"], "at once")
