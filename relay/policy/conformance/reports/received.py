"""What came instead of what was expected, in both languages.

`PROBLEMS` is the table: the text in findings, with numbers as `{}`, then its Korean and English. Statuses, response
codes, names of fields and rules, and causes of failed connections are the same in both languages.
"""

import re
from collections.abc import Mapping
from typing import Final

from relay.policy.conformance.rule import Text

PROBLEMS: Final[Mapping[str, Text]] = {
    "closed without an answer": Text("응답 없이 연결을 닫음", "closed without an answer"),
    "nothing after {} s": Text("{}초 동안 응답이 시작되지 않음", "nothing after {} s"),
    "not complete after {} s": Text("{}초 안에 응답이 끝나지 않음", "not complete after {} s"),
    "bytes after the body": Text("본문 뒤에 바이트가 더 있음", "bytes after the body"),
    "neither Content-Length nor chunked": Text("Content-Length도 chunked도 없음", "neither Content-Length nor chunked"),
    "cut in the head": Text("헤더 도중에 끊김", "cut in the head"),
    "cut in a chunk": Text("chunk 도중에 끊김", "cut in a chunk"),
    "cut after {} of {} bytes": Text("본문 {1}바이트 중 {0}바이트에서 끊김", "cut after {} of {} bytes"),
    "head_malformed": Text("헤더 형식 오류 또는 중복된 헤더", "malformed or repeated headers"),
    "head_too_large": Text("헤더가 너무 큼", "headers too large"),
    "body_malformed": Text("chunk 형식 오류 또는 트레일러", "malformed chunks, or trailers"),
    "body_too_large": Text("본문이 16 MiB를 넘음", "a body of more than 16 MiB"),
    "interim_answers": Text("1xx 응답이 너무 많음", "too many 1xx answers"),
    "closed after call {}": Text("{}번째 호출 뒤에 연결을 닫음", "closed after call {}"),
    "closed before {} s": Text("{}초가 되기 전에 연결을 닫음", "closed before {} s"),
    "another answer than alone": Text("혼자 호출했을 때와 다른 응답", "another answer than alone"),
    "x-api-tran-id of another call": Text("다른 호출의 x-api-tran-id", "x-api-tran-id of another call"),
    "unreadable": Text("읽을 수 없는 응답", "unreadable"),
    "{} rows": Text("{}건", "{} rows"),
    "{} other rows": Text("{}건, 내용이 다름", "{} rows, but others"),
    "another value": Text("다른 값", "another value"),
    "capital and small letters differ": Text("대소문자가 다름", "capital and small letters differ"),
    "cut off at the end": Text("뒷부분이 잘림", "cut off at the end"),
}
"""The problems that are sentences. A place of a number in the Korean text may be given by its position."""

_PATTERNS: Final = tuple(
    (re.compile(re.escape(problem).replace(r"\{\}", "([0-9.]+)")), text) for problem, text in PROBLEMS.items()
)


def describe_received(received: str, language: str) -> str:
    """Returns what came, or what was expected, in a language."""
    for pattern, text in _PATTERNS:
        if match := pattern.fullmatch(received):
            return text.get(language).format(*match.groups())
    return received
