"""The rules of one API for its answers, compiled from the catalogue."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from relay.domain.api import SUCCESS, Api
from relay.policy.answers.content import ContentError, read_content
from relay.policy.answers.object_rules import ObjectRules
from relay.policy.answers.row_rules import RowRules
from relay.policy.answers.rules import Rule, Violation
from relay.policy.call.fields import to_text

_ALWAYS: Final = frozenset({"rsp_code", "rsp_msg"})
_CODE: Final = "rsp_code"
_CODE_LENGTH: Final = 5


class Verdict(NamedTuple):
    """What is wrong with an answer: each broken rule once for each field, in the order of the catalogue.

    `style` is the first field that is a number or boolean instead of its text, "" for none: that is accepted.
    `unknown_code` is an rsp_code of five digits that the standard does not have, "" for none.
    """

    violations: tuple[Violation, ...]
    style: str = ""
    unknown_code: str = ""


class AnswerRules:
    """The rules of one API. `statuses` are the HTTP statuses of the standard's response codes."""

    __slots__ = ("_code_only", "_rows", "_statuses", "_success")

    def __init__(self, api: Api, statuses: Mapping[str, int]) -> None:
        body = api.response.body
        self._success = ObjectRules(body)
        self._code_only = ObjectRules(tuple(field for field in body if field.name in _ALWAYS))
        self._rows = RowRules(api)
        self._statuses = statuses

    def check(
        self, status: int, headers: Mapping[bytes, bytes], body: bytes, parameters: Mapping[str, object]
    ) -> Verdict:
        """Returns the verdict on an answer to a call with these parameters. Raises TooLarge.

        An answer that cannot be read, or has no rsp_code, breaks that rule alone. One without success may hold
        rsp_code and rsp_msg only (규격 첨부1).
        """
        try:
            members = read_content(headers, body)
        except ContentError as error:
            return Verdict((Violation(error.rule, ""),))
        code = to_text(members.get(_CODE))
        if not code:
            return Verdict((Violation(Rule.CODE_MISSING, _CODE),))
        broken: dict[Violation, None] = {}

        def report(rule: Rule, field: str) -> None:
            broken[Violation(rule, field)] = None

        unknown = self._check_code(code, status, broken)
        if code == SUCCESS:
            self._success.check(members, report)
            self._rows.check(members, parameters, report)
        else:
            self._code_only.check(members, report)
        style = next((each.field for each in broken if each.rule is Rule.STYLE), "")
        return Verdict(tuple(each for each in broken if each.rule is not Rule.STYLE), style, unknown)

    def _check_code(self, code: str, status: int, broken: dict[Violation, None]) -> str:
        """Reports a code that is not in the standard or contradicts the status. Returns an unknown code."""
        usual = self._statuses.get(code)
        if usual is None:
            broken[Violation(Rule.CODE_UNKNOWN, _CODE)] = None
            return code if len(code) == _CODE_LENGTH and code.isascii() and code.isdigit() else ""
        if usual != status:
            broken[Violation(Rule.CODE_STATUS, _CODE)] = None
        return ""
