"""A pretended customer's phone: walks the pages of individual authentication by their forms, as a browser would.

It knows nothing of the relay but what stands in the pages: forms, the names of their fields, links between them.
"""

import ssl
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Final, Self
from urllib.parse import urljoin, urlsplit

import aiohttp

STEPS_MOST: Final = 12
TIMEOUT_S: Final = 30
_TICKABLE: Final = frozenset({"checkbox", "radio"})
_REDIRECTS: Final = frozenset({302, 303})
_WRITTEN: Final = frozenset({"hidden", "text", "password", "date"})


class Stuck(Exception):
    """The pages lead nowhere; says at which step, with the page's title."""


@dataclass(slots=True)
class Field:
    """A field of a form as the page shows it; `ticked` for those that can be."""

    name: str
    kind: str
    value: str
    ticked: bool = True


@dataclass(slots=True)
class Form:
    """A form of a page."""

    action: str
    method: str
    fields: list[Field] = field(default_factory=list)

    def names(self) -> set[str]:
        """The names of its fields."""
        return {one.name for one in self.fields}

    def write(self, name: str, value: str) -> None:
        """Type `value` into the field `name`."""
        for one in self.fields:
            if one.name == name:
                one.value = value

    def consent_to_all(self) -> None:
        """Tick everything that can be ticked, and answer every question with its first choice."""
        answered: set[str] = set()
        for one in self.fields:
            if one.kind == "radio":
                one.ticked = one.name not in answered
                answered.add(one.name)
            elif one.kind == "checkbox":
                one.ticked = True

    def data(self) -> list[tuple[str, str]]:
        """What a browser would send."""
        return [(one.name, one.value) for one in self.fields if one.ticked]


class _Reader(HTMLParser):
    """The forms and the title of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.title = ""
        self._form: Form | None = None
        self._select: Field | None = None
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self._in_title = tag == "title"
        if tag == "form":
            self._form = Form(told.get("action", ""), told.get("method", "get"))
            self.forms.append(self._form)
        elif self._form is not None and tag == "input":
            self._input(self._form, told)
        elif self._form is not None and tag == "select":
            self._select = Field(told.get("name", ""), "select", "", ticked=False)
            self._form.fields.append(self._select)
        elif tag == "option" and self._select is not None:
            self._option(self._select, told)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None
        elif tag == "title":
            self._in_title = False

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data

    def _input(self, form: Form, told: dict[str, str]) -> None:
        kind, name = told.get("type", "text"), told.get("name", "")
        if name and kind in _WRITTEN | _TICKABLE:
            value = told.get("value", "on" if kind in _TICKABLE else "")
            form.fields.append(Field(name, kind, value, ticked=kind in _WRITTEN or "checked" in told))

    def _option(self, select: Field, told: dict[str, str]) -> None:
        if not select.ticked or "selected" in told:
            select.value, select.ticked = told.get("value", ""), True


def forms_of(html: str) -> list[Form]:
    """The forms of a page, in their order."""
    return _read(html).forms


def _read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader


class PretendedPhone:
    """One customer's browser with its cookies. `trust` are the CAs it knows. Use it as an async context."""

    def __init__(self, trust: ssl.SSLContext, login_id: str, password: str) -> None:
        self._login = {"login_id": login_id, "password": password}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trust),
            cookie_jar=aiohttp.CookieJar(unsafe=True),  # the street lives on an IP address
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def walk(self, location: str) -> str:
        """Log in, consent to everything, and the URL to which the pages send the customer in the end.

        `location` is what 개별인증-001 answered. Raises Stuck when the pages do not lead there.
        """
        pages, url, form = urlsplit(location).netloc, location, None
        for _ in range(STEPS_MOST):
            status, leads_to, html = await self._ask(url, form)
            if status in _REDIRECTS:
                url, form = urljoin(url, leads_to), None
                if urlsplit(url).netloc != pages:
                    return url
                continue
            form = self._filled_in(status, html)
            url = urljoin(url, form.action)
        raise Stuck("the pages do not come to an end")

    def _filled_in(self, status: int, html: str) -> Form:
        read = _read(html)
        form = next((form for form in read.forms if form.names() - {"form_token"}), None)
        if form is None or status != 200:  # noqa: PLR2004 - anything else is a form sent back, or a page of trouble
            raise Stuck(f"HTTP {status}: {read.title}")
        if self._login.keys() <= form.names():
            for name, value in self._login.items():
                form.write(name, value)
        else:
            form.consent_to_all()
        return form

    async def _ask(self, url: str, form: Form | None) -> tuple[int, str, str]:
        method, data = ("GET", None) if form is None else (form.method.upper(), form.data())
        async with self._session.request(method, url, data=data, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location", ""), await answer.text()


def trusting(ca: Path) -> ssl.SSLContext:
    """What a phone trusts that knows this CA alone."""
    return ssl.create_default_context(cafile=str(ca))
