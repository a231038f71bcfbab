"""Finds the API of a path: exact paths and paths with `{card_id}`. Compiled once, looked up per call."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from relay.domain.api import Api, Catalogue
from relay.domain.fault import FAULTS, MethodNotAllowed, Refusal
from relay.domain.ids import INDUSTRIES

_VERSIONED: Final = re.compile(rb"/v([1-9][0-9]{0,2})(/.*)")
_CARD_ID: Final = b"{card_id}"
_MAX_CARD_ID_LENGTH: Final = 64


@dataclass(frozen=True, slots=True)
class Route:
    """One API in one industry. `version` is the number in the path, 0 for `/apis`, which has no version."""

    api: Api
    industry: str
    method: str
    version: int
    scope: str
    needs_token: bool

    @property
    def api_code(self) -> str:
        """Code of the API in 첨부12."""
        return self.api.api_code


@dataclass(frozen=True, slots=True)
class Routes:
    """All routes: `literal` by path, `assets` by the parts of the path before and after the asset.

    `reserved` are names of resources, which are never an asset: older editions and other servers have them in its
    place (`/v1/card/cards/bills`).
    """

    literal: dict[bytes, Route]
    assets: dict[tuple[bytes, bytes], Route]
    reserved: frozenset[bytes]


def compile_routes(catalogue: Catalogue) -> Routes:
    """Returns the routes of all data APIs in all industries that have them or may turn them on."""
    literal: dict[bytes, Route] = {}
    assets: dict[tuple[bytes, bytes], Route] = {}
    for industry in INDUSTRIES:
        for api in catalogue.iter_apis(industry, later=True):
            path = api.path_for(industry).encode()
            version = int(api.version[1:]) if api.version else 0
            scope = api.scope_for(industry)
            route = Route(api, industry, api.method, version, scope, bool(scope))
            before, asset, after = path.partition(_CARD_ID)
            if asset:
                assets[before, after] = route
            else:
                literal[path] = route
    return Routes(literal, assets, frozenset(_iter_reserved(catalogue)))


def _iter_reserved(catalogue: Catalogue) -> Iterator[bytes]:
    """Yields the names of resources in paths and scopes of data APIs, in singular and plural."""
    for api in catalogue.iter_data_apis():
        for word in (*api.resource.split("/"), *api.scope.split(".")):
            if word.isalnum():
                stem = word.removesuffix("s").encode()
                yield from (stem, stem + b"s")


def find_route(routes: Routes, method: str, path: bytes) -> tuple[Route, str, int]:
    """Returns the route of method and path, the asset in the path ("" for none) and the requested version.

    Raises Refusal: endpoint_unknown (40401), method_not_allowed (40501). The version is checked later, when the
    institution is known.
    """
    route = routes.literal.get(path)
    asset, version = "", -1
    if route is None:
        route, asset, version = _find_variant(routes, path)
    if route.method != method:
        raise MethodNotAllowed(route.method)
    return route, asset, route.version if version < 0 else version


def lookup_route(routes: Routes, path: bytes) -> Route | None:
    """Returns the route of a path for any method and version, None for unknown paths. For records, not for calls."""
    route = routes.literal.get(path)
    if route is not None:
        return route
    try:
        return _find_variant(routes, path)[0]
    except Refusal:
        return None


def _find_variant(routes: Routes, path: bytes) -> tuple[Route, str, int]:
    """Finds the route of a path with an asset or a version other than v1; version -1 means that of the route."""
    match = _find_asset(routes, path)
    if match is not None:
        return *match, -1
    versioned = _VERSIONED.fullmatch(path)
    if versioned is not None:
        # the catalogue holds v1; other versions have the same resources until they differ
        v1_path = b"/v1" + versioned[2]
        route = routes.literal.get(v1_path)
        match = (route, "") if route is not None else _find_asset(routes, v1_path)
        if match is not None:
            return *match, int(versioned[1])
    raise Refusal(FAULTS["endpoint_unknown"])


def _find_asset(routes: Routes, path: bytes) -> tuple[Route, str] | None:
    parts = path.split(b"/", 5)
    if len(parts) < 5:  # noqa: PLR2004 - /v1/card/cards/{card_id}
        return None
    before = b"/".join(parts[:4]) + b"/"
    after = b"/" + parts[5] if len(parts) > 5 else b""  # noqa: PLR2004 - what follows the asset
    route = routes.assets.get((before, after))
    asset = parts[4]
    if route is None or not asset.isalnum() or len(asset) > _MAX_CARD_ID_LENGTH or asset.lower() in routes.reserved:
        return None
    return route, asset.decode()
