"""Pages into answers: Jinja templates, and the headers that keep a page to itself."""

from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Final

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from relay.oauth.pages.problems import Problem

STYLE: Final = resources.files("relay.oauth.pages").joinpath("static", "pages.css").read_bytes()
STYLE_PATH: Final = "/static/pages.css"

HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",  # the address is the request's only name
    "X-Content-Type-Options": "nosniff",
    "Strict-Transport-Security": "max-age=31536000",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
"""What every answer of the pages carries, unless it says otherwise itself."""

_environment: Final = Environment(
    loader=PackageLoader("relay.oauth.pages", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


def policy_of(form_origins: Iterable[str] = ()) -> str:
    """Content-Security-Policy of a page whose forms may lead to us and, by redirect, to `form_origins`."""
    targets = " ".join(("'self'", *form_origins))
    return f"default-src 'none'; style-src 'self'; form-action {targets}; frame-ancestors 'none'; base-uri 'none'"


def page(template: str, status: int = 200, form_origins: Iterable[str] = (), **values: object) -> web.Response:
    """The answer that shows `template` with `values`."""
    text = _environment.get_template(template).render(values)
    headers = {"Content-Security-Policy": policy_of(form_origins)}
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8", headers=headers)


def problem_page(problem: Problem, again: str = "") -> web.Response:
    """The answer that tells of a problem; `again` is a path that a link leads to, "" for none."""
    return page("problem.html", problem.status, problem=problem, again=again)


async def style(_: web.Request) -> web.Response:
    """The style sheet."""
    return web.Response(body=STYLE, content_type="text/css", charset="utf-8", headers={"Cache-Control": "max-age=3600"})


async def guard(_: web.Request, response: web.StreamResponse) -> None:
    """Give an answer the headers that every answer carries; a signal of aiohttp."""
    guarded(response)


def guarded(response: web.StreamResponse) -> None:
    """Give an answer the headers that every answer carries."""
    for name, value in {"Content-Security-Policy": policy_of(), **HEADERS}.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "relay"  # aiohttp has written its own and Python's version there
