"""Identifiers of the standard: 기관코드, 거래고유번호, API 유형."""

import re
from enum import StrEnum
from typing import Final

INDUSTRIES: Final = ("bank", "card", "invest", "insu", "efin", "capital", "ginsu", "telecom", "p2p", "bond", "usury")
"""The 11 industries (업권) in the order of 규격 4.2.1."""

ORG_CODE: Final = re.compile(r"[0-9A-Za-z]{10}")
"""기관코드, aN(10)."""

_TRAN_ID_LENGTH: Final = 25
_TRAN_ID_KINDS: Final = frozenset("MSRCPA")
_KIND_AT: Final = 10

TRAN_ID_FORM: Final = (
    "x-api-tran-id (숫자와 영문 대문자 25자리: 기관코드 10자리, 주체구분코드 M·S·R·C·P·A 중 1자리, 부여번호 14자리)"
)
"""Describes the header in refusals."""

AUTHORIZATION_FORM: Final = "Authorization (Bearer 접근토큰)"
"""Describes the header in refusals."""

_SERIAL: Final = re.compile(r"[0-9A-Za-z -]+")
_SERIAL_SEPARATORS: Final = re.compile(r"[ -]")


class ApiType(StrEnum):
    """`x-api-type`: the cause of the transfer (규격 3.3.1). All types except `SCHEDULED` are on demand (비정기적)."""

    SCHEDULED = "scheduled"
    USER_CONSENT = "user-consent"
    USER_REFRESH = "user-refresh"
    USER_SEARCH = "user-search"


API_TYPE_FORM: Final = f"x-api-type ({', '.join(ApiType)} 중 하나)"
"""Describes the header in refusals."""


def is_tran_id(text: str) -> bool:
    """Returns whether a text is a 거래고유번호, AN(25): org_code(10), 주체구분코드(1), 부여번호(14) (첨부14).

    PERF: 0.1 us; a regular expression costs twice that.
    """
    return (
        len(text) == _TRAN_ID_LENGTH
        and text[_KIND_AT] in _TRAN_ID_KINDS
        and text.isascii()
        and text.isalnum()
        and text.isupper()
    )


def normalize_serial(serial_num: str) -> str:
    """Returns a registered `serial_num` or a certificate's SERIALNUMBER in upper case without hyphens and spaces.

    The standard does not define whether 지원-002 writes the hyphens of the registration number, so both forms are
    accepted. Returns "" for a serial with any other character: a line break, NUL or an invisible letter must not make
    two serials equal.
    """
    return _SERIAL_SEPARATORS.sub("", serial_num).upper() if _SERIAL.fullmatch(serial_num) else ""
