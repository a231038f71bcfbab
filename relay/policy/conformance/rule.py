"""A rule that the conformance kit checks, with its texts in Korean and English."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

KOREAN: Final = "ko"
ENGLISH: Final = "en"
LANGUAGES: Final = (KOREAN, ENGLISH)


class Text(NamedTuple):
    """A text in both languages."""

    ko: str
    en: str

    def get(self, language: str) -> str:
        """Returns the text in a language of LANGUAGES."""
        return self.ko if language == KOREAN else self.en


class Group(StrEnum):
    """The subject of a rule, in the order of reports."""

    TLS = "tls"
    CONNECTION = "connection"
    HEADERS = "headers"
    BODY = "body"
    ERRORS = "errors"
    PAGES = "pages"
    CONSENT = "consent"


GROUP_TITLES: Final[Mapping[Group, Text]] = {
    Group.TLS: Text("TLS", "TLS"),
    Group.CONNECTION: Text("연결", "Connection"),
    Group.HEADERS: Text("상태와 헤더", "Status and headers"),
    Group.BODY: Text("본문", "Body"),
    Group.ERRORS: Text("오류 응답", "Error answers"),
    Group.PAGES: Text("페이지와 기간", "Pages and periods"),
    Group.CONSENT: Text("전송요구 범위", "Consent"),
}


_CHAPTER: Final = re.compile("([0-9]+)장")
_SOURCE_WORDS: Final[Mapping[str, str]] = {
    "규격": "standard",
    "첨부": "annex ",
    "안내": "guide",
    "정렬": "order",
}
"""The words of sources in English."""


class ConformanceRule(NamedTuple):
    """One rule: where it is written, what an institution must do, and what to change if it does not.

    `source` is a chapter of the standard (규격), an RFC, or 안내: docs/start/institution.md. A broken rule with
    `is_remark` is reported, but is no violation.
    """

    name: str
    group: Group
    source: str
    expected: Text
    remedy: Text
    is_remark: bool = False

    def get_source(self, language: str) -> str:
        """Returns the source in a language."""
        if language == KOREAN:
            return self.source
        source = _CHAPTER.sub(r"chapter \1", self.source)
        for korean, english in _SOURCE_WORDS.items():
            source = source.replace(korean, english)
        return source


RuleTable = tuple[ConformanceRule, ...]


def build_table(group: Group, *rows: tuple[str, str, str, str, str, str], remarks: frozenset[str]) -> RuleTable:
    """Returns the rules of rows: name, source, expected in Korean and English, remedy in Korean and English."""
    return tuple(
        ConformanceRule(name, group, source, Text(ko, en), Text(remedy_ko, remedy_en), name in remarks)
        for name, source, ko, en, remedy_ko, remedy_en in rows
    )
