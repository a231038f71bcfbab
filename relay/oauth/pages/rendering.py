"""Renders Jinja templates into responses with security headers."""

from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Final

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from relay.oauth.pages.error_pages import ErrorPage

STYLE: Final = resources.files("relay.oauth.pages").joinpath("static", "pages.css").read_bytes()
STYLE_PATH: Final = "/static/pages.css"

HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",  # the URL identifies the request
    "X-Content-Type-Options": "nosniff",
    "Strict-Transport-Security": "max-age=31536000",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
"""Default headers of all responses of the pages."""

_environment: Final = Environment(
    loader=PackageLoader("relay.oauth.pages", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


def build_csp(form_sources: Iterable[str] = ()) -> str:
    """Returns the Content-Security-Policy of a page whose forms post to this origin and redirect to `form_sources`."""
    targets = " ".join(("'self'", *form_sources))
    return f"default-src 'none'; style-src 'self'; form-action {targets}; frame-ancestors 'none'; base-uri 'none'"


def render_page(template: str, status: int = 200, form_sources: Iterable[str] = (), **values: object) -> web.Response:
    """Returns the response that shows `template` with `values`."""
    text = _environment.get_template(template).render(values)
    headers = {"Content-Security-Policy": build_csp(form_sources)}
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8", headers=headers)


def render_error_page(error: ErrorPage, retry_path: str = "") -> web.Response:
    """Returns the response with an error page. `retry_path` is the path of its retry link, "" for none."""
    return render_page("error.html", error.status, error=error, retry_path=retry_path)


async def get_stylesheet(_: web.Request) -> web.Response:
    """Returns the style sheet."""
    return web.Response(body=STYLE, content_type="text/css", charset="utf-8", headers={"Cache-Control": "max-age=3600"})


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Adds the default headers; a handler of aiohttp's on_response_prepare signal."""
    set_headers(response)


def set_headers(response: web.StreamResponse) -> None:
    """Adds the default headers to a response."""
    for name, value in {"Content-Security-Policy": build_csp(), **HEADERS}.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "relay"  # replaces the versions of aiohttp and Python
