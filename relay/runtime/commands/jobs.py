"""`relay jobs`: what runs by itself, how it went, who leads; and run it now."""

import json
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from relay.domain.jobs import JobState, PortalCall, Term
from relay.infra.ledger.sql_ledger import SqlLedger
from relay.runtime.config import Loaded
from relay.runtime.consulting import FAILED, config_option, consult, job_run, json_option, moment
from relay.runtime.labour import JOBS

CALLS_SHOWN = 10


@click.group(
    "jobs",
    epilog="""\b
Examples:
  relay jobs list -c /etc/relay/relay.yaml
  relay jobs list --json | jq '.jobs[] | select(.failures > 0)'
  relay jobs run directory            ask the portal who may call, now
  relay jobs run statistics           send what is due of 지원-005, now
\b
Exit code 0 when all is well, 1 when a job fails, 2 when settings or ledger cannot be used.""",
)
def command() -> None:
    """What one leader among all instances does without being asked."""


@command.command("list")
@config_option
@json_option
def list_(path: Path, *, as_json: bool) -> None:
    """Show each job, its last outcome and when it is due; who leads; the last calls to the portal."""

    async def look(_: Loaded, ledger: SqlLedger) -> dict[str, Any]:
        states = await ledger.jobs.jobs()
        jobs = [_job(states.get(name, JobState(name)), purpose) for name, purpose in JOBS.items()]
        return {
            "leader": _leader(await ledger.jobs.leader(), int(time.time())),
            "jobs": jobs,
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
    """Run a job now: here when nobody leads, else by the instance that leads, and wait for it."""
    state = consult(path, lambda loaded, ledger: job_run(loaded, ledger, name))
    click.echo(json.dumps(_job(state, JOBS[name]), ensure_ascii=False) if as_json else state.told)


def _job(state: JobState, purpose: str) -> dict[str, Any]:
    return {
        "name": state.name,
        "purpose": purpose,
        "begun": moment(state.begun_at),
        "ended": moment(state.ended_at),
        "succeeded": moment(state.succeeded_at),
        "due": moment(state.due_at),
        "failures": state.failures,
        "told": state.told,
    }


def _leader(term: Term | None, now: int) -> dict[str, Any]:
    if term is None:
        return {"holder": None, "term": 0, "until": None, "leads": False}
    return {"holder": term.holder, "term": term.fence, "until": moment(term.until), "leads": term.until > now}


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
    console, leader = Console(), told["leader"]
    if leader["leads"]:
        console.print(f"leading: {escape(leader['holder'])}, term {leader['term']}, until {leader['until']}")
    else:
        console.print("nobody leads: start `relay serve` or `relay serve --role jobs`")
    jobs = Table("job", "last success", "due", "failures", "told", box=None)
    for job in told["jobs"]:
        words = (job["name"], job["succeeded"] or "never", job["due"] or "-", str(job["failures"]), job["told"])
        jobs.add_row(*map(escape, words))
    console.print(jobs)
    calls = Table("portal call", "at", "answer", "ms", "", box=None)
    for call in told["portal_calls"]:
        answer = f"{call['status'] or '-'} {call['rsp_code']}"
        calls.add_row(call["api_id"], call["at"], answer, f"{call['ms']:.0f}", escape(call["outcome"]))
    console.print(calls)
