"""Reads submitted forms within limits of size, type and time (64 KiB, as in the standard)."""

import asyncio
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from relay.oauth.pages.choices import Form
from relay.oauth.pages.error_pages import MALFORMED, PageError

MAX_BODY_BYTES: Final = 65536
MAX_FIELDS: Final = 2000
"""More than the assets of any customer."""

BODY_S: Final = 10.0
_TYPE: Final = "application/x-www-form-urlencoded"


async def read_form(http: web.Request) -> Form:
    """Returns the submitted form. Raises PageError; aiohttp itself refuses bodies over `MAX_BODY_BYTES`."""
    if http.content_type != _TYPE or "Content-Encoding" in http.headers:
        raise PageError(MALFORMED)
    try:
        async with asyncio.timeout(BODY_S):
            body = await http.read()
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            strict_parsing=bool(body),
            max_num_fields=MAX_FIELDS,
            errors="strict",
        )
    except (TimeoutError, ValueError) as error:
        raise PageError(MALFORMED) from error
    form: dict[str, list[str]] = {}
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    return {name: tuple(values) for name, values in form.items()}


def find_flaw(form: Form, name: str, max_length: int) -> str:
    """Returns why `read_field` cannot read a field: "missing" (or repeated), "long", "unprintable"; "" if it can.

    Used for typed fields, whose customers must learn what to correct.
    """
    values = form.get(name, ())
    if len(values) != 1 or not values[0]:
        return "missing"
    if len(values[0]) > max_length:
        return "long"
    return "" if values[0].isprintable() else "unprintable"


def read_field(form: Form, name: str, max_length: int) -> str:
    """Returns a printable field of at most `max_length` characters; "" when missing, repeated or invalid."""
    values = form.get(name, ())
    return values[0] if len(values) == 1 and len(values[0]) <= max_length and values[0].isprintable() else ""
