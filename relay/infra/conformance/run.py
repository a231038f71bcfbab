"""Runs the conformance kit against one institution: the order of its parts."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from relay.domain.api import Api, Catalogue
from relay.domain.korea import date_in_korea, format_iso
from relay.infra.conformance.api_trial import ApiTrial
from relay.infra.conformance.caller import Caller
from relay.infra.conformance.connection import Address, ConnectFailed, Connection
from relay.infra.conformance.session import Session, list_apis
from relay.infra.conformance.tls_trial import Contexts, explain, judge_handshake, try_tls
from relay.infra.conformance.whole_trial import WholeTrial
from relay.policy.conformance.case import ADAPTED_CASES, CASES, IDLE, TLS, WHOLE_CASES
from relay.policy.conformance.outcome import Recorder, Report, select_cases
from relay.policy.conformance.rule import Text
from relay.policy.conformance.sources import SOURCES
from relay.policy.conformance.target import Effort, Selection, Statuses, Target

Progress = Callable[[int, int, Text], object]
"""Takes the number of the part that begins, the number of all parts, and its name."""

_FIRST: Final = Text("TLS, 연결 재사용", "TLS, reused connection")
_LAST: Final = Text("없는 URI, 느린 요청, 끊긴 요청, 동시 요청", "unknown URIs, slow, cut and parallel calls")


async def run_conformance(  # noqa: PLR0913 - the parts of a run
    target: Target,
    contexts: Contexts,
    catalogue: Catalogue,
    statuses: Statuses,
    *,
    effort: Effort,
    selection: Selection,
    now: datetime,
    progress: Progress = lambda *_: None,
) -> Report:
    """Tries an institution and returns the report."""
    address = Address(target.base_url, contexts.usual, target.timeouts, target.adapter)
    caller = Caller(address, target.relay, effort.rate)
    recorder = Recorder(selection)
    day = date_in_korea(now.timestamp()) - timedelta(days=1)
    cases = select_cases(selection)
    session = Session(
        target, effort, caller, recorder, statuses, cases & ADAPTED_CASES if target.adapter else cases, day
    )
    apis = list_apis(catalogue, target.industry, target.turned_on)
    try:
        problem = await _connect(session, contexts, apis)
        if not problem:
            await _try_all(session, contexts, apis, progress)
    finally:
        caller.drop()
    selected = tuple(api for api in apis if selection.has_api(api.api_id, api.api_code))
    names = {api.api_id for api in selected} | {""}
    return Report(
        org_code=target.org_code,
        industry=target.industry,
        base_url=target.base_url,
        apis=selected,
        outcomes=recorder.list_outcomes(selected),
        findings=tuple(each for each in recorder.list_findings() if each.api_id in names),
        calls=caller.calls,
        started_at=format_iso(now.timestamp()),
        problem="" if recorder.list_findings() else problem,
    )


async def _connect(session: Session, contexts: Contexts, apis: Sequence[Api]) -> str:
    """Opens a first connection. Returns why that fails, "" if it does not; a flaw of TLS is recorded."""
    try:
        connection = await Connection.open(session.caller.address)
    except ConnectFailed as failed:
        if flaw := await judge_handshake(session.caller.address, failed, contexts.old):
            session.recorder.record(None, TLS, [flaw])
        for case in CASES.values():
            for api in apis if case.is_per_api else (None,):
                session.recorder.record_untried(api, case.name, "unreachable")
        return explain(failed)
    connection.abort()
    return ""


async def _try_all(session: Session, contexts: Contexts, apis: Sequence[Api], progress: Progress) -> None:
    """Tries the connection, then each API, then slow, cut and parallel calls. An idle connection waits meanwhile."""
    needed = _select_apis(session, apis)
    offered = [api for api in needed if api.api_code not in session.target.left_out]
    simple = next((api for api in offered if api.api_id not in SOURCES), None)
    total = len(needed) + 2
    progress(1, total, _FIRST)
    if simple is None:
        for case in WHOLE_CASES:
            session.recorder.record_untried(None, case, "left_out")
        return
    whole = WholeTrial(session, session.build_call(simple, {}))
    for case in WHOLE_CASES if session.target.is_adapted else ():
        if case not in ADAPTED_CASES:
            session.recorder.record_untried(None, case, "relay_checks")
    if TLS in session.cases:
        await try_tls(session, session.build_call(simple, {}), contexts)
    reason = await whole.try_reuse()
    async with asyncio.TaskGroup() as tasks:
        if IDLE in session.cases and not reason:
            tasks.create_task(whole.try_idle())
        elif reason:
            session.recorder.record_untried(None, IDLE, reason)
        for number, api in enumerate(needed, 2):
            progress(number, total, Text(f"{api.api_code} {api.name}", f"{api.api_code} {api.name_en}"))
            await ApiTrial(session, api).run()
        progress(total, total, _LAST)
        await whole.run()


def _select_apis(session: Session, apis: Sequence[Api]) -> list[Api]:
    """Returns the APIs to try: the selected ones, and those whose answers have their assets."""
    selection = session.recorder.selection
    needed = {api.api_id for api in apis if selection.has_api(api.api_id, api.api_code)}
    for api in reversed(apis):
        if api.api_id in needed:
            needed |= {source.api_id for source in SOURCES.get(api.api_id, ())}
    return [api for api in apis if api.api_id in needed]
