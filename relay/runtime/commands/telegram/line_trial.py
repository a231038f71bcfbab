"""One call over a real line: opens a line to the core, exchanges telegrams, and keeps what happened in each step."""

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from relay.domain.fault import Refusal
from relay.infra.telegrams.lines import Lines
from relay.policy.mediation.conversion import Call, Conversion
from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.paging.collection import Answer, PageCollection
from relay.policy.mediation.telegram_reading import TOOL_SEAL

_LOGGERS: Final = ("relay.infra.telegrams", "relay.infra.diagnostics")
_POLL_S: Final = 0.05
_OPENING: Final = ("core unavailable", "core available")
"""Beginnings of log lines about the opening of lines, which the failure itself repeats."""


@dataclass(slots=True)
class TriedTelegram:
    """One request and its response, None when none came; `ms` is the time between them."""

    request: bytes
    response: bytes | None = None
    ms: float = 0.0


@dataclass(slots=True)
class TriedPage:
    """The telegrams of one page and the answer that they become, None after a failure."""

    telegrams: list[TriedTelegram] = field(default_factory=list)
    answer: Answer | None = None


@dataclass(slots=True)
class Trial:
    """What happened: `line_ms` until the line was open, None if it was not; `failure` is why the call ended.

    `notes` are events of the line, for example telegrams that no request waited for.
    """

    pages: list[TriedPage] = field(default_factory=list)
    line_ms: float | None = None
    failure: Refusal | ConversionError | None = None
    notes: list[str] = field(default_factory=list)


class _Notes(logging.Handler):
    """Collects log lines of the lines."""

    def __init__(self, notes: list[str]) -> None:
        super().__init__()
        self._notes = notes

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if not text.startswith(_OPENING):
            self._notes.append(text)


@contextmanager
def collect_notes(notes: list[str]) -> Iterator[None]:
    """Collects what lines log within the block instead of printing it."""
    handler = _Notes(notes)
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    former = [logger.propagate for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, propagate in zip(loggers, former, strict=True):
            logger.removeHandler(handler)
            logger.propagate = propagate


class LineTrial:
    """Makes one call on `lines`, page by page; each page may take `seconds`.

    It waits up to `passive_s` for a line that the core opens; Lines refuse calls while there is none.
    """

    def __init__(self, lines: Lines, conversion: Conversion, seconds: float, passive_s: float = 0.0) -> None:
        self._lines = lines
        self._conversion = conversion
        self._seconds = seconds
        self._passive_s = passive_s
        self._started = 0.0
        self._trial = Trial()

    async def run(self, call: Call, pages: int) -> Trial:
        """Returns what happened, also when the core or the line fails."""
        with collect_notes(self._trial.notes):
            self._started = time.perf_counter()
            self._lines.start()
            try:
                await self._wait_for_core()
                await self._collect_pages(call, pages)
            except (Refusal, ConversionError) as error:
                self._trial.failure = error
            finally:
                await self._lines.close()
        return self._trial

    async def _wait_for_core(self) -> None:
        """Waits until the core has opened a line, or the time is over."""
        while time.perf_counter() - self._started < self._passive_s and not self._lines.open_lines:  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)

    async def _collect_pages(self, call: Call, pages: int) -> None:
        for _ in range(pages):
            page = TriedPage()
            self._trial.pages.append(page)
            collection = PageCollection(self._conversion, call, TOOL_SEAL)
            deadline = asyncio.get_running_loop().time() + self._seconds
            while not collection.is_complete:
                collection.accept(await self._exchange(collection, page, deadline))
            page.answer = collection.build_answer()
            next_page = json.loads(page.answer.body).get("next_page", "")
            if not next_page:
                return
            call = replace(call, parameters={**call.parameters, "next_page": next_page})

    async def _exchange(self, collection: PageCollection[bytes, bytes], page: TriedPage, deadline: float) -> bytes:
        """Returns the response to the next request. Raises Refusal, ConversionError."""
        sent_at = 0.0
        count = len(page.telegrams)

        def write(number: str) -> bytes:
            nonlocal sent_at
            if len(page.telegrams) > count:  # the core has closed the line, and the request is sent again
                page.telegrams[-1].ms = 1000 * (time.perf_counter() - sent_at)
            sent_at = time.perf_counter()
            if self._trial.line_ms is None:
                self._trial.line_ms = 1000 * (sent_at - self._started)
            page.telegrams.append(TriedTelegram(collection.build_request(number, time.time())))
            return page.telegrams[-1].request

        try:
            response = await self._lines.exchange(write, deadline)
        finally:
            if len(page.telegrams) > count:
                page.telegrams[-1].ms = 1000 * (time.perf_counter() - sent_at)
        page.telegrams[-1].response = response
        return response
