"""A simulated browser of a customer: submits the forms on the pages of individual authentication.

It uses only what the pages contain: forms, field names and redirects.
"""

import ssl
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Final, Self
from urllib.parse import urljoin, urlsplit

import aiohttp

MAX_STEPS: Final = 12
TIMEOUT_S: Final = 30
_CHECKABLE: Final = frozenset({"checkbox", "radio"})
_REDIRECTS: Final = frozenset({302, 303})
_TEXT_KINDS: Final = frozenset({"hidden", "text", "password", "date"})


class PageFlowError(Exception):
    """The pages do not redirect to the callback. The message has the HTTP status and the page's title."""


@dataclass(slots=True)
class Field:
    """A field of a form. `is_sent` is False for an unchecked field."""

    name: str
    kind: str
    value: str
    is_sent: bool = True


@dataclass(slots=True)
class Form:
    """A form of a page."""

    action: str
    method: str
    fields: list[Field] = field(default_factory=list)

    def names(self) -> set[str]:
        """Returns the names of the form's fields."""
        return {entry.name for entry in self.fields}

    def write(self, name: str, value: str) -> None:
        """Type `value` into the field `name`."""
        for entry in self.fields:
            if entry.name == name:
                entry.value = value

    def consent_to_all(self) -> None:
        """Checks all checkboxes and the first choice of each radio group."""
        groups: set[str] = set()
        for entry in self.fields:
            if entry.kind == "radio":
                entry.is_sent = entry.name not in groups
                groups.add(entry.name)
            elif entry.kind == "checkbox":
                entry.is_sent = True

    def data(self) -> list[tuple[str, str]]:
        """Returns the fields that a browser would send."""
        return [(entry.name, entry.value) for entry in self.fields if entry.is_sent]


class _Reader(HTMLParser):
    """Parses the forms and the title of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.title = ""
        self._form: Form | None = None
        self._select: Field | None = None
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self._in_title = tag == "title"
        if tag == "form":
            self._form = Form(attributes.get("action", ""), attributes.get("method", "get"))
            self.forms.append(self._form)
        elif self._form is not None and tag == "input":
            self._input(self._form, attributes)
        elif self._form is not None and tag == "select":
            self._select = Field(attributes.get("name", ""), "select", "", is_sent=False)
            self._form.fields.append(self._select)
        elif tag == "option" and self._select is not None:
            self._option(self._select, attributes)

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

    def _input(self, form: Form, attributes: dict[str, str]) -> None:
        kind, name = attributes.get("type", "text"), attributes.get("name", "")
        if name and kind in _TEXT_KINDS | _CHECKABLE:
            value = attributes.get("value", "on" if kind in _CHECKABLE else "")
            form.fields.append(Field(name, kind, value, is_sent=kind in _TEXT_KINDS or "checked" in attributes))

    def _option(self, select: Field, attributes: dict[str, str]) -> None:
        if not select.is_sent or "selected" in attributes:
            select.value, select.is_sent = attributes.get("value", ""), True


def parse_forms(html: str) -> list[Form]:
    """Returns the forms of a page, in document order."""
    return _parse(html).forms


def _parse(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader


class BrowserClient:
    """A customer's browser with its own cookies. `trust` has its trusted CAs. Use it as an async context manager."""

    def __init__(self, trust: ssl.SSLContext, login_id: str, password: str) -> None:
        self._login = {"login_id": login_id, "password": password}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trust),
            cookie_jar=aiohttp.CookieJar(unsafe=True),  # the sandbox is served on an IP address
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def consent(self, location: str) -> str:
        """Logs in, consents to everything, and returns the callback URL to which the pages redirect.

        `location` is the redirect of 개별인증-001. Raises PageFlowError when the pages do not redirect to a callback.
        """
        pages_netloc, url, form = urlsplit(location).netloc, location, None
        for _ in range(MAX_STEPS):
            status, target, html = await self._request(url, form)
            if status in _REDIRECTS:
                url, form = urljoin(url, target), None
                if urlsplit(url).netloc != pages_netloc:
                    return url
                continue
            form = self._fill_in(status, html)
            url = urljoin(url, form.action)
        raise PageFlowError("the pages do not end")

    def _fill_in(self, status: int, html: str) -> Form:
        page = _parse(html)
        form = next((form for form in page.forms if form.names() - {"form_token"}), None)
        if form is None or status != 200:  # noqa: PLR2004 - any other status is a rejected form or an error page
            raise PageFlowError(f"HTTP {status}: {page.title}")
        if self._login.keys() <= form.names():
            for name, value in self._login.items():
                form.write(name, value)
        else:
            form.consent_to_all()
        return form

    async def _request(self, url: str, form: Form | None) -> tuple[int, str, str]:
        method, data = ("GET", None) if form is None else (form.method.upper(), form.data())
        async with self._session.request(method, url, data=data, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location", ""), await answer.text()


def trust_only(ca: Path) -> ssl.SSLContext:
    """Returns a TLS context that trusts only this CA."""
    return ssl.create_default_context(cafile=str(ca))
