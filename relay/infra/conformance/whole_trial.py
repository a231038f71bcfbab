"""Tries the institution as a whole: unknown URIs, reused, idle, slow, cut and parallel connections."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from relay.infra.conformance.connection import CallFailed
from relay.infra.conformance.session import Session, describe
from relay.policy.conformance.call import ConformanceCall
from relay.policy.conformance.case import BASIC, CUT, IDLE, KEEP_ALIVE, PARALLEL, PATHS, SLOW
from relay.policy.conformance.error_cases import UNKNOWN_PATHS
from relay.policy.conformance.judgement import Flaw, Received
from relay.policy.conformance.pages import compare_bodies

_REUSES: Final = 3
_PIECES: Final = 6
_CUTS: Final = 4


class _ParallelAnswer(NamedTuple):
    """What is wrong with an answer to a call beside others, its x-api-tran-id and members."""

    problem: str
    tran_id: str = ""
    members: Mapping[str, object] = {}


class WholeTrial:
    """Tries an institution with `call`, a right call of it."""

    def __init__(self, session: Session, call: ConformanceCall) -> None:
        self._session = session
        self._call = call

    async def run(self) -> None:
        """Tries unknown URIs, slow, cut and parallel calls, unless even the right call has no readable answer."""
        attempts = (
            (PATHS, self._try_paths),
            (SLOW, self._try_slow),
            (CUT, self._try_cut),
            (PARALLEL, self._try_parallel),
        )
        selected = [(case, attempt) for case, attempt in attempts if case in self._session.cases]
        is_readable = bool(selected) and await self._is_readable()
        for case, attempt in selected:
            if is_readable:
                await attempt()
            else:
                self._session.recorder.record_untried(None, case, "basic_failed")

    async def _is_readable(self) -> bool:
        """Returns whether the right call has a readable answer; otherwise its flaws are the cause to report."""
        judged = await self._session.ask(self._call, BASIC)
        if not judged.members:
            self._session.recorder.record_cause(self._call.api, BASIC, judged.flaws, describe(self._call))
        return bool(judged.members)

    async def try_reuse(self) -> str:
        """Makes several calls on one connection. Returns the reason why an idle connection need not be tried."""
        if KEEP_ALIVE not in self._session.cases:
            return ""
        if not await self._is_readable():
            self._session.recorder.record_untried(None, KEEP_ALIVE, "basic_failed")
            return "basic_failed"
        return "" if await self._try(KEEP_ALIVE, "keep_alive", self._reuse) else "no_keep_alive"

    async def try_idle(self) -> None:
        """Lets a connection idle as long as the relay does, then makes a call on it."""
        await self._try(IDLE, "idle", self._idle)

    async def _try(self, case: str, rule: str, attempt: Callable[[], Awaitable[str]]) -> bool:
        """Records what an attempt says, "" for nothing wrong, and returns whether nothing is."""
        try:
            problem = await attempt()
        except CallFailed as failed:
            problem = str(failed)
        flaws = [Flaw(rule, "", "", problem)] if problem else []
        self._session.recorder.record(None, case, flaws, describe(self._call))
        return not problem

    async def _compare(self, received: Received, tran_id: str) -> str:
        """Returns the rules that an answer to the right call breaks, without those of the call made as usual."""
        usual = await self._session.ask(self._call, BASIC)
        judged = self._session.get_judge(self._call.api).judge(received, tran_id, self._call.parameters)
        return ", ".join(sorted({flaw.rule for flaw in judged.flaws} - {flaw.rule for flaw in usual.flaws}))

    async def _reuse(self) -> str:
        caller = self._session.caller
        connection = await caller.connect()
        try:
            for number in range(1, _REUSES + 1):
                received = await caller.call_on(connection, self._call, caller.make_tran_id())
                if not received.is_open:
                    return f"closed after call {number}"
            return ""
        finally:
            connection.abort()

    async def _idle(self) -> str:
        caller = self._session.caller
        seconds = caller.address.timeouts.idle_s
        connection = await caller.connect()
        try:
            await caller.call_on(connection, self._call, caller.make_tran_id())
            if await connection.wait_end(seconds):
                return f"closed before {seconds:g} s"
            await caller.call_on(connection, self._call, caller.make_tran_id())
            return ""
        finally:
            connection.abort()

    async def _try_paths(self) -> None:
        api = self._call.api
        for template, codes in UNKNOWN_PATHS:
            path = template.format(
                industry=self._session.target.industry, resource=self._call.path.removeprefix(f"/{api.version}")
            )
            judge, tran_id = self._session.get_judge(api), self._session.caller.make_tran_id()
            wrong = replace(self._call, path=path)
            try:
                received = await self._session.caller.call(wrong, tran_id)
                judged = judge.judge(received, tran_id, {}, codes=codes, rule="unknown_path")
                flaws = judged.flaws
            except CallFailed as failed:
                flaws = (Flaw(failed.rule, "", "", str(failed)),)
            self._session.recorder.record(None, PATHS, flaws, describe(wrong), tran_id)

    async def _try_slow(self) -> None:
        await self._try(SLOW, "slow_request", self._send_slowly)

    async def _send_slowly(self) -> str:
        caller, tran_id = self._session.caller, self._session.caller.make_tran_id()
        connection = await caller.connect()
        try:
            pieces = _split(caller.write(self._call, tran_id), _PIECES)
            received = await caller.send(connection, pieces, self._session.effort.pause_s)
            return await self._compare(received, tran_id)
        finally:
            connection.abort()

    async def _try_cut(self) -> None:
        await self._try(CUT, "cut_request", self._cut)

    async def _cut(self) -> str:
        """Cuts calls at several places, then makes a whole one."""
        caller = self._session.caller
        calls = [self._call, *self._session.subjects]
        longest = max((caller.write(each, caller.make_tran_id()) for each in calls), key=len)
        for number in range(1, _CUTS + 1):
            connection = await caller.connect()
            connection.send(longest[: len(longest) * number // (_CUTS + 1)])
            await asyncio.sleep(0)
            connection.abort()
        caller.drop()
        await asyncio.sleep(self._session.effort.pause_s)
        tran_id = caller.make_tran_id()
        return await self._compare(await caller.call(self._call, tran_id), tran_id)

    async def _try_parallel(self) -> None:
        """Makes the right calls at the same time and compares each answer with the one it had alone."""
        session = self._session
        calls = session.subjects or [self._call]
        alone = [(call, judged.members) for call in calls if (judged := await session.ask(call, BASIC)).members]
        if not alone:
            session.recorder.record_untried(None, PARALLEL, "basic_failed")
            return
        chosen = [alone[number % len(alone)] for number in range(session.effort.parallel)]
        tran_ids = [session.caller.make_tran_id() for _ in chosen]
        answers = await asyncio.gather(
            *(self._ask_beside_others(call, tran_id) for (call, _), tran_id in zip(chosen, tran_ids, strict=True))
        )
        for (call, expected), tran_id, answer in zip(chosen, tran_ids, answers, strict=True):
            problem = answer.problem
            if answer.tran_id in {*tran_ids} - {tran_id}:
                problem = "x-api-tran-id of another call"
            elif not problem and not compare_bodies(answer.members, expected):
                again = await session.ask(call, BASIC)  # the data may have changed meanwhile
                problem = "" if compare_bodies(answer.members, again.members) else "another answer than alone"
            flaws = [Flaw("parallel", "", "", problem)] if problem else []
            session.recorder.record(None, PARALLEL, flaws, describe(call), tran_id)

    async def _ask_beside_others(self, call: ConformanceCall, tran_id: str) -> _ParallelAnswer:
        """Makes a call on a connection of its own."""
        try:
            received = await self._session.caller.call_alone(call, tran_id)
        except CallFailed as failed:
            return _ParallelAnswer(str(failed))
        judged = self._session.get_judge(call.api).judge(received, tran_id, call.parameters)
        given = received.headers.get(b"x-api-tran-id", b"").decode("latin-1")
        return _ParallelAnswer("" if judged.members else "unreadable", given, judged.members)


def _split(data: bytes, pieces: int) -> list[bytes]:
    """Returns data in pieces of about equal size."""
    size = -(-len(data) // pieces)
    return [data[start : start + size] for start in range(0, len(data), size)]
