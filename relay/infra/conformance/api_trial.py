"""Tries one API: right calls first, then pages, periods, and wrong calls of the same asset."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from relay.domain.api import SUCCESS, UP_TO_DATE, Api
from relay.infra.conformance.session import ABNORMAL, Session, describe
from relay.infra.conformance.walking import Walk, walk_pages
from relay.policy.call.fields import to_text
from relay.policy.call.withheld import FLAGS
from relay.policy.conformance.call import ConformanceCall
from relay.policy.conformance.case import ADAPTED_CASES, API_CASES, BASIC
from relay.policy.conformance.error_cases import ANSWERED_BY_CORES, ERROR_CASES
from relay.policy.conformance.judgement import Flaw
from relay.policy.conformance.pages import (
    FEW_ROWS,
    Row,
    choose_period,
    count_rows,
    list_rows,
    select_period,
)
from relay.policy.conformance.parameters import Period, has_pages, list_fields
from relay.policy.conformance.sources import find_values

_SMALL_LIMIT: Final = "2"
_SMALL_LIMITS: Final = ("1", _SMALL_LIMIT)
_SMALL_PAGES: Final = 20
"""Pages of 2 rows that are walked."""
_SUBJECTS: Final = 6
"""Calls that are repeated at the same time."""
_ALL: Final = 1000
_NO_ASSET: Final = "40402"


class ApiTrial:
    """Tries one API of an institution. `run` tries each case, or records why it cannot."""

    def __init__(self, session: Session, api: Api) -> None:
        self._session = session
        self._api = api
        self._are_pages_right = True

    async def run(self) -> None:
        """Tries the cases of the API."""
        session, api = self._session, self._api
        if api.api_code in session.target.left_out:
            self._skip_all("left_out")
            return
        walk = await self._try_basic()
        if walk is None:
            return
        await self._walk_second_customer()
        for case, attempt in (
            ("limits", self._try_limits),
            ("pages", self._try_pages),
            ("period", self._try_period),
            ("timestamp", self._try_timestamp),
            ("customer", self._try_errors),
            ("asset", self._try_asset),
            ("parameters", self._try_errors),
            ("method", self._try_errors),
            ("withheld", self._try_withheld),
            ("gzip", self._try_gzip),
        ):
            if session.target.is_adapted and case not in ADAPTED_CASES:
                self._skip(case, "relay_checks")
            elif case in session.cases:
                await attempt(case, walk)

    def _skip_all(self, reason: str, but: str = "") -> None:
        for case in API_CASES:
            if case != but:
                self._skip(case, reason)

    def _skip(self, case: str, reason: str) -> None:
        self._session.recorder.record_untried(self._api, case, reason)

    def _record(self, case: str, call: ConformanceCall, *flaws: Flaw) -> None:
        self._session.recorder.record(self._api, case, flaws, f"{call.used_method} {call.path}")

    async def _try_basic(self) -> Walk | None:
        """Walks the pages of each asset. Returns the walk with the most rows, None if the cases cannot go on."""
        session, api = self._session, self._api
        values = find_values(api.api_id, session.answers, session.effort.assets)
        if not values:
            self._skip_all("no_asset")
            return None
        walks = [await walk_pages(session, session.build_call(api, each), BASIC) for each in values]
        for walk in walks:
            for call, page in zip(walk.calls, walk.pages, strict=True):
                session.store(call, page)
        walk = max(walks, key=lambda each: (each.has_answer, len(each.rows)))
        if not walk.has_answer:
            if session.cases & set(API_CASES) - {BASIC}:
                session.recorder.record_cause(api, BASIC, walk.flaws, describe(walk.call))
            self._skip_all("no_asset" if all(each.is_abnormal for each in walks) else "basic_failed", but=BASIC)
            return None
        if len(session.subjects) < _SUBJECTS:
            session.subjects.append(walk.call)
        return walk

    async def _walk_second_customer(self) -> None:
        """Asks for the first asset of the second customer, so that its assets are known."""
        session, api = self._session, self._api
        for ci in session.target.customers[1:2]:
            for values in find_values(api.api_id, session.second_answers, 1):
                walk = await walk_pages(session, session.build_call(api, values, ci), BASIC)
                for call, page in zip(walk.calls, walk.pages, strict=True):
                    session.store(call, page)
                if walk.has_answer and len(session.subjects) < 2 * _SUBJECTS:
                    session.subjects.append(walk.call)

    async def _try_errors(self, case: str, walk: Walk) -> None:
        """Makes the wrong calls of a case."""
        is_tried, is_adapted = False, self._session.target.is_adapted
        for error in ERROR_CASES:
            wrong = error.change(walk.call) if error.case == case else None
            if wrong is not None and not (is_adapted and error.rule not in ANSWERED_BY_CORES):
                is_tried = True
                await self._session.ask(wrong, case, codes=error.codes, rule=error.rule)
        if not is_tried:
            self._skip(case, "not_applicable")

    async def _try_limits(self, case: str, walk: Walk) -> None:
        if has_pages(self._api):
            for limit in _SMALL_LIMITS:
                await self._session.ask(walk.call.change(limit=limit), case)
        await self._try_errors(case, walk)

    async def _try_pages(self, case: str, walk: Walk) -> None:
        await self._try_errors(case, walk)
        if not has_pages(self._api):
            return
        call = self._choose_call(walk)
        large = await walk_pages(self._session, call, case)
        if len(large.rows) < FEW_ROWS:
            self._skip(case, "no_rows")
            return
        small = await walk_pages(self._session, call.change(limit=_SMALL_LIMIT), case, _SMALL_PAGES)
        few, many = count_rows(small.rows), count_rows(large.rows)
        if large.is_whole and (few != many if small.is_whole else few - many):
            self._are_pages_right = False
            self._record(case, call, _compare_rows("pages_union", large.rows, small.rows))
        if len(small.calls) > 1:
            again = await self._session.ask(small.calls[1], case, rule="page_repeat")
            if again.code == SUCCESS and count_rows(list_rows(self._api, again.members)) != count_rows(
                list_rows(self._api, small.pages[1])
            ):
                self._record(case, small.calls[1], Flaw("page_repeat", "next_page"))

    def _choose_call(self, walk: Walk) -> ConformanceCall:
        """Returns the call whose small pages are walked: for a shorter period if there is one."""
        chosen = self._choose_period(walk)
        return walk.call if chosen is None else self._set_period(walk.call, chosen)

    def _choose_period(self, walk: Walk) -> Period | None:
        rule = self._api.period
        if rule is None:
            return None
        whole = Period(walk.call.parameters[rule.start], walk.call.parameters[rule.end])
        return choose_period(self._api, walk.rows, whole)

    def _set_period(self, call: ConformanceCall, period: Period) -> ConformanceCall:
        rule = self._api.period
        return call if rule is None else call.change(**{rule.start: period.first, rule.end: period.last})

    async def _try_period(self, case: str, walk: Walk) -> None:
        await self._try_errors(case, walk)
        chosen = self._choose_period(walk)
        if chosen is None or not walk.is_whole:
            self._skip(case, "no_rows" if self._api.period else "not_applicable")
            return
        if not self._are_pages_right:
            self._skip(case, "pages_failed")
            return
        short = await walk_pages(self._session, self._set_period(walk.call, chosen), case)
        expected, received = (select_period(self._api, each.rows, chosen) for each in (walk, short))
        if short.is_whole and count_rows(expected) != count_rows(received):
            self._record(case, short.call, _compare_rows("period_rows", expected, received))

    async def _try_timestamp(self, case: str, walk: Walk) -> None:
        if "search_timestamp" not in list_fields(self._api):
            self._skip(case, "not_applicable")
            return
        value = to_text(walk.pages[0].get("search_timestamp"))
        if not value.strip("0"):
            self._skip(case, "no_timestamp")
            return
        codes = frozenset({SUCCESS, UP_TO_DATE})
        await self._session.ask(walk.call.change(search_timestamp=value), case, codes=codes, rule="timestamp")

    async def _try_asset(self, case: str, walk: Walk) -> None:
        """Asks for an asset that does not exist, and for those that only the second customer has."""
        session, api = self._session, self._api
        await self._try_errors(case, walk)
        if api.asset is None:
            return
        own = find_values(api.api_id, session.answers, _ALL)
        foreign = [each for each in find_values(api.api_id, session.second_answers, _ALL) if each not in own]
        if not foreign:
            self._skip(case, "no_second_customer")
            return
        wrong = session.build_call(api, foreign[0])
        judged = await session.ask(wrong, case, codes=frozenset({SUCCESS, _NO_ASSET}), rule="unknown_asset")
        if judged.code == SUCCESS:
            has_data = api.rows is None or list_rows(api, judged.members)
            rule = "foreign_asset" if has_data else "unknown_asset"  # an empty list shows nothing of the other customer
            self._record(case, wrong, Flaw(rule, "rsp_code", _NO_ASSET, f"200 {SUCCESS}"))

    async def _try_withheld(self, case: str, walk: Walk) -> None:
        fields = self._list_withheld()
        if not fields:
            self._skip(case, "not_applicable")
        elif not self._session.target.is_withholding:
            self._skip(case, "relay_withholds")
        elif not any(_find_fields(page, fields) for page in walk.pages):
            self._skip(case, "no_rows")
        else:
            page = next(number for number, page in enumerate(walk.pages) if _find_fields(page, fields))
            call = replace(walk.calls[page], headers={"x-consent-withheld": " ".join(sorted(fields))})
            judged = await self._session.ask(call, case, ignored=fields)
            flaws = [Flaw("withheld", name, "-", name) for name in sorted(_find_fields(judged.members, fields))]
            self._record(case, call, *flaws)

    def _list_withheld(self) -> frozenset[str]:
        """Returns the fields of the API that a customer can exclude (규격 6.2)."""
        industry, api_id = self._session.target.industry, self._api.api_id
        flags = (flag for flag in FLAGS.values() if industry in flag.industries and api_id in flag.api_ids)
        return frozenset(name for flag in flags for name in flag.fields)

    async def _try_gzip(self, case: str, walk: Walk) -> None:
        call = replace(walk.call, headers={"accept-encoding": "gzip"})
        codes = frozenset({SUCCESS, ABNORMAL} if self._api.asset else {SUCCESS})
        await self._session.ask(call, case, codes=codes, accepts_coding=True)


def _compare_rows(rule: str, expected: Sequence[Row], received: Sequence[Row]) -> Flaw:
    """Returns the flaw of rows that differ, with their numbers."""
    kind = "other rows" if len(expected) == len(received) else "rows"
    return Flaw(rule, "", f"{len(expected)} rows", f"{len(received)} {kind}")


def _find_fields(value: object, names: frozenset[str]) -> frozenset[str]:
    """Returns which of some fields occur in an answer, at any depth."""
    if isinstance(value, list):
        return frozenset(name for each in value for name in _find_fields(each, names))
    if not isinstance(value, Mapping):
        return frozenset()
    members: Mapping[str, Any] = value
    return (names & members.keys()) | frozenset(name for each in members.values() for name in _find_fields(each, names))
