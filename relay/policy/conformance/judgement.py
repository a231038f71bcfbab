"""Judges one answer: HTTP, headers, body, rsp_code. Names rules and fields, never values."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from relay.domain.api import SUCCESS, Api, Field
from relay.policy.answers.answer_rules import AnswerRules
from relay.policy.answers.content import MAX_BYTES, ContentError, TooLarge, read_content
from relay.policy.answers.rules import Rule, Violation
from relay.policy.call.envelope import RESPONSE_STATUSES
from relay.policy.call.fields import describe_allowed, to_text

_JSON_TYPE: Final = re.compile(rb"application/json(?:\s*;\s*charset=\"?utf-8\"?)?\s*", re.IGNORECASE)
_CODE: Final = re.compile(r"[0-9]{5}")
_KNOWN: Final = re.compile(
    rb"(?:application|text)/[a-z.+-]{1,30}(?:; ?charset=\"?(?:utf-?8|euc-kr|ks_c_5601-1987|cp949|ms949|iso-8859-1)\"?)?"
    rb"|gzip|x-gzip|deflate|br|zstd|compress",
    re.IGNORECASE,
)
OTHER_VALUE: Final = "another value"
OTHER_CASE: Final = "capital and small letters differ"
CUT_VALUE: Final = "cut off at the end"
_CODE_RULES: Final = frozenset({Rule.CODE_MISSING, Rule.CODE_UNKNOWN, Rule.CODE_STATUS})
_SHOWN: Final = 60
_NOT_RIGHT: Final = "-"


class Received(NamedTuple):
    """An answer of an institution; header names are lower case. `is_open`: it leaves the connection open."""

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes
    is_open: bool = True


class Flaw(NamedTuple):
    """A broken rule: the path of its field, what was expected and what came, without values of customers."""

    rule: str
    field: str = ""
    expected: str = ""
    received: str = ""


class Judged(NamedTuple):
    """The flaws of an answer, its rsp_code and members; both are empty if it cannot be read."""

    flaws: tuple[Flaw, ...]
    code: str = ""
    members: Mapping[str, Any] = {}


def show_header(value: bytes | None) -> str:
    """Returns a media type or content coding for reports. Another value is not shown: it may be a customer's."""
    if value is None:
        return _NOT_RIGHT
    return value.decode("latin-1") if _KNOWN.fullmatch(value) else OTHER_VALUE


def show_tran_id(value: bytes | None, expected: str) -> str:
    """Returns how an x-api-tran-id differs from the expected one, without its value."""
    if value is None:
        return _NOT_RIGHT
    text = value.decode("latin-1")
    if text.upper() == expected.upper():
        return OTHER_CASE
    return CUT_VALUE if text and expected.startswith(text) else OTHER_VALUE


def show_code(status: int, code: str) -> str:
    """Returns status and rsp_code for reports: `404 40402`. A code that is not five digits is not shown."""
    return f"{status} {code if _CODE.fullmatch(code) else _NOT_RIGHT}"


class Judge:
    """Judges the answers of one API. `statuses` are the HTTP statuses of the standard's response codes."""

    def __init__(self, api: Api, statuses: Mapping[str, int]) -> None:
        self._rules = AnswerRules(api, statuses)
        self._allowed = dict(_list_allowed(api.response.body, ""))

    def judge(
        self,
        received: Received,
        tran_id: str,
        parameters: Mapping[str, object],
        *,
        codes: frozenset[str] = frozenset({SUCCESS}),
        rule: str = "success",
        accepts_coding: bool = False,
    ) -> Judged:
        """Returns the flaws of an answer whose rsp_code must be one of `codes`, else it breaks `rule`.

        An answer with a wrong status, type or coding breaks that rule alone: its body is not judged. Nor is that of an
        answer with another rsp_code.
        """
        headers = received.headers
        if flaw := _judge_head(received, accepts_coding=accepts_coding):
            return Judged((flaw,))
        flaws = []
        given = headers.get(b"x-api-tran-id")
        if given != tran_id.encode():
            flaws.append(Flaw("tran_id", "x-api-tran-id", tran_id, show_tran_id(given, tran_id)))
        if len(received.body) > MAX_BYTES:
            return Judged((*flaws, Flaw("size")))
        try:
            members = read_content(headers, received.body)
            verdict = self._rules.check(received.status, headers, received.body, parameters)
        except ContentError as error:
            return Judged((*flaws, Flaw(error.rule)))
        except TooLarge:
            return Judged((*flaws, Flaw("size")))
        code = to_text(members.get("rsp_code"))
        if code not in codes and not _CODE_RULES & {broken.rule for broken in verdict.violations}:
            flaws.append(Flaw(rule, "rsp_code", " ".join(sorted(codes)), show_code(received.status, code)))
            return Judged(tuple(flaws), code, members)
        flaws += [self._describe(broken) for broken in _leave_causes(verdict.violations)]
        if verdict.style:
            flaws.append(Flaw(Rule.STYLE, verdict.style))
        if "rsp_code" in members and next(iter(members)) != "rsp_code":
            flaws.append(Flaw("code_first", "rsp_code"))
        return Judged(tuple(flaws), code, members)

    def _describe(self, broken: Violation) -> Flaw:
        """Returns the flaw of a broken rule of bodies, with what the field may hold."""
        is_about_value = broken.rule in {Rule.TYPE, Rule.LENGTH, Rule.CODE_TABLE}
        return Flaw(broken.rule, broken.field, self._allowed.get(broken.field, "") if is_about_value else "")


def _leave_causes(violations: Sequence[Violation]) -> list[Violation]:
    """Returns the broken rules without consequences.

    With an unknown rsp_code, no field is known to be wrong; a day of a wrong form has neither order nor period.
    """
    is_unknown = any(broken.rule is Rule.CODE_UNKNOWN for broken in violations)
    malformed = {broken.field for broken in violations if broken.rule is Rule.TYPE}
    return [
        broken
        for broken in violations
        if not (is_unknown and broken.rule is Rule.UNKNOWN_FIELD)
        and not (broken.field in malformed and broken.rule in {Rule.ORDER, Rule.PERIOD})
    ]


def _list_allowed(fields: tuple[Field, ...], prefix: str) -> Iterator[tuple[str, str]]:
    """Yields the path of each field of a response with the values that it may have."""
    for field in fields:
        path = f"{prefix}{field.name}"
        if field.type == "array":
            yield from _list_allowed(field.fields, f"{path}[].")
        else:
            yield path, _shorten(describe_allowed(field))


def _shorten(text: str) -> str:
    """Returns the beginning of a long text: some code tables have 50 codes."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _judge_head(received: Received, *, accepts_coding: bool) -> Flaw | None:
    if received.status not in RESPONSE_STATUSES:
        return Flaw("status", "", " ".join(map(str, sorted(RESPONSE_STATUSES))), str(received.status))
    kind = received.headers.get(b"content-type")
    if kind is None or _JSON_TYPE.fullmatch(kind) is None:
        return Flaw("content_type", "Content-Type", "application/json; charset=UTF-8", show_header(kind))
    coding = received.headers.get(b"content-encoding", b"identity")
    if not accepts_coding and coding.lower() != b"identity":
        return Flaw("coding_unasked", "Content-Encoding", _NOT_RIGHT, show_header(coding))
    return None
