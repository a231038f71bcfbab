"""`relay jobs`: lists jobs with their last result and the leader; runs a job now."""

import json
import time
from pathlib import Path
from typing import Any, Final

import click

from relay.domain.jobs import JobState, PortalCall, Term
from relay.infra.ledger.sql_ledger import SqlLedger
from relay.runtime.commands.ledger_session import format_time, run_job, with_ledger
from relay.runtime.commands.options import config_option, json_option
from relay.runtime.commands.printing import EXIT_FAILED, exit_with, format_local, print_table, table_rows
from relay.runtime.settings.job_names import JOBS, get_job_names
from relay.runtime.settings.loading import LoadedSettings

CALLS_SHOWN: Final = 10


@click.group(
    "jobs",
    epilog="""\b
Examples:
  relay jobs list -c /etc/relay/relay.yaml
  relay jobs list --json | jq '.jobs[] | select(.failures > 0)'
  relay jobs run directory            sync the registry now
  relay jobs run statistics           send due messages of 지원-005 now
\b
Exit code 0 when all is well, 1 when the last run of a job failed,
2 when the command could not run.""",
)
def command() -> None:
    """Periodic jobs, run by one leader among all instances."""


@command.command("list")
@config_option
@json_option
def list_(path: Path, *, as_json: bool) -> None:
    """Show jobs, leader and calls to the portal.

    For each job the last result and when it is due next; the last ten calls to the portal.
    """

    async def look(loaded: LoadedSettings, ledger: SqlLedger) -> dict[str, Any]:
        states = await ledger.jobs.load_states()
        return {
            "leader": _leader(await ledger.jobs.load_leader(), int(time.time())),
            "jobs": [_job(states.get(name, JobState(name))) for name in get_job_names(loaded.settings)],
            "portal_calls": [_call(call) for call in await ledger.jobs.load_calls(CALLS_SHOWN)],
        }

    result = with_ledger(path, look)
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False, indent=2))
    else:
        _show(result)
    raise SystemExit(EXIT_FAILED if any(job["failures"] for job in result["jobs"]) else 0)


@command.command("run")
@click.argument("name", type=click.Choice(list(JOBS)))
@config_option
@json_option
def run_(name: str, path: Path, *, as_json: bool) -> None:
    """Run a job now.

    It runs here when no instance leads, else in the leading instance, and the command waits.

    \b
    directory       fetch changes of the registry (지원-002, 지원-003)
    directory_full  fetch the whole registry; due once a day
    statistics      send last week's statistics and those requested (지원-005)
    retention       delete ended records after the times of `retention`
    """  # noqa: D301 - click's \b keeps the lines
    state = with_ledger(path, lambda loaded, ledger: run_job(loaded, ledger, name))
    if as_json:
        click.echo(json.dumps(_job(state), ensure_ascii=False))
        raise SystemExit(EXIT_FAILED if state.failures else 0)
    if state.failures:
        exit_with(state.result, EXIT_FAILED)
    click.echo(state.result)


def _job(state: JobState) -> dict[str, Any]:
    return {
        "name": state.name,
        "purpose": JOBS[state.name],
        "begun": format_time(state.begun_at),
        "ended": format_time(state.ended_at),
        "succeeded": format_time(state.succeeded_at),
        "due": format_time(state.due_at),
        "requested": state.requested_at > state.begun_at,
        "failures": state.failures,
        "result": state.result,
    }


def _leader(term: Term | None, now: int) -> dict[str, Any]:
    if term is None:
        return {"holder": None, "term": 0, "until": None, "leads": False}
    return {"holder": term.holder, "term": term.fence, "until": format_time(term.until), "leads": term.is_running(now)}


def _call(call: PortalCall) -> dict[str, Any]:
    return {
        "at": format_time(int(call.at)),
        "api_id": call.api_id,
        "tran_id": call.tran_id,
        "attempt": call.attempt,
        "status": call.status,
        "rsp_code": call.rsp_code,
        "ms": round(call.took_ms, 1),
        "outcome": call.outcome,
    }


def _show(result: dict[str, Any]) -> None:
    leader = result["leader"]
    if leader["leads"]:
        until = format_local(leader["until"])
        click.echo(f"leader: {leader['holder']}, term {leader['term']}, until {until} in Korea")
    else:
        click.echo("no leader: start `relay serve` or `relay serve --role jobs`")
    click.echo()
    heads = ("job", "succeeded", "due", "failures")
    print_table(heads, ((*_times(job), job["failures"]) for job in result["jobs"]), right=("failures",))
    click.echo()
    for job in result["jobs"]:
        first, _, more = job["result"].partition("\n")
        if first:
            click.echo(f"{job['name']}: {first}{' ... (more: --json)' if more else ''}")
    if result["portal_calls"]:
        click.echo()
        calls = [
            {**call, "at": format_local(call["at"]), "status": call["status"] or "-", "ms": f"{call['ms']:.0f}"}
            for call in result["portal_calls"]
        ]
        rows = table_rows(calls, "api_id", "at", "status", "rsp_code", "ms", "outcome")
        print_table(("call", "at", "status", "code", "ms", "outcome"), rows, right=("ms",))


def _times(job: dict[str, Any]) -> tuple[str, str, str]:
    due = "now" if job["requested"] else format_local(job["due"], "now")
    return job["name"], format_local(job["succeeded"]), due
