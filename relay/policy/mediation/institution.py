"""Compiles the telegram files of an institution, and reports all that is wrong with them at once."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from relay.domain.api import SUCCESS, Api, Catalogue
from relay.policy.mediation.conversion import CONTEXT_NAMES, Conversion, ResponseCodePlan, RspCodes
from relay.policy.mediation.errors import LayoutError, LayoutProblem, ValueFault
from relay.policy.mediation.link import Link
from relay.policy.mediation.mapping.answers import compile_answer
from relay.policy.mediation.mapping.expressions import Scope
from relay.policy.mediation.paging.seal import MAX_KEY_BYTES
from relay.policy.mediation.settings import EMPTY, Management, Paging, TelegramLink, TelegramMessage
from relay.policy.mediation.telegram.codec import Kind
from relay.policy.mediation.telegram.framing import Framing
from relay.policy.mediation.telegram.notation import Item
from relay.policy.mediation.telegram.plan import (
    FieldPlan,
    MessagePlan,
    Part,
    Run,
    compile_message,
    find_groups,
    get_size,
    iter_fields,
)

_HEADER_NAMES: Final = ("kind", "code", "unique_number")


@dataclass(frozen=True, slots=True)
class TelegramInstitution:
    """An institution that speaks telegrams: its link, and its conversions by api_code."""

    link: Link
    conversions: Mapping[str, Conversion]


@dataclass(slots=True)
class _File:
    """Problems of one file while it is compiled."""

    name: str
    problems: list[LayoutError]

    def add(self, key: str, wrong: str, allowed: str = "") -> None:
        self.problems.append(LayoutError(key, wrong, allowed))


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
    link_file = _File(link[0], [])
    compiled_link = _compile_link(link[1], link_file, rsp_codes)
    files = [link_file]
    apis = {api.api_code: api for api in catalogue.iter_apis(industry, later=True)}
    conversions: dict[str, Conversion] = {}
    names: dict[str, str] = {}
    for name, message in messages:
        file = _File(name, [])
        files.append(file)
        api = apis.get(message.api)
        if api is None:
            file.add("api", f"is no API of the industry {industry}", "one of " + ", ".join(apis))
            continue
        if message.api in names:
            file.add("api", f"is also that of {names[message.api]}", "one file for each API")
        names[message.api] = name
        conversions[message.api] = _MessageCompiler(compiled_link, message, api, file, rsp_codes).compile()
    for api_code in sorted(set(offered) - set(names)):
        link_file.add("", f"has no file for {api_code}, which the institution offers", f"a file with api: {api_code}")
    problems = [_report(file.name, link[0], error) for file in files for error in file.problems]
    unique = list(dict.fromkeys(problems))
    return (None if unique else TelegramInstitution(compiled_link, conversions)), unique


def _report(file: str, link_file: str, error: LayoutError) -> LayoutProblem:
    """Returns the problem of a file; those of the header are the link's, whichever message shows them."""
    return LayoutProblem(link_file if error.key.startswith("header[") else file, error.key, error.wrong, error.allowed)


def _complete_header(link: TelegramLink, file: _File) -> Sequence[Item]:
    """Returns the header with its length field, which may be left out where it is the first field."""
    framing = link.framing
    if any(item.value == "$length" for item in link.header):
        return link.header
    if framing.offset:
        file.add("header", "has no length field", f"a field = $length at offset {framing.offset}")
    kind: Literal["n", "binary"] = "n" if framing.encoding == "ascii" else "binary"
    length = Item(
        name="length",
        type=kind,
        length=framing.length,
        unsigned=kind == "binary",
        little=framing.encoding == "little",
        value="$length",
    )
    return (length, *link.header)


def _compile_link(link: TelegramLink, file: _File, rsp_codes: RspCodes) -> Link:
    header = _complete_header(link, file)
    plan = compile_message(header, "fields", (), link.charset, file.problems)
    if len(plan.header) > 1 or not all(isinstance(part, Run) for part in plan.header):
        file.add("header", "has a list or an optional part", "fields alone")
    fields = list(iter_fields(plan.header))
    _check_variables(fields, frozenset(), file)
    names = {field.variable: field.name for field in fields if field.variable in _HEADER_NAMES}
    if "kind" not in names and link.management is not None:
        file.add("header", "has no message type, which line management needs", "a field = $kind")
    for field in fields:
        place = (field.offset, field.codec.length)
        if field.variable == "length" and place != (link.framing.offset, link.framing.length):
            allowed = f"{link.framing.length} bytes at offset {link.framing.offset}, as framing says"
            file.add(field.key, "has the length at another place than the framing", allowed)
    _check_response_codes("response_code.codes", link.response_code.codes, file, rsp_codes)
    if SUCCESS not in link.response_code.codes.values():
        file.add("response_code.codes", "has no success", f"a code of the core with the value '{SUCCESS}'")
    line = None
    if link.management is not None:
        line = compile_message(header, "management.fields", link.management.fields, link.charset, file.problems)
        _check_management(link.management, link.response_code.field, line, file)
    smallest = get_size(plan.header)
    return Link(link, Framing(link.framing, smallest), plan, line, names)


def _check_management(management: Management, response_code: str, line: MessagePlan, file: _File) -> None:
    """Adds problems of line management: an unknown field, and values that do not fit in their fields."""
    fields = {field.name: field for field in iter_fields(line.parts)}
    if management.field not in fields:
        file.add("management.field", "is no field of the telegram", "one of " + ", ".join(sorted(fields)))
    values = [(f"codes.{action}", management.field, code) for action, code in management.codes.items()]
    for key, name, value in (*values, ("ok", response_code, management.ok)):
        if name not in fields:
            continue
        try:
            fields[name].codec.encode(value)
        except ValueFault as fault:
            file.add(f"management.{key}", f"does not fit in the field {name}", fault.expected)


def _check_variables(fields: Iterable[FieldPlan], parameters: frozenset[str], file: _File) -> None:
    for field in fields:
        name = field.variable
        if name and name not in CONTEXT_NAMES and name not in parameters and not name.startswith("key."):
            allowed = "one of $" + ", $".join([*CONTEXT_NAMES, *sorted(parameters)])
            file.add(field.key, f"has the unknown value ${name}", allowed)


def _check_response_codes(key: str, codes: Mapping[str, str], file: _File, known: RspCodes) -> None:
    for code, rsp_code in codes.items():
        if rsp_code != EMPTY and rsp_code not in known:
            file.add(f"{key}.{code}", "is no rsp_code of the standard", "a code of 첨부1, or empty")


class _MessageCompiler:
    """Compiles the file of one API."""

    def __init__(self, link: Link, message: TelegramMessage, api: Api, file: _File, rsp_codes: RspCodes) -> None:
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
        response = self._compile_message("response.fields", self._bind_asset(message.response.fields))
        self._check_request(request)
        scope = Scope(response.parts)
        output = compile_answer(self._api, message.answer, scope, self._file.problems)
        self._check_size("request.fields", request)
        self._check_size("response.fields", response)
        if message.paging is not None:
            self._check_paging(message.paging, scope, [entry.name for entry in output.lists])
        _check_response_codes("response_codes", message.response_codes, self._file, self._rsp_codes)
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
        header = _complete_header(self._link.settings, _File("", []))
        problems: list[LayoutError] = []
        plan = compile_message(header, key, fields, self._link.settings.charset, problems)
        self._file.problems += [problem for problem in problems if not problem.key.startswith("header[")]
        _check_variables(_iter_all_fields(plan.body), self._parameters, self._file)
        return plan

    def _bind_asset(self, fields: Iterable[Item]) -> list[Item]:
        """Returns the fields of a response; one that is named like the asset of the call must repeat its value."""
        asset = self._api.asset
        return [
            item.model_copy(update={"value": f"${item.name}"})
            if asset is not None and item.name == asset.field and item.value is None
            else item
            for item in fields
        ]

    def _check_request(self, request: MessagePlan) -> None:
        used = {plan.variable or plan.name for plan in _iter_all_fields(request.parts)}
        asset = self._api.asset
        if asset is not None and asset.field not in used:
            allowed = f"a field {asset.field}, or a field = ${asset.field}"
            self._file.add("request.fields", f"do not have the asset of the call, {asset.field}", allowed)
        for plan in _iter_all_fields(request.body):
            has_value = plan.constant is not None or plan.variable or plan.item.default is not None
            if not has_value and plan.name not in self._parameters:
                allowed = "= VALUE, or the name of a parameter: " + ", ".join(sorted(self._parameters))
                self._file.add(plan.key, f"has no value: {plan.name} is no parameter of the API", allowed)

    def _check_size(self, key: str, plan: MessagePlan) -> None:
        """Adds a problem when the longest telegram does not fit in the length field or in `max_bytes`."""
        framing = self._link.settings.framing
        size = get_size(plan.parts, largest=True)
        digits = 10**framing.length if framing.encoding == "ascii" else 256**framing.length
        counted = size - framing.add - (self._link.framing.end if framing.counts == "rest" else 0)
        if size > framing.max_bytes or counted >= digits:
            wrong = f"have up to {size} bytes, more than the framing allows"
            self._file.add(key, wrong, "fewer rows (max), or a larger length or max_bytes in framing")

    def _check_paging(self, paging: Paging, scope: Scope, lists: Sequence[str]) -> None:
        if paging.list not in lists:
            self._file.add("paging.list", "is no list of the answer", "one of " + ", ".join(lists))
        rows = {plan.name: plan for group in scope.groups.values() for plan in iter_fields(group.parts)}
        fields = rows | scope.fields
        size = 0
        for index, name in enumerate(paging.key):
            if name not in fields:
                self._file.add(f"paging.key[{index}]", f"names {name}, which the response does not have", "a field")
            else:
                size += fields[name].codec.max_bytes + 3
        if size > MAX_KEY_BYTES:
            self._file.add("paging.key", "is too long for next_page", f"at most {MAX_KEY_BYTES} bytes")
        entry = self._message.answer.get(paging.list)
        group = scope.groups.get(paging.list if entry is None else entry.rows or "")
        if group is not None and group.maximum and paging.rows > group.maximum:
            self._file.add("paging.rows", "is more than the list can have", f"at most {group.maximum}")
        for name in paging.more:
            if name not in scope.fields:
                self._file.add(f"paging.more.{name}", "is no field of the response", "a field outside of lists")
        if "next_page" not in self._parameters:
            self._file.add("paging", "is set, but the API has no pages", "no paging")

    def _compile_codes(self, response: MessagePlan) -> ResponseCodePlan:
        codes = self._link.settings.response_code
        in_header = {plan.name for plan in iter_fields(response.header)}
        names = {plan.name for plan in iter_fields(response.parts)}
        for name in (codes.field, codes.text):
            if name is not None and name not in names:
                self._file.add("response.fields", f"do not have the field {name} of response_code", "that field")
        is_in_header = codes.field in in_header and (codes.text is None or codes.text in in_header)
        table = {**codes.codes, **self._message.response_codes}
        return ResponseCodePlan(codes.field, is_in_header, codes.text or "", table)


def _iter_all_fields(parts: Sequence[Part]) -> list[FieldPlan]:
    """Returns the fields of a record with those of its groups, without fillers."""
    fields = [plan for plan in iter_fields(parts) if plan.codec.kind is not Kind.FILLER]
    for group in find_groups(parts).values():
        fields += _iter_all_fields(group.parts)
    return fields
