"""Which API a path means: literal paths in a dict, `{card_id}` in a tree. Compiled once, looked up per call."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from relay.domain.api import Api, Catalogue
from relay.domain.fault import FAULTS, MethodNotAllowed, Refusal
from relay.domain.ids import INDUSTRIES

_VERSIONED: Final = re.compile(rb"/v([1-9][0-9]{0,2})(/.*)")
_CARD_ID: Final = b"{card_id}"
_CARD_ID_MOST: Final = 64


@dataclass(frozen=True, slots=True)
class Route:
    """One API in one industry. `version` is the number in the path, 0 for `/apis`, which has none."""

    api: Api
    industry: str
    method: str
    version: int
    scope: str
    needs_token: bool

    @property
    def api_code(self) -> str:
        """첨부12 code of the API."""
        return self.api.api_code


@dataclass(frozen=True, slots=True)
class Routes:
    """All routes: by literal path, and by (before, after) the asset where the path names one.

    `words` are never an asset: the names of resources, which older editions and other servers have in its place
    (`/v1/card/cards/bills`).
    """

    literal: dict[bytes, Route]
    assets: dict[tuple[bytes, bytes], Route]
    words: frozenset[bytes]


def compile_routes(catalogue: Catalogue) -> Routes:
    """Routes of every data API in every industry that has it or may turn it on."""
    literal: dict[bytes, Route] = {}
    assets: dict[tuple[bytes, bytes], Route] = {}
    for industry in INDUSTRIES:
        for api in catalogue.of(industry, later=True):
            path = api.path_for(industry).encode()
            version = int(api.version[1:]) if api.version else 0
            scope = api.scope_for(industry)
            route = Route(api, industry, api.method, version, scope, bool(scope))
            before, asset, after = path.partition(_CARD_ID)
            if asset:
                assets[before, after] = route
            else:
                literal[path] = route
    return Routes(literal, assets, frozenset(_words(catalogue)))


def _words(catalogue: Catalogue) -> Iterator[bytes]:
    """The names of resources, of one and of many: those of all paths and scopes of the data APIs."""
    for api in catalogue.data():
        for word in (*api.resource.split("/"), *api.scope.split(".")):
            if word.isalnum():
                stem = word.removesuffix("s").encode()
                yield from (stem, stem + b"s")


def find_route(routes: Routes, method: str, path: bytes) -> tuple[Route, str, int]:
    """Route of (method, path), the asset named in the path ("" when none) and the version asked for.

    Raises Refusal: endpoint_unknown (40401), method_not_allowed (40501). Whether the provider serves the version is
    decided once the provider is known.
    """
    route = routes.literal.get(path)
    asset, version = "", -1
    if route is None:
        route, asset, version = _find_elsewhere(routes, path)
    if route.method != method:
        raise MethodNotAllowed(route.method)
    return route, asset, route.version if version < 0 else version


def route_at(routes: Routes, path: bytes) -> Route | None:
    """The route of a path, whatever its method and version; None when it is nobody's. For records, not for calls."""
    route = routes.literal.get(path)
    if route is not None:
        return route
    try:
        return _find_elsewhere(routes, path)[0]
    except Refusal:
        return None


def _find_elsewhere(routes: Routes, path: bytes) -> tuple[Route, str, int]:
    found = _find_asset(routes, path)
    if found is not None:
        return *found, -1
    versioned = _VERSIONED.fullmatch(path)
    if versioned is not None:
        known = (
            b"/v1" + versioned[2]
        )  # the catalogue holds v1; other versions have the same resources until they differ
        route = routes.literal.get(known)
        found = (route, "") if route is not None else _find_asset(routes, known)
        if found is not None:
            return *found, int(versioned[1])
    raise Refusal(FAULTS["endpoint_unknown"])


def _find_asset(routes: Routes, path: bytes) -> tuple[Route, str] | None:
    parts = path.split(b"/", 5)
    if len(parts) < 5:  # noqa: PLR2004 - /v1/card/cards/{card_id}
        return None
    before = b"/".join(parts[:4]) + b"/"
    after = b"/" + parts[5] if len(parts) > 5 else b""  # noqa: PLR2004 - what follows the asset
    route = routes.assets.get((before, after))
    asset = parts[4]
    if route is None or not asset.isalnum() or len(asset) > _CARD_ID_MOST or asset.lower() in routes.words:
        return None
    return route, asset.decode()
