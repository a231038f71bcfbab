"""The standard's data read from YAML into the catalogue's nouns, and held to its own rules while it is read.

Notation of `apis/*.yaml`: one mapping entry per API, keyed by api_id; one entry per field, keyed by its name, whose row
reads like the standard's table, `타입(길이) | 필수 | 항목명 | 조건·비고`. 필수 is Y, N or C (conditional, and then the
condition must be told). A field with a code table or members is a mapping of `row`, `codes`, `fields`. `header` names a
group of `headers.yaml`. `asset` says which request field names the asset a call is about (absent: none does), `period`
which bound the query. `method`, `version` and `resource` make the path; content types follow from the method.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

import yaml

from relay.domain.api import Api, AssetRule, Catalogue, Cycle, Field, Message, PeriodRule, Presence
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
_API_KEYS: Final = _API_TEXTS | {"industries", "later", "cycle", "period", "asset", "request", "response"}
_API_NEEDS: Final = frozenset({"name", "name_en", "method", "resource", "request", "response"})
_MESSAGE_KEYS: Final = frozenset({"content_type", "header", "path", "query", "body"})
_FIELD_KEYS: Final = frozenset({"row", "codes", "fields"})
_PERIOD_KEYS: Final = frozenset({"start", "end", "scheduled_days", "scheduled_months"})
_ASSET_KEYS: Final = frozenset({"field", "seqno"})


class BrokenStandard(ValueError):
    """The packaged data contradicts itself; says where. Seen while building the relay, never while running it."""


@dataclass(frozen=True, slots=True)
class RspCode:
    """One 세부 응답코드 (규격 첨부1): five digits, the HTTP status it travels with, its meaning."""

    code: str
    http: int
    meaning: str


@dataclass(frozen=True, slots=True)
class OAuthError:
    """One OAuth error (규격 5장): its name, the HTTP status (302: by redirect), and when it is answered."""

    error: str
    http: int
    when: str


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # the C one is there or not
    """YAML in which no key stands twice: a doubled field or id would silently lose one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        found: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        if len(found) != len(node.value):
            raise BrokenStandard(f"a key stands twice{node.start_mark}")
        return found


def _read(*path: str) -> dict[str, Any]:
    text = resources.files("relay.standard").joinpath(*path).read_bytes()
    return _parse(text)


def _parse(text: bytes | str) -> dict[str, Any]:
    found = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader's child
    if not isinstance(found, dict):
        raise BrokenStandard("a mapping is expected")
    return found


def _known(where: str, found: Any, keys: frozenset[str]) -> None:
    if not isinstance(found, dict):
        raise BrokenStandard(f"{where}: a mapping is expected")
    if unknown := sorted(str(key) for key in found if key not in keys):
        raise BrokenStandard(f"{where}: unknown key {', '.join(unknown)}")


def _columns(where: str, row: object) -> tuple[str, str, Presence, str, str]:
    columns = [column.strip() for column in str(row).split(" | ")]
    shape = _TYPE.fullmatch(columns[0])
    if not 3 <= len(columns) <= 4 or not shape or columns[1] not in _PRESENCE:  # noqa: PLR2004 - three or four columns
        raise BrokenStandard(f"{where}: a row is written 타입(길이) | Y·N·C | 항목명 | 조건, not {row!r}")
    kind, length = shape[1], shape[2] or ""
    if kind not in _LENGTHLESS and kind not in _LENGTHS:
        raise BrokenStandard(f"{where}: unknown type {kind}")
    if not (_LENGTHS[kind].fullmatch(length) if kind in _LENGTHS else not length):
        raise BrokenStandard(f"{where}: type {kind} cannot have length {length or 'none'}")
    condition = columns[3] if columns[3:] else ""
    presence = _PRESENCE[columns[1]]
    if presence is Presence.CONDITIONAL and not condition:
        raise BrokenStandard(f"{where}: a conditional field must tell its condition")
    return kind, length, presence, columns[2], condition


def _field(where: str, name: str, found: Any) -> Field:
    if not isinstance(found, dict):
        found = {"row": found}
    _known(where, found, _FIELD_KEYS)
    kind, length, presence, label, condition = _columns(where, found.get("row", ""))
    codes: dict[Any, Any] = found.get("codes", {})
    if not all(isinstance(text, str) for pair in codes.items() for text in pair):
        raise BrokenStandard(f"{where}: codes are text; quote them")
    if (kind == "array") != ("fields" in found):
        raise BrokenStandard(f"{where}: an array, and nothing else, has fields")
    return Field(name, kind, length, presence, label, codes, condition, _fields(where, found.get("fields", {})))


def _fields(where: str, found: Mapping[str, Any]) -> tuple[Field, ...]:
    return tuple(_field(f"{where}.{name}", name, row) for name, row in found.items())


def _message(where: str, found: Any, headers: Mapping[str, tuple[Field, ...]], usual_type: str) -> Message:
    _known(where, found, _MESSAGE_KEYS)
    group = found.get("header", "")
    if group and group not in headers:
        raise BrokenStandard(f"{where}: unknown header group {group}")
    path, query, body = (_fields(f"{where}.{place}", found.get(place, {})) for place in ("path", "query", "body"))
    return Message(headers.get(group, ()), path, query, body, found.get("content_type", usual_type))


def _period(where: str, found: Any, request: Message) -> PeriodRule | None:
    if found is None:
        return None
    _known(where, found, _PERIOD_KEYS)
    rule = PeriodRule(**found)
    names = {field.name for field in request.query + request.body if field.presence is Presence.REQUIRED}
    if not {rule.start, rule.end} <= names or bool(rule.scheduled_days) == bool(rule.scheduled_months):
        raise BrokenStandard(f"{where}: a period names two required request fields and one span")
    return rule


def _asset(where: str, found: Any, request: Message) -> AssetRule | None:
    if found is None:
        return None
    _known(where, found, _ASSET_KEYS)
    fields = {field.name: field.presence for field in request.path + request.query + request.body}
    rule = AssetRule(found.get("field", ""), found.get("seqno", ""))
    if fields.get(rule.field) is not Presence.REQUIRED or rule.seqno not in {"", *fields}:
        raise BrokenStandard(f"{where}: an asset names a required request field, and its seqno one of the request")
    return rule


def _path(version: str, resource: str, industries: tuple[str, ...]) -> str:
    """규격 2.1: version and industry stand before a data API's resource; only 공통-001 and OAuth go unversioned."""
    return (f"/{version}" if version else "") + ("/{industry}" if industries else "") + resource


def _api(api_id: str, found: Any, headers: Mapping[str, tuple[Field, ...]]) -> Api:
    _known(api_id, found, _API_KEYS)
    if missing := _API_NEEDS - set(found):
        raise BrokenStandard(f"{api_id}: missing {', '.join(sorted(missing))}")
    if not all(isinstance(found[key], str) for key in _API_TEXTS & set(found)):
        raise BrokenStandard(f"{api_id}: {', '.join(sorted(_API_TEXTS))} are text")
    industries, later = tuple(found.get("industries", ())), tuple(found.get("later", ()))
    if strange := set(industries + later) - set(INDUSTRIES):
        raise BrokenStandard(f"{api_id}: unknown industry {', '.join(sorted(strange))}")
    method, resource, version = found["method"], found["resource"], found.get("version", "")
    if method not in {"GET", "POST"}:
        raise BrokenStandard(f"{api_id}: the standard knows GET and POST, not {method}")
    if ("cycle" in found) != bool(industries):
        raise BrokenStandard(f"{api_id}: a data API, and no other, has a cycle")
    if industries and found["cycle"] not in set(Cycle):
        raise BrokenStandard(f"{api_id}: unknown cycle {found['cycle']}")
    request = _message(f"{api_id}.request", found["request"], headers, JSON if method == "POST" else "")
    return Api(
        api_id=api_id,
        api_code=found.get("api_code", ""),
        name=found["name"],
        name_en=found["name_en"],
        method=method,
        path=_path(version, resource, industries),
        resource=resource,
        version=version,
        industries=industries,
        later=later,
        cycle=Cycle(found["cycle"]) if industries else None,
        scope=found.get("scope", ""),
        request=request,
        response=_message(f"{api_id}.response", found["response"], headers, JSON),
        period=_period(f"{api_id}.period", found.get("period"), request),
        asset=_asset(f"{api_id}.asset", found.get("asset"), request),
    )


def _all_apis() -> Iterator[Api]:
    headers = {group: _fields(group, rows) for group, rows in _read("headers.yaml").items()}
    for stem in API_FILES:
        for api_id, found in _read("apis", f"{stem}.yaml").items():
            yield _api(api_id, found, headers)


def _catalogue(apis: Iterator[Api]) -> Catalogue:
    by_id: dict[str, Api] = {}
    codes: dict[str, str] = {}
    for api in apis:
        if api.api_id in by_id:
            raise BrokenStandard(f"{api.api_id} stands twice")
        by_id[api.api_id] = api
        if api.api_code and codes.setdefault(api.api_code, api.api_id) != api.api_id:
            raise BrokenStandard(f"{api.api_code} belongs to {codes[api.api_code]} and to {api.api_id}")
    return Catalogue(by_id)


@cache
def load_catalogue() -> Catalogue:
    """The 91 APIs in the order of the official list; read once per process.

    Raises BrokenStandard when the packaged data has an unknown key, type or industry, a doubled id or code, or a
    conditional field without its condition.
    """
    return _catalogue(_all_apis())


def _status(where: str, row: object) -> tuple[int, str]:
    http, bar, text = str(row).partition(" | ")
    if not bar or not http.isdecimal():
        raise BrokenStandard(f"{where}: a row is written HTTP 상태 | 의미, not {row!r}")
    return int(http), text.strip()


@cache
def load_rsp_codes() -> Mapping[str, RspCode]:
    """The answer codes in force (규격 첨부1) by code."""
    return {code: RspCode(code, *_status(code, row)) for code, row in _read("rsp_codes.yaml").items()}


@cache
def load_oauth_errors() -> Mapping[str, tuple[OAuthError, ...]]:
    """The OAuth errors (규격 5장) of `authorize` and of `token` (token, refresh, revoke, support token).

    `invalid_request` stands twice under `authorize`: by redirect, and as 400 when there is nowhere to redirect to.
    """
    return {
        place: tuple(OAuthError(error, *_status(error, row)) for error, rows in errors.items() for row in rows)
        for place, errors in _read("oauth_errors.yaml").items()
    }
