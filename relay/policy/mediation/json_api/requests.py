"""Requests to cores that speak JSON: path, query, headers and body from the values of a call."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from typing import Any, Final
from urllib.parse import quote

from relay.policy.mediation.errors import ConversionError, ValueFault
from relay.policy.mediation.json_api.plan import FieldPlan
from relay.policy.mediation.json_api.values import RawNumber
from relay.policy.mediation.telegram.texts import CHARSETS

Resolve = Callable[[str], str | None]
"""Returns the value of a name of the context or of a parameter, None or "" for none."""

PATH_VALUE: Final = re.compile(r"\{\$([A-Za-z_][A-Za-z0-9_.]*)\}")
_HEADER_VALUE: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_DOTS: Final = frozenset({".", ".."})


@dataclass(frozen=True, slots=True)
class JsonRequest:
    """An HTTP request without the address of a server: its target is below the base URL."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class JsonResponse:
    """An HTTP response. `is_too_long` says that the body was longer than allowed, and was not read to its end."""

    status: int
    body: bytes = field(repr=False)
    content_type: str = ""
    content_coding: str = ""
    is_too_long: bool = False


@dataclass(frozen=True, slots=True)
class RequestPlan:
    """A compiled request; `path` begins with that of the link, `has_body` is whether JSON is sent."""

    method: str
    path: str
    query: tuple[FieldPlan, ...]
    headers: tuple[FieldPlan, ...]
    body: tuple[FieldPlan, ...]
    charset: str

    @property
    def values(self) -> dict[str, str]:
        """The values of fields, by the name of the field."""
        fields = (*self.query, *self.headers, *self.body)
        return {plan.name: plan.variable or plan.name for plan in fields if plan.constant is None}

    @property
    def names(self) -> set[str]:
        """The names of all values that the request has."""
        fields = (*self.query, *self.headers, *self.body)
        named = {plan.variable or plan.name for plan in fields if plan.constant is None}
        return named | set(PATH_VALUE.findall(self.path))


def write_request(message: str, plan: RequestPlan, resolve: Resolve) -> JsonRequest:
    """Returns the request. Raises ConversionError when a value does not fit; errors begin with `message`."""
    target = "".join(_write_path(message, plan.path, resolve)) or "/"
    query = [
        f"{quote(plan_field.path, safe='')}={_quote_value(message, plan_field, _to_text(value), plan.charset)}"
        for plan_field, value in _evaluate(message, "query", plan.query, resolve)
    ]
    headers = [
        (plan_field.path, _check_header(message, plan_field, _to_text(value)))
        for plan_field, value in _evaluate(message, "header", plan.headers, resolve)
    ]
    body = b""
    if plan.body:
        document = _write_json(_build_document(_evaluate(message, "body", plan.body, resolve)))
        try:
            body = document.encode(CHARSETS[plan.charset])
        except UnicodeEncodeError:
            raise ConversionError(message, -1, "body", f"characters of {plan.charset}") from None
        headers.append(("Content-Type", f"application/json; charset={plan.charset}"))
    return JsonRequest(plan.method, target + ("?" + "&".join(query) if query else ""), tuple(headers), body)


def _write_path(message: str, path: str, resolve: Resolve) -> Iterable[str]:
    """Yields the pieces of a path. No value becomes another path: it is encoded, and is not blank, "." or ".."."""
    start = 0
    for match in PATH_VALUE.finditer(path):
        value = resolve(match[1]) or ""
        if not value or value in _DOTS:
            raise ConversionError(message, -1, f"path: {match[1]}", "a value that can be a part of a path")
        yield path[start : match.start()]
        yield quote(value, safe="")
        start = match.end()
    yield path[start:]


def _evaluate(
    message: str, place: str, plans: Sequence[FieldPlan], resolve: Resolve
) -> Iterable[tuple[FieldPlan, Any]]:
    """Yields the fields that have a value, with it."""
    for plan in plans:
        if plan.constant is not None:
            text = plan.constant
        else:
            text = resolve(plan.variable or plan.name) or ""
            text = plan.codes.get(text, plan.default if plan.default is not None else "" if plan.codes else text)
        if not text:
            continue
        try:
            yield plan, plan.codec.encode(text)
        except ValueFault as fault:
            raise ConversionError(message, -1, f"{place}: {plan.name}", fault.expected) from None


def _quote_value(message: str, plan: FieldPlan, text: str, charset: str) -> str:
    try:
        return quote(text, safe="", encoding=CHARSETS[charset])
    except UnicodeEncodeError:
        raise ConversionError(message, -1, f"query: {plan.name}", f"characters of {charset}") from None


def _check_header(message: str, plan: FieldPlan, text: str) -> str:
    if not _HEADER_VALUE.fullmatch(text):
        raise ConversionError(message, -1, f"header: {plan.name}", "printable ASCII characters")
    return text


def _to_text(value: Any) -> str:
    return value if isinstance(value, str) else "true" if value else "false"


def _build_document(values: Iterable[tuple[FieldPlan, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for plan, value in values:
        member = document
        for key in plan.keys[:-1]:
            member = member.setdefault(key, {})
        member[plan.keys[-1]] = value
    return document


def _write_json(value: Any) -> str:
    """Returns a value as JSON. Numbers are written with all their digits."""
    if isinstance(value, dict):
        members = (f"{json.dumps(name, ensure_ascii=False)}:{_write_json(member)}" for name, member in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, RawNumber):
        return str(value)
    return encode_basestring(value) if isinstance(value, str) else json.dumps(value)
