"""Walks the pages of an API to their end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from relay.domain.api import SUCCESS
from relay.infra.conformance.session import ABNORMAL, Session
from relay.policy.answers.rules import Rule
from relay.policy.call.fields import to_text
from relay.policy.conformance.call import ConformanceCall
from relay.policy.conformance.judgement import Flaw
from relay.policy.conformance.outcome import Recorder
from relay.policy.conformance.pages import PageWatch, Row, list_rows
from relay.policy.conformance.parameters import has_pages

_TIMESTAMP = "search_timestamp"


@dataclass(slots=True)
class Walk:
    """The pages of one call. `calls` are those of the pages; `is_whole`: the last page was reached.

    `flaws` are those of the page that could not be read.

    `is_abnormal`: the asset is not in its normal state any more, which is no flaw.
    """

    call: ConformanceCall
    calls: list[ConformanceCall] = field(default_factory=list)
    pages: list[Mapping[str, Any]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    flaws: tuple[Flaw, ...] = ()
    is_whole: bool = False
    is_abnormal: bool = False

    @property
    def has_answer(self) -> bool:
        """Whether the first page is a success."""
        return bool(self.pages)


async def walk_pages(session: Session, call: ConformanceCall, case: str, most: int = 0) -> Walk:
    """Returns the pages of a call: at most `most`, or as many as the effort of the session allows."""
    walk, watch, api = Walk(call), PageWatch(), call.api
    codes = frozenset({SUCCESS, ABNORMAL} if api.asset else {SUCCESS})
    while len(walk.pages) < (most or session.effort.pages):
        is_first = not walk.pages
        judged = await session.ask(call, case, codes=codes, rule="success" if is_first else "pages_continue")
        if judged.code != SUCCESS or not judged.members:
            walk.is_abnormal = judged.code in codes
            walk.flaws = judged.flaws
            return walk
        walk.calls.append(call)
        walk.pages.append(judged.members)
        if not is_first and _TIMESTAMP in judged.members:
            session.recorder.record(api, case, [Flaw("timestamp_page", _TIMESTAMP)])
        rows, cursor = list_rows(api, judged.members), to_text(judged.members.get("next_page"))
        is_endless = watch.add(rows, cursor)
        walk.rows = watch.rows
        if not cursor or not has_pages(api):
            walk.is_whole = True
            return walk
        if is_endless:
            _record_endless(session.recorder, call, case, {flaw.rule for flaw in judged.flaws})
            return walk
        call = call.change(next_page=cursor, search_timestamp=None)
    if watch.is_stale:
        _record_endless(session.recorder, call, case, set())
    return walk


def _record_endless(recorder: Recorder, call: ConformanceCall, case: str, rules: set[str]) -> None:
    """Records that pages never end, unless the answer has broken `next_page`, which says so already."""
    if Rule.NEXT_PAGE not in rules:
        recorder.record(call.api, case, [Flaw("pages_end", "next_page")])
