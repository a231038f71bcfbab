"""Compiles the telegram files of an institution, and reports all that is wrong with them at once."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from relay.domain.api import Api, Catalogue
from relay.policy.mediation.conversion import Conversion, ResponseCodePlan, RspCodes
from relay.policy.mediation.errors import LayoutError, LayoutProblem
from relay.policy.mediation.file_checks import (
    FileProblems,
    check_paging,
    check_response_codes,
    find_apis,
    report_problems,
    report_warnings,
)
from relay.policy.mediation.link import Link
from relay.policy.mediation.link_compilation import (
    check_code,
    check_variables,
    compile_link,
    complete_header,
    iter_all_fields,
)
from relay.policy.mediation.mapping.answers import compile_answer
from relay.policy.mediation.mapping.expressions import Scope
from relay.policy.mediation.mapping.records import describe_record
from relay.policy.mediation.request_checks import (
    SentValue,
    check_request,
    list_repeated,
    list_unchanged,
    warn_of_swaps,
)
from relay.policy.mediation.settings import TelegramLink, TelegramMessage
from relay.policy.mediation.telegram.notation import Item
from relay.policy.mediation.telegram.plan import (
    FieldPlan,
    MessagePlan,
    Run,
    compile_message,
    get_size,
    iter_fields,
)


@dataclass(frozen=True, slots=True)
class TelegramInstitution:
    """An institution that speaks telegrams: its link, its conversions by api_code, and warnings of its files."""

    link: Link
    conversions: Mapping[str, Conversion]
    warnings: tuple[LayoutProblem, ...] = ()


def compile_institution(
    link: tuple[str, TelegramLink],
    messages: Iterable[tuple[str, TelegramMessage]],
    catalogue: Catalogue,
    industry: str,
    rsp_codes: RspCodes,
    offered: Collection[str] = (),
) -> tuple[TelegramInstitution | None, list[LayoutProblem]]:
    """Returns the compiled institution and the problems of its files; with problems it is None.

    Each model comes with the name of its file. `industry` is that of the institution: it must have the APIs.
    `rsp_codes` are those of the standard. Each API of `offered`, by api_code, must have a file.
    """
    link_file = FileProblems(link[0])
    compiled_link = compile_link(link[1], link_file, rsp_codes)
    files, matches = find_apis(link_file, messages, catalogue, industry, offered)
    conversions: dict[str, Conversion] = {}
    for file, message, api in matches:
        conversions[message.api] = _MessageCompiler(compiled_link, message, api, file, rsp_codes).compile()
    files_by_api = {message.api: file for file, message, _ in matches}
    _warn_of_shared_codes(conversions.values(), files_by_api)
    problems = report_problems(files, link[0], "header[")
    warnings = tuple(report_warnings(files, link[0], "header["))
    return (None if problems else TelegramInstitution(compiled_link, conversions, warnings)), problems


def _is_changed(plan: FieldPlan) -> bool:
    return bool(plan.item.codes) or plan.item.default is not None


def _warn_of_shared_codes(conversions: Iterable[Conversion], files: Mapping[str, FileProblems]) -> None:
    """Adds a warning for two APIs whose requests the core cannot tell apart: by transaction code and constants."""
    known: dict[tuple[object, ...], str] = {}
    for conversion in conversions:
        plans = iter_fields(conversion.request.parts)
        constants = tuple((plan.offset, plan.constant) for plan in plans if plan.constant is not None)
        sign = (conversion.code, constants, get_size(conversion.request.parts))
        first = known.setdefault(sign, conversion.name)
        if first != conversion.name:
            wrong = f"is also that of {first}: the core cannot tell their requests apart"
            files[conversion.name].warn("code", wrong, "another code or constant, unless one telegram serves both")


class _MessageCompiler:
    """Compiles the file of one API."""

    def __init__(self, link: Link, message: TelegramMessage, api: Api, file: FileProblems, rsp_codes: RspCodes) -> None:
        self._link = link
        self._message = message
        self._api = api
        self._file = file
        self._rsp_codes = rsp_codes
        request = api.request
        self._parameters = frozenset(field.name for field in request.path + request.query + request.body)

    def compile(self) -> Conversion:
        message, link = self._message, self._link
        request = self._compile_message("request.fields", message.request.fields)
        response = self._compile_message("response.fields", self._bind_parameters(message.response.fields))
        self._check_request(request, response)
        scope = Scope(describe_record(response.parts))
        output = compile_answer(self._api, message.answer, scope, self._file.problems)
        self._check_size("request.fields", request)
        self._check_size("response.fields", response)
        if message.paging is not None:
            lists = [entry.name for entry in output.lists]
            check_paging(message.paging, scope, lists, message.answer, self._parameters, self._file)
        check_response_codes("response_codes", message.response_codes, self._file, self._rsp_codes)
        return Conversion(
            api=self._api,
            code=message.code,
            response_code=message.response.code or message.code,
            kinds=link.settings.kinds,
            framing=link.framing,
            request=request,
            response=response,
            codes=self._compile_codes(response),
            output=output,
            paging=message.paging,
            parameters=self._parameters,
            rsp_codes=self._rsp_codes,
        )

    def _compile_message(self, key: str, fields: Iterable[Item]) -> MessagePlan:
        header = complete_header(self._link.settings, FileProblems(""))
        problems: list[LayoutError] = []
        first = len(self._link.settings.header) - len(header)
        plan = compile_message(header, key, fields, self._link.settings.charset, problems, first)
        self._file.problems += [problem for problem in problems if not problem.key.startswith("header[")]
        check_variables(iter_all_fields(plan.body), self._parameters, self._file)
        return plan

    def _bind_parameters(self, items: Iterable[Item]) -> list[Item]:
        """Returns the fields of a response; those that are named like a parameter must have its value."""
        names = list_repeated(self._api)
        return [
            item.model_copy(update={"value": f"${item.name}"})
            if item.name in names and item.value is None and not item.codes
            else item
            for item in items
        ]

    def _check_request(self, request: MessagePlan, response: MessagePlan) -> None:
        sent = [
            SentValue(plan.key, plan.variable or plan.name, plan.codec.length, plan.codec.kind, _is_changed(plan))
            for plan in iter_all_fields(request.parts)
            if plan.constant is None
        ]
        used = {value.name for value in sent}
        plans = (plan for part in response.parts if isinstance(part, Run) for plan in part.fields)
        repeated = {plan.variable for plan in plans if not _is_changed(plan)}
        customer = self._link.settings.customer
        check_request(self._api, sent, repeated, self._message.paging, customer, self._file)
        warn_of_swaps(self._api, repeated, self._file)
        for plan in iter_fields(request.header):
            if plan.variable == "code":
                check_code("code", plan, self._message.code, self._file)
        for plan in iter_fields(response.header):
            if plan.variable == "code" and self._message.response.code is not None:
                check_code("response.code", plan, self._message.response.code, self._file)
        self._check_management()
        if "code" not in used:
            self._file.warn("code", "is in no field of the request", "a field = $code, if the core needs the code")
        asset = self._api.asset
        if asset is not None and asset.field not in list_unchanged(sent):
            allowed = f"a field {asset.field}, or a field = ${asset.field}"
            self._file.add("request.fields", f"do not have the asset of the call, {asset.field}", allowed)
        for plan in iter_all_fields(request.body):
            has_value = plan.constant is not None or plan.variable or plan.item.default is not None
            if not has_value and plan.name not in self._parameters:
                allowed = "= VALUE, or the name of a parameter: " + ", ".join(sorted(self._parameters))
                self._file.add(plan.key, f"has no value: {plan.name} is no parameter of the API", allowed)

    def _check_management(self) -> None:
        """Adds a problem for a transaction code of line management, where nothing else tells its telegrams."""
        settings, message = self._link.settings, self._message
        if settings.management is not None and settings.management.shares_kinds(settings.kinds):
            for key, code in (("code", message.code), ("response.code", message.response.code)):
                if code in settings.management.codes.values():
                    self._file.add(key, "is a code of line management", "other codes, or other management.kinds")

    def _check_size(self, key: str, plan: MessagePlan) -> None:
        """Adds a problem when the longest telegram does not fit in the length field or in `max_bytes`."""
        framing = self._link.settings.framing
        size = get_size(plan.parts, largest=True)
        digits = 10**framing.length if framing.encoding == "ascii" else 256**framing.length
        counted = size - framing.add - (self._link.framing.end if framing.counts == "rest" else 0)
        if size > framing.max_bytes or counted >= digits:
            wrong = f"have up to {size} bytes, more than the framing allows"
            self._file.add(key, wrong, "fewer rows (max), or a larger length or max_bytes in framing")

    def _compile_codes(self, response: MessagePlan) -> ResponseCodePlan:
        codes = self._link.settings.response_code
        in_header = {plan.name for plan in iter_fields(response.header)}
        names = {plan.name for plan in iter_fields(response.parts)}
        for name in (codes.field, codes.text):
            if name is not None and name not in names:
                self._file.add("response.fields", f"do not have the field {name} of response_code", "that field")
        is_in_header = codes.field in in_header and (codes.text is None or codes.text in in_header)
        field = next((plan for plan in iter_fields(response.parts) if plan.name == codes.field), None)
        if field is not None:
            for code in self._message.response_codes:
                check_code(f"response_codes.{code}", field, code, self._file)
            for code in () if codes.field in in_header else codes.codes:
                check_code(field.key, field, code, self._file)
        table = {**codes.codes, **self._message.response_codes}
        return ResponseCodePlan(codes.field, is_in_header, codes.text or "", table)
