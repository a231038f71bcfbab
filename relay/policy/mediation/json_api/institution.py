"""Compiles the files of an institution that speaks JSON of its own, and reports all that is wrong with them at once."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from relay.domain.api import SUCCESS, Api, Catalogue
from relay.policy.mediation.conversion import CONTEXT_NAMES, RspCodes
from relay.policy.mediation.errors import LayoutProblem
from relay.policy.mediation.file_checks import (
    FileProblems,
    check_paging,
    check_response_codes,
    find_apis,
    report_problems,
    report_warnings,
)
from relay.policy.mediation.json_api.conversion import JsonConversion, JsonResponseCodePlan
from relay.policy.mediation.json_api.forms import describe_forms, is_form
from relay.policy.mediation.json_api.notation import JsonItem
from relay.policy.mediation.json_api.plan import FieldPlan, RecordPlan, compile_field, compile_record, merge_records
from relay.policy.mediation.json_api.requests import PATH_VALUE, RequestPlan
from relay.policy.mediation.json_api.settings import JsonLink, JsonMessage
from relay.policy.mediation.mapping.answers import compile_answer
from relay.policy.mediation.mapping.expressions import Scope
from relay.policy.mediation.request_checks import SentValue, check_request, list_repeated, list_unchanged
from relay.policy.mediation.settings import NumberedPaging

NAMES: Final = tuple(name for name in CONTEXT_NAMES if name not in {"kind", "code", "length"})
"""Values of the context that a request may have, beside the parameters, `$page_number`, `$offset`, `$key.FIELD`."""

_NUMBERS: Final = ("page_number", "offset")
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9-]+")
_OWN_HEADERS: Final = frozenset(
    {"host", "connection", "content-length", "content-type", "transfer-encoding", "accept-encoding", "expect", "te"}
)
_DOT_SEGMENT: Final = re.compile(r"(?:^|/)\.{1,2}(?:/|$)")


@dataclass(frozen=True, slots=True)
class JsonInstitution:
    """An institution that speaks JSON of its own: its conversions by api_code, and the bound of its responses.

    `warnings` are those of its files.
    """

    conversions: Mapping[str, JsonConversion]
    max_bytes: int
    warnings: tuple[LayoutProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class _Link:
    """The compiled `link.yaml`."""

    settings: JsonLink
    forms: Mapping[str, str]
    headers: tuple[FieldPlan, ...]
    header: RecordPlan


def compile_json_institution(
    link: tuple[str, JsonLink],
    messages: Iterable[tuple[str, JsonMessage]],
    catalogue: Catalogue,
    industry: str,
    rsp_codes: RspCodes,
    offered: Collection[str] = (),
) -> tuple[JsonInstitution | None, list[LayoutProblem]]:
    """Returns the compiled institution and the problems of its files; with problems it is None.

    Each model comes with the name of its file. `industry` is that of the institution: it must have the APIs.
    `rsp_codes` are those of the standard. Each API of `offered`, by api_code, must have a file.
    """
    link_file = FileProblems(link[0])
    compiled = _compile_link(link[1], link_file, rsp_codes)
    files, matches = find_apis(link_file, messages, catalogue, industry, offered)
    conversions: dict[str, JsonConversion] = {}
    for file, message, api in matches:
        conversions[message.api] = _MessageCompiler(compiled, message, api, file, rsp_codes).compile()
    problems = report_problems(files, link[0], "headers[")
    warnings = tuple(report_warnings(files, link[0], "headers["))
    return (None if problems else JsonInstitution(conversions, link[1].max_bytes, warnings)), problems


def _number(key: str, items: Iterable[JsonItem]) -> list[tuple[str, JsonItem]]:
    return [(f"{key}[{index}]", item) for index, item in enumerate(items)]


def _compile_link(link: JsonLink, file: FileProblems, rsp_codes: RspCodes) -> _Link:
    forms = {name: getattr(link.forms, name) for name in type(link.forms).model_fields}
    for kind, form in forms.items():
        if not is_form(form, kind):
            file.add(f"forms.{kind}", f"is no form of a {kind}", describe_forms(kind))
    forms = {kind: form for kind, form in forms.items() if is_form(form, kind)}
    headers = _compile_fields("headers", link.headers, forms, file)
    _check_headers(headers, file)
    _check_path("path", link.path, frozenset(), file)
    _check_variables(headers, frozenset(), file)
    header = compile_record(_number("header", link.header), forms, file.problems)
    if header.lists:
        file.add("header", "has a list", "fields alone")
    _check_variables(header.fields, frozenset(), file)
    if link.customer == "unchecked":
        wrong = "is unchecked: the core cannot know whose contract a call asks for"
        file.warn("customer", wrong, "a field = $user_ci in each request, once the core can take the CI")
    codes, names = link.response_code, {plan.name for plan in header.fields}
    named = [("field", name) for name in codes.field] + ([] if codes.text is None else [("text", codes.text)])
    for key, name in named:
        if name not in names:
            file.add(f"response_code.{key}", f"names {name}, which header does not have", "a field of header")
    check_response_codes("response_code", {} if codes.absent is None else {"absent": codes.absent}, file, rsp_codes)
    check_response_codes("response_code.codes", codes.codes, file, rsp_codes)
    check_response_codes("response_code.statuses", codes.statuses, file, rsp_codes)
    if not codes.field and (codes.codes or codes.absent):
        set_key = "codes" if codes.codes else "absent"
        file.add("response_code.field", f"is missing, but {set_key} is set", "the field with the response code")
    if codes.field and SUCCESS not in {*codes.codes.values(), codes.absent}:
        file.add("response_code.codes", "has no success", f"a code of the core with the value '{SUCCESS}'")
    return _Link(link, forms, headers, header)


def _compile_fields(
    key: str, items: Iterable[JsonItem], forms: Mapping[str, str], file: FileProblems
) -> tuple[FieldPlan, ...]:
    """Returns the fields of a request: no lists."""
    plans = []
    for place, item in _number(key, items):
        if item.list is not None or item.at == "$":
            file.add(place, "is a list, or the body itself", "a field with a path of names")
        elif (plan := compile_field(place, item, forms, file.problems)) is not None:
            plans.append(plan)
    return tuple(plans)


def _check_headers(headers: Sequence[FieldPlan], file: FileProblems) -> None:
    for plan in headers:
        name = plan.path
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _OWN_HEADERS:
            file.add(plan.key, f"is the header {name}, which the relay writes", "another name of letters, digits and -")
        if any(other is not plan and other.path.lower() == name.lower() for other in headers):
            file.add(plan.key, f"is the header {name}, which is sent already", "each header once")


def _check_variables(fields: Iterable[FieldPlan], parameters: frozenset[str], file: FileProblems) -> None:
    for plan in fields:
        _check_name(plan.key, plan.variable, parameters, file)


def _check_name(key: str, name: str, parameters: frozenset[str], file: FileProblems) -> None:
    known = {*NAMES, *_NUMBERS, *parameters}
    if name and name not in known and not name.startswith("key."):
        allowed = "one of $" + ", $".join([*NAMES, *_NUMBERS, *sorted(parameters)])
        file.add(key, f"has the unknown value ${name}", allowed)


def _check_path(key: str, path: str, parameters: frozenset[str], file: FileProblems) -> None:
    rest = PATH_VALUE.sub("x", path)
    if "{" in rest or "}" in rest or _DOT_SEGMENT.search(path):
        file.add(key, "is not a path with values", "for example /policies/{$insu_num}/payments")
    for name in PATH_VALUE.findall(path):
        _check_name(key, name, parameters, file)


def _tells_more(paging: NumberedPaging) -> bool:
    """Returns whether responses say that there are more rows."""
    return bool(paging.more) or paging.total is not None or paging.pages is not None


class _MessageCompiler:
    """Compiles the file of one API."""

    def __init__(self, link: _Link, message: JsonMessage, api: Api, file: FileProblems, rsp_codes: RspCodes) -> None:
        self._link = link
        self._message = message
        self._api = api
        self._file = file
        self._rsp_codes = rsp_codes
        request = api.request
        self._parameters = frozenset(field.name for field in request.path + request.query + request.body)

    def compile(self) -> JsonConversion:
        message, link = self._message, self._link
        request = self._compile_request()
        response = self._compile_response()
        record = merge_records(link.header, response)
        self._check_request(request, record)
        scope = Scope(record.describe())
        output = compile_answer(self._api, message.answer, scope, self._file.problems)
        if message.paging is not None:
            lists = [entry.name for entry in output.lists]
            check_paging(message.paging, scope, lists, message.answer, self._parameters, self._file)
            self._check_numbers(message.paging, scope, request)
        check_response_codes("response_codes", message.response_codes, self._file, self._rsp_codes)
        codes = link.settings.response_code
        return JsonConversion(
            api=self._api,
            file=self._file.name.rpartition("/")[2],
            request=request,
            header=link.header,
            response=record,
            codes=JsonResponseCodePlan(
                fields=codes.field,
                absent=codes.absent or "",
                text=codes.text or "",
                codes={**codes.codes, **message.response_codes},
                statuses=codes.statuses,
            ),
            output=output,
            paging=message.paging,
            parameters=self._parameters,
            rsp_codes=self._rsp_codes,
            charset=link.settings.charset,
            max_bytes=link.settings.max_bytes,
        )

    def _compile_request(self) -> RequestPlan:
        settings, link = self._message.request, self._link
        query = _compile_fields("request.query", settings.query, link.forms, self._file)
        headers = _compile_fields("request.headers", settings.headers, link.forms, self._file)
        body = _compile_fields("request.fields", settings.fields, link.forms, self._file)
        _check_headers((*link.headers, *headers), self._file)
        _check_path("request.path", settings.path, self._parameters, self._file)
        if body and settings.method == "GET":
            self._file.add("request.fields", "is set, but method is GET", "query, or method: POST")
        self._check_objects(body)
        own = (*query, *headers, *body)
        _check_variables(own, self._parameters, self._file)
        for plan in own:
            if plan.constant is None and not plan.variable and plan.name not in self._parameters:
                allowed = "= VALUE, or the name of a parameter: " + ", ".join(sorted(self._parameters))
                self._file.add(plan.key, f"has no value: {plan.name} is no parameter of the API", allowed)
        path = link.settings.path + settings.path
        return RequestPlan(settings.method, path, query, link.headers + headers, body, link.settings.charset)

    def _check_objects(self, body: Sequence[FieldPlan]) -> None:
        """Adds a problem for a path that is both a value and an object of other values."""
        paths = [plan.keys for plan in body]
        for plan in body:
            if any(path[: len(plan.keys)] == plan.keys for path in paths if path is not plan.keys):
                self._file.add(plan.key, f"is at {'.'.join(plan.keys)}, as another field", "a path of its own")

    def _check_request(self, request: RequestPlan, response: RecordPlan) -> None:
        sent = [
            SentValue(
                plan.key,
                plan.variable or plan.name,
                plan.codec.length,
                plan.codec.field.kind,
                bool(plan.codes) or plan.default is not None,
            )
            for plan in (*request.query, *request.headers, *request.body)
            if plan.constant is None
        ]
        sent += [SentValue("request.path", name) for name in PATH_VALUE.findall(request.path)]
        asset, customer = self._api.asset, self._link.settings.customer
        if asset is not None and asset.field not in list_unchanged(sent):
            allowed = f"{{${asset.field}}} in the path, or a field = ${asset.field} in query, headers or fields"
            self._file.add("request", f"does not name the asset of the call, {asset.field}", allowed)
        repeated = {plan.variable for plan in response.fields if not plan.codes and plan.default is None}
        check_request(self._api, sent, repeated, self._message.paging, customer, self._file)

    def _compile_response(self) -> RecordPlan:
        """Returns the record behind the header. A field that is named like a parameter of the call must repeat it."""
        settings, names = self._message.response, list_repeated(self._api)
        items = [
            item.model_copy(update={"value": f"${item.name}"})
            if item.name in names and item.value is None and not item.codes
            else item
            for item in settings.fields
        ]
        prefix = () if settings.at == "$" else tuple(settings.at.split("."))
        entries = _number("response.fields", items)
        record = compile_record(entries, self._link.forms, self._file.problems, prefix)
        _check_variables(record.iter_fields(), self._parameters, self._file)
        header = {plan.name for plan in self._link.header.fields}
        for key, item in entries:
            if (item.name or item.list) in header:
                self._file.add(key, f"repeats the name {item.name or item.list} of header", "another name, with at")
        return record

    def _check_numbers(self, paging: NumberedPaging, scope: Scope, request: RequestPlan) -> None:
        """Adds a problem when the request does not say where the list continues."""
        needed = {"page": "page_number", "offset": "offset", "key": "key"}[paging.by]
        if not any(name == needed or name.startswith(f"{needed}.") for name in request.names):
            self._file.add("paging", f"is by {paging.by}, but the request has no ${needed}", f"a field = ${needed}")
        is_sized = "rows" in request.names
        if paging.fixed and is_sized:
            self._file.add("paging.fixed", "is set, but the request has $rows", "no $rows, or no fixed")
        elif (
            not is_sized
            and not paging.fixed
            and (paging.by == "page" or (paging.by == "offset" and not _tells_more(paging)))
        ):
            wrong = "is without $rows in the request: the end of the list cannot be told"
            self._file.add("paging", wrong, "a field = $rows; of pages that always have `rows` rows fixed: true")
        for key in ("total", "pages"):
            name = getattr(paging, key)
            if name is not None and name not in scope.fields:
                self._file.add(f"paging.{key}", f"names {name}, which the response does not have", "a field")
