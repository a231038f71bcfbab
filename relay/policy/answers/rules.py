"""The rules that an answer can break, and how a broken one is reported."""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple


class Rule(StrEnum):
    """A rule of the standard for answers. `STYLE` is a remark and no violation."""

    CODING = "coding"
    CHARSET = "charset"
    JSON = "json"
    OBJECT = "object"
    DUPLICATE = "duplicate"
    CODE_MISSING = "code_missing"
    CODE_UNKNOWN = "code_unknown"
    CODE_STATUS = "code_status"
    MISSING = "missing"
    EMPTY = "empty"
    TYPE = "type"
    LENGTH = "length"
    CODE_TABLE = "code_table"
    UNKNOWN_FIELD = "unknown_field"
    COUNT = "count"
    LIMIT = "limit"
    NEXT_PAGE = "next_page"
    ORDER = "order"
    PERIOD = "period"
    ASSET = "asset"
    STYLE = "style"


DESCRIPTIONS: dict[Rule, str] = {
    Rule.CODING: "the content coding cannot be decoded",
    Rule.CHARSET: "the body is not UTF-8",
    Rule.JSON: "the body is no JSON, or incomplete",
    Rule.OBJECT: "the body is no JSON object",
    Rule.DUPLICATE: "an object has a name twice",
    Rule.CODE_MISSING: "there is no rsp_code",
    Rule.CODE_UNKNOWN: "the rsp_code is not in the standard",
    Rule.CODE_STATUS: "the HTTP status is not that of the rsp_code",
    Rule.MISSING: "a required field is missing",
    Rule.EMPTY: "a field without value must be left out",
    Rule.TYPE: "the value is not of the type",
    Rule.LENGTH: "the value is longer than allowed",
    Rule.CODE_TABLE: "the value is not in the code table",
    Rule.UNKNOWN_FIELD: "there is a field that the answer does not have",
    Rule.COUNT: "the count is not the number of rows",
    Rule.LIMIT: "there are more rows than limit",
    Rule.NEXT_PAGE: "next_page is that of the request",
    Rule.ORDER: "the rows are not in the order of the standard",
    Rule.PERIOD: "a row is outside the period asked for",
    Rule.ASSET: "the asset is not the one asked for",
    Rule.STYLE: "numbers or booleans instead of strings; accepted",
}
"""What each rule says when it is broken, for people."""


class Violation(NamedTuple):
    """A broken rule and the path of its field, without indexes: `trans_list[].trans_dtime`; "" is the body."""

    rule: Rule
    field: str


Report = Callable[[Rule, str], None]
"""Takes a broken rule with the path of its field."""
