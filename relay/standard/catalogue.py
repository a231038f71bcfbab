"""Reads the standard's YAML data into the catalogue and validates it.

Notation of `apis/*.yaml`: one mapping entry per API, keyed by api_id; one entry per field, keyed by its name. Its row
follows the standard's table, `타입(길이) | 필수 | 항목명 | 조건·비고`. 필수 is Y, N or C (conditional, see last column
for the condition). A field with a code table or members is a mapping of `row`, `codes`, `fields`. `header` names a
group of `headers.yaml`. `asset` has the request field that names the asset of a call (absent for none), `period` those
of the first and last day, and as `rows` the members of the response's rows of which one lies between them. `order` has
the members that sort the rows; `-` before a name means descending. `method`, `version` and `resource` make the path;
content types follow from the method.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

import yaml

from relay.domain.api import Api, AssetRule, Catalogue, Cycle, Field, Message, PeriodRule, Presence, SortKey
from relay.domain.ids import INDUSTRIES

_INDUSTRY_FILES: Final = ("bank", "card", "invest", "insu", "efin", "capital", "ginsu", "telecom", "p2p")
API_FILES: Final = ("auth", "common", "irp", "prepaid", "bond", *_INDUSTRY_FILES, "support")
"""The files of `apis/`, in the order of the official list (규격 4장)."""

JSON: Final = "application/json; charset=UTF-8"

_PRESENCE: Final = {"Y": Presence.REQUIRED, "N": Presence.OPTIONAL, "C": Presence.CONDITIONAL}
_LENGTHLESS: Final = frozenset({"Boolean", "array"})
_LENGTHS: Final = {
    "F": re.compile(r"\d+,\d+"),
    "DATE": re.compile(r"8"),
    "DTIME": re.compile(r"14"),
    "DTIME|DATE": re.compile(r"14"),
    **{name: re.compile(r"[1-9]\d*") for name in ("N", "AH", "A", "a", "AN", "aN", "aNS", "NS", "B64")},
}
_TYPE: Final = re.compile(r"([A-Za-z0-9|]+)(?:\(([\d,]+)\))?")
_API_TEXTS: Final = frozenset({"name", "name_en", "api_code", "method", "version", "resource", "scope"})
_API_KEYS: Final = _API_TEXTS | {"industries", "later", "cycle", "period", "order", "asset", "request", "response"}
_REQUIRED_API_KEYS: Final = frozenset({"name", "name_en", "method", "resource", "request", "response"})
_MESSAGE_KEYS: Final = frozenset({"content_type", "header", "path", "query", "body"})
_FIELD_KEYS: Final = frozenset({"row", "codes", "fields"})
_PERIOD_KEYS: Final = frozenset({"start", "end", "scheduled_days", "scheduled_months", "rows"})
_ASSET_KEYS: Final = frozenset({"field", "seqno"})


class CatalogueError(ValueError):
    """The packaged data are invalid; the text names the place. Occurs in development only."""


@dataclass(frozen=True, slots=True)
class RspCode:
    """One 세부 응답코드 (규격 첨부1): five digits, its HTTP status, its meaning."""

    code: str
    http: int
    meaning: str


@dataclass(frozen=True, slots=True)
class OAuthError:
    """One OAuth error (규격 5장): its name, its HTTP status (302 for a redirect), and its cause."""

    error: str
    http: int
    when: str


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # the C loader is optional
    """Loads YAML and refuses duplicate keys, which would silently lose a field or id."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        if len(mapping) != len(node.value):
            raise CatalogueError(f"duplicate key{node.start_mark}")
        return mapping


def _read(*path: str) -> dict[str, Any]:
    text = resources.files("relay.standard").joinpath(*path).read_bytes()
    return parse_mapping(text)


def parse_mapping(text: bytes | str) -> dict[str, Any]:
    """Returns the mapping of a YAML text. Raises CatalogueError for anything else, or a duplicate key."""
    data = yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
    if not isinstance(data, dict):
        raise CatalogueError("a mapping is expected")
    return data


def _check_keys(where: str, data: Any, keys: frozenset[str]) -> None:
    if not isinstance(data, dict):
        raise CatalogueError(f"{where}: a mapping is expected")
    if unknown := sorted(str(key) for key in data if key not in keys):
        raise CatalogueError(f"{where}: unknown key {', '.join(unknown)}")


def _parse_row(where: str, row: object) -> tuple[str, str, Presence, str, str]:
    columns = [column.strip() for column in str(row).split(" | ")]
    match = _TYPE.fullmatch(columns[0])
    if not 3 <= len(columns) <= 4 or not match or columns[1] not in _PRESENCE:  # noqa: PLR2004 - three or four columns
        raise CatalogueError(f"{where}: a row has the form 타입(길이) | Y·N·C | 항목명 | 조건, not {row!r}")
    kind, length = match[1], match[2] or ""
    if kind not in _LENGTHLESS and kind not in _LENGTHS:
        raise CatalogueError(f"{where}: unknown type {kind}")
    if not (_LENGTHS[kind].fullmatch(length) if kind in _LENGTHS else not length):
        raise CatalogueError(f"{where}: type {kind} cannot have length {length or 'none'}")
    condition = columns[3] if columns[3:] else ""
    presence = _PRESENCE[columns[1]]
    if presence is Presence.CONDITIONAL and not condition:
        raise CatalogueError(f"{where}: a conditional field needs its condition")
    return kind, length, presence, columns[2], condition


def _parse_field(where: str, name: str, data: Any) -> Field:
    if not isinstance(data, dict):
        data = {"row": data}
    _check_keys(where, data, _FIELD_KEYS)
    kind, length, presence, label, condition = _parse_row(where, data.get("row", ""))
    codes: dict[Any, Any] = data.get("codes", {})
    if not all(isinstance(text, str) for pair in codes.items() for text in pair):
        raise CatalogueError(f"{where}: codes must be strings; quote them")
    if (kind == "array") != ("fields" in data):
        raise CatalogueError(f"{where}: arrays, and only arrays, have fields")
    return Field(name, kind, length, presence, label, codes, condition, _parse_fields(where, data.get("fields", {})))


def _parse_fields(where: str, data: Mapping[str, Any]) -> tuple[Field, ...]:
    return tuple(_parse_field(f"{where}.{name}", name, row) for name, row in data.items())


def _parse_message(where: str, data: Any, headers: Mapping[str, tuple[Field, ...]], default_type: str) -> Message:
    _check_keys(where, data, _MESSAGE_KEYS)
    group = data.get("header", "")
    if group and group not in headers:
        raise CatalogueError(f"{where}: unknown header group {group}")
    path, query, body = (_parse_fields(f"{where}.{part}", data.get(part, {})) for part in ("path", "query", "body"))
    return Message(headers.get(group, ()), path, query, body, data.get("content_type", default_type))


def _parse_period(where: str, data: Any, request: Message) -> PeriodRule | None:
    if data is None:
        return None
    _check_keys(where, data, _PERIOD_KEYS)
    rule = PeriodRule(**{**data, "rows": tuple(data.get("rows", ()))})
    names = {field.name for field in request.query + request.body if field.presence is Presence.REQUIRED}
    if not {rule.start, rule.end} <= names or bool(rule.scheduled_days) == bool(rule.scheduled_months):
        raise CatalogueError(f"{where}: a period needs two required request fields and one maximum length")
    return rule


def _parse_asset(where: str, data: Any, request: Message) -> AssetRule | None:
    if data is None:
        return None
    _check_keys(where, data, _ASSET_KEYS)
    fields = {field.name: field.presence for field in request.path + request.query + request.body}
    rule = AssetRule(data.get("field", ""), data.get("seqno", ""))
    if fields.get(rule.field) is not Presence.REQUIRED or rule.seqno not in {"", *fields}:
        raise CatalogueError(f"{where}: an asset needs a required request field, and its seqno a request field")
    return rule


def _parse_order(keys: Iterable[str]) -> tuple[SortKey, ...]:
    return tuple(SortKey(key.removeprefix("-"), key.startswith("-")) for key in keys)


def _check_rows(api: Api) -> Api:
    """Raises CatalogueError if order or period name a member that the rows of the response do not have."""
    names = {key.field for key in api.order} | set(api.period.rows if api.period else ())
    if unknown := names - {field.name for field in (api.rows.fields if api.rows else ())}:
        raise CatalogueError(f"{api.api_id}: the rows of the response have no {', '.join(sorted(unknown))}")
    return api


def _build_path(version: str, resource: str, industries: tuple[str, ...]) -> str:
    """규격 2.1: version and industry precede a data API's resource; only 공통-001 and OAuth have no version."""
    return (f"/{version}" if version else "") + ("/{industry}" if industries else "") + resource


def parse_api(api_id: str, data: Any, headers: Mapping[str, tuple[Field, ...]]) -> Api:
    """Returns an API from its data. `headers` has the fields of each header group. Raises CatalogueError."""
    _check_keys(api_id, data, _API_KEYS)
    if missing := _REQUIRED_API_KEYS - set(data):
        raise CatalogueError(f"{api_id}: missing {', '.join(sorted(missing))}")
    if not all(isinstance(data[key], str) for key in _API_TEXTS & set(data)):
        raise CatalogueError(f"{api_id}: {', '.join(sorted(_API_TEXTS))} must be strings")
    industries, later = tuple(data.get("industries", ())), tuple(data.get("later", ()))
    if unknown := set(industries + later) - set(INDUSTRIES):
        raise CatalogueError(f"{api_id}: unknown industry {', '.join(sorted(unknown))}")
    method, resource, version = data["method"], data["resource"], data.get("version", "")
    if method not in {"GET", "POST"}:
        raise CatalogueError(f"{api_id}: the method must be GET or POST, not {method}")
    if ("cycle" in data) != bool(industries):
        raise CatalogueError(f"{api_id}: data APIs, and only data APIs, have a cycle")
    if industries and data["cycle"] not in set(Cycle):
        raise CatalogueError(f"{api_id}: unknown cycle {data['cycle']}")
    request = _parse_message(f"{api_id}.request", data["request"], headers, JSON if method == "POST" else "")
    api = Api(
        api_id=api_id,
        api_code=data.get("api_code", ""),
        name=data["name"],
        name_en=data["name_en"],
        method=method,
        path=_build_path(version, resource, industries),
        resource=resource,
        version=version,
        industries=industries,
        later=later,
        cycle=Cycle(data["cycle"]) if industries else None,
        scope=data.get("scope", ""),
        request=request,
        response=_parse_message(f"{api_id}.response", data["response"], headers, JSON),
        period=_parse_period(f"{api_id}.period", data.get("period"), request),
        asset=_parse_asset(f"{api_id}.asset", data.get("asset"), request),
        order=_parse_order(data.get("order", ())),
    )
    return _check_rows(api)


def _iter_apis() -> Iterator[Api]:
    headers = {group: _parse_fields(group, rows) for group, rows in _read("headers.yaml").items()}
    for stem in API_FILES:
        for api_id, data in _read("apis", f"{stem}.yaml").items():
            yield parse_api(api_id, data, headers)


def build_catalogue(apis: Iterable[Api]) -> Catalogue:
    """Returns a catalogue of APIs. Raises CatalogueError for a duplicate id or code."""
    by_id: dict[str, Api] = {}
    codes: dict[str, str] = {}
    for api in apis:
        if api.api_id in by_id:
            raise CatalogueError(f"duplicate api_id {api.api_id}")
        by_id[api.api_id] = api
        if api.api_code and codes.setdefault(api.api_code, api.api_id) != api.api_id:
            raise CatalogueError(f"duplicate api_code {api.api_code} of {codes[api.api_code]} and {api.api_id}")
    return Catalogue(by_id)


@cache
def load_catalogue() -> Catalogue:
    """Returns the 91 APIs in the order of the official list; they are read once per process.

    Raises CatalogueError when the packaged data have an unknown key, type or industry, a duplicate id or code, or a
    conditional field without its condition.
    """
    return build_catalogue(_iter_apis())


def parse_status(where: str, row: object) -> tuple[int, str]:
    """Returns HTTP status and meaning of a row. Raises CatalogueError, which names `where`."""
    http, separator, text = str(row).partition(" | ")
    if not separator or not http.isdecimal():
        raise CatalogueError(f"{where}: a row has the form HTTP 상태 | 의미, not {row!r}")
    return int(http), text.strip()


@cache
def load_rsp_codes() -> Mapping[str, RspCode]:
    """Returns the valid response codes (규격 첨부1) by code."""
    return {code: RspCode(code, *parse_status(code, row)) for code, row in _read("rsp_codes.yaml").items()}


@cache
def load_oauth_errors() -> Mapping[str, tuple[OAuthError, ...]]:
    """Returns the OAuth errors (규격 5장) of `authorize` and of `token` (token, refresh, revoke, support token).

    `authorize` has `invalid_request` twice: as a redirect, and as 400 when no redirect is possible.
    """
    return {
        endpoint: tuple(OAuthError(error, *parse_status(error, row)) for error, rows in errors.items() for row in rows)
        for endpoint, errors in _read("oauth_errors.yaml").items()
    }
